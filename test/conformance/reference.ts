import { randomUUID } from 'node:crypto'
import type { ConformanceFactory } from '../../conformance/index.ts'
import { QuaysideError } from '../../src/index.ts'
import {
  type Hold,
  type HoldRequest,
  type LaneRate,
  type LaneRules,
  type LaneState,
  type LanesPage,
  type LanesQuery,
  type ReleaseRequest,
  MAX_REST_MS,
  limitsOf,
} from '../../src/lanes.ts'
import { MAX_ANSWER_BYTES, MAX_HOLDS } from '../../src/storage.ts'
import type {
  AppendOptions,
  AppendResult,
  Body,
  ClaimRequest,
  ClaimResult,
  DeadReason,
  Delivery,
  GroupStart,
  GroupStats,
  Guarantees,
  ListQuery,
  ListedMessage,
  MessageState,
  NewMessage,
  Outcome,
  Page,
  Parked,
  QueueStorage,
  ResumeOptions,
  SettleResult,
  Settlement,
  StorageAdapter,
  StorageStats,
} from '../../src/storage.ts'

/**
 * A storage that does what contract 1 says in the plainest way, to test the suite with: the suite must pass it, and must
 * find each of its {@link FLAWS}, which are mistakes that authors of storages make.
 */
export const FLAWS = [
  'does not make the groups that an append names',
  'makes the groups that an append names behind its messages',
  'does not make the groups that a claim names',
  'makes the groups that a claim names when it has settled',
  'hands out what its caller has in hand',
  'buries what its caller has in hand',
  'holds up claims for what is in hand and not over',
  'does not settle for whoever is late',
  'knows no limit of messages',
  'counts only what is ready for a limit',
  'counts dead letters for a limit',
  'stores what fits of a batch that is over the limit',
  'knows no limit of bytes',
  'keeps dead letters for ever',
  'keeps what a claim finds dead for ever',
  'deletes a redriven message with its dead letter',
  'forgets ids with a purge',
  'forgets ids with a group that is deleted',
  'forgets what a replaced message has promised',
  'keeps the id of a cancelled message',
  'keeps groups of a deleted queue',
  'keeps ids of a deleted queue',
  'keeps the name of a deleted queue',
  'answers with bodies that nobody asked for',
  'settles with a receipt of an earlier lease',
  'settles nothing where one receipt is stale',
  'does not look which group a receipt is of',
  'loses what has expired',
  'delivers what has expired',
  'counts what has expired',
  'forgets the last error of what expires',
  'delivers the newest first',
  'delivers delayed messages in the order of append',
  'delivers one too many',
  'holds others up behind a retry',
  'ignores ordering keys',
  'keeps ordering keys for all groups together',
  'frees an ordering key at a retry',
  'does not free an ordering key at a death',
  'never ends a lease',
  'ends leases a ms early',
  'does not count a lost lease as an attempt',
  'extends from the old end of the lease',
  'refuses a late ack',
  'counts attempts that do not count',
  'forgets the error of a retry',
  'retries for ever',
  "ignores a message's own number of attempts",
  'redrives with the attempts it had',
  'keeps the receipt of a dead letter for its next death',
  'looks, waits, and then leases',
  'looks, waits, and then stores an id',
  'shares one position among groups',
  'starts the first group at the end',
  'starts later groups at the end',
  'deletes a message when the first group is done',
  'keeps messages that all groups have done',
  'keeps dead letters of a deleted group',
  'keeps what only the deleted group had to do',
  'stores an id twice in one batch',
  'knows an id from its append on',
  'forgets an id when the first group is done',
  'replaces at the end of the queue',
  'replaces what is leased',
  'keeps the headers of what it replaces',
  'cancels in the first group only',
  'cancels only what waits',
  'cancels dead letters',
  'answers true to any cancel',
  'retries now in every group',
  'counts a retry now as an attempt',
  'answers true to any retryNow',
  'leases what it lists',
  'repeats the last message of a page on the next',
  'lists dead letters unasked',
  'says nothing of delays in nextInMs',
  'says nothing of leases in nextInMs',
  'does not look at the limit for nextInMs',
  'purges only what is ready',
  'deletes groups with a purge',
  'freezes when the clock is set back',
  'stores strings as UTF-8',
  'stores the buffer around bytes',
  'loses headers named like properties of objects',
  'stores half a batch first',
  'mixes up queues whose names differ in case',
  'goes on after it was closed',
  'hears only of its own changes',
  'forgets retries when it is opened again',
  'forgets attempts when it is opened again',
  'hands out what is parked',
  'forgets that a parked message blocks its key',
  'forgets why a message is parked',
  'never lets a parked message expire',
  'lists what is parked as delayed',
  'does not count what is parked as a message',
  'counts parking as a failure',
  'parks with the receipt of a dead letter',
  'parks what has expired',
  'resumes with the attempts it had',
  'resumes in every group',
  'answers true to any resume',
  'resumes what waits for a retry',
  'retries now what is parked',
  'leaves a message parked that is replaced',
  'edits in every group',
  'edits without resuming',
  'starts later groups with what was edited since',
  'keeps the headers of what it edits',
  'forgets the time to live with an edit',
  'counts the time to live of an edit from the append',
  'parks nothing behind a dead letter',
  'parks all behind a dead letter',
  'parks only what a claim has passed behind a dead letter',
  'parks only what waited when a message died',
  'parks nothing behind what a claim finds dead',
  'goes on parking behind a dead letter that is gone',
  'leaves parked what is behind a message that is redriven',
  'keeps a result without keepMs',
  'keeps results for ever',
  'keeps results a ms too short',
  'tells a result before the ack',
  'tells a result of a message that is to be retried',
  'keeps the value of a stale ack',
  'forgets the value of an ack',
  'keeps only values',
  'tells nothing of deaths',
  'forgets a result with its dead letter',
  'keeps the result of a dead letter that is redriven',
  'keeps the result of an earlier message of the id',
  'keeps the result of a message that was sent again meanwhile',
  'keeps results for all groups together',
  'keeps results of a purged queue',
  'keeps results of a deleted group',
  'keeps results of a deleted queue',
  'forgets results with a cancel',
  'knows an id as long as its result',
  'shows the progress of a lost lease',
  'shows the progress of an earlier lease',
  'keeps progress without keepMs',
  'forgets progress with an extension',
  'lists what is done unasked',
  'lists a dead letter as done besides',
  'does not say in deliveries that the result is kept',
  'does not put a replaced message off at most maxDelayMs',
  'counts maxDelayMs from the last replacement',
  'counts maxDelayMs for the first of an id',
  'forgets when the first was stored at a replacement without maxDelayMs',
  'serves one lane until it is empty',
  'serves lanes in the order of append',
  'forgets whose turn it was',
  'forgets how much of a turn is left',
  'ignores weights',
  'gives what is due again first in a lane',
  'gives first deliveries first in a lane',
  'keeps ordering keys for all lanes together',
  'counts ended leases against the concurrency',
  'counts the concurrency of one claim only',
  'counts the concurrency of all groups together',
  'counts one too many against the concurrency',
  'refills the bucket at each claim',
  'charges a lane for being served late',
  'lets a lane that rested catch up',
  'ignores the burst of a rate',
  'gives the token of what does not count back',
  'says nothing of tokens in nextInMs',
  'says nothing of holds in nextInMs',
  'looks limits up in one place only',
  'takes the first prefix that fits',
  'takes names for prefixes',
  'filters by the first name only',
  'gives messages without a lane to a filter',
  'moves the turns of the group with a filter',
  'has no turns with a filter',
  'does not hold what is due again',
  'refuses receipts under a hold',
  'holds for ever',
  'holds lanes of a name in all groups',
  'holds lanes of a name in one group only',
  'does not hold messages without a lane with the group',
  'adds a hold to a hold',
  'answers true to any release',
  'says that no hold was released while a probe is out',
  'goes on without a probe',
  'releases without a probe',
  'lets two probe at once',
  'lets a probe of one group free all',
  'frees the rest when a probe is retried',
  'frees the rest with any ack',
  'never lets a second probe go',
  'forgets holds with a purge',
  'forgets holds when it is opened again',
  'keeps holds of a deleted group',
  'keeps holds of a deleted queue',
  'knows holds only of groups that exist',
  'does not tell of holds in stats',
  'lists lanes that are empty',
  'knows no lanes of a group that does not exist but of what nobody has taken',
  'does not list lanes that are held and empty',
  'counts what is leased as waiting in a lane',
  'ignores the lane of a list',
  'forgets the lane of what is delayed',
  'keeps the lane of what it replaces',
  'frees the rest when a probe is parked',
  'counts what is parked against the concurrency',
  'gives late groups no lanes',
  'gives late groups lanes that start at the latest',
] as const
export type Flaw = (typeof FLAWS)[number]

const GUARANTEES: Guarantees = {
  name: 'reference',
  durability: 'process',
  sharedBy: 'machine',
  exclusiveLeases: true,
  fifo: true,
  orderingKeys: true,
  deduplication: true,
  cancellation: true,
  leasesSurviveReopen: false,
  maxBodyBytes: 10_000_000,
  maxHeaderBytes: 100_000,
  maxBatch: 100_000,
  maxBatchBytes: Infinity,
  consistentWithinMs: 0,
}

export function referenceWith(flaw?: Flaw): ConformanceFactory {
  return {
    guarantees: GUARANTEES,
    create({ clock }) {
      const queues = new Map<string, Queue>()
      const open = (): StorageAdapter => new ReferenceAdapter(queues, clock, flaw)
      const first = open()
      return Promise.resolve({
        adapter: first,
        second: () => Promise.resolve(open()),
        reopen() {
          for (const queue of queues.values()) queue.giveUpLeases()
          return Promise.resolve(open())
        },
        destroy: () => first.close(),
      })
    },
  }
}

class ReferenceAdapter implements StorageAdapter {
  readonly guarantees = GUARANTEES
  readonly #queues: Map<string, Queue>
  readonly #clock: { now(): number }
  readonly #flaw: Flaw | undefined
  #closed = false

  constructor(queues: Map<string, Queue>, clock: { now(): number }, flaw: Flaw | undefined) {
    this.#queues = queues
    this.#clock = clock
    this.#flaw = flaw
  }

  async open(name: string): Promise<QueueStorage> {
    if (this.#closed) throw closed()
    const known = this.#flaw === 'mixes up queues whose names differ in case' ? name.toLowerCase() : name
    let queue = this.#queues.get(known)
    if (queue === undefined) this.#queues.set(known, (queue = new Queue(this.#clock, this.#flaw)))
    return new View(queue, this.#flaw, () => this.#closed)
  }

  async queues(): Promise<string[]> {
    if (this.#closed) throw closed()
    const isThere = ([, queue]: [string, Queue]): boolean =>
      !queue.isNothing || (queue.wasDeleted && this.#flaw === 'keeps the name of a deleted queue')
    return [...this.#queues]
      .filter(isThere)
      .map(([name]) => name)
      .sort()
  }

  close(): Promise<void> {
    this.#closed = true
    return Promise.resolve()
  }
}

function full(): QuaysideError {
  return new QuaysideError('QUOTA_EXCEEDED', 'reference: the queue is full')
}

function closed(): QuaysideError {
  return new QuaysideError('CLOSED', 'reference: closed')
}

class View implements QueueStorage {
  readonly #queue: Queue
  readonly #flaw: Flaw | undefined
  readonly #isAdapterClosed: () => boolean
  #closed = false

  constructor(queue: Queue, flaw: Flaw | undefined, isAdapterClosed: () => boolean) {
    this.#queue = queue
    this.#flaw = flaw
    this.#isAdapterClosed = isAdapterClosed
  }

  /** @param isTold Whether that is told to those who watch. */
  async #run<T>(verb: () => T, isTold: () => boolean = () => true): Promise<T> {
    if ((this.#closed || this.#isAdapterClosed()) && this.#flaw !== 'goes on after it was closed')
      throw closed()
    const result = verb()
    if (isTold()) this.#queue.changed(this)
    return result
  }

  lanes(query: LanesQuery): Promise<LanesPage> {
    return this.#run(() => this.#queue.lanes(query))
  }

  hold(request: HoldRequest): Promise<void> {
    return this.#run(() => this.#queue.hold(request))
  }

  release(request: ReleaseRequest): Promise<boolean> {
    return this.#run(() => this.#queue.release(request))
  }

  async append(messages: readonly NewMessage[], options: AppendOptions): Promise<AppendResult[]> {
    const { batchId } = options
    if (this.#flaw === 'stores half a batch first' && messages.length > 1) {
      const half = messages.length >> 1
      const first = await this.#run(() => this.#queue.append(messages.slice(0, half), options))
      await Promise.resolve()
      return [...first, ...(await this.#run(() => this.#queue.append(messages.slice(half), options)))]
    }
    if (this.#flaw === 'looks, waits, and then stores an id') {
      const known = messages.map(({ id }) => id !== undefined && this.#queue.knows(id))
      await Promise.resolve()
      if (!known.includes(true)) return await this.#run(() => this.#queue.store(messages, batchId, true))
    }
    return await this.#run(() => this.#queue.append(messages, options))
  }

  async claim(request: ClaimRequest): Promise<ClaimResult> {
    if (this.#flaw === 'looks, waits, and then leases') {
      const seen = await this.#run(() => this.#queue.look(request))
      await Promise.resolve()
      return await this.#run(() => this.#queue.claim(request, seen))
    }
    const counts = (): string => JSON.stringify(this.#queue.stats())
    const before = counts()
    return await this.#run(
      () => this.#queue.claim(request),
      () => counts() !== before,
    )
  }

  settle(group: string, settlements: readonly Settlement[]): Promise<SettleResult[]> {
    return this.#run(() => this.#queue.settle(group, settlements))
  }

  list(query: ListQuery): Promise<Page> {
    return this.#run(() => this.#queue.list(query))
  }

  stats(): Promise<StorageStats> {
    return this.#run(() => this.#queue.stats())
  }

  retryNow(group: string, ids: readonly string[]): Promise<boolean[]> {
    return this.#run(() => ids.map((id) => this.#queue.retryNow(group, id)))
  }

  cancel(ids: readonly string[]): Promise<boolean[]> {
    return this.#run(() => ids.map((id) => this.#queue.cancel(id)))
  }

  resume(ids: readonly string[], options: ResumeOptions = {}): Promise<boolean[]> {
    return this.#run(() => ids.map((id) => this.#queue.resume(id, options)))
  }

  results(group: string, ids: readonly string[]): Promise<(Outcome | undefined)[]> {
    return this.#run(() => ids.map((id) => this.#queue.result(group, id)))
  }

  deleteGroup(group: string): Promise<void> {
    return this.#run(() => this.#queue.deleteGroup(group))
  }

  purge(): Promise<void> {
    return this.#run(() => this.#queue.purge())
  }

  delete(): Promise<void> {
    return this.#run(() => this.#queue.delete())
  }

  watch(listener: () => void): () => void {
    const own = (): void => listener()
    this.#queue.watchers.set(own, this)
    return () => this.#queue.watchers.delete(own)
  }

  close(): Promise<void> {
    this.#closed = true
    return Promise.resolve()
  }
}

interface Message {
  readonly id: string
  readonly isNamed: boolean
  body: Body
  key: string | undefined
  /** Empty: none. */
  lane: string
  headers: Readonly<Record<string, string>> | undefined
  maxAttempts: number | undefined
  dedupeMs: number
  keepMs: number | undefined
  expires: number
  timestamp: number
  /** Its place in the queue: when it takes it, and the order among those of that time. */
  at: number
  number: number
  /** When the first of those was stored that were replaced under its id. */
  since: number
}

/** What an edit has changed in one group. */
type Content = Pick<Message, 'body' | 'headers' | 'maxAttempts' | 'expires' | 'timestamp'>

/** What a message ended with. */
interface Kept {
  readonly message: Message
  readonly attempt: number
  readonly outcome: Outcome
  readonly until: number
}

/** A message in a group. */
interface Place {
  state: 'waiting' | 'leased' | 'parked' | 'dead' | 'done'
  parked: Parked | undefined
  /** The dead letter that has it parked. */
  behind: Message | undefined
  content: Content | undefined
  progress: Outcome | undefined
  /** Not delivered before. */
  due: number
  until: number
  /** Delivered before. */
  again: boolean
  attempt: number
  receipt: string
  /** Claims have come by. */
  passed: boolean
  immortal: boolean
  error: string | undefined
  reason: DeadReason | undefined
  deadAt: number | undefined
  /** Until when it is kept as a dead letter. */
  deadUntil: number
}

interface Group {
  readonly name: string
  readonly places: Map<Message, Place>
  /** In the order in which they ended. */
  readonly kept: Kept[]
  /** Dead letters whose keys have the next message parked. */
  readonly stops: Map<string, Message>
  acked: number
  failed: number
  turn: Turn
  flows: Map<string, Flow>
}

/** The lane whose turn it is, and how many messages of the turn are left. */
interface Turn {
  readonly at: string | undefined
  readonly left: number
}

const FIRST_TURN: Turn = { at: undefined, left: 0 }

/** What a group knows of a lane. */
interface Flow {
  /** When its bucket is full. */
  full: number
  /** It had something ready and no token. */
  waited: boolean
  /** What it gave last was due again. */
  again: boolean
}

/** What a claim takes, and what is then. */
interface Plan {
  readonly messages: readonly Message[]
  readonly turn: Turn
  readonly flows: ReadonlyMap<string, Flow>
  /** Lanes of which it took all that was ready. */
  readonly passed: ReadonlySet<string>
}

interface Held {
  readonly group: string | undefined
  readonly lane: string | undefined
  readonly reason: string | undefined
  readonly since: number
  until: number
  probe: boolean
  /** It is over: what is out as a probe, and which groups had their ack. */
  probing: { readonly out: Map<string, Message>; readonly done: Set<string> } | undefined
}

/** Clocks of contexts differ by some ms: only more than this is a jump back. */
const JUMP_MS = 1000

class Queue {
  readonly watchers: Map<() => void, unknown> = new Map()
  readonly #clock: { now(): number }
  readonly #flaw: Flaw | undefined
  #messages: Message[] = []
  #groups: Map<string, Group> = new Map()
  #receipts: Map<string, { readonly group: Group; readonly message: Message }> = new Map()
  #known: Map<string, number> = new Map()
  /** By place. */
  #holds: Map<string, Held> = new Map()
  #numbers = 0
  /** The last message that was stored under an id. */
  readonly #newest = new Map<string, number>()
  #sent = 0
  /** What groups that were deleted had kept. */
  readonly #left: Map<string, Kept[]> = new Map()
  wasDeleted = false
  #latest = -Infinity
  #skew = 0

  constructor(clock: { now(): number }, flaw: Flaw | undefined) {
    this.#clock = clock
    this.#flaw = flaw
  }

  #has(flaw: Flaw): boolean {
    return this.#flaw === flaw
  }

  /** The time that deadlines are on: goes on from where it was when the clock is set back. */
  get #now(): number {
    const now = this.#clock.now() + this.#skew
    if (now < this.#latest - JUMP_MS && !this.#has('freezes when the clock is set back')) {
      this.#skew += this.#latest - now
      return this.#latest
    }
    this.#latest = Math.max(this.#latest, now)
    return now
  }

  changed(by: unknown): void {
    for (const [watcher, view] of this.watchers) {
      if (this.#has('hears only of its own changes') && view !== by) continue
      queueMicrotask(() => this.watchers.has(watcher) && watcher())
    }
  }

  giveUpLeases(): void {
    if (this.#has('forgets holds when it is opened again')) this.#holds.clear()
    for (const { places } of this.#groups.values()) {
      for (const place of places.values()) {
        if (place.state === 'leased') place.until = Math.min(place.until, this.#now)
        if (this.#has('forgets attempts when it is opened again')) place.attempt = 0
        if (
          this.#has('forgets retries when it is opened again') &&
          place.state === 'waiting' &&
          place.attempt > 0
        ) {
          place.state = 'done'
        }
      }
    }
  }

  #compare(a: Message, b: Message): number {
    return this.#has('delivers delayed messages in the order of append')
      ? a.number - b.number
      : a.at - b.at || a.number - b.number
  }

  #ordered(): Message[] {
    const sorted = this.#messages.toSorted((a, b) => this.#compare(a, b))
    return this.#has('delivers the newest first') ? sorted.reverse() : sorted
  }

  // Append

  get isNothing(): boolean {
    return this.#messages.length === 0 && this.#groups.size === 0 && this.#known.size === 0
  }

  start(groups: readonly GroupStart[]): void {
    for (const { name, from } of groups) if (!this.#groups.has(name)) this.#makeGroup(name, from)
  }

  #checkLimits(messages: readonly NewMessage[], { maxMessages, maxBytes }: AppendOptions): void {
    if (maxMessages === undefined && maxBytes === undefined) return
    const news = messages.filter(({ id }) => id === undefined || !this.knows(id))
    const { groups, messages: retained, bytes } = this.stats()
    let count = retained
    if (this.#has('counts only what is ready for a limit'))
      count = Math.max(0, ...Object.values(groups).map(({ ready }) => ready))
    if (this.#has('counts dead letters for a limit'))
      count += Math.max(0, ...Object.values(groups).map(({ dead }) => dead))
    const isOver = maxMessages !== undefined && news.length > 0 && count + news.length > maxMessages
    if (isOver && !this.#has('knows no limit of messages')) throw full()
    const size = news.reduce((sum, { body }) => sum + body.length, bytes)
    if (maxBytes !== undefined && size > maxBytes && !this.#has('knows no limit of bytes')) throw full()
  }

  knows(id: string): boolean {
    return (
      (this.#known.get(id) ?? 0) > this.#now ||
      this.#messages.some((message) => message.id === id && this.#isOpen(message))
    )
  }

  append(drafts: readonly NewMessage[], options: AppendOptions): AppendResult[] {
    const { batchId, groups = [], maxMessages = Infinity } = options
    const late = this.#has('makes the groups that an append names behind its messages')
    if (!late && !this.#has('does not make the groups that an append names')) this.start(groups)
    if (this.#has('stores what fits of a batch that is over the limit')) {
      const room = maxMessages - this.stats().messages
      if (room < drafts.length) {
        this.store(drafts.slice(0, room), batchId)
        throw full()
      }
    }
    this.#checkLimits(drafts, options)
    const results = this.store(drafts, batchId)
    if (late) this.start(groups)
    return results
  }

  store(drafts: readonly NewMessage[], batchId: string, blindly = false): AppendResult[] {
    const met = new Set<string>()
    return drafts.map((draft, i) => {
      const id = draft.id ?? `${batchId.slice(0, 28)}${(++this.#numbers).toString(16).padStart(8, '0')}`
      if (draft.id === undefined) return this.#store(draft, id, i)
      if (met.has(id) && !this.#has('stores an id twice in one batch')) return { id, status: 'duplicate' }
      if (met.has(id)) return this.#store(draft, id, i)
      met.add(id)
      if (blindly) return this.#store(draft, id, i)
      if (!draft.replace) return this.knows(id) ? { id, status: 'duplicate' } : this.#store(draft, id, i)
      const message = this.#messages.findLast((one) => one.id === id && this.#isOpen(one))
      return message !== undefined && this.#waitsEverywhere(message)
        ? this.#replace(message, draft)
        : this.#store(draft, id, i)
    })
  }

  #store(draft: NewMessage, id: string, _i: number): AppendResult {
    if (!this.#has('keeps the result of an earlier message of the id')) this.#forgetResults(id)
    const message: Message = {
      id,
      since: this.#now,
      isNamed: draft.id !== undefined,
      number: ++this.#numbers,
      at:
        this.#now +
        (this.#has('counts maxDelayMs for the first of an id')
          ? (draft.maxDelayMs ?? draft.delayMs ?? 0)
          : (draft.delayMs ?? 0)),
      ...this.#contentOf(draft),
    }
    this.#newest.set(id, message.number)
    this.#messages.push(message)
    this.#sent++
    for (const group of this.#groups.values()) group.places.set(message, newPlace(message))
    if (this.#has('knows an id from its append on') && message.dedupeMs > 0) {
      this.#known.set(id, this.#now + message.dedupeMs)
    }
    return { id, status: 'stored' }
  }

  #replace(message: Message, draft: NewMessage): AppendResult {
    const { headers, lane } = message
    Object.assign(message, this.#contentOf(draft))
    if (this.#has('keeps the lane of what it replaces')) message.lane = lane
    if (this.#has('keeps the headers of what it replaces')) message.headers ??= headers
    const { maxDelayMs = Infinity } = draft
    if (this.#has('counts maxDelayMs from the last replacement')) message.since = this.#now
    if (
      draft.maxDelayMs === undefined &&
      this.#has('forgets when the first was stored at a replacement without maxDelayMs')
    )
      message.since = this.#now
    let delayMs = draft.delayMs ?? 0
    if (!this.#has('does not put a replaced message off at most maxDelayMs'))
      delayMs = Math.max(0, Math.min(delayMs, message.since + maxDelayMs - this.#now))
    const moves = message.at > this.#now || delayMs > 0 || message.lane !== lane
    if (moves || this.#has('replaces at the end of the queue')) {
      message.at = this.#now + delayMs
      message.number = ++this.#numbers
    }
    for (const { places } of this.#groups.values()) {
      const place = places.get(message)
      if (place === undefined) continue
      place.attempt = 0
      place.immortal = false
      place.error = undefined
      place.content = undefined
      if (place.state === 'parked' && !this.#has('leaves a message parked that is replaced')) {
        Object.assign(place, { state: 'waiting', parked: undefined, due: this.#now })
      }
      if (moves) place.due = message.at
    }
    return { id: message.id, status: 'replaced' }
  }

  #contentOf(draft: NewMessage): Omit<Message, 'id' | 'isNamed' | 'number' | 'at' | 'since'> {
    let { body, headers } = draft
    if (this.#has('stores strings as UTF-8') && typeof body === 'string') {
      body = new TextDecoder().decode(new TextEncoder().encode(body))
    }
    if (this.#has('stores the buffer around bytes') && typeof body !== 'string')
      body = new Uint8Array(body.buffer)
    if (this.#has('loses headers named like properties of objects') && headers !== undefined) {
      const copy: Record<string, string> = {}
      for (const name of Object.keys(headers)) if (!(name in copy)) copy[name] = headers[name]!
      headers = copy
    }
    return {
      body,
      headers,
      key: draft.key,
      lane: draft.delayMs && this.#has('forgets the lane of what is delayed') ? '' : (draft.lane ?? ''),
      maxAttempts: this.#has("ignores a message's own number of attempts") ? undefined : draft.maxAttempts,
      dedupeMs: draft.dedupeMs ?? 0,
      keepMs: draft.keepMs,
      expires: draft.expiresInMs === undefined ? Infinity : this.#now + draft.expiresInMs,
      timestamp: this.#clock.now(),
    }
  }

  // Claim

  claim(request: ClaimRequest, seen?: readonly Message[]): ClaimResult {
    const { leaseMs, maxAttempts, settle, groups = [] } = request
    const late = this.#has('makes the groups that a claim names when it has settled')
    if (!late && !this.#has('does not make the groups that a claim names')) this.start(groups)
    const group = this.#groups.get(request.group) ?? this.#makeGroup(request.group, request.from)
    const forgets = this.#has('does not settle for whoever is late') && this.#isLate(group, request)
    const settled = forgets
      ? settle?.map(() => ({ status: 'stale' }) as const)
      : settle && this.settle(group.name, settle)
    const isLate = this.#isLate(group, request)
    if (late) this.start(groups)
    if (isLate && !this.#has('hands out what its caller has in hand')) {
      if (this.#has('buries what its caller has in hand')) this.#bury(group, request)
      const position = request.only && JSON.stringify(this.#plan(group, request).turn)
      return { deliveries: [], nextInMs: 0, settled, position, late: true }
    }
    this.#bury(group, request)
    this.#dropDead()
    this.#parkStopped(group)
    const now = this.#now
    this.#endHolds()
    const plan = this.#plan(group, request)
    if (seen === undefined) this.#go(group, request, plan)
    const deliveries = (seen ?? plan.messages).map((message): Delivery => {
      const place = group.places.get(message)!
      const lost = place.state === 'leased'
      if (lost) group.failed++
      if (!lost || !this.#has('does not count a lost lease as an attempt')) place.attempt++
      if (lost) place.error = 'the lease was lost'
      place.state = 'leased'
      place.again = true
      place.until = now + leaseMs
      if (this.#has('never ends a lease')) place.until = Infinity
      if (this.#has('ends leases a ms early')) place.until--
      place.receipt = this.#receiptFor(group, message)
      for (const hold of this.#holdsOf(group.name, message.lane)) hold.probing?.out.set(group.name, message)
      place.parked = undefined
      if (!this.#has('shows the progress of an earlier lease')) place.progress = undefined
      const { id, key, lane } = message
      const { body, headers, timestamp, maxAttempts: own } = place.content ?? message
      return {
        receipt: place.receipt,
        id,
        body,
        headers,
        key,
        lane: lane === '' ? undefined : lane,
        timestamp,
        ...(!this.#has('does not say in deliveries that the result is kept') && { keepMs: message.keepMs }),
        attempt: place.attempt,
        maxAttempts: own ?? maxAttempts,
        lastError: place.error,
      }
    })
    const position = request.only && JSON.stringify(plan.turn)
    return { deliveries, nextInMs: this.#nextIn(group, request, deliveries.length), settled, position }
  }

  /** What its caller has in hand is over. */
  #isLate(group: Group, { inHand: [inHand] = [] }: ClaimRequest): boolean {
    if (inHand === undefined) return false
    if (this.#has('holds up claims for what is in hand and not over')) return true
    const held = this.#receipts.get(inHand)
    const place = held?.group === group ? group.places.get(held.message) : undefined
    return place?.receipt !== inHand || place.state !== 'leased' || place.until <= this.#now
  }

  /** What a claim would take, for a claim that looks before it leaps. */
  look(request: ClaimRequest): readonly Message[] | undefined {
    const group = this.#groups.get(request.group)
    return group && request.settle === undefined ? this.#plan(group, request).messages : undefined
  }

  /** Notes what a claim does besides leasing. */
  #go(group: Group, { only }: ClaimRequest, { messages, turn, flows, passed }: Plan): void {
    group.flows = new Map(flows)
    if (only === undefined || this.#has('moves the turns of the group with a filter')) group.turn = turn
    const last = new Map(messages.map((message) => [message.lane, message]))
    for (const [message, place] of group.places) {
      if (message.at > this.#now) continue
      const end = last.get(message.lane)
      if (passed.has(message.lane) || (end && this.#compare(message, end) <= 0)) place.passed = true
    }
  }

  /** What a claim would take: from lane to lane, as they have their turns. */
  #plan(group: Group, request: ClaimRequest, limit: number = request.limit): Plan {
    const { lanes: rules = {}, only, position } = request
    const ready = this.#ready(group)
    const flows = new Map([...group.flows].map(([lane, flow]) => [lane, { ...flow }]))
    const names = [...ready.keys()].filter((lane) => this.#fits(lane, only))
    if (!this.#has('serves lanes in the order of append')) names.sort()
    const most = limit + (this.#has('delivers one too many') ? 1 : 0)
    const messages: Message[] = []
    let turn = only === undefined ? group.turn : turnOf(position)
    if (this.#has('forgets whose turn it was')) turn = FIRST_TURN
    if (only !== undefined && this.#has('has no turns with a filter')) turn = FIRST_TURN
    if (this.#has('forgets how much of a turn is left')) turn = { ...turn, left: 0 }
    let bytes = 0
    const flowOf = (lane: string): Flow => {
      const flow = flows.get(lane) ?? { full: -Infinity, waited: false, again: false }
      flows.set(lane, flow)
      return flow
    }
    const hasAgain = (waits: readonly Message[] = []): boolean =>
      waits[0] !== undefined && group.places.get(waits[0])!.again
    const isFree = (lane: string): boolean =>
      this.#fits(lane, only) &&
      (!this.#isStopped(group, lane, messages) ||
        (this.#has('does not hold what is due again') && hasAgain(ready.get(lane)))) &&
      this.#live(group, lane, messages) < (this.#limits(rules, lane).concurrency ?? Infinity) &&
      this.#tokenAt(flowOf(lane), this.#limits(rules, lane).rate) <= this.#now
    const hasReady = (lane: string): boolean => (ready.get(lane)?.length ?? 0) > 0
    const mayGo = (lane: string): boolean => hasReady(lane) && isFree(lane)
    while (messages.length < most && bytes <= MAX_ANSWER_BYTES) {
      if (turn.left === 0 || turn.at === undefined || !mayGo(turn.at)) {
        const { at } = turn
        const next = at === undefined ? 0 : names.findIndex((name) => name > at)
        const order = next < 0 ? names : [...names.slice(next), ...names.slice(0, next)]
        const lane = order.find(mayGo)
        if (lane === undefined) break
        const weight = this.#has('ignores weights') ? 1 : (this.#limits(rules, lane).weight ?? 1)
        turn = { at: lane, left: this.#has('serves one lane until it is empty') ? Infinity : weight }
      }
      const lane = turn.at!
      const flow = flowOf(lane)
      const message = this.#nextOf(group, lane, ready.get(lane)!, flow)
      messages.push(message)
      bytes += message.body.length
      turn = { at: lane, left: turn.left - 1 }
      this.#charge(flow, this.#limits(rules, lane).rate)
      flow.again = group.places.get(message)!.again
    }
    for (const lane of names) {
      const flow = flowOf(lane)
      const { rate } = this.#limits(rules, lane)
      if (rate === undefined) continue
      flow.waited = ready.get(lane)!.length > 0 && this.#tokenAt(flow, rate) > this.#now
      const { count, perMs, burst = count } = rate
      // What another rate charged is forgotten.
      flow.full = Math.min(flow.full, this.#now + Math.max(MAX_REST_MS, (burst * perMs) / count))
    }
    const all = new Set([...group.places.keys()].map(({ lane }) => lane))
    const passed = [...all].filter((lane) => !hasReady(lane) && (ready.has(lane) || isFree(lane)))
    return { messages, turn, flows, passed: new Set(passed) }
  }

  #fits(lane: string, only: ClaimRequest['only']): boolean {
    if (only === undefined) return true
    if (lane === '') return this.#has('gives messages without a lane to a filter')
    if (typeof only === 'string') return lane.startsWith(only)
    if (this.#has('takes names for prefixes')) return only.some((name) => lane.startsWith(name))
    return (this.#has('filters by the first name only') ? only.slice(0, 1) : only).includes(lane)
  }

  #limits(rules: LaneRules, lane: string): ReturnType<typeof limitsOf> {
    if (lane === '') return {}
    if (this.#has('looks limits up in one place only')) {
      if (rules.names?.[lane]) return rules.names[lane]
    }
    if (this.#has('takes the first prefix that fits')) {
      const fitting = rules.prefixes?.find(([prefix]) => lane.startsWith(prefix))
      return limitsOf({ ...rules, prefixes: fitting && [fitting] }, lane)
    }
    return limitsOf(rules, lane)
  }

  /** When a lane has a token. */
  #tokenAt({ full }: Flow, rate: LaneRate | undefined): number {
    if (rate === undefined || this.#has('refills the bucket at each claim')) return -Infinity
    const { count, perMs } = rate
    const burst = this.#has('ignores the burst of a rate') ? count : (rate.burst ?? count)
    return Math.min(full, this.#now + (burst * perMs) / count) - ((burst - 1) * perMs) / count
  }

  #charge(flow: Flow, rate: LaneRate | undefined): void {
    if (rate === undefined) return
    const { count, perMs } = rate
    const each = perMs / count
    const catchesUp =
      (flow.waited && !this.#has('charges a lane for being served late')) ||
      this.#has('lets a lane that rested catch up')
    flow.full = Math.max(flow.full, catchesUp ? this.#now - each : this.#now) + each
    flow.waited = false
  }

  /** Leases of a lane that live, with those that this claim gives. */
  #live(group: Group, lane: string, taken: readonly Message[]): number {
    const ofLane = taken.filter((message) => message.lane === lane).length
    if (this.#has('counts the concurrency of one claim only')) return ofLane
    let count = ofLane - (this.#has('counts one too many against the concurrency') ? 1 : 0)
    const groups = this.#has('counts the concurrency of all groups together')
      ? [...this.#groups.values()]
      : [group]
    const withEnded = this.#has('counts ended leases against the concurrency')
    for (const { places } of groups) {
      for (const [message, place] of places) {
        if (message.lane !== lane) continue
        if (place.state === 'parked' && this.#has('counts what is parked against the concurrency')) count++
        if (place.state !== 'leased') continue
        if (withEnded || place.until > this.#now) count++
      }
    }
    return count
  }

  /** Takes the next message from what a lane has ready: what is due again and first deliveries by turns. */
  #nextOf(group: Group, lane: string, ready: Message[], flow: Flow): Message {
    const isAgain = (message: Message): boolean => group.places.get(message)!.again
    let wanted = lane === '' ? isAgain(ready[0]!) : !flow.again
    if (this.#has('gives what is due again first in a lane')) wanted = true
    if (this.#has('gives first deliveries first in a lane')) wanted = false
    const found = ready.findIndex((message) => isAgain(message) === wanted)
    return ready.splice(Math.max(0, found), 1)[0]!
  }

  // Holds

  #holdsOf(group: string, lane: string): Held[] {
    return [...this.#holds.values()].filter((hold) => {
      if (hold.lane !== undefined && hold.lane !== lane) return false
      if (hold.lane !== undefined && hold.group !== undefined) {
        if (this.#has('holds lanes of a name in all groups')) return true
      }
      if (hold.lane !== undefined && hold.group === undefined) {
        const first = [...this.#groups.keys()][0]
        if (this.#has('holds lanes of a name in one group only')) return group === first
      }
      if (hold.lane === undefined && lane === '') {
        if (this.#has('does not hold messages without a lane with the group')) return false
      }
      return hold.group === undefined || hold.group === group
    })
  }

  /** Whether a hold keeps a lane from going: it lasts, or its probe is out. */
  #isStopped(group: Group, lane: string, taken: readonly Message[]): boolean {
    return this.#holdsOf(group.name, lane).some((hold) => {
      const { probing } = hold
      if (probing === undefined) return true
      if (this.#has('lets two probe at once')) return false
      if (probing.done.has(group.name)) return false
      if (probing.done.size > 0 && this.#has('lets a probe of one group free all')) return false
      const out = probing.out.get(group.name)
      const place = out && group.places.get(out)
      if (place !== undefined && this.#isHeld(place)) return true
      if (out !== undefined && this.#has('never lets a second probe go')) return true
      return taken.some((message) => hold.lane === undefined || message.lane === hold.lane)
    })
  }

  /** Ends what is over. */
  #endHolds(): void {
    for (const [place, hold] of this.#holds) {
      if (hold.probing !== undefined || hold.until > this.#now) continue
      if (this.#has('holds for ever')) continue
      if (hold.probe && !this.#has('goes on without a probe'))
        hold.probing = { out: new Map(), done: new Set() }
      else this.#holds.delete(place)
    }
  }

  hold({ group, lane, forMs = Infinity, reason, probe = false }: HoldRequest): void {
    if (this.#has('knows holds only of groups that exist')) {
      if (group !== undefined && !this.#groups.has(group)) return
    }
    const place = JSON.stringify([group, lane])
    this.#endHolds()
    if (this.#has('adds a hold to a hold') && this.#holds.has(place)) return
    const since = this.#clock.now()
    const until = this.#now + forMs
    this.#holds.set(place, { group, lane, reason, since, until, probe, probing: undefined })
  }

  release({ group, lane, probe = false }: ReleaseRequest): boolean {
    const place = JSON.stringify([group, lane])
    this.#endHolds()
    const hold = this.#holds.get(place)
    if (hold === undefined) return this.#has('answers true to any release')
    const wasProbing = hold.probing !== undefined
    if (probe && !this.#has('releases without a probe')) {
      hold.probe = true
      hold.probing ??= { out: new Map(), done: new Set() }
    } else this.#holds.delete(place)
    return !wasProbing || !this.#has('says that no hold was released while a probe is out')
  }

  /** A delivery was acked: if it was a probe, the rest may go. */
  #freeProbed(group: Group, message: Message): void {
    this.#endHolds()
    for (const { probing } of this.#holdsOf(group.name, message.lane)) {
      const isProbe = probing?.out.get(group.name) === message
      if (isProbe || this.#has('frees the rest with any ack')) probing?.done.add(group.name)
    }
    this.#dropProbed()
  }

  #dropProbed(): void {
    for (const [place, { group, probing }] of this.#holds) {
      if (probing === undefined) continue
      const all = group === undefined ? [...this.#groups.keys()] : [group]
      if (all.length > 0 && all.every((name) => probing.done.has(name))) this.#holds.delete(place)
    }
  }

  #shownHolds(isWanted: (hold: Held) => boolean): Hold[] {
    const isOver = ({ probing, probe, until }: Held): boolean => !probing && !probe && until <= this.#now
    const shown = [...this.#holds.values()].filter((hold) => isWanted(hold) && !isOver(hold))
    return shown.map(({ group, lane, reason, since, until, probe, probing }) => {
      const isProbing = probing !== undefined || until <= this.#now
      return {
        group,
        lane,
        reason,
        since,
        probe,
        ...(isProbing && { probing: true }),
        ...(!isProbing && until !== Infinity && { endsInMs: until - this.#now }),
      }
    })
  }

  lanes({ group: name, prefix = '', limit, cursor }: LanesQuery): LanesPage {
    const group = this.#shown(name)
    const counts = new Map<string, { waiting: number; leased: number }>()
    const holds = this.#shownHolds((hold) => hold.lane !== undefined)
    const countsOf = (lane: string): { waiting: number; leased: number } => {
      const count = counts.get(lane) ?? { waiting: 0, leased: 0 }
      counts.set(lane, count)
      return count
    }
    const isTaken = (message: Message): boolean =>
      [...this.#groups.values()].some(({ places }) => places.get(message)?.passed)
    const knowsLittle =
      !this.#groups.has(name) &&
      this.#has('knows no lanes of a group that does not exist but of what nobody has taken')
    for (const [message, , state] of this.#standings(group)) {
      if (state === 'dead' || (knowsLittle && isTaken(message))) continue
      const { lane } = message
      const isLeased = state === 'leased' && !this.#has('counts what is leased as waiting in a lane')
      countsOf(lane)[isLeased ? 'leased' : 'waiting']++
    }
    if (this.#has('lists lanes that are empty')) for (const lane of group.flows.keys()) countsOf(lane)
    const concerned = holds.filter((hold) => hold.group === undefined || hold.group === name)
    if (!this.#has('does not list lanes that are held and empty')) {
      for (const { lane } of concerned) countsOf(lane!)
    }
    counts.delete('')
    const isWanted = (lane: string): boolean => lane.startsWith(prefix) && lane > (cursor ?? '')
    const names = [...counts.keys()].filter(isWanted).sort(byBytes)
    const page = names.slice(0, limit)
    return {
      lanes: page.map((lane): LaneState => {
        const own = concerned.filter((hold) => hold.lane === lane)
        const ends = own.map(({ endsInMs, probing }) => (probing ? 0 : (endsInMs ?? Infinity)))
        const restsForMs = Math.max(0, ...ends)
        const isResting = restsForMs > 0 && restsForMs < Infinity && countsOf(lane).waiting > 0
        return { lane, ...countsOf(lane), holds: own, ...(isResting && { restsForMs }) }
      }),
      ...(names.length > limit && { cursor: page.at(-1) }),
    }
  }

  /** What may be delivered now, by lane, in order. */
  #ready(group: Group): Map<string, Message[]> {
    const found = new Map<string, Message[]>()
    const busy = new Set<string>()
    const stuck = new Set<string>()
    const groups = this.#has('keeps ordering keys for all groups together')
      ? [...this.#groups.values()]
      : [group]
    for (const { places } of groups) {
      for (const [message, place] of places) {
        const key = this.#domainOf(message)
        if (key !== undefined && this.#isHeld(place)) busy.add(key)
      }
    }
    if (this.#has('ignores ordering keys')) busy.clear()
    for (const message of this.#ordered()) {
      const { lane } = message
      const place = group.places.get(message)
      if (place === undefined || message.at > this.#now || place.state === 'done' || stuck.has(lane)) continue
      const isTakeable = this.#isDue(message, place)
      const key = this.#domainOf(message)
      if (key === undefined || !busy.has(key)) {
        if (isTakeable) {
          const ready = found.get(lane)
          if (ready === undefined) found.set(lane, [message])
          else ready.push(message)
        } else if (this.#has('holds others up behind a retry') && place.state === 'waiting') stuck.add(lane)
      }
      if (place.state === 'parked' && this.#has('forgets that a parked message blocks its key')) continue
      const isOver = place.state === 'dead' && !this.#has('does not free an ordering key at a death')
      const isFree =
        isOver || (this.#has('frees an ordering key at a retry') && place.state === 'waiting' && !isTakeable)
      if (key !== undefined && !isFree && !this.#has('ignores ordering keys')) busy.add(key)
    }
    return found
  }

  /** A key belongs to its lane. */
  #domainOf({ key, lane }: Message): string | undefined {
    if (key === undefined || this.#has('keeps ordering keys for all lanes together')) return key
    return JSON.stringify([lane, key])
  }

  #isHeld({ state, until }: Place): boolean {
    return state === 'leased' && until > this.#now
  }

  #isDue(message: Message, { state, due, until }: Place): boolean {
    if (message.at > this.#now) return false
    if (state === 'parked') return this.#has('hands out what is parked')
    return (state === 'waiting' && due <= this.#now) || (state === 'leased' && until <= this.#now)
  }

  /** Makes dead letters of what has expired, in all groups, and of what has no attempt left, in this one. */
  #bury(group: Group, { maxAttempts, deadForMs, parksNext = false }: ClaimRequest): void {
    const forMs = this.#has('keeps what a claim finds dead for ever') ? undefined : deadForMs
    for (const [message, place] of group.places) {
      const own = (place.content ?? message).maxAttempts
      const isOver = place.attempt >= (own ?? maxAttempts) && !this.#has('retries for ever')
      if (this.#isExpired(message, place)) {
        if (this.#has('delivers what has expired')) continue
        if (this.#has('loses what has expired')) place.state = 'done'
        else {
          const { error } = place
          this.#die(
            group,
            message,
            place,
            'expired',
            this.#has('forgets the last error of what expires') ? undefined : error,
            forMs,
            parksNext && !this.#has('parks nothing behind what a claim finds dead'),
          )
        }
      } else if (isOver && this.#isDue(message, place)) {
        this.#die(
          group,
          message,
          place,
          'exhausted',
          place.state === 'leased' ? 'the lease was lost' : place.error,
          forMs,
          parksNext && !this.#has('parks nothing behind what a claim finds dead'),
        )
      }
    }
  }

  #isExpired(message: Message, place: Place): boolean {
    if (place.immortal || (place.content ?? message).expires > this.#now) return false
    if (place.state === 'parked') return !this.#has('never lets a parked message expire')
    return place.state === 'waiting' || (place.state === 'leased' && place.until <= this.#now)
  }

  /** Deletes dead letters whose time is over. */
  #dropDead(): void {
    if (this.#has('keeps dead letters for ever')) return
    for (const group of this.#groups.values()) {
      for (const [message, place] of group.places) {
        const isOver = place.deadUntil <= this.#now
        if (
          !isOver ||
          (place.state !== 'dead' && !this.#has('deletes a redriven message with its dead letter'))
        )
          continue
        place.state = 'done'
        this.#letGo(group, message)
        this.#forget(message)
      }
    }
  }

  #die(
    group: Group,
    message: Message,
    place: Place,
    reason: DeadReason,
    error: string | undefined,
    forMs = Infinity,
    parksNext = false,
  ): void {
    if (place.state === 'leased') group.failed++
    const keep =
      this.#has('keeps the receipt of a dead letter for its next death') && place.reason !== undefined
    Object.assign(place, {
      state: 'dead',
      reason,
      error,
      deadAt: this.#clock.now(),
      deadUntil: this.#now + forMs,
    })
    place.receipt = keep ? `dead ${message.id}` : this.#receiptFor(group, message)
    if (keep) this.#receipts.set(place.receipt, { group, message })
    const key = this.#domainOf(message)
    if (key !== undefined && parksNext && !this.#has('parks nothing behind a dead letter'))
      group.stops.set(key, message)
    place.parked = undefined
    const outcome: Outcome = { status: 'dead', reason, error, at: this.#clock.now() }
    if (!this.#has('tells nothing of deaths')) this.#keep(group, message, place, outcome)
    this.#done(message)
    if (this.#has('parks only what waited when a message died')) {
      this.#parkStopped(group)
      if (key !== undefined) group.stops.delete(key)
    }
  }

  #nextIn(group: Group, request: ClaimRequest, taken: number): number | undefined {
    const { limit, maxAttempts, lanes: rules = {}, only } = request
    if (
      taken > 0 &&
      limit > 0 &&
      !this.#has('does not look at the limit for nextInMs') &&
      this.#plan(group, request, 1).messages.length > 0
    )
      return 0
    let next = Infinity
    for (const lane of this.#ready(group).keys()) {
      if (!this.#fits(lane, only)) continue
      const gates = this.#holdsOf(group.name, lane).map(({ until, probing }) => (probing ? 0 : until))
      if (this.#has('says nothing of holds in nextInMs')) gates.length = 0
      const flow = group.flows.get(lane)
      const { rate } = this.#limits(rules, lane)
      if (flow && !this.#has('says nothing of tokens in nextInMs')) gates.push(this.#tokenAt(flow, rate))
      for (const gate of gates) if (gate > this.#now) next = Math.min(next, Math.ceil(gate))
    }
    for (const [message, place] of group.places) {
      const isLeased = this.#isHeld(place)
      // The end of a last attempt lets others go, where it has a place of its lane or is a probe.
      if (place.attempt >= ((place.content ?? message).maxAttempts ?? maxAttempts) && !isLeased) continue
      if (isLeased && !this.#has('says nothing of leases in nextInMs')) next = Math.min(next, place.until)
      if (this.#has('says nothing of delays in nextInMs')) continue
      const due = Math.max(place.due, message.at)
      if (place.state === 'waiting' && due > this.#now) next = Math.min(next, due)
    }
    return next === Infinity ? undefined : Math.max(0, next - this.#now)
  }

  #receiptFor(group: Group, message: Message): string {
    const receipt = randomUUID()
    this.#receipts.set(receipt, { group, message })
    return receipt
  }

  // Settle

  settle(name: string, settlements: readonly Settlement[]): SettleResult[] {
    const find = (receipt: string): [Group, Message, Place] | undefined => {
      const held = this.#receipts.get(receipt)
      if (held === undefined || this.#groups.get(held.group.name) !== held.group) return undefined
      if (held.group.name !== name && !this.#has('does not look which group a receipt is of'))
        return undefined
      const place = held.group.places.get(held.message)
      if (place === undefined || place.state === 'waiting' || place.state === 'done') return undefined
      if (place.state === 'parked') return undefined
      if (this.#has('refuses receipts under a hold') && this.#holdsOf(name, held.message.lane).length > 0)
        return undefined
      const anyLease = this.#has('settles with a receipt of an earlier lease') && place.state === 'leased'
      if (place.receipt !== receipt && !anyLease) return undefined
      if (this.#has('refuses a late ack') && place.state === 'leased' && place.until <= this.#now)
        return undefined
      return [held.group, held.message, place]
    }
    const all = settlements.every(({ receipt }) => find(receipt) !== undefined)
    return settlements.map((settlement) => {
      let found = find(settlement.receipt)
      if (
        found?.[2].state === 'dead' &&
        settlement.kind === 'park' &&
        !this.#has('parks with the receipt of a dead letter')
      )
        found = undefined
      if (found === undefined && this.#has('keeps the value of a stale ack') && settlement.kind === 'ack') {
        const held = this.#receipts.get(settlement.receipt)
        const place = held?.group.places.get(held.message)
        const outcome: Outcome = { status: 'done', value: settlement.value, at: this.#clock.now() }
        if (place !== undefined) this.#keep(held!.group, held!.message, place, outcome)
      }
      if (found === undefined || (!all && this.#has('settles nothing where one receipt is stale')))
        return { status: 'stale' }
      this.#settleOne(...found, settlement)
      return { status: 'settled' }
    })
  }

  #settleOne(group: Group, message: Message, place: Place, settlement: Settlement): void {
    const now = this.#now
    const wasDead = place.state === 'dead'
    switch (settlement.kind) {
      case 'park': {
        const { reason, data } = settlement
        if (this.#has('counts parking as a failure')) group.failed++
        const { expires } = place.content ?? message
        if (expires <= now && !place.immortal && !this.#has('parks what has expired')) {
          this.#die(group, message, place, 'expired', reason)
          return
        }
        if (this.#has('frees the rest when a probe is parked')) this.#freeProbed(group, message)
        this.#park(place, reason, data)
        return
      }
      case 'ack':
        place.state = 'done'
        if (wasDead) this.#letGo(group, message)
        if (wasDead && this.#has('forgets a result with its dead letter'))
          this.#forgetResults(message.id, group)
        if (!wasDead) {
          const value = this.#has('forgets the value of an ack') ? undefined : settlement.value
          if (value !== undefined || !this.#has('keeps only values'))
            this.#keep(group, message, place, { status: 'done', value, at: this.#clock.now() })
          group.acked++
          this.#freeProbed(group, message)
        }
        this.#done(message)
        return
      case 'dead':
        this.#die(
          group,
          message,
          place,
          settlement.reason,
          settlement.error,
          settlement.deadForMs,
          settlement.parksNext,
        )
        return
      case 'extend':
        if (this.#has('forgets progress with an extension')) place.progress = undefined
        if (
          settlement.progress !== undefined &&
          (message.keepMs !== undefined || this.#has('keeps progress without keepMs'))
        )
          place.progress = { status: 'running', progress: settlement.progress, at: this.#clock.now() }
        place.until =
          (this.#has('extends from the old end of the lease') ? place.until : now) + settlement.leaseMs
        return
      case 'retry': {
        const due = now + settlement.delayMs
        const counts = settlement.counts !== false || this.#has('counts attempts that do not count')
        if (!wasDead && this.#has('frees the rest when a probe is retried')) this.#freeProbed(group, message)
        const flow = group.flows.get(message.lane)
        if (!counts && flow && this.#has('gives the token of what does not count back')) flow.full = -Infinity
        if (!wasDead && counts) group.failed++
        if (!wasDead && !place.immortal && (place.content ?? message).expires <= due) {
          if (counts) group.failed--
          this.#die(group, message, place, 'expired', settlement.error)
          return
        }
        if (wasDead && !this.#has('redrives with the attempts it had')) place.attempt = 0
        if (!wasDead && !counts) place.attempt--
        if (wasDead) {
          place.immortal = true
          this.#letGo(group, message)
          this.#unpark(group, message)
          const isNewest = this.#newest.get(message.id)! <= message.number
          if (isNewest && !this.#has('keeps the result of a dead letter that is redriven'))
            this.#forgetResults(message.id, group)
        }
        if (this.#has('tells a result of a message that is to be retried'))
          this.#keep(group, message, place, { status: 'done', at: this.#clock.now() })
        if (!this.#has('deletes a redriven message with its dead letter')) place.deadUntil = Infinity
        place.state = 'waiting'
        place.parked = undefined
        place.due = due
        place.error = this.#has('forgets the error of a retry') ? undefined : settlement.error
      }
    }
  }

  /** A group is done with a message. */
  #done(message: Message): void {
    if (this.#has('deletes a message when the first group is done')) {
      for (const { places } of this.#groups.values()) {
        const place = places.get(message)
        if (place?.state === 'waiting') place.state = 'done'
      }
    }
    const isFirst = this.#has('forgets an id when the first group is done')
    if (!isFirst && this.#isOpen(message)) return
    if (!this.#has('knows an id from its append on')) this.#remember(message)
    if (isFirst) Object.assign(message, { id: `${message.id} done` })
    this.#forget(message)
  }

  /** Knows an id for the time that its message has promised, from now on. */
  #remember({ id, dedupeMs, number }: Message): void {
    const forgets = this.#has('forgets what a replaced message has promised')
    const isOld = this.#messages.some((other) => other.id === id && other.number > number)
    if (dedupeMs === 0 || (forgets && isOld)) return
    const before = forgets ? 0 : (this.#known.get(id) ?? 0)
    this.#known.set(id, Math.max(before, this.#now + dedupeMs))
  }

  /** Deletes a message that all have done, unless it is somebody's dead letter. */
  #forget(message: Message): void {
    const places = [...this.#groups.values()].map((group) => group.places.get(message))
    if (this.#groups.size === 0 || places.some((place) => place !== undefined && place.state !== 'done'))
      return
    if (!this.#has('keeps messages that all groups have done')) {
      this.#messages = this.#messages.filter((other) => other !== message)
      for (const group of this.#groups.values()) group.places.delete(message)
    }
  }

  /** Whether some group has it still to do, or no group exists. */
  #isOpen(message: Message): boolean {
    if (this.#groups.size === 0) return true
    return [...this.#groups.values()].some(({ places }) => {
      const state = places.get(message)?.state
      return state === 'waiting' || state === 'leased' || state === 'parked'
    })
  }

  #waitsEverywhere(message: Message): boolean {
    if (this.#has('replaces what is leased')) return true
    return [...this.#groups.values()].every(({ places }) => {
      const state = places.get(message)?.state
      return state === 'waiting' || state === 'parked'
    })
  }

  // Parked

  #park(place: Place, reason: string, data?: string): void {
    const why = this.#has('forgets why a message is parked') ? '' : reason
    Object.assign(place, {
      state: 'parked',
      parked: { reason: why, data, at: this.#clock.now() },
      error: reason,
      behind: undefined,
    })
  }

  /** Parks those that a claim comes by and that dead letters have parked. */
  #parkStopped(group: Group): void {
    if (group.stops.size === 0) return
    const all = this.#has('parks all behind a dead letter')
    for (const message of this.#ordered()) {
      const place = group.places.get(message)
      const key = this.#domainOf(message)
      const letter = key === undefined ? undefined : group.stops.get(key)
      if (place?.state !== 'waiting' || message.at > this.#now || letter === undefined) continue
      if (message.at < letter.at || (message.at === letter.at && message.number < letter.number)) continue
      if (
        place.immortal ||
        (!place.passed && this.#has('parks only what a claim has passed behind a dead letter'))
      )
        continue
      this.#park(place, 'behind a dead letter')
      place.behind = letter
      if (!all) group.stops.delete(key!)
    }
  }

  /** A dead letter is gone. */
  #letGo({ stops }: Group, message: Message): void {
    const key = this.#domainOf(message)
    if (this.#has('goes on parking behind a dead letter that is gone')) return
    if (key !== undefined && stops.get(key) === message) stops.delete(key)
  }

  /** A dead letter is redriven: what it had parked goes on behind it. */
  #unpark({ places }: Group, letter: Message): void {
    if (this.#has('leaves parked what is behind a message that is redriven')) return
    for (const place of places.values()) {
      if (place.state === 'parked' && place.behind === letter)
        Object.assign(place, { state: 'waiting', parked: undefined, due: this.#now, error: undefined })
    }
  }

  resume(id: string, { group: only, edit }: ResumeOptions): boolean {
    let found = false
    for (const { name, places } of this.#groups.values()) {
      if (only !== undefined && only !== name && !this.#has('resumes in every group')) continue
      // All of an id, or with an edit the last.
      for (const [message, place] of [...places].toSorted(([a], [b]) => b.number - a.number)) {
        if (message.id !== id) continue
        if (this.#has('resumes what waits for a retry') && place.state === 'waiting') {
          found ||= place.due > this.#now
          place.due = this.#now
        }
        if (edit !== undefined && this.#has('edits in every group'))
          place.content = this.#edited(message, place, edit)
        if (place.state !== 'parked' || this.#isExpired(message, place)) continue
        found = true
        if (edit !== undefined) place.content = this.#edited(message, place, edit)
        if (edit !== undefined && edit.expiresInMs !== undefined) place.immortal = false
        if (edit !== undefined && this.#has('edits without resuming')) continue
        Object.assign(place, { state: 'waiting', parked: undefined, due: this.#now, error: undefined })
        if (!this.#has('resumes with the attempts it had')) place.attempt = 0
        if (edit !== undefined) break
      }
    }
    return found || this.#has('answers true to any resume')
  }

  #edited(message: Message, place: Place, edit: NonNullable<ResumeOptions['edit']>): Content {
    const before = place.content ?? message
    const { body, headers, maxAttempts, expiresInMs } = edit
    const forgets = this.#has('forgets the time to live with an edit')
    const start = this.#has('counts the time to live of an edit from the append')
      ? message.timestamp
      : this.#now
    return {
      body,
      headers: this.#has('keeps the headers of what it edits') ? (headers ?? before.headers) : headers,
      maxAttempts,
      expires: expiresInMs === undefined ? (forgets ? Infinity : before.expires) : start + expiresInMs,
      timestamp: this.#clock.now(),
    }
  }

  // Results

  #keep(group: Group, message: Message, { attempt }: Place, outcome: Outcome): void {
    const { id, keepMs = this.#has('keeps a result without keepMs') ? 1e9 : undefined } = message
    if (keepMs === undefined) return
    const isOld = this.#newest.get(id)! > message.number
    if (isOld && !this.#has('keeps the result of a message that was sent again meanwhile')) return
    const less = this.#has('keeps results a ms too short') ? 1 : 0
    const until = this.#has('keeps results for ever') ? Infinity : this.#now + keepMs - less
    const groups = this.#has('keeps results for all groups together') ? [...this.#groups.values()] : [group]
    for (const one of groups) {
      this.#forgetResults(id, one)
      one.kept.push({ message: { ...message }, attempt, outcome, until })
    }
    if (this.#has('knows an id as long as its result')) this.#known.set(id, this.#now + keepMs)
  }

  #forgetResults(id: string, only?: Group): void {
    for (const group of only === undefined ? this.#groups.values() : [only]) {
      const index = group.kept.findIndex(({ message }) => message.id === id)
      if (index >= 0) group.kept.splice(index, 1)
    }
  }

  result(name: string, id: string): Outcome | undefined {
    const group = this.#groups.get(name)
    if (group === undefined) {
      const shows =
        this.#has('keeps results of a deleted group') || this.#has('keeps results of a deleted queue')
      return shows ? this.#left.get(name)?.find(({ message }) => message.id === id)?.outcome : undefined
    }
    const message = this.#messages.findLast((one) => one.id === id && group.places.has(one))
    const place = message && group.places.get(message)
    if (place?.state === 'leased') {
      if (this.#has('tells a result before the ack')) return { status: 'done', at: this.#now }
      if (this.#isHeld(place) || this.#has('shows the progress of a lost lease')) {
        if (place.progress !== undefined) return place.progress
      }
    }
    return group.kept.find((one) => one.message.id === id && one.until > this.#now)?.outcome
  }

  /** What is done, in the order of the queue. Dead letters are shown as such. */
  #doneIn(group: Group): [Message, Place, MessageState, Kept][] {
    return group.kept
      .filter(({ until }) => until > this.#now)
      .filter(({ message: { number }, outcome }) => {
        const isLetter = [...group.places].some(
          ([other, { state }]) => other.number === number && state === 'dead',
        )
        return outcome.status === 'done' || !isLetter || this.#has('lists a dead letter as done besides')
      })
      .toSorted(({ message: a }, { message: b }) => a.at - b.at || a.number - b.number)
      .map((kept) => [kept.message, newPlace(kept.message), 'done', kept])
  }

  // Groups

  #makeGroup(name: string, from: ClaimRequest['from'] = 'earliest'): Group {
    const shared = this.#has('shares one position among groups')
      ? [...this.#groups.values()][0]?.places
      : undefined
    const kept: Kept[] = []
    if (this.#has('keeps results for all groups together'))
      kept.push(...[...this.#groups.values()].flatMap((other) => other.kept))
    if (this.#has('keeps results of a deleted group')) kept.push(...(this.#left.get(name) ?? []))
    const group = newGroup(name, shared, kept)
    if (shared === undefined)
      for (const message of this.#startOf(from)) group.places.set(message, this.#begun(message))
    this.#groups.set(name, group)
    return group
  }

  /** A message in a group that begins after others: once none has it as it was, it is what it was edited to. */
  #begun(message: Message): Place {
    const contents = [...this.#groups.values()].flatMap(({ places }) => {
      const place = places.get(message)
      return place === undefined || place.state === 'done' || place.state === 'dead' ? [] : [place.content]
    })
    const isEdited =
      !contents.includes(undefined) && !this.#has('starts later groups with what was edited since')
    return { ...newPlace(message), content: isEdited ? contents[0] : undefined }
  }

  /** What a new group would get. */
  #startOf(from: 'earliest' | 'latest'): Message[] {
    if (this.#groups.size === 0)
      return from === 'latest' && this.#has('starts the first group at the end') ? [] : [...this.#messages]
    const withLanes = from === 'latest' && this.#has('gives late groups lanes that start at the latest')
    if ((from === 'latest' && !withLanes) || this.#has('starts later groups at the end')) return []
    const open = this.#messages.filter(
      (message) => this.#isOpen(message) || this.#has('keeps messages that all groups have done'),
    )
    if (withLanes) return open.filter(({ lane }) => lane !== '')
    return this.#has('gives late groups no lanes') ? open.filter(({ lane }) => lane === '') : open
  }

  deleteGroup(name: string): void {
    const group = this.#groups.get(name)
    for (const [place, hold] of this.#holds) {
      if (hold.group === name && !this.#has('keeps holds of a deleted group')) this.#holds.delete(place)
    }
    if (group === undefined) return
    if (this.#has('keeps dead letters of a deleted group')) {
      for (const place of group.places.values()) if (place.state === 'leased') place.state = 'waiting'
      return
    }
    const open = this.#messages.filter((message) => this.#isOpen(message))
    this.#left.set(name, group.kept)
    this.#groups.delete(name)
    for (const hold of this.#holds.values()) {
      hold.probing?.done.delete(name)
      hold.probing?.out.delete(name)
    }
    this.#dropProbed()
    if (this.#has('keeps what only the deleted group had to do')) return
    for (const message of open) {
      const isLeft = this.#groups.size > 0 && this.#isOpen(message)
      if (!isLeft && !this.#has('forgets ids with a group that is deleted')) this.#remember(message)
    }
    if (this.#groups.size === 0) this.#messages = []
    for (const message of this.#messages.slice()) this.#forget(message)
  }

  purge(): void {
    const isKept = (message: Message): boolean =>
      this.#has('purges only what is ready') && message.at > this.#now
    if (this.#has('forgets holds with a purge')) this.#holds.clear()
    for (const { flows } of this.#groups.values()) flows.clear()
    if (this.#has('forgets ids with a purge')) this.#known.clear()
    else
      for (const message of this.#messages)
        if (!isKept(message) && this.#isOpen(message)) this.#remember(message)
    this.#messages = this.#messages.filter(isKept)
    if (this.#has('deletes groups with a purge')) this.#groups.clear()
    for (const { places, kept, stops } of this.#groups.values()) {
      if (!this.#has('keeps results of a purged queue')) kept.length = 0
      stops.clear()
      for (const message of places.keys()) if (!isKept(message)) places.delete(message)
    }
  }

  delete(): void {
    this.wasDeleted = true
    if (this.#has('keeps results of a deleted queue'))
      for (const { name, kept } of this.#groups.values()) this.#left.set(name, kept)
    else this.#left.clear()
    this.#messages = []
    this.#sent = 0
    if (!this.#has('keeps holds of a deleted queue')) this.#holds.clear()
    if (!this.#has('keeps ids of a deleted queue')) this.#known.clear()
    if (this.#has('keeps groups of a deleted queue')) {
      for (const { places } of this.#groups.values()) places.clear()
    } else this.#groups.clear()
  }

  retryNow(group: string, id: string): boolean {
    let found = false
    for (const { name, places } of this.#groups.values()) {
      if (name !== group && !this.#has('retries now in every group')) continue
      for (const [message, place] of places) {
        if (place.state === 'parked' && message.id === id && this.#has('retries now what is parked'))
          Object.assign(place, { state: 'waiting', due: this.#now + 1 })
        if (message.id !== id || place.state !== 'waiting') continue
        if (message.at > this.#now || place.due <= this.#now) continue
        place.due = this.#now
        if (this.#has('counts a retry now as an attempt')) place.attempt++
        found = true
      }
    }
    return found || this.#has('answers true to any retryNow')
  }

  cancel(id: string): boolean {
    let found = false
    if (this.#has('forgets results with a cancel')) this.#forgetResults(id)
    for (const message of this.#messages.filter((one) => one.id === id)) {
      if (this.#groups.size === 0) {
        this.#messages = this.#messages.filter((one) => one !== message)
        found = true
      }
      for (const { places } of this.#groups.values()) {
        const place = places.get(message)
        if (place === undefined || place.state === 'done') continue
        if (place.state === 'dead' && !this.#has('cancels dead letters')) continue
        if (place.state === 'leased' && this.#has('cancels only what waits')) continue
        place.state = 'done'
        found = true
        if (this.#has('keeps the id of a cancelled message')) this.#remember(message)
        if (this.#has('cancels in the first group only')) break
      }
      this.#forget(message)
    }
    return found || this.#has('answers true to any cancel')
  }

  // Looking

  #stateOf(message: Message, place: Place, busy: ReadonlySet<string>): MessageState {
    if (place.state === 'dead') return 'dead'
    if (place.state === 'parked') return this.#has('lists what is parked as delayed') ? 'delayed' : 'parked'
    if (this.#isHeld(place)) return 'leased'
    if (message.at > this.#now || (place.state === 'waiting' && place.due > this.#now)) return 'delayed'
    const key = this.#domainOf(message)
    return place.passed && key !== undefined && busy.has(key) ? 'blocked' : 'ready'
  }

  /** All messages of a group with their states, in order. */
  *#standings(group: Group): Iterable<[Message, Place, MessageState]> {
    const busy = new Set<string>()
    for (const [message, place] of group.places) {
      const key = this.#domainOf(message)
      if (key !== undefined && this.#isHeld(place)) busy.add(key)
    }
    for (const message of this.#ordered()) {
      const place = group.places.get(message)
      if (place === undefined || place.state === 'done') continue
      // Whoever had the lease may still settle it.
      if (place.state !== 'leased' && this.#isExpired(message, place)) continue
      yield [message, place, this.#stateOf(message, place, busy)]
      const key = this.#domainOf(message)
      if (key !== undefined && place.state !== 'dead' && message.at <= this.#now) busy.add(key)
    }
  }

  /** A group, or how it would start. */
  #shown(name: string): Group {
    const known = this.#groups.get(name)
    if (known !== undefined) return known
    const places = this.#startOf('earliest').map((message): [Message, Place] => [
      message,
      this.#begun(message),
    ])
    return newGroup(name, new Map(places))
  }

  list({ group: name, states, ids, lane: wantedLane, limit, cursor, bodies = true }: ListQuery): Page {
    const group = this.#shown(name)
    const isOfLane = (lane: string): boolean =>
      wantedLane === undefined || lane === wantedLane || this.#has('ignores the lane of a list')
    const wanted = states ?? [
      'ready',
      'leased',
      'delayed',
      'blocked',
      'parked',
      ...(this.#has('lists dead letters unasked') ? ['dead'] : []),
      ...(this.#has('lists what is done unasked') ? ['done'] : []),
    ]
    const all: [Message, Place, MessageState, Kept?][] = [
      ...this.#standings(group),
      ...this.#doneIn(group),
    ].filter(
      ([message, , state]) =>
        wanted.includes(state) &&
        (ids === undefined || (ids.includes(message.id) && this.#isMeant(message, state))) &&
        isOfLane(message.lane),
    )
    const start = cursor === undefined ? 0 : Number(cursor) || Infinity
    let bytes = 0
    const fits = all
      .slice(start, start + limit)
      .findIndex(([{ body }]) => (bytes += body.length) > MAX_ANSWER_BYTES && bodies)
    const page = all.slice(start, start + (fits < 0 ? limit : fits + 1))
    if (this.#has('leases what it lists')) {
      for (const [, place] of page) if (place.state === 'waiting') place.attempt++
    }
    const end = start + Math.max(1, page.length)
    const shows = bodies || this.#has('answers with bodies that nobody asked for')
    const repeats = this.#has('repeats the last message of a page on the next') && limit > 1
    return {
      messages: page.map(([message, place, state, kept]) => {
        if (kept !== undefined) return listedDone(kept)
        const listed = this.#listed(message, place, state)
        return shows ? listed : { ...listed, body: '' }
      }),
      ...(end < all.length && { cursor: `${repeats ? end - 1 : end}` }),
    }
  }

  /** Of what is not over, an id leads to the last that was stored under it. */
  #isMeant({ id, number }: Message, state: MessageState): boolean {
    return ['parked', 'dead', 'done'].includes(state) || (this.#newest.get(id) ?? 0) <= number
  }

  #listed(message: Message, place: Place, state: MessageState): ListedMessage {
    const { id, key, lane } = message
    const { body, headers, timestamp, maxAttempts } = place.content ?? message
    const { attempt, parked, progress, error, reason, deadAt, receipt } = place
    const ends = state === 'leased' ? place.until : Math.max(place.due, message.at)
    return {
      id,
      state,
      body,
      headers,
      key,
      lane: lane === '' ? undefined : lane,
      timestamp,
      attempt,
      maxAttempts,
      ...((state === 'leased' || state === 'delayed') && { nextInMs: ends - this.#now }),
      ...(state !== 'parked' && { lastError: error }),
      ...(state === 'parked' && { parked }),
      ...(state === 'leased' && { outcome: progress }),
      ...(state === 'dead' && { reason, deadAt, receipt }),
    }
  }

  stats(): StorageStats {
    const groups: Record<string, GroupStats> = Object.create(null)
    let messages = 0
    for (const group of this.#groups.values()) {
      const counts = { ready: 0, leased: 0, delayed: 0, blocked: 0, parked: 0, dead: 0, done: 0 }
      const open: Message[] = []
      for (const [message, { state: raw }, state] of this.#standings(group)) {
        counts[state]++
        if (raw === 'waiting' || raw === 'leased' || raw === 'parked') open.push(message)
      }
      if (this.#has('counts what has expired')) {
        for (const [message, place] of group.places) if (this.#isExpired(message, place)) counts.ready++
      }
      const { done: _done, ...known } = counts
      groups[group.name] = {
        ...known,
        oldestMs: this.#ageOf(open),
        acked: group.acked,
        failed: group.failed,
      }
      const parked = this.#has('does not count what is parked as a message') ? 0 : counts.parked
      messages = Math.max(messages, counts.ready + counts.leased + counts.delayed + counts.blocked + parked)
    }
    const retained = this.#messages.filter((message) => this.#isOpen(message))
    if (this.#groups.size === 0) messages = retained.filter((message) => message.expires > this.#now).length
    return {
      groups: { ...groups },
      messages,
      bytes: retained.reduce((sum, { body }) => sum + body.length, 0),
      oldestMs: this.#ageOf(retained),
      sent: this.#sent,
      holds: this.#has('does not tell of holds in stats')
        ? []
        : this.#shownHolds(() => true)
            .sort((a, b) => Number(a.lane !== undefined) - Number(b.lane !== undefined))
            .slice(0, MAX_HOLDS),
    }
  }

  #ageOf(messages: readonly Message[]): number | undefined {
    const oldest = messages.reduce((least, { timestamp }) => Math.min(least, timestamp), Infinity)
    return oldest === Infinity ? undefined : Math.max(0, this.#clock.now() - oldest)
  }
}

function listedDone({ message: { id, key, lane, timestamp }, attempt, outcome }: Kept): ListedMessage {
  return {
    id,
    state: 'done',
    body: '',
    key,
    lane: lane === '' ? undefined : lane,
    timestamp,
    attempt,
    outcome,
  }
}

function newGroup(name: string, places: Map<Message, Place> = new Map(), kept: Kept[] = []): Group {
  return { name, places, kept, stops: new Map(), acked: 0, failed: 0, turn: FIRST_TURN, flows: new Map() }
}

function turnOf(position: string | undefined): Turn {
  try {
    return position === undefined ? FIRST_TURN : (JSON.parse(position) as Turn)
  } catch {
    return FIRST_TURN
  }
}

/** By bytes of UTF-8. */
function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}

function newPlace(message: Message): Place {
  return {
    state: 'waiting',
    parked: undefined,
    behind: undefined,
    content: undefined,
    progress: undefined,
    due: message.at,
    until: 0,
    again: false,
    attempt: 0,
    receipt: '',
    passed: false,
    immortal: false,
    error: undefined,
    reason: undefined,
    deadAt: undefined,
    deadUntil: Infinity,
  }
}
