import { OrderedMap } from '../../src/segments/ordered-map.ts'
import {
  type Key,
  type KeyRange,
  type Kind,
  type QueueStore,
  type Table,
  type Transaction,
  TABLES,
} from '../../src/segments/store.ts'

export type Random = () => number

export function pick<T>(random: Random, from: readonly T[]): T {
  return from[Math.floor(random() * from.length)]!
}

export type Write =
  | { readonly put: Key; readonly table: Table; readonly value: unknown }
  | { readonly delete: Key; readonly table: Table }
  | { readonly deleteRange: KeyRange; readonly table: Table }

/** One transaction of a history. */
export interface Step {
  readonly kind: Exclude<Kind, 'read'>
  readonly writes: readonly Write[]
}

const USED: readonly Table[] = ['state', 'log', 'side', 'due', 'ids', 'bodies', 'copies']

export interface StepOptions {
  /** How long values are, at most. */
  readonly bytes?: number
  /** How many keys there are in a table. */
  readonly keys?: number
  readonly kinds?: readonly Step['kind'][]
  /** The tables that are used. */
  readonly tables?: readonly Table[]
}

export function randomStep(
  random: Random,
  { bytes = 200, keys = 12, kinds = KINDS, tables = USED }: StepOptions = {},
): Step {
  const writes: Write[] = []
  const count = 1 + Math.floor(random() * 4)
  for (let i = 0; i < count; i++) {
    const table = pick(random, tables)
    const what = random()
    if (what < 0.75) {
      writes.push({ table, put: randomKey(random, table, keys), value: randomValue(random, bytes) })
    } else if (what < 0.93) {
      writes.push({ table, delete: randomKey(random, table, keys) })
    } else {
      writes.push({ table, deleteRange: randomRange(random, table, keys) })
    }
  }
  return { kind: pick(random, kinds), writes }
}

const KINDS: readonly Step['kind'][] = ['append', 'consume', 'remove']

function randomKey(random: Random, table: Table, keys: number): Key {
  const n = Math.floor(random() * keys)
  if (table === 'log' || table === 'bodies') return n
  if (table === 'ids') return `id ${n} \u{1f6a2}`
  return n % 3 === 0 ? ['ä', n] : ['b', n, n / 4]
}

function randomRange(random: Random, table: Table, keys: number): KeyRange {
  const lower = randomKey(random, table, keys)
  const shape = random()
  if (shape < 0.2) return {}
  if (shape < 0.5) return { lower }
  return shape < 0.7 ? { upper: lower } : { lower, upper: randomKey(random, table, keys) }
}

function randomValue(random: Random, bytes: number): unknown {
  const text = String.fromCharCode(97 + Math.floor(random() * 26)).repeat(Math.floor(random() * bytes))
  switch (Math.floor(random() * 4)) {
    case 0:
      return { tail: Math.floor(random() * 1e15), bodies: [text, text.slice(1)], more: undefined }
    case 1:
      return new Uint8Array(text.length).fill(Math.floor(random() * 256))
    case 2:
      return text
    default:
      return [text, null, true, -random(), { 'an unusual name': text.length }]
  }
}

export function perform(tx: Transaction, step: Step): void {
  for (const write of step.writes) {
    if ('put' in write) tx.put(write.table, write.put, write.value)
    else if ('delete' in write) tx.delete(write.table, write.delete)
    else tx.deleteRange(write.table, write.deleteRange)
  }
}

/** The key, in `state`, of the number of the last step that a queue has seen. */
const STEP = 'step'

export type Rows = Record<string, readonly (readonly [Key, unknown])[]>

/** All rows of a queue, as the store tells. */
export function rowsOf(queue: QueueStore): Promise<Rows> {
  return queue.transact('read', (tx) => {
    const rows: Rows = {}
    for (const table of Object.keys(TABLES) as Table[]) {
      const found = tx.range(table, {}, Number.MAX_SAFE_INTEGER)
      if (found.length > 0) rows[table] = found
    }
    return rows
  })
}

function reachedBy(queue: QueueStore): Promise<number> {
  return queue.transact('read', (tx) => tx.get<number>('state', STEP) ?? 0)
}

/**
 * A history of transactions on one queue, and what it should have led to.
 *
 * Every step also writes its number. So a queue that was opened again says itself how far it came, and must be exactly
 * what all steps up to there make of it, which must be all that were acknowledged, if not more.
 */
export class History {
  /** Steps in the order in which they took effect, without those that were refused. */
  #steps: { readonly number: number; readonly step: Step }[] = []
  #next = 1
  /** The last step that was acknowledged by the disk, and by the system. */
  #onDisk = 0
  #written = 0
  #epoch = 0

  /** To be called when the process "dies": what is acknowledged later reaches nobody. */
  crash(): void {
    this.#epoch++
  }

  /**
   * Starts a step; resolves when it is settled, with its error if it has one. `survives` says whether a power cut must not
   * undo it once it is acknowledged.
   */
  async run(queue: QueueStore, step: Step, survives: boolean = step.kind !== 'consume'): Promise<unknown> {
    const number = this.#next++
    const epoch = this.#epoch
    this.#steps.push({ number, step })
    try {
      await queue.transact(step.kind, (tx) => {
        perform(tx, step)
        tx.put('state', STEP, number)
      })
      if (epoch !== this.#epoch) return undefined
      this.#written = Math.max(this.#written, number)
      if (survives) this.#onDisk = Math.max(this.#onDisk, number)
      return undefined
    } catch (error) {
      if (epoch === this.#epoch && (error as { code?: string }).code === 'QUOTA_EXCEEDED') {
        this.#steps = this.#steps.filter((one) => one.number !== number)
      }
      return error
    }
  }

  /** The number of the last step that was acknowledged. */
  get acknowledged(): number {
    return this.#written
  }

  /**
   * What is wrong with the rows of a queue; nothing if they are what this history must have led to.
   *
   * @param after What has happened; or how many steps had been acknowledged by then.
   */
  async check(
    queue: QueueStore,
    after: 'running' | 'kill' | 'power cut' | number,
  ): Promise<string | undefined> {
    const rows = await rowsOf(queue)
    const reached = await reachedBy(queue)
    const acknowledged =
      typeof after === 'number' ? after : after === 'power cut' ? this.#onDisk : this.#written
    if (reached < acknowledged)
      return `lost: step ${acknowledged} was acknowledged, but only ${reached} is there`
    const expected = this.#expected(reached)
    for (const table of new Set([...Object.keys(rows), ...Object.keys(expected)])) {
      const is = print(rows[table])
      const should = print(expected[table])
      if (is !== should) return `after step ${reached} of ${this.#next - 1}, ${table} is ${is}, not ${should}`
    }
    return undefined
  }

  /** Goes on with a queue that was checked: what was in doubt is decided now. */
  async goOn(queue: QueueStore): Promise<void> {
    const reached = await reachedBy(queue)
    this.#steps = this.#steps.filter((one) => one.number <= reached)
    this.#onDisk = this.#written = reached
  }

  #expected(reached: number): Rows {
    const tables: Partial<Record<Table, OrderedMap<unknown>>> = {}
    const table = (name: Table): OrderedMap<unknown> => (tables[name] ??= new OrderedMap())
    const put = (name: Table, key: Key, value: unknown): void => void table(name).set(key, value)
    const tx = {
      put,
      delete: (name: Table, key: Key) => void table(name).delete(key),
      deleteRange: (name: Table, range: KeyRange) => table(name).deleteRange(range),
    } as unknown as Transaction
    for (const { number, step } of this.#steps) {
      if (number > reached) break
      perform(tx, step)
      put('state', STEP, number)
    }
    const rows: Rows = {}
    for (const [name, map] of Object.entries(tables)) if (map.size > 0) rows[name] = map.range({}, Infinity)
    return rows
  }
}

function print(value: unknown): string {
  return JSON.stringify(value, function (this: unknown, _key, part: unknown) {
    if (part instanceof Uint8Array) return `bytes ${part.length} ${part[0]}`
    // A property that is `undefined` counts as absent.
    return part === undefined && Array.isArray(this) ? '(undefined)' : part
  })
}
