import type { Body, GroupStart, NewMessage } from '../../../src/storage.ts'
import {
  type Batch,
  type Bundle,
  type Flow,
  type Group,
  type KeyRow,
  type Lane,
  type Message,
  type Place,
  type Queue,
  type Stored,
  newFlow,
  newGroup,
} from './records.ts'
import { type PackedBundle, packQueue, packRow, plainPlaces, unpackRow } from './pack.ts'
import { type Key, type Row, type Rows, under } from './rows.ts'

/** How much one step does at most, so that others have their turn within some ms. */
export interface Steps {
  readonly atOnce: number
  readonly passed: number
  readonly looked: number
  /** So many messages that are stored at once share a row. */
  readonly shared: number
}

/** Each of them waits some times for the browser: on a busy machine, 1 ms and more. */
export const STEPS: Steps = { atOnce: 256, passed: 512, looked: 20_000, shared: 8 }

/** What a context remembers of a queue: guesses, which save a step where they are right. */
export interface Memory {
  /** Where groups were. */
  readonly cursors: Map<string, number>
  /** How long messages are, about. */
  mean: number
  /** How many of them share a row, about. */
  perRow: number
  /** No message is delayed, as far as this context knows. */
  undelayed: boolean
  /** Rows that stand in the row of the queue. */
  near: ReadonlyMap<string, Row>
}

/** So many leases stand in the row of the queue at most, and so many keys and what is blocked behind them, with the rows they are in. */
const NEAR = { l: 48, k: 320 }

/** The most messages of one row, and their bytes, unless it is one alone: a row is written anew when one of them is over. */
export const BATCH = 32
export const BATCH_BYTES = 16_384

/** The most rows that are read at once. */
const CHUNK = 256
const CHUNK_BYTES = 8_000_000

/** A clock that runs behind by more than this was set back. Less is what clocks of one machine differ by. */
const JUMP_MS = 1000

/** All that is known of a queue, as one transaction sees and changes it. */
export class Book {
  readonly rows: Rows
  readonly steps: Steps
  readonly memory: Memory
  q: Queue
  now = 0
  readonly clock: number
  changed = false
  finished: string[] = []
  /** Others than before may be in a ring. */
  ringVersion = 0
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
  readonly #messages: Map<number, Message | undefined> = new Map()
  readonly #gone: Set<number> = new Set()
  /** The rows of messages that share one, and which of these are to be written anew. */
  readonly #batchOf: Map<number, Batch> = new Map()
  readonly #rewritten: Set<Batch> = new Set()
  #isDirty = false
  #tail: number | undefined
  readonly #ahead: Map<Flow, { list: Message[]; at: number; ended: boolean }> = new Map()
  /** What this step leases, by group. */
  readonly open: Map<number, Bundle> = new Map()

  constructor(rows: Rows, steps: Steps, memory: Memory, clock: number, queue: Queue) {
    this.rows = rows
    this.steps = steps
    this.memory = memory
    this.clock = clock
    this.q = queue
    this.near = new Map(queue.near.map((row) => [JSON.stringify(row.k), row]))
    this.#readClock()
  }

  #readClock(): void {
    const { q, clock } = this
    const now = clock + q.skew
    if (now < q.latest - JUMP_MS) {
      q.skew = q.latest - clock
      this.#isDirty = true
    }
    this.now = q.latest = Math.max(now, q.latest)
  }

  /** The queue as a whole has changed. */
  touch(): void {
    this.#isDirty = true
  }

  // Rows

  async get<T extends Row>(k: Key): Promise<T | undefined> {
    const text = JSON.stringify(k)
    if (this.#cache.has(text)) return this.#cache.get(text) as T | undefined
    const found = this.near.get(text) ?? (await this.rows.get<T>(this.rows.rows, k as IDBValidKey))
    return this.#known(text, found) as T | undefined
  }

  /** A row that was read beforehand. */
  bringRow(k: Key, row: Row | undefined): void {
    const text = JSON.stringify(k)
    this.#known(text, this.near.get(text) ?? row)
  }

  /** The queue begins anew: nothing of it is left. */
  begin(queue: Queue): void {
    this.#cache.clear()
    this.#dirty.clear()
    this.#made.clear()
    this.#messages.clear()
    this.#gone.clear()
    this.#batchOf.clear()
    this.#rewritten.clear()
    this.near.clear()
    this.q = queue
    this.memory.cursors.clear()
    this.rows.wrote = true
    this.changed = true
  }

  /** Several at once. */
  load(keys: readonly Key[]): Promise<unknown> {
    const all = new Map(keys.map((k) => [JSON.stringify(k), k]))
    return Promise.all(Array.from(all.values(), (k) => this.get(k)))
  }

  #known(text: string, stored: Row | undefined): Row | undefined {
    if (this.#cache.has(text)) return this.#cache.get(text)
    const found = stored && unpackRow(stored)
    this.#cache.set(text, found)
    if (found !== undefined && 'places' in found)
      for (const place of (found as Bundle).places) this.bundleOf.set(place, found as Bundle)
    return found
  }

  set(row: Row): void {
    const text = JSON.stringify(row.k)
    if (this.#cache.get(text) === undefined && !this.#dirty.has(text)) this.#made.add(text)
    this.#cache.set(text, row)
    this.#dirty.set(text, row.k)
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
    const found = await this.rows.all<T>(source, range, limit)
    const [kind] = range.lower as Key
    const place = (row: Row): Key | undefined =>
      keysOf(row).find((k) => (k[0] === kind || source !== this.rows.rows) && range.includes(k))
    const near = [...this.near.values()].filter((row) => place(row) !== undefined) as T[]
    if (near.length === 0) return this.#same(found)
    const all = [...found, ...near].sort((a, b) => indexedDB.cmp(place(a), place(b)))
    return this.#same(all.slice(0, limit))
  }

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
      if (isNear) near.set(text, packRow(row))
      else if (row !== undefined) rows.put(rows.rows, packRow(row))
      if ((isNear && !wasNear && !this.#made.has(text)) || (row === undefined && !wasNear))
        rows.delete(rows.rows, k as IDBValidKey)
      if (wasNear || isNear) this.touch()
    }
    this.#dirty.clear()
    this.#made.clear()
  }

  #isNear(row: Row): boolean {
    const places = plainPlaces(row)
    if (places === undefined) return false
    const kind = row.k[0] as keyof typeof NEAR
    let count = 1 + places
    for (const { k, v = [] } of this.near.values() as Iterable<Row & Partial<PackedBundle>>)
      if (k[0] === kind) count += 1 + v.length
    return count <= NEAR[kind]
  }

  /** Writes what has changed. */
  finish(): void {
    const { q, rows } = this
    this.flush()
    this.flushMessages()
    if (!this.#isDirty && !rows.wrote) return
    q.top = Math.max(q.top, this.#tail ?? 0)
    q.near = [...this.near.values()]
    this.memory.near = this.near
    rows.putQueue(packQueue(q))
  }

  // Messages

  async message(n: number): Promise<Message | undefined> {
    if (!this.#messages.has(n)) {
      const { rows } = this
      this.#open(await rows.all<Stored>(rows.messages, IDBKeyRange.bound(n, n > 0 ? n + BATCH : n), 1))
      if (!this.#messages.has(n)) this.#messages.set(n, undefined)
    }
    return this.#messages.get(n)
  }

  /** Several at once. */
  async loadMessages(numbers: readonly number[]): Promise<void> {
    const all = numbers.filter((n) => !this.#messages.has(n)).sort((a, b) => a - b)
    const [first, last] = [all[0], all.at(-1)]
    if (first === undefined || last === undefined) return
    if (first > 0 && last - first < 2 * all.length * this.memory.perRow && all.length > 1) {
      await this.messages(IDBKeyRange.bound(first, last), Infinity)
      for (const n of all) if (!this.#messages.has(n)) this.#messages.set(n, undefined)
    } else await Promise.all(all.map((n) => this.message(n)))
  }

  /** Messages in the order of their numbers, or of an index, in which those with rows of their own stand. */
  async messages(range: IDBKeyRange, limit: number, index?: string): Promise<Message[]> {
    this.flushMessages()
    const { rows, memory } = this
    const { messages } = rows
    if (index !== undefined) return this.#open(await rows.all<Stored>(messages.index(index), range, limit))
    const upper = (range.upper ?? Infinity) as number
    const most = upper > 0 ? upper + BATCH : upper
    const list: Message[] = []
    for (let lower = range.lower as number, isAfter = range.lowerOpen; ;) {
      const count = Math.min(Math.ceil((limit - list.length) / memory.perRow), 2 ** 31)
      const found = await rows.all<Stored>(messages, IDBKeyRange.bound(lower, most, isAfter), count)
      list.push(...this.#openFrom(found).filter(({ n }) => range.includes(n)))
      if (found.length < count || list.length >= limit) return list.slice(0, limit)
      lower = found.at(-1)!.n
      isAfter = true
    }
  }

  /** The messages of rows, as this step knows them. */
  #open(found: readonly Stored[]): Message[] {
    const { memory } = this
    const all: Message[] = []
    for (const row of found) {
      const isBatch = 'batch' in row
      for (const one of isBatch ? row.batch : [row]) {
        const { n, body } = one
        if (!this.#messages.has(n)) {
          if (isBatch && !(n <= row.n && n > row.n - BATCH))
            throw new TypeError(`${n} is in the row of ${row.n}`)
          this.#messages.set(n, one)
          if (isBatch) this.#batchOf.set(n, row)
          memory.mean += (nearOf(body) - memory.mean) / 16
        }
        const known = this.#messages.get(n)
        if (known !== undefined) all.push(known)
      }
    }
    return all
  }

  /** And learns how many share a row where it reads. */
  #openFrom(found: readonly Stored[]): Message[] {
    const all = this.#open(found)
    if (found.length > 0) this.memory.perRow = Math.max(1, all.length / found.length)
    return all
  }

  /** Whether a message may share its row with others. */
  isBatched(n: number): boolean {
    return this.#batchOf.has(n) || !this.#messages.has(n)
  }

  /** How many messages are read at once, of so many that are wanted. */
  chunk(wanted: number): number {
    return Math.max(1, Math.min(wanted, CHUNK, Math.floor(CHUNK_BYTES / (this.memory.mean + 1))))
  }

  /** The last message of an id that tells nothing of its place, or of one that does. */
  async find(id: string): Promise<Message | undefined> {
    this.flushMessages()
    const named = await this.rows.get<Stored>(this.rows.messages.index('u'), id)
    if (named !== undefined) return this.#open([named]).find(({ u }) => u === id)
    const n = Number.parseInt(id.slice(28), 16)
    if (!(n < IDS) || n === 0 || n > (this.#tail ?? Infinity)) return undefined
    const found = await this.message(n)
    return found !== undefined && idOf(found) === id ? found : undefined
  }

  async add(message: Omit<Message, 'n'> & { n?: number }): Promise<Message> {
    this.flushMessages()
    const n = await this.rows.add(message)
    const stored = { ...message, n }
    this.#messages.set(n, stored)
    this.#ahead.clear()
    if (n > 0) this.#tail = n
    return stored
  }

  /** Takes the places of so many messages, which share rows. Answers with the first. */
  async share(count: number): Promise<number> {
    this.flushMessages()
    const first = await this.rows.add({})
    this.#tail = first + count - 1
    this.changed = true
    this.touch()
    return first
  }

  put(message: Message): void {
    const { n, x } = message
    const batch = this.#batchOf.get(n)
    this.#messages.set(n, message)
    if (batch !== undefined && x === undefined) return void this.#rewritten.add(batch)
    this.flushMessages()
    // No message has its own row among those that share one: rows are in the order of their messages.
    for (const row of new Set(this.#batchOf.values()))
      if (row === batch || (row.n > n && row.batch[0]!.n < n)) this.#dissolve(row)
    if (batch === undefined) this.rows.put(this.rows.messages, message)
  }

  /** Gives each of its messages a row of its own. */
  #dissolve({ n: key, batch }: Batch): void {
    const { rows } = this
    rows.delete(rows.messages, key)
    for (const { n } of batch) {
      this.#batchOf.delete(n)
      rows.put(rows.messages, this.#messages.get(n)!)
    }
  }

  delete(n: number): void {
    const batch = this.#batchOf.get(n)
    this.#messages.set(n, undefined)
    if (batch === undefined) this.#gone.add(n)
    else this.#rewritten.add(batch)
    this.q.top = Math.max(this.q.top, n)
  }

  /** Writes what is left of rows that messages share, and deletes others. */
  flushMessages(): void {
    const { rows } = this
    const batches = [...this.#rewritten]
    for (const row of batches) {
      const { n: key, batch } = row
      row.batch = batch.flatMap(({ n }) => this.#messages.get(n) ?? [])
      for (const { n } of batch) if (this.#messages.get(n) === undefined) this.#batchOf.delete(n)
      const last = row.batch.at(-1)?.n
      if (last !== key) this.#gone.add(key)
      if (last !== undefined) row.n = last
      // Rows that follow one another are deleted at once.
      else for (const { n } of batch) this.#gone.add(n)
    }
    this.#rewritten.clear()
    const all = [...this.#gone].sort((a, b) => a - b)
    this.#gone.clear()
    for (let i = 0, j = 0; i < all.length; i = j) {
      for (j = i + 1; all[j] === all[j - 1]! + 1;) j++
      const range = j === i + 1 ? all[i]! : IDBKeyRange.bound(all[i], all[j - 1])
      rows.delete(rows.messages, range)
    }
    for (const { n, base, batch } of batches)
      if (batch.length > 0) rows.put(rows.messages, batchRow(n, base, batch))
  }

  /** The last place that was taken. */
  async tail(): Promise<number> {
    this.#tail ??= Math.max(this.q.top, await this.rows.last())
    return (this.#tail = Math.max(this.#tail, this.q.top))
  }

  /** What was read at the cursor beforehand. */
  bring(flow: Flow, found: readonly Stored[], asked: number): void {
    this.#ahead.set(flow, { list: this.#openFrom(found), at: 0, ended: found.length < asked })
  }

  /** The first message of a lane that a group has not passed. `undefined`: there is none, or more than a step passes over. */
  async peek(flow: Flow, budget: { left: number }, wanted: number): Promise<Message | undefined> {
    const isPlain = flow.lane === ''
    for (;;) {
      let ahead = this.#ahead.get(flow)
      const { list: read = [] } = ahead ?? {}
      for (let i = ahead?.at ?? 0; i < read.length; i++) {
        const { n } = read[i]!
        const one = this.#messages.get(n)
        if (n >= flow.cursor && one !== undefined) {
          if (one.only === undefined && (!isPlain || one.l === undefined)) return one
          // Of another lane, or back for those who had it: passed for good.
          flow.cursor = n + 1
          budget.left--
          this.touch()
        }
        ahead!.at = i + 1
      }
      if (ahead?.ended === true || budget.left <= 0) return undefined
      const count = this.chunk(wanted)
      const { l } = isPlain ? { l: '' } : { l: sortable(flow.lane) }
      const list = isPlain
        ? await this.messages(IDBKeyRange.lowerBound(flow.cursor), count)
        : await this.messages(IDBKeyRange.bound([l, flow.cursor], [l, Infinity]), count, 'l')
      ahead = { list, at: 0, ended: list.length < count }
      this.#ahead.set(flow, ahead)
    }
  }

  /** What was read at a cursor, and comes next. */
  coming(flow: Flow): readonly Message[] {
    const { list = [], at = 0 } = this.#ahead.get(flow) ?? {}
    return list.slice(at)
  }

  // What stands in lines

  readonly #ready: Map<string, Place[]> = new Map()

  /** The first that was delivered before and is ready, or that has waited behind its key. */
  async firstReady(
    { g }: Group,
    flow: Flow,
    kind: 'again' | 'freed',
    wanted: number,
  ): Promise<Place | undefined> {
    if (flow[kind] === 0) return undefined
    const l = sortable(flow.lane)
    const start: Key = [g, 'r', l, kind === 'again' ? 1 : 0]
    const text = JSON.stringify(start)
    let known = this.#ready.get(text)
    // Often all became ready in this very step.
    const fresh = this.#fresh
      .get(flow)
      ?.filter((place) => place.state === 'ready' && (place.again ? 'again' : 'freed') === kind)
    if (known === undefined && fresh?.length === flow[kind]) {
      this.#ready.set(text, (known = fresh.sort((a, b) => a.n - b.n)))
      await this.loadMessages(known.map(({ n }) => n))
    }
    known = known?.filter(({ state }) => state === 'ready')
    if (known !== undefined) this.#ready.set(text, known)
    if (known?.[0] === undefined) {
      known = await this.line<Place>(under(start), this.chunk(Math.min(wanted, flow[kind])))
      this.#ready.set(text, known)
      await this.loadMessages(known.map(({ n }) => n))
    }
    return sure(known[0])
  }

  readonly #fresh: Map<Flow, Place[]> = new Map()

  /** Others may be first now. */
  readyChanged(flow: Flow, place: Place): void {
    this.#ready.clear()
    const fresh = this.#fresh.get(flow)
    if (fresh === undefined) this.#fresh.set(flow, [place])
    else if (!fresh.includes(place)) fresh.push(place)
  }

  /** The first rows of what is blocked behind keys. */
  readonly #blocked: Map<string, Bundle | undefined> = new Map()

  /** Reads ordering keys, each with the first of what is blocked behind it, all at once. */
  async loadKeys(keys: readonly Key[]): Promise<void> {
    const all = new Map(keys.map((k) => [JSON.stringify(k), k]))
    const unknown = [...all].filter(([text]) => !this.#cache.has(text))
    await Promise.all(unknown.map(([text, k]) => this.#loadKey(text, k)))
  }

  async #loadKey(text: string, k: Key): Promise<void> {
    const { rows, near } = this
    const own = near.get(text) as KeyRow | undefined
    const from: Key = own === undefined ? k : [...k, own.first ?? Infinity]
    let row: Row | undefined = own
    let first = near.get(JSON.stringify(from))
    if (own === undefined || (first === undefined && own.first !== undefined)) {
      const found = await rows.all<Row>(
        rows.rows,
        IDBKeyRange.bound(from, [...k, []]),
        own === undefined ? 2 : 1,
      )
      if (found[0]?.k.length === k.length) row = found.shift()
      first = found[0]
      const start = `${text.slice(0, -1)},`
      for (const [at, one] of near)
        if (at.startsWith(start) && !(blockOf(one)! >= (blockOf(first) ?? Infinity))) first = one
    }
    const known = this.#known(text, row) as KeyRow | undefined
    this.#blocked.set(text, first && (this.#same([first])[0] as Bundle))
    if (known === undefined || own === undefined || own.first === blockOf(first)) return
    known.first = blockOf(first)
    this.set(known)
  }

  async key(k: Key): Promise<KeyRow | undefined> {
    await this.loadKeys([k])
    return await this.get<KeyRow>(k)
  }

  /** The first behind a key that was read. */
  async firstBlocked(k: Key): Promise<Place | undefined> {
    const text = JSON.stringify(k)
    let bundle = this.#blocked.get(text)
    if (bundle?.places.length === 0 || !this.#blocked.has(text)) {
      bundle = (await this.range<Bundle>(IDBKeyRange.bound(k, [...k, []], true), 1))[0]
      this.#blocked.set(text, bundle)
    }
    return bundle?.places[0]
  }

  /** Puts a place behind its key. */
  async block(k: Key, place: Place): Promise<void> {
    const { n } = place
    const at = blockKey(k, n)
    const row = sure(await this.get<KeyRow>(k))
    const block = at.at(-1) as number
    if (!(row.first! <= block)) {
      row.first = block
      this.set(row)
    }
    let bundle = await this.get<Bundle>(at)
    if (bundle === undefined) {
      bundle = { k: at, places: [] }
      this.#blocked.delete(JSON.stringify(k))
    }
    const { places } = bundle
    const next = places.findIndex((other) => other.n > n)
    places.splice(next < 0 ? places.length : next, 0, place)
    this.bundleOf.set(place, bundle)
    this.set(bundle)
  }

  /** A row of what is blocked behind a key has nothing any more. */
  async unblock(bundle: Bundle): Promise<void> {
    this.remove(bundle.k)
    const row = sure(await this.get<KeyRow>(bundle.k.slice(0, -1)))
    if (row.first !== blockOf(bundle)) return
    row.first!++
    this.set(row)
  }

  // Groups, lanes, flows

  group(name: string): Group | undefined {
    return this.q.groups.find((group) => group.name === name)
  }

  async start(starts: readonly GroupStart[] = []): Promise<void> {
    for (const { name, from } of starts) if (this.group(name) === undefined) await this.startGroup(name, from)
  }

  /** The first of all gets what was sent before anybody listened. */
  async startGroup(name: string, from: GroupStart['from']): Promise<Group> {
    const { q } = this
    const isLatest = from === 'latest' && q.groups.length > 0
    const tail = await this.tail()
    const g = ++q.numbers
    const first = isLatest ? tail + 1 : 0
    const group = newGroup(name, g, newToken(), first, isLatest ? tail - q.laned : q.ended)
    if (isLatest) Object.assign(group, { isLatest, sinceTie: q.ties, others: q.delayed })
    else {
      group.ahead = q.lanedLeft
      if (q.lanes > 0) group.walked = ''
    }
    q.groups.push(group)
    if (!isLatest) {
      // What has expired becomes its dead letter.
      if (q.lapsedTo[0] > -Infinity) q.lapse = -Infinity
      q.lapsedTo = [-Infinity, 0]
      // What others have yet to tidy away is not for it.
      for (const { to, toTie, isAll } of q.jobs) {
        if (!isAll) continue
        group.first = Math.max(group.first, to + 1)
        group.sinceTie = Math.max(group.sinceTie, toTie)
      }
      group.flow.cursor = Math.max(group.flow.cursor, group.first)
    }
    this.touch()
    this.changed = true
    return group
  }

  async lane(name: string): Promise<Lane> {
    const k = ['n', sortable(name)]
    const known = await this.knownLane(name)
    if (known !== undefined) return known
    const lane = { k, name, size: 0, holds: 0, epoch: this.q.epoch }
    this.q.lanes++
    this.touch()
    this.set(lane)
    return lane
  }

  async knownLane(name: string): Promise<Lane | undefined> {
    return this.fresh(await this.get<Lane>(['n', sortable(name)]))
  }

  /** What a lane had before a purge is gone. */
  fresh<T extends Lane | undefined>(lane: T): T {
    const { epoch } = this.q
    if (lane !== undefined && lane.epoch !== epoch) Object.assign(lane, { epoch, size: 0 })
    return lane
  }

  /** A group has a flow in a lane once anybody asks: what was in the lane by then was there before the group. */
  async flowOf(group: Group, name: string | undefined): Promise<Flow> {
    if (name === undefined || name === '') return group.flow
    const k = ['f', group.g, sortable(name)]
    const known = await this.get<Flow>(k)
    if (known !== undefined) return known
    const { size = 0 } = (await this.knownLane(name)) ?? {}
    const flow = newFlow(k, name, group.first, group.isLatest ? 0 : size)
    this.offer(group, flow)
    this.setFlow(group, flow)
    return flow
  }

  setFlow(group: Group, flow: Flow): void {
    if (flow === group.flow) return this.touch()
    const { g } = group
    const l = flow.k[2] as string
    const lines: Key[] = []
    if (flow.inRing && !flow.lines?.some(([, line]) => line === 'o')) this.ringVersion++
    if (flow.inRing) lines.push([g, 'o', l])
    if (flow.order > 0) {
      lines.push([g, 't', flow.order, l])
      this.dueAt(group, flow.order)
    }
    flow.lines = lines
    this.set(flow)
  }

  dueAt(group: Group, order: number): void {
    if (order >= group.next) return
    group.next = order
    this.touch()
  }

  /** A flow that has something to give is in the ring, unless it rests. */
  offer(group: Group, flow: Flow): void {
    if (flow === group.flow || flow.inRing || flow.resting || !hasReady(flow)) return
    flow.inRing = true
    this.setFlow(group, flow)
  }

  /** Takes a flow out of the ring and out of time. */
  rest(group: Group, flow: Flow): void {
    if (flow === group.flow) return
    group.isEarly ||= flow.order > 0
    flow.inRing = false
    flow.order = 0
    this.setFlow(group, flow)
  }

  wake(group: Group, flow: Flow): void {
    if (!flow.resting) return
    this.rest(group, flow)
    flow.resting = false
    this.offer(group, flow)
  }

  // Who is done with what

  /** The groups that have finished with a message, where there are several. */
  async doneBy(n: number): Promise<readonly number[]> {
    if (n < 0 || this.q.dones === 0) return []
    const row = await this.get<DoneRow>(doneKey(n))
    return row?.by[n] ?? []
  }

  async setDone(n: number, groups: readonly number[]): Promise<void> {
    const { q } = this
    if (q.dones === 0 && groups.length === 0) return
    const k = doneKey(n)
    const known = await this.get<DoneRow>(k)
    if (known === undefined && groups.length === 0) return
    const row = known ?? { k, by: {} }
    if (known === undefined) q.dones++
    if (groups.length > 0) row.by[n] = [...groups]
    else delete row.by[n]
    this.touch()
    if (Object.keys(row.by).length > 0) return this.set(row)
    q.dones--
    this.remove(k)
  }

  /** Whether a group has a message to do. */
  async needs(group: Group, message: Message): Promise<boolean> {
    const { n, t, only } = message
    if (n < 0) return t! > group.sinceTie
    if (only !== undefined) return only.includes(group.g)
    return n >= group.first && !(await this.doneBy(n)).includes(group.g)
  }

  /** Whether anybody has a message to do, or could. */
  async isRetained(message: Message): Promise<boolean> {
    const { groups, jobs } = this.q
    if (jobs.some(({ isAll, to, toTie }) => isAll && (message.n < 0 ? message.t! <= toTie : message.n <= to)))
      return false
    if (groups.length === 0)
      return jobs.every(({ to, toTie }) => (message.n < 0 ? message.t! > toTie : message.n > to))
    for (const group of groups) if (await this.needs(group, message)) return true
    return false
  }

  /** Whether a group has yet to come by a message that it needs. */
  async isAhead(group: Group, message: Message): Promise<boolean> {
    if (message.n < 0 || message.only !== undefined || !(await this.needs(group, message))) return false
    const { cursor } = await this.flowOf(group, message.lane)
    return message.n >= cursor && !(await this.isMarked(group, message.n))
  }

  /** Whether a message that a group has not passed is not ahead of it. */
  async isMarked(group: Group, n: number): Promise<boolean> {
    return group.marks > 0 && (await this.get(['m', group.g, n])) !== undefined
  }

  mark(group: Group, n: number): void {
    group.marks++
    this.set({ k: ['m', group.g, n] })
  }

  unmark(group: Group, n: number): void {
    group.marks--
    this.remove(['m', group.g, n])
  }

  /** The group has this message ahead no more. */
  async pass(group: Group, message: Message): Promise<void> {
    if (message.lane === undefined) group.past++
    else {
      const flow = await this.flowOf(group, message.lane)
      flow.ahead--
      group.ahead--
      this.setFlow(group, flow)
    }
    this.touch()
  }

  /** A message is over: all are done with it, or it is dropped. */
  async end(message: Ending, remembers: boolean, at: number = this.now): Promise<void> {
    const { q } = this
    const { n, lane, back, keeps } = message
    this.touch()
    if (n < 0) {
      if (!back) q.delayed--
      if (!back) for (const group of q.groups) if ((message as Message).t! <= group.sinceTie) group.others--
    } else {
      await this.setDone(n, [])
      if (!back) {
        if (lane === undefined) q.ended++
        else {
          q.lanedLeft--
          const row = await this.lane(lane)
          row.size--
          this.set(row)
        }
      }
      for (const group of q.groups) if (await this.isMarked(group, n)) this.unmark(group, n)
    }
    if (remembers && keeps) {
      const { id, dedupeMs = 0 } = (await this.message(n)) ?? {}
      if (id !== undefined && dedupeMs > 0) await this.remember(id, at + dedupeMs)
    }
    this.delete(n)
    if (lane !== undefined) await this.tidy(lane)
  }

  /** Nothing is kept of lanes that are empty. */
  async tidy(name: string): Promise<void> {
    const lane = await this.knownLane(name)
    if (lane === undefined || lane.size > 0 || lane.holds > 0) return
    const flows: [Group, Flow][] = []
    for (const group of this.q.groups) {
      const flow = await this.get<Flow>(['f', group.g, sortable(name)])
      if (flow !== undefined) flows.push([group, flow])
    }
    for (const [group, flow] of flows) {
      const stops = await this.range(
        IDBKeyRange.bound(['k', group.g, sortable(name)], ['k', group.g, sortable(name), []]),
        1,
      )
      if (flow.leased + flow.behind > 0 || stops.length > 0) return
      if (flow.full <= this.now) continue
      // Looked at again once its bucket is full.
      flow.resting = true
      flow.inRing = false
      flow.order = flow.full
      this.setFlow(group, flow)
      return
    }
    for (const [, { k }] of flows) this.remove(k)
    this.q.lanes--
    this.touch()
    this.remove(lane.k)
  }

  // Ids

  async remember(id: string, until: number): Promise<void> {
    const { q } = this
    const before = await this.get<Known>(['i', id])
    if (before !== undefined && before.until >= until) return
    if (before === undefined) q.known++
    q.forgets = Math.min(q.forgets, until)
    this.touch()
    this.set({ k: ['i', id], until, lines: [['K', until, id]] } as Known)
  }

  async isRemembered(id: string): Promise<boolean> {
    if (this.q.known === 0) return false
    return ((await this.get<Known>(['i', id]))?.until ?? 0) > this.now
  }

  async forget(known: Known): Promise<void> {
    this.q.known--
    this.touch()
    this.remove(known.k)
  }

  /** All rows whose keys begin so, in steps. */
  async *walk<T extends Row>(start: Key, from: Key = start): AsyncGenerator<T, void> {
    let lower = IDBKeyRange.bound(from, [...start, []], from !== start)
    for (;;) {
      const found = await this.range<T>(lower, CHUNK)
      yield* found
      if (found.length < CHUNK) return
      lower = IDBKeyRange.bound(found.at(-1)!.k, [...start, []], true)
    }
  }

  /** The lease of a message in a group, which is looked for among all. */
  async leaseIn(group: Group, n: number): Promise<Place | undefined> {
    if (group.counts.leased === 0) return undefined
    for await (const { places } of this.walk<Bundle>(['l', group.g])) {
      const found = places.find((place) => place.n === n)
      if (found !== undefined) return found
    }
    return undefined
  }

  /** Where a message is in a group that has passed it, or buried it before, unless it is leased. */
  async standing({ g, counts }: Group, { n, lane = '', key }: Message): Promise<Place | undefined> {
    const own = await this.get<Place>(['p', g, n])
    if (own !== undefined || key === undefined || counts.blocked === 0) return own
    const bundle = await this.get<Bundle>(blockKey(['k', g, sortable(lane), key], n))
    return bundle?.places.find((place) => place.n === n)
  }

  async placeIn(group: Group, message: Message): Promise<Place | undefined> {
    if (message.n < 0) return undefined
    const found = await this.standing(group, message)
    if (found !== undefined || !(await this.needs(group, message))) return found
    return await this.leaseIn(group, message.n)
  }
}

/** So many numbers share a row of what is blocked behind a key. */
const BLOCK = 256

function blockOf(bundle: Row | undefined): number | undefined {
  return bundle?.k.at(-1) as number | undefined
}

export function blockKey(k: Key, n: number): Key {
  return [...k, Math.floor(n / BLOCK)]
}

/** What must be there: who goes on without it would look for it for ever. */
export function sure<T>(found: T | undefined): T {
  if (found === undefined) throw new TypeError('what is counted is not there')
  return found
}

/** Unlike that of any other group, also of one of another queue. */
function newToken(): string {
  return crypto.getRandomValues(new Uint32Array(2)).join('-')
}

/** What is known of a message that ends. */
export type Ending = {
  readonly n: number
  readonly lane?: string | undefined
  readonly keeps?: boolean | undefined
  readonly back?: boolean | undefined
}

export function ending(message: Message): Ending {
  return { ...message, keeps: keepsOf(message), back: message.only !== undefined }
}

export function keepsOf({ keepMs, dedupeMs = 0 }: Message): true | undefined {
  return keepMs !== undefined || dedupeMs > 0 ? true : undefined
}

export interface Known extends Row {
  readonly until: number
}

interface DoneRow extends Row {
  readonly by: Record<number, number[]>
}

function doneKey(n: number): Key {
  return ['d', Math.floor(n / 64)]
}

export function hasReady({ again, freed, ahead }: Flow): boolean {
  return ahead + again + freed > 0
}

/** Ids that are made have so many values: those of delayed messages follow behind. */
export const IDS: number = 2 ** 31

/** A row that messages share, by whose ids it is found. */
export function batchRow(n: number, base: string, batch: Message[]): Batch & { u?: string[] } {
  const u = batch.flatMap((message) => message.u ?? [])
  return u.length === 0 ? { n, base, batch } : { n, base, batch, u }
}

export function madeId(base: string, n: number): string {
  return base + n.toString(16).padStart(8, '0')
}

export function idOf({ id, base, n }: Message): string {
  return id ?? madeId(base, n)
}

/** As the contract counts bytes. */
export function sizeOf({
  body,
  key = '',
  headers = {},
}: Pick<NewMessage, 'body' | 'key' | 'headers'>): number {
  let size = lengthOf(body) + key.length
  for (const name in headers) size += name.length + headers[name]!.length
  return size
}

/** What its row has of it: of a blob nothing. Any page of the origin may have put anything in its place, which the codec then refuses. */
function nearOf(body: Body): number {
  const { length } = (body ?? '') as Partial<ArrayLike<unknown>>
  return typeof length === 'number' ? length : 0
}

export function lengthOf(body: Body): number {
  return body instanceof Blob ? body.size : nearOf(body)
}

/** Has strings sort by their code points, as UTF-8 does: keys sort by halves of pairs, which then come last. */
export function sortable(name: string): string {
  return name.replace(/[\ud800-\uffff]/g, (unit) => {
    const code = unit.charCodeAt(0)
    return String.fromCharCode(code < 0xe000 ? code + 0x2000 : code - 0x800)
  })
}
