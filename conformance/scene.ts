import { v7 as uuid } from 'uuid'
import type {
  AppendOptions,
  AppendResult,
  Body,
  ClaimRequest,
  ClaimResult,
  DeadReason,
  Delivery,
  GroupStats,
  Guarantees,
  Hold,
  HoldRequest,
  LanesQuery,
  LaneState,
  StoredListedMessage as ListedMessage,
  ListQuery,
  NewMessage,
  Outcome,
  Page,
  QueueStorage,
  ReleaseRequest,
  StoredResumeOptions as ResumeOptions,
  Settlement,
  SettleResult,
  StorageAdapter,
  StorageStats,
} from '../src/core/index.ts'
import { equal, fail, ok } from './assert.ts'
import type { Backend, ConformanceFactory } from './backend.ts'
import { type CaseClock, ManualClock, REAL_CLOCK } from './clock.ts'

/** A second on clocks that have to be waited for. */
const REAL_SECOND_MS = 50
/** After so many claims that answer `nextInMs: 0` something must have come, or it never will. */
const MAX_ROUNDS = 10_000

/** Where one case plays: a fresh storage, its clock, and shorthands. */
export class Scene {
  readonly factory: ConformanceFactory
  readonly clock: CaseClock
  readonly backend: Backend
  readonly #manual: ManualClock | undefined
  readonly #others: Backend[] = []
  #adapter: StorageAdapter
  #second: StorageAdapter | undefined

  private constructor(factory: ConformanceFactory, backend: Backend, manual: ManualClock | undefined) {
    this.factory = factory
    this.backend = backend
    this.clock = manual ?? REAL_CLOCK
    this.#manual = manual
    this.#adapter = backend.adapter
  }

  static async create(factory: ConformanceFactory): Promise<Scene> {
    const manual = factory.realClock ? undefined : new ManualClock()
    return new Scene(factory, await factory.create({ clock: manual ?? REAL_CLOCK }), manual)
  }

  async destroy(): Promise<void> {
    await this.backend.destroy()
    for (const other of this.#others) await other.destroy()
  }

  get guarantees(): Guarantees {
    return this.factory.guarantees
  }

  /** The instance that queues are opened on: the first, until {@link Scene.reopen}. */
  get adapter(): StorageAdapter {
    return this.#adapter
  }

  /** Another storage altogether. */
  async another(): Promise<Backend> {
    const other = await this.factory.create({ clock: this.clock })
    this.#others.push(other)
    return other
  }

  /** Opens a queue on the first instance. */
  async open(queue = 'queue'): Promise<View> {
    return new View(this, await this.#adapter.open(queue))
  }

  /** Opens a queue as somebody else would: on the second instance, or where there can be none, in a second view. */
  async openElsewhere(queue = 'queue'): Promise<View> {
    this.#second ??= await this.backend.second?.()
    return new View(this, await (this.#second ?? this.#adapter).open(queue))
  }

  /** Closes everything and opens the data again. */
  async reopen(queue = 'queue'): Promise<View> {
    this.#adapter = await this.backend.reopen!()
    this.#second = undefined
    return await this.open(queue)
  }

  // Time

  /** So many seconds in ms; of short seconds where they have to be waited for. */
  s(seconds: number): number {
    return seconds * (this.#manual === undefined ? REAL_SECOND_MS : 1000)
  }

  advance(ms: number): Promise<void> {
    return this.clock.advance(ms)
  }

  /** Lets `ms` pass, and checks something just before they are over. */
  async until(ms: number, check: () => Promise<void>): Promise<void> {
    const before = this.#manual === undefined ? ms / 2 : ms - 1
    await this.advance(before)
    await check()
    await this.advance(ms - before)
  }

  /** Sets the clock of the storage forward or back. Cases that do need `SETTABLE_CLOCK`. */
  jump(ms: number): void {
    this.#manual!.jump(ms)
  }

  /** Waits until all can see what was written. */
  async consistent(): Promise<void> {
    const { consistentWithinMs } = this.guarantees
    if (consistentWithinMs > 0) await this.advance(consistentWithinMs)
  }

  /** Checks a duration that the storage has worked out: exact where the clock stands still. */
  duration(actual: number | undefined, expected: number, what: string): void {
    if (this.#manual !== undefined) return equal(actual, expected, what)
    ok(
      actual !== undefined && actual <= expected && actual > expected - this.s(10),
      `${what}: expected up to ${expected}, got ${actual}`,
    )
  }

  /** Checks that a time on the storage's clock is now. */
  isNow(actual: number | undefined, what: string): void {
    if (this.#manual !== undefined) return equal(actual, this.clock.now(), what)
    ok(
      actual !== undefined && Math.abs(actual - Date.now()) < 86_400_000,
      `${what}: expected about ${Date.now()}, got ${actual}`,
    )
  }

  /** Checks bodies: in order, where the storage keeps order. */
  bodies(messages: readonly { readonly body: Body }[], expected: readonly Body[], what: string): void {
    const actual = messages.map(({ body }) => body)
    if (this.guarantees.fifo) equal(actual, expected, what)
    else equal(sortedBodies(messages), expected.map(String).sort(), `${what}, in any order`)
  }
}

export type Draft = string | (Partial<NewMessage> & { readonly body: Body })
export type ClaimOptions = Partial<ClaimRequest>

/** One view of a queue, with shorthands for one consumer group. */
export class View {
  readonly scene: Scene
  readonly storage: QueueStorage
  readonly group: string

  constructor(scene: Scene, storage: QueueStorage, group = 'workers') {
    this.scene = scene
    this.storage = storage
    this.group = group
  }

  /** The same view, for another group. */
  as(group: string): View {
    return new View(this.scene, this.storage, group)
  }

  append(...drafts: readonly Draft[]): Promise<AppendResult[]> {
    return this.appendWith({}, ...drafts)
  }

  /** As {@link append}, with options. */
  appendWith(options: Omit<AppendOptions, 'batchId'>, ...drafts: readonly Draft[]): Promise<AppendResult[]> {
    const messages = drafts.map((draft) => (typeof draft === 'string' ? { body: draft } : draft))
    return this.storage.append(messages, { batchId: uuid(), ...options })
  }

  /** Appends messages that must be stored. Answers with their ids. */
  async send(...drafts: readonly Draft[]): Promise<string[]> {
    const results = await this.append(...drafts)
    equal(
      results.map(({ status }) => status),
      drafts.map(() => 'stored'),
      'the status of each message that was appended',
    )
    return results.map(({ id }) => id)
  }

  /** Appends one message. Answers with how it went. */
  async sendOne(draft: Draft): Promise<AppendResult['status']> {
    const [result] = await this.append(draft)
    return result!.status
  }

  /** One claim, as the storage does it. */
  claim(options: ClaimOptions = {}): Promise<ClaimResult> {
    const { group } = this
    return this.storage.claim({ group, limit: 100, leaseMs: this.scene.s(30), maxAttempts: 10, ...options })
  }

  /** Claims until there is nothing more, or `limit` (100 by default) is reached. */
  async take(options: ClaimOptions = {}): Promise<Delivery[]> {
    const { limit = 100 } = options
    const taken: Delivery[] = []
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const { deliveries, nextInMs } = await this.claim({ ...options, limit: limit - taken.length })
      taken.push(...deliveries)
      if (taken.length >= limit || nextInMs !== 0) return taken
    }
    return fail('claims answer nextInMs: 0 for ever, and find nothing')
  }

  /** Claims up to `limit` messages and checks which. */
  async takes(expected: readonly Body[], what: string, options?: ClaimOptions): Promise<Delivery[]> {
    const deliveries = await this.take(options)
    this.scene.bodies(deliveries, expected, what)
    return deliveries
  }

  /** Claims all there is, which must be one message. */
  async takeOne(options?: ClaimOptions): Promise<Delivery> {
    const deliveries = await this.take(options)
    equal(deliveries.length, 1, 'deliveries where one message is due')
    return deliveries[0]!
  }

  settle(...settlements: readonly Settlement[]): Promise<SettleResult[]> {
    return this.storage.settle(this.group, settlements)
  }

  /** Settles, and answers with the statuses alone. */
  async statuses(...settlements: readonly Settlement[]): Promise<SettleResult['status'][]> {
    return (await this.settle(...settlements)).map(({ status }) => status)
  }

  async #settles(settlements: readonly Settlement[]): Promise<SettleResult[]> {
    const results = await this.settle(...settlements)
    equal(
      results.map(({ status }) => status),
      settlements.map(() => 'settled'),
      `the status of each ${settlements[0]?.kind}`,
    )
    return results
  }

  /** Acknowledges deliveries, or deletes dead letters. All must settle. */
  async ack(...held: readonly Held[]): Promise<void> {
    await this.#settles(held.map(({ receipt }) => ({ receipt: receipt!, kind: 'ack' })))
  }

  /** Retries a delivery, or redrives a dead letter. Must settle. */
  async retry(
    { receipt }: Held,
    options: { readonly delayMs?: number; readonly error?: string; readonly counts?: boolean } = {},
  ): Promise<void> {
    await this.#settles([{ receipt: receipt!, kind: 'retry', delayMs: 0, ...options }])
  }

  /** Makes a delivery a dead letter. Must settle. */
  async bury(
    { receipt }: Held,
    reason: DeadReason = 'rejected',
    error?: string,
    deadForMs?: number,
  ): Promise<void> {
    await this.#settles([{ receipt: receipt!, kind: 'dead', reason, error, deadForMs }])
  }

  /** Extends a lease. Must settle. Answers with the delivery, whose receipt goes on. */
  async extend(delivery: Delivery, leaseMs: number): Promise<Delivery> {
    await this.#settles([{ receipt: delivery.receipt, kind: 'extend', leaseMs }])
    return delivery
  }

  /** One page. */
  page(query: Partial<ListQuery> = {}): Promise<Page> {
    return this.storage.list({ group: this.group, limit: 100, ...query })
  }

  /** All pages of `limit` messages each. */
  async list(query: Partial<ListQuery> = {}): Promise<ListedMessage[]> {
    const { limit = 100 } = query
    const listed: ListedMessage[] = []
    let cursor: string | undefined
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const page = await this.page(cursor === undefined ? query : { ...query, cursor })
      ok(page.messages.length <= limit, `a page of at most ${limit} has ${page.messages.length} messages`)
      listed.push(...page.messages)
      if (page.cursor === undefined) return listed
      cursor = page.cursor
    }
    return fail('pages go on for ever')
  }

  /** Everything about a group: all states. */
  all(query: Partial<ListQuery> = {}): Promise<ListedMessage[]> {
    return this.list({ states: ['ready', 'leased', 'delayed', 'blocked', 'parked', 'dead'], ...query })
  }

  /** Parks a delivery. Must settle. */
  async park({ receipt }: Held, reason = 'a fix', data?: string): Promise<void> {
    await this.#settles([{ receipt: receipt!, kind: 'park', reason, data }])
  }

  resume(ids: readonly string[], options?: ResumeOptions): Promise<boolean[]> {
    return this.storage.resume(ids, options)
  }

  /** Acknowledges a delivery with a value. Must settle. */
  async finish({ receipt }: Held, value: Body): Promise<void> {
    await this.#settles([{ receipt: receipt!, kind: 'ack', value }])
  }

  results(...ids: readonly string[]): Promise<(Outcome | undefined)[]> {
    return resultsOf(this.storage, this.group, ids)
  }

  /** What became of one message. */
  async result(id: string): Promise<Outcome | undefined> {
    return (await this.results(id))[0]
  }

  dead(query: Partial<ListQuery> = {}): Promise<ListedMessage[]> {
    return this.list({ states: ['dead'], ...query })
  }

  /** Claims until nothing more is due, which must be so at once, and answers with the dead letters. */
  async afterNothing(what: string): Promise<ListedMessage[]> {
    await this.takes([], what)
    return await this.dead()
  }

  stats(): Promise<StorageStats> {
    return this.storage.stats()
  }

  /** The numbers of this group. */
  async counts(): Promise<GroupStats> {
    const { groups } = await this.stats()
    ok(Object.hasOwn(groups, this.group), `stats know no group ${this.group}`)
    return groups[this.group]!
  }

  /** Checks some of the numbers of this group. */
  async count(expected: Partial<GroupStats>, what: string): Promise<void> {
    const counts = await this.counts()
    const actual = Object.fromEntries(
      Object.keys(expected).map((name) => [name, counts[name as keyof GroupStats]]),
    )
    equal(actual, expected, what)
  }

  retryNow(...ids: readonly string[]): Promise<boolean[]> {
    return this.storage.retryNow(this.group, ids)
  }

  cancel(...ids: readonly string[]): Promise<boolean[]> {
    return this.storage.cancel(ids)
  }

  /** Holds this group, or a lane of it. */
  hold(request: HoldRequest = {}): Promise<void> {
    return this.storage.hold({ group: this.group, ...request })
  }

  release(request: ReleaseRequest = {}): Promise<boolean> {
    return this.storage.release({ group: this.group, ...request })
  }

  async holds(): Promise<readonly Hold[]> {
    return (await this.stats()).holds
  }

  /** All pages of `limit` lanes each. */
  async lanes(query: Partial<LanesQuery> = {}): Promise<LaneState[]> {
    const { limit = 100 } = query
    const lanes: LaneState[] = []
    let cursor: string | undefined
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const page = await this.storage.lanes({ group: this.group, limit, ...query, cursor })
      ok(page.lanes.length <= limit, `a page of at most ${limit} has ${page.lanes.length} lanes`)
      lanes.push(...page.lanes)
      if (page.cursor === undefined) return lanes
      cursor = page.cursor
    }
    return fail('pages of lanes go on for ever')
  }
}

/** Something with a receipt: a delivery, or a dead letter as `list` shows it. */
export type Held = { readonly receipt?: string | undefined }

export function bodiesOf(messages: readonly { readonly body: Body }[]): Body[] {
  return messages.map(({ body }) => body)
}

/** For where no order is promised. */
export function sortedBodies(messages: readonly { readonly body: Body }[]): string[] {
  return messages.map(({ body }) => String(body)).sort()
}

/** `name-0` to `name-(count - 1)`. */
export function names(name: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${name}-${i}`)
}

/** Numbers between 0 and 1 that look random and are the same each time. */
export function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    // mulberry32
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

/** What became of messages, asked for as often as that takes. */
export async function resultsOf(
  storage: QueueStorage,
  group: string,
  ids: readonly string[],
): Promise<(Outcome | undefined)[]> {
  const all: (Outcome | undefined)[] = []
  do {
    const some = await storage.results(group, ids.slice(all.length))
    all.push(...some)
    ok(some.length > 0 || all.length === ids.length, 'an answer of results has one of them at least')
  } while (all.length < ids.length)
  return all
}
