import type { Memory } from './memory.ts'
import { type Batch, type Message, type Stored, BATCH, MADE, idOf, nearOf } from './records.ts'
import { add, all, answer, get } from './rows.ts'

/** The most that are read at once, and their bytes. */
const CHUNK = 256
const CHUNK_BYTES = 8_000_000

/** The messages of a queue, as one step sees and changes them. Those that were stored at once share rows. */
export class Messages {
  readonly #store: IDBObjectStore
  readonly #memory: Memory
  readonly #known: Map<number, Message | undefined> = new Map()
  /** In whose rows they are, and which of these are to be written anew. */
  readonly #rowOf: Map<number, Batch> = new Map()
  readonly #changed: Set<Batch> = new Set()
  readonly #gone: Set<number> = new Set()
  /** A place that was taken. */
  top = 0
  #isTop = false

  constructor(store: IDBObjectStore, memory: Memory) {
    this.#store = store
    this.#memory = memory
  }

  /** The last place that was taken. */
  async tail(): Promise<number> {
    if (!this.#isTop) {
      const cursor = await answer(this.#store.openKeyCursor(null, 'prev'))
      this.top = Math.max(this.top, (cursor?.primaryKey ?? 0) as number)
      this.#isTop = true
    }
    return this.top
  }

  // Reading

  /** How many are read at once, of so many that are wanted. */
  chunk(wanted: number): number {
    return Math.max(1, Math.min(wanted, CHUNK, Math.floor(CHUNK_BYTES / (this.#memory.mean + 1))))
  }

  async get(n: number): Promise<Message | undefined> {
    if (!this.#known.has(n)) {
      // The first row from there on has it, or none.
      this.#open(await all<Stored>(this.#store, IDBKeyRange.bound(n, n > 0 ? n + BATCH : n), 1))
      if (!this.#known.has(n)) this.#known.set(n, undefined)
    }
    return this.#known.get(n)
  }

  /** One that was read, unless it is gone. */
  known(n: number): Message | undefined {
    return this.#known.get(n)
  }

  /** Several at once. */
  async load(numbers: readonly number[]): Promise<void> {
    const asked = numbers.filter((n) => !this.#known.has(n)).sort((a, b) => a - b)
    const [first = 0, last = 0] = [asked[0], asked.at(-1)]
    if (first > 0 && last - first < 2 * asked.length * this.#memory.perRow && asked.length > 1)
      await this.range(IDBKeyRange.bound(first, last), Infinity)
    await Promise.all(asked.map((n) => this.get(n)))
  }

  /** Those of so many rows, and whether these are the last. */
  async read(range: IDBKeyRange, count: number): Promise<[list: Message[], isLast: boolean]> {
    const found = await all<Stored>(this.#store, range, count)
    const list = this.#open(found)
    if (found.length > 0) this.#memory.perRow = Math.max(1, list.length / found.length)
    return [list, found.length < count]
  }

  /** In the order of their numbers. */
  async range(range: IDBKeyRange, limit: number): Promise<Message[]> {
    this.flush()
    const { lower, upper = Infinity } = range as { lower: number; upper?: number }
    const found: Message[] = []
    for (let from = lower, isAfter = range.lowerOpen; ;) {
      const count = Math.min(Math.ceil((limit - found.length) / this.#memory.perRow), 2 ** 31)
      const until = upper > 0 ? upper + BATCH : upper
      const [list, isLast] = await this.read(IDBKeyRange.bound(from, until, isAfter), count)
      found.push(...list.filter(({ n }) => range.includes(n)))
      if (isLast || found.length >= limit) return found.slice(0, limit)
      from = list.at(-1)!.n
      isAfter = true
    }
  }

  /** In the order of an index, in which those with rows of their own stand. */
  async indexed(range: IDBKeyRange, limit: number, index: 'd' | 'l' | 'x'): Promise<Message[]> {
    this.flush()
    return this.#open(await all<Stored>(this.#store.index(index), range, limit))
  }

  /** The messages of rows, as this step knows them. */
  #open(found: readonly Stored[]): Message[] {
    const known = this.#known
    return found.flatMap((stored) => {
      const row = 'batch' in stored ? stored : { n: stored.n, base: stored.base, batch: [stored] }
      return row.batch.flatMap((one) => {
        const { n, body } = one
        if (!known.has(n)) {
          if (!(n <= row.n && n > row.n - BATCH)) throw new TypeError(`${n} is in the row of ${row.n}`)
          known.set(n, one)
          this.#rowOf.set(n, row)
          this.#memory.mean += (nearOf(body) - this.#memory.mean) / 16
        }
        return known.get(n) ?? []
      })
    })
  }

  /** The last message of an id that tells nothing of its place, or of one that does. */
  async find(id: string): Promise<Message | undefined> {
    this.flush()
    const named = await get<Stored>(this.#store.index('u'), id)
    if (named !== undefined) return this.#open([named]).find(({ u }) => u === id)
    const n = this.placeIn(id)
    const found = n === undefined ? undefined : await this.get(n)
    return found !== undefined && idOf(found) === id ? found : undefined
  }

  /** The place that an id tells, if one was taken that may be it. */
  placeIn(id: string): number | undefined {
    const n = Number.parseInt(id.slice(28), 16)
    return n > 0 && n < MADE && !(this.#isTop && n > this.top) ? n : undefined
  }

  /** Whether a message may share its row with others. */
  isShared(n: number): boolean {
    return this.#rowOf.get(n)?.batch.length !== 1
  }

  // Writing

  async add(message: Omit<Message, 'n'> & { n?: number }): Promise<Message> {
    this.flush()
    const n = await add(this.#store, message)
    this.top = Math.max(this.top, n)
    return this.#open([{ ...message, n }])[0]!
  }

  /** Takes the places of so many messages. Answers with the first; the row there is to be deleted. */
  async take(count: number): Promise<number> {
    this.flush()
    const first = await add(this.#store, {})
    this.top = first + count - 1
    return first
  }

  put(message: Message): void {
    const { n, x } = message
    const row = this.#rowOf.get(n)
    this.#known.set(n, message)
    if (row !== undefined && (x === undefined || row.batch.length === 1)) return void this.#changed.add(row)
    this.flush()
    // Rows are in the order of their messages: none stands among those that share one.
    for (const one of new Set(this.#rowOf.values()))
      if (one === row || (one.n > n && one.batch[0]!.n < n)) this.#dissolve(one)
    if (row === undefined) this.#ownRow(message)
  }

  /** Gives each of its messages a row of its own. */
  #dissolve(row: Batch): void {
    this.#gone.add(row.n)
    for (const { n } of row.batch) this.#ownRow(this.#known.get(n)!)
  }

  #ownRow(message: Message): void {
    const { n, base } = message
    const row = { n, base, batch: [message] }
    this.#rowOf.set(n, row)
    this.#changed.add(row)
  }

  delete(n: number): void {
    const row = this.#rowOf.get(n)
    this.#known.set(n, undefined)
    if (row === undefined) this.#gone.add(n)
    else this.#changed.add(row)
    this.top = Math.max(this.top, n)
  }

  /** Writes what is left of rows, and deletes those of which nothing is. */
  flush(): void {
    const store = this.#store
    for (const row of this.#changed) {
      const left = row.batch.flatMap(({ n }) => this.#known.get(n) ?? [])
      const last = left.at(-1)?.n
      if (last !== row.n) this.#gone.add(row.n)
      for (const { n } of row.batch) {
        if (this.#known.get(n) !== undefined) continue
        this.#rowOf.delete(n)
        // Rows that follow one another are deleted at once.
        if (last === undefined) this.#gone.add(n)
      }
      row.batch = left
      row.n = last ?? 0
    }
    const gone = [...this.#gone].sort((a, b) => a - b)
    for (let i = 0, j = 0; i < gone.length; i = j) {
      for (j = i + 1; gone[j] === gone[j - 1]! + 1;) j++
      store.delete(j === i + 1 ? gone[i]! : IDBKeyRange.bound(gone[i], gone[j - 1]))
    }
    for (const { n, base, batch } of this.#changed) if (batch.length > 0) store.put(rowOf(n, base, batch))
    this.#gone.clear()
    this.#changed.clear()
  }
}

/** What is stored of messages that share a row, by whose ids it is found; of one it is that one. */
export function rowOf(n: number, base: string, batch: readonly Message[]): object {
  const u = batch.flatMap((message) => message.u ?? [])
  if (batch.length === 1) return batch[0]!
  return u.length === 0 ? { n, base, batch } : { n, base, batch, u }
}
