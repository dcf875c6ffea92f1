import { type Producer, Queue } from '../src/index.ts'
import { type Body, MAX_IDS, type QueueStorage, type StorageAdapter } from '../src/storage.ts'
import { type Head, isHead, isUntouched, type Line, parse } from './dump.ts'
import { FAILED, Stop } from './exit.ts'
import { inOrder } from './order.ts'
import { pages } from './pages.ts'
import type { Progress } from './progress.ts'
import { append, AS_IT_IS, restore } from './restore.ts'
import { Spool } from './spool.ts'
import type { Target } from './target.ts'
import { clean } from './width.ts'

/** Messages of one append. */
export const BATCH = 500
/** Characters of the lines of one append, or one line that has more: storages have a limit. */
const BATCH_LENGTH = 4 * 1024 * 1024

export interface Totals {
  stored: number
  duplicates: number
  /** Stored, but as if their group had not seen them yet. */
  unreached: number
}

/** Makes queues of the lines that `export` has written. */
export async function importLines(
  { adapter }: Pick<Target, 'adapter'>,
  batches: AsyncIterable<readonly string[]>,
  progress: Pick<Progress, 'add'>,
  renamed?: string,
): Promise<Totals> {
  const totals: Totals = { stored: 0, duplicates: 0, unreached: 0 }
  let current: Import | undefined
  let number = 0
  try {
    for await (const lines of batches) {
      for (const line of lines) {
        number++
        const value = parse(line)
        if (value === undefined) throw new Stop(FAILED, `line ${number} is not what export writes`)
        if (!isHead(value)) {
          if (current === undefined)
            throw new Stop(FAILED, `line ${number} is a message, and no line before it names its queue`)
          current.take(value, line)
          continue
        }
        if (current !== undefined && renamed !== undefined)
          throw new Stop(
            FAILED,
            `line ${number} begins another queue, ${clean(value.queue)}: --queue is for one`,
          )
        await current?.finish()
        current?.end()
        current = undefined
        const name = renamed ?? value.queue
        current = new Import(adapter, name, await adapter.open(name), value, totals, progress)
      }
    }
    await current?.finish()
    return totals
  } finally {
    current?.end()
  }
}

/** One queue on its way. Messages to which something has happened go first: they can be received then. */
class Import {
  readonly #queue: Queue<Body>
  readonly #producer: Producer<Body>
  readonly #storage: QueueStorage
  readonly #head: Head
  readonly #totals: Totals
  readonly #progress: Pick<Progress, 'add'>
  /** With the lengths of their lines. */
  readonly #touched: Map<Line, number> = new Map()
  readonly #untouched = new Spool()

  constructor(
    adapter: StorageAdapter,
    name: string,
    storage: QueueStorage,
    head: Head,
    totals: Totals,
    progress: Pick<Progress, 'add'>,
  ) {
    this.#queue = new Queue<Body>(name, { storage: adapter, codec: AS_IT_IS })
    this.#producer = this.#queue.createProducer()
    this.#storage = storage
    this.#head = head
    this.#totals = totals
    this.#progress = progress
  }

  take(line: Line, source: string): void {
    const { groups } = this.#head
    if (groups.length === 0 || isUntouched(line, groups)) this.#untouched.add(source)
    else this.#touched.set(line, source.length)
  }

  async finish(): Promise<void> {
    for (const group of this.#head.groups) await this.#queue.createConsumer(group).join()
    const { groups } = await this.#storage.stats()
    const withDead = this.#head.groups.filter(
      (group) => Object.hasOwn(groups, group) && groups[group]!.dead > 0,
    )
    const touched = inOrder([...this.#touched.keys()], this.#head.groups)
    const stored = new Map<string, Line>()
    for (const batch of batchesOf(touched, (line) => this.#touched.get(line)!))
      await this.#append(await this.#withoutDead(batch, withDead), () => undefined, stored)
    for (const group of this.#head.groups)
      this.#totals.unreached += await restore(this.#storage, group, stored, (count) =>
        this.#progress.add(count),
      )
    const delayOf = ({ groups: all }: Line): number | undefined =>
      Object.values(all).find(({ state }) => state === 'delayed')?.nextInMs
    let batch: Line[] = []
    let length = 0
    for await (const source of this.#untouched.lines()) {
      if (batch.length === BATCH || (batch.length > 0 && length + source.length > BATCH_LENGTH)) {
        await this.#append(batch, delayOf)
        batch = []
        length = 0
      }
      batch.push(parse(source) as Line)
      length += source.length
    }
    if (batch.length > 0) await this.#append(batch, delayOf)
    // Last: nothing could be received of what is held.
    for (const { group, lane, reason, endsInMs, probe, probing } of this.#head.holds ?? []) {
      await this.#queue.hold({ group, lane, reason, forMs: endsInMs, probe: probe || probing })
      if (probing) await this.#queue.release({ group, lane, probe: true })
    }
    await this.#queue.close()
  }

  /** Without those that the queue has as dead letters: it does not know their ids any more. */
  async #withoutDead(lines: readonly Line[], groups: readonly string[]): Promise<readonly Line[]> {
    const dead = new Set<string>()
    for (const group of groups) {
      for (let i = 0; i < lines.length; i += MAX_IDS) {
        const ids = lines.slice(i, i + MAX_IDS).map(({ id }) => id)
        for await (const page of pages(this.#storage, { group, ids, states: ['dead'] }))
          for (const { id } of page) dead.add(id)
      }
    }
    this.#totals.duplicates += dead.size
    return lines.filter(({ id }) => !dead.has(id))
  }

  /** Leaves nothing behind. */
  end(): void {
    this.#untouched.remove()
  }

  async #append(
    lines: readonly Line[],
    delayOf: (line: Line) => number | undefined,
    into?: Map<string, Line>,
  ): Promise<void> {
    const { stored, duplicates } = await append(this.#producer, lines, delayOf, into)
    this.#totals.stored += stored
    this.#totals.duplicates += duplicates
    this.#progress.add(lines.length)
  }
}

function* batchesOf(lines: readonly Line[], lengthOf: (line: Line) => number): Generator<readonly Line[]> {
  let batch: Line[] = []
  let length = 0
  for (const line of lines) {
    if (batch.length === BATCH || (batch.length > 0 && length + lengthOf(line) > BATCH_LENGTH)) {
      yield batch
      batch = []
      length = 0
    }
    batch.push(line)
    length += lengthOf(line)
  }
  if (batch.length > 0) yield batch
}
