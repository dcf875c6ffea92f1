import { nextOf } from './lines.ts'
import type { Memory } from './memory.ts'
import { type PackedBundle, packRow, plainPlaces, unpackRow } from './pack.ts'
import type { Bundle, Place, Queue } from './records.ts'
import { type Key, type Row, type Rows, all, get } from './rows.ts'
import type { Steps } from './steps.ts'

/** How many rows are read at once of all. */
const WALKED = 256

/** What is known of a queue besides its messages, as one step sees and changes it. */
export class Table {
  readonly rows: Rows
  readonly steps: Steps
  readonly memory: Memory
  readonly q: Queue
  /** Where places are that have no row of their own. */
  readonly bundleOf: Map<Place, Bundle> = new Map()
  readonly #cache: Map<string, Row | undefined> = new Map()
  readonly #dirty: Map<string, Key> = new Map()
  /** Of those the ones that were not there before: a row is read before it is written, but for places that come out of another row. */
  readonly #made: Set<string> = new Set()
  /**
   * Rows, as they are stored, that stand in the row of the queue while they are small and few: leases, ordering keys, and what is
   * blocked behind these. Most are over soon: as what is read and written anyway they cost a claim no row to put, and an ack none to
   * get and to delete.
   */
  readonly near: Map<string, Row>

  constructor(rows: Rows, steps: Steps, memory: Memory, queue: Queue) {
    this.rows = rows
    this.steps = steps
    this.memory = memory
    this.q = queue
    this.near = new Map(queue.near.map((row) => [JSON.stringify(row.k), row]))
  }

  async get<T extends Row>(k: Key): Promise<T | undefined> {
    const text = JSON.stringify(k)
    if (this.#cache.has(text)) return this.#cache.get(text) as T | undefined
    const found = this.near.get(text) ?? (await get<T>(this.rows.rows, k))
    return this.#known(text, found) as T | undefined
  }

  /** A row that was read beforehand. */
  bringRow(k: Key, row: Row | undefined): void {
    const text = JSON.stringify(k)
    this.#known(text, this.near.get(text) ?? row)
  }

  /** Whether it takes no request to know a row. */
  knows(k: Key): boolean {
    const text = JSON.stringify(k)
    return this.#cache.has(text) || this.near.has(text)
  }

  /** Reads a row of its own, if there is one, with the first of those whose keys begin with its. */
  async loadWithFirst(k: Key): Promise<void> {
    this.#same(await all<Row>(this.rows.rows, IDBKeyRange.bound(k, [...k, []]), 2))
    this.#known(JSON.stringify(k), undefined)
  }

  /** Several at once. */
  load(keys: readonly Key[]): Promise<unknown> {
    const asked = new Map(keys.map((k) => [JSON.stringify(k), k]))
    return Promise.all(Array.from(asked.values(), (k) => this.get(k)))
  }

  #known(text: string, stored: Row | undefined): Row | undefined {
    if (this.#cache.has(text)) return this.#cache.get(text)
    const found = stored && unpackRow(stored)
    this.#cache.set(text, found)
    if (found !== undefined && 'places' in found)
      for (const place of (found as Bundle).places) this.bundleOf.set(place, found as Bundle)
    return found
  }

  /** Writes a row; what a group has without a lane stands in that of the queue. */
  set(row: Row): void {
    if (row.k.length === 0) return
    const text = JSON.stringify(row.k)
    if (this.#cache.get(text) === undefined && !this.#dirty.has(text)) this.#made.add(text)
    this.#cache.set(text, row)
    this.#dirty.set(text, row.k)
  }

  /** Writes a place with the row that it is in. */
  save(place: Place): void {
    this.set(this.bundleOf.get(place) ?? place)
  }

  remove(k: Key): void {
    const text = JSON.stringify(k)
    this.#cache.set(text, undefined)
    if (this.#made.delete(text)) this.#dirty.delete(text)
    else this.#dirty.set(text, k)
  }

  async range<T extends Row>(range: IDBKeyRange, limit: number): Promise<T[]> {
    return await this.#all<T>(this.rows.rows, range, limit, ({ k }) => [k])
  }

  /** Rows that stand in a line, in its order. */
  async line<T extends Row>(range: IDBKeyRange, limit: number): Promise<T[]> {
    return await this.#all<T>(this.rows.rows.index('lines'), range, limit, ({ lines = [] }) => lines)
  }

  async #all<T extends Row>(
    source: IDBObjectStore | IDBIndex,
    range: IDBKeyRange,
    limit: number,
    keysOf: (row: Row) => readonly Key[],
  ): Promise<T[]> {
    this.flush()
    const found = await all<T>(source, range, limit)
    const [kind] = range.lower as Key
    const place = (row: Row): Key | undefined =>
      keysOf(row).find((k) => (k[0] === kind || source !== this.rows.rows) && range.includes(k))
    const near = [...this.near.values()].filter((row) => place(row) !== undefined) as T[]
    if (near.length === 0) return this.#same(found)
    const both = [...found, ...near].sort((a, b) => indexedDB.cmp(place(a), place(b)))
    return this.#same(both.slice(0, limit))
  }

  /** Rows that were read, as this step knows them. */
  #same<T extends Row>(found: readonly T[]): T[] {
    return found.map((row) => this.#known(JSON.stringify(row.k), row) as T)
  }

  flush(): void {
    const { rows, near } = this
    if (rows.isReadonly) return
    for (const [text, k] of this.#dirty) {
      const row = this.#cache.get(text)
      const wasNear = near.delete(text)
      const isNear = row !== undefined && this.#isNear(row)
      if (row !== undefined) {
        const packed = packRow(row)
        for (const line of packed.lines ?? []) this.due(line)
        if (isNear) near.set(text, packed)
        else rows.rows.put(packed)
      }
      if ((isNear && !wasNear && !this.#made.has(text)) || (row === undefined && !wasNear))
        rows.rows.delete(k as IDBValidKey)
    }
    this.#dirty.clear()
    this.#made.clear()
  }

  #isNear(row: Row): boolean {
    const places = plainPlaces(row)
    if (places === undefined) return false
    const kind = row.k[0] as 'l' | 'k'
    let count = 1 + places
    for (const { k, v = [] } of this.near.values() as Iterable<Row & Partial<PackedBundle>>)
      if (k[0] === kind) count += 1 + v.length
    return count <= this.steps.near[kind]
  }

  /** Something is due at a time in a line. */
  due([line, kind, time]: Key): void {
    const { q } = this
    if (kind === 't') q.next[line as number] = Math.min(nextOf(q, line as number), time as number)
  }

  /** All rows whose keys begin so, in steps. */
  async *walk<T extends Row>(start: Key, from: Key = start): AsyncGenerator<T, void> {
    let lower = IDBKeyRange.bound(from, [...start, []], from !== start)
    for (;;) {
      const found = await this.range<T>(lower, WALKED)
      yield* found
      if (found.length < WALKED) return
      lower = IDBKeyRange.bound(found.at(-1)!.k, [...start, []], true)
    }
  }
}

/** What must be there: who goes on without it would look for it for ever. */
export function sure<T>(found: T | undefined): T {
  if (found === undefined) throw new TypeError('what is counted is not there')
  return found
}
