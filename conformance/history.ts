import { v7 as uuid } from 'uuid'
import type {
  ClaimRequest,
  GroupStart,
  LaneRules,
  LaneState,
  StoredListedMessage as ListedMessage,
  MessageState,
  NewMessage,
  QueueStorage,
  Settlement,
  StorageAdapter,
} from '../src/core/index.ts'
import { ConformanceError, equal, fail, ok, show } from './assert.ts'
import type { Backend, ConformanceFactory } from './backend.ts'
import { type CaseClock, ManualClock, REAL_CLOCK } from './clock.ts'
import { Model } from './model.ts'
import { ScaledTime } from './scaled-time.ts'
import { resultsOf } from './scene.ts'

/**
 * Histories: what some clients do to a queue, step by step, each result compared with the {@link Model}.
 *
 * A step is plain data that any generator can make. It names messages, receipts and groups by numbers, which are looked
 * up among those that exist when the step runs, so that every history makes sense however it was cut down.
 */
export type Step =
  | AppendStep
  | {
      readonly verb: 'claim'
      readonly view: number
      readonly group: number
      readonly limit: number
      readonly leaseMs: number
      readonly from: 'earliest' | 'latest'
      readonly settle: readonly StepSettlement[]
      /** Groups that it makes besides. */
      readonly groups?: readonly number[] | undefined
      /** Limits of lanes, other than those of the group. */
      readonly rules?: number | undefined
      /** Only some lanes. */
      readonly only?: number | undefined
      /** What it works on: the number of a receipt from the last that was given out. */
      readonly inHand?: number | undefined
    }
  | {
      readonly verb: 'settle'
      readonly view: number
      /** Otherwise the group of the first receipt. */
      readonly group: number | undefined
      readonly settlements: readonly StepSettlement[]
    }
  | {
      readonly verb: 'list'
      readonly view: number
      readonly group: number
      readonly states: readonly MessageState[] | undefined
      readonly limit: number
      /** Only these messages, by their number from the last. */
      readonly ids: readonly number[] | undefined
      /** Only this lane; one more than there are: none. */
      readonly lane?: number | undefined
    }
  | { readonly verb: 'cancel'; readonly view: number; readonly ids: readonly number[] }
  | {
      readonly verb: 'retryNow'
      readonly view: number
      readonly group: number
      readonly ids: readonly number[]
    }
  | ResumeStep
  | HoldStep
  | { readonly verb: 'deleteGroup'; readonly view: number; readonly group: number }
  | { readonly verb: 'purge'; readonly view: number }
  | { readonly verb: 'delete'; readonly view: number }
  | { readonly verb: 'advance'; readonly ms: number }
  | { readonly verb: 'reopen' }

export interface HoldStep {
  readonly verb: 'hold' | 'release'
  readonly view: number
  /** Otherwise all groups. */
  readonly group: number | undefined
  /** Otherwise all lanes. */
  readonly lane: number | undefined
  readonly forMs: number | undefined
  readonly probe: boolean | undefined
}

/** A step of a history that appends. */
export interface AppendStep {
  readonly verb: 'append'
  readonly view: number
  readonly messages: readonly {
    /** A caller's id, or none. */
    readonly id?: number | undefined
    readonly key?: number | undefined
    readonly lane?: number | undefined
    readonly headers?: boolean | undefined
    readonly delayMs?: number | undefined
    readonly expiresInMs?: number | undefined
    readonly maxAttempts?: number | undefined
    readonly replace?: boolean | undefined
    readonly dedupeMs?: number | undefined
    readonly maxDelayMs?: number | undefined
    readonly keepMs?: number | undefined
  }[]
  /** Groups that it makes. */
  readonly groups?: readonly number[] | undefined
}

/** A step of a history that resumes what is parked. */
export interface ResumeStep {
  readonly verb: 'resume'
  readonly view: number
  /** In all groups, if not in one. */
  readonly group?: number | undefined
  readonly ids: readonly number[]
  readonly edit?:
    | { readonly expiresInMs?: number | undefined; readonly maxAttempts?: number | undefined }
    | undefined
}

/** How a step of a history settles a delivery. */
export interface StepSettlement {
  /** The number of a receipt from the last that was given out; -1 for one that was made up. */
  readonly receipt: number
  readonly kind: Settlement['kind']
  readonly ms: number
  readonly error?: string | undefined
  readonly counts?: boolean | undefined
  /** Of an ack, an extension, or for what is parked. */
  readonly value?: string | undefined
}

const GROUPS = ['A', 'B', 'C']
/** Of each group. */
const MAX_ATTEMPTS = [3, 2, 1_000_000]
const DEAD_FOR_MS = [undefined, 300, undefined]
/** Whether the next of the key of a dead letter is parked. */
const PARKS_NEXT = [false, true, false]
/** Of how many messages results are compared after each step. */
const RESULTS = 8
const LANES = ['L1', 'L2', 'M']
/** Of each group, and others. */
const RULES: readonly LaneRules[] = [
  { names: { L1: { weight: 2 } } },
  { concurrency: 2, prefixes: [['M', { concurrency: 1, weight: 3 }]] },
  {
    prefixes: [['L', { rate: { count: 2, perMs: 100, burst: 1 } }]],
    names: { M: { rate: { count: 3, perMs: 300 } } },
  },
  {},
  { concurrency: 1, rate: { count: 1, perMs: 100 }, weight: 3 },
]
/** Rates add up durations without end. */
const WITHOUT_RATES = JSON.parse(
  JSON.stringify(RULES, (name, value: unknown) => (name === 'rate' ? undefined : value)),
) as typeof RULES
const FILTERS: readonly (string | readonly string[])[] = ['L', ['L1', 'M'], '']
/** After so many claims that find nothing, a storage must say when to look again. */
const MAX_ROUNDS = 20
const STATES: readonly MessageState[] = ['ready', 'leased', 'delayed', 'blocked', 'parked', 'dead', 'done']

/** How {@link runHistory} takes the times of its steps. */
export interface HistoryTime {
  /**
   * How many ms on the clock of the storage stand for one ms of the history: of leases, delays, and of what the steps advance. For a storage
   * whose clock goes on while its verbs run, so that a lease of 50 ms does not end while a slow store is asked. At least 8 times what one step
   * takes; a step and what is compared after it are up to 30 calls. Limits by rate are left out then. Must be given with `realClock`, where
   * each ms is waited for: make steps of a few ms each.
   * @defaultValue no time passes while a verb runs
   */
  readonly scale?: number
  /** What the storage reads. @defaultValue that of the machine with `realClock`; else one that stands still between steps */
  readonly clock?: CaseClock
}

/**
 * Runs a history on a fresh storage with a clock that obeys, or slowly on another one, and rejects at the first result that the contract does
 * not permit, with all steps and results so far.
 *
 * @example
 * ```ts
 * await fc.assert(fc.asyncProperty(historySteps(fc), (steps) => runHistory(factory, steps)))
 * ```
 */
export async function runHistory(
  factory: ConformanceFactory,
  steps: readonly Step[],
  { scale, clock = factory.realClock === true ? REAL_CLOCK : new ManualClock() }: HistoryTime = {},
): Promise<void> {
  ok(
    scale === undefined ? factory.realClock !== true : scale >= 1,
    `runHistory: with realClock the scale must be given, and be 1 or more; it is ${scale}`,
  )
  const backend = await factory.create({ clock })
  const trace: string[] = []
  try {
    const history = new History(factory, backend, clock, trace, scale)
    for (const step of steps) await history.run(step)
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    throw new ConformanceError(`${message}\n${trace.map((line, i) => `${i + 1}. ${line}`).join('\n')}`, {
      cause: error,
    })
  } finally {
    await backend.destroy()
  }
}

/**
 * One line for a step, for reports.
 *
 * @example
 * ```ts
 * console.log(steps.map(describeStep).join('\n'))
 * ```
 */
export function describeStep({ verb, ...rest }: Step): string {
  const parts = Object.entries(rest).filter(([, value]) => value !== undefined)
  return `${verb} ${parts.map(([name, value]) => `${name}: ${show(value)}`).join(', ')}`
}

class History {
  readonly #factory: ConformanceFactory
  readonly #backend: Backend
  readonly #clock: CaseClock
  readonly #scaled: ScaledTime | undefined
  readonly #model: Model
  readonly #trace: string[]
  readonly #ids: string[] = []
  readonly #receipts: { readonly receipt: string; readonly group: string }[] = []
  readonly #known: Set<string> = new Set()
  /** Receipts of dead letters. */
  readonly #dead: Set<string> = new Set()
  #adapter: StorageAdapter
  #views: QueueStorage[] | undefined
  /** Of claims with a filter, by group and filter. */
  readonly #positions: Map<string, string | undefined> = new Map()
  #bodies = 0

  constructor(
    factory: ConformanceFactory,
    backend: Backend,
    clock: CaseClock,
    trace: string[],
    scale: number | undefined,
  ) {
    this.#factory = factory
    this.#backend = backend
    this.#scaled = scale === undefined ? undefined : new ScaledTime(clock, scale)
    this.#clock = this.#scaled ?? clock
    this.#trace = trace
    this.#model = new Model(this.#clock, factory.guarantees.fifo, scale === undefined)
    this.#adapter = backend.adapter
  }

  async run(step: Step): Promise<void> {
    await this.#scaled?.begin()
    await this.#do(step)
    await this.#scaled?.begin()
    await this.#look()
  }

  async #view(number: number): Promise<QueueStorage> {
    if (this.#views === undefined) {
      const second = (await this.#backend.second?.()) ?? this.#adapter
      const views = [await this.#adapter.open('queue'), await second.open('queue')]
      this.#views = views.map((one) => this.#scaled?.over(one) ?? one)
    }
    return this.#views[number % this.#views.length]!
  }

  async #do(step: Step): Promise<void> {
    switch (step.verb) {
      case 'append':
        return await this.#append(step)
      case 'claim': {
        const group = GROUPS[step.group]!
        const settle = step.settle.map((one) => this.#settlement(one).settlement)
        const lanes = this.#hasLanes ? { lanes: this.#rules[step.rules ?? step.group]! } : {}
        const request = {
          group,
          ...lanes,
          ...(step.only !== undefined && this.#hasLanes && { only: FILTERS[step.only]! }),
          limit: step.limit,
          leaseMs: step.leaseMs,
          maxAttempts: MAX_ATTEMPTS[step.group]!,
          from: step.from,
          deadForMs: DEAD_FOR_MS[step.group],
          ...(this.#parks && { parksNext: PARKS_NEXT[step.group] }),
          ...(step.groups && { groups: startsOf(step.groups) }),
          ...(settle.length > 0 && { settle }),
          // A storage that has several places looks at those of one.
          ...(step.inHand !== undefined &&
            this.#factory.guarantees.fifo && {
              inHand: [this.#receipt(step.inHand)?.receipt ?? 'made up'],
            }),
        }
        return await this.#claim(step.view, request)
      }
      case 'settle': {
        const all = step.settlements.map((one) => this.#settlement(one))
        const group = step.group === undefined ? (all[0]?.group ?? GROUPS[0]!) : GROUPS[step.group]!
        const settlements = all.map(({ settlement }) => settlement)
        this.#say(`settle by ${step.view} in ${group} ${show(settlements)}`)
        const results = await (await this.#view(step.view)).settle(group, settlements)
        this.#answer(results)
        this.#model.settle(group, settlements, results)
        return
      }
      case 'list':
        return await this.#list(step)
      case 'cancel': {
        if (!this.#factory.guarantees.cancellation) return
        const ids = step.ids.map((number) => this.#id(number))
        this.#say(`cancel by ${step.view} ${show(ids)}`)
        const results = await (await this.#view(step.view)).cancel(ids)
        this.#answer(results)
        this.#model.cancel(ids, results)
        return
      }
      case 'retryNow': {
        const group = GROUPS[step.group]!
        const ids = step.ids.map((number) => this.#id(number))
        this.#say(`retryNow by ${step.view} in ${group} ${show(ids)}`)
        const results = await (await this.#view(step.view)).retryNow(group, ids)
        this.#answer(results)
        this.#model.retryNow(group, ids, results)
        return
      }
      case 'resume':
        return await this.#resume(step)
      case 'hold':
      case 'release':
        return await this.#hold(step)
      case 'deleteGroup':
        this.#say(`deleteGroup by ${step.view} ${GROUPS[step.group]}`)
        await (await this.#view(step.view)).deleteGroup(GROUPS[step.group]!)
        this.#model.deleteGroup(GROUPS[step.group]!)
        return
      case 'purge':
        this.#say(`purge by ${step.view}`)
        await (await this.#view(step.view)).purge()
        this.#model.purge()
        return
      case 'delete':
        this.#say(`delete by ${step.view}`)
        await (await this.#view(step.view)).delete()
        this.#model.delete()
        return
      case 'advance':
        this.#say(`advance ${step.ms}`)
        return await this.#clock.advance(step.ms)
      case 'reopen':
        return await this.#reopen()
    }
  }

  get #rules(): readonly LaneRules[] {
    return this.#scaled === undefined ? RULES : WITHOUT_RATES
  }

  get #hasLanes(): boolean {
    return this.#factory.guarantees.lanes !== false
  }

  async #hold({ verb, view: number, group, lane, forMs, probe }: HoldStep): Promise<void> {
    if (!this.#hasLanes) return
    const place = {
      group: group === undefined ? undefined : GROUPS[group],
      lane: lane === undefined ? undefined : LANES[lane],
    }
    const view = await this.#view(number)
    if (verb === 'hold') {
      const request = { ...place, forMs, probe, reason: `reason ${this.#trace.length}` }
      this.#say(`hold by ${number} ${show(request)}`)
      await view.hold(request)
      this.#model.lanes.hold(request)
    } else {
      this.#say(`release by ${number} ${show({ ...place, probe })}`)
      const result = await view.release({ ...place, probe })
      this.#answer(result)
      this.#model.lanes.release({ ...place, probe }, result)
    }
  }

  /** Claims, and again at once as long as the storage says so and gives nothing. */
  async #claim(number: number, request: ClaimRequest): Promise<void> {
    const view = await this.#view(number)
    const filter = request.only === undefined ? undefined : show([request.group, request.only])
    for (let round = 0; round < MAX_ROUNDS; round++) {
      if (filter !== undefined) request = { ...request, position: this.#positions.get(filter) }
      this.#say(`claim by ${number} ${show(request)}`)
      const result = await view.claim(request)
      this.#answer(result)
      if (filter !== undefined) this.#positions.set(filter, result.position)
      const { deliveries, nextInMs } = result
      for (const { receipt } of deliveries) this.#learn(receipt, request.group)
      this.#model.claim(request, result)
      if (deliveries.length > 0 || nextInMs !== 0) return
      request = { ...request, settle: undefined, groups: undefined, inHand: undefined }
    }
    fail(`claims of ${request.group} answer nextInMs: 0 for ever, and find nothing`)
  }

  get #parks(): boolean {
    return this.#factory.guarantees.parking ?? true
  }

  get #keeps(): boolean {
    return this.#factory.guarantees.results ?? true
  }

  async #resume({ view, group: number, ids: numbers, edit: changes }: ResumeStep): Promise<void> {
    if (!this.#parks) return
    // With an edit one message, because bodies must be different, in one group.
    const ids = numbers.slice(0, changes === undefined ? undefined : 1).map((one) => this.#id(one))
    const only = changes === undefined || number !== undefined ? number : 0
    const group = only === undefined ? undefined : GROUPS[only]
    const edit = changes && { ...changes, body: `m${this.#bodies++}`, headers: { is: 'edited' } }
    const options = { ...(group !== undefined && { group }), ...(edit && { edit }) }
    this.#say(`resume by ${view} ${show(ids)} ${show(options)}`)
    const results = await (await this.#view(view)).resume(ids, options)
    this.#answer(results)
    this.#model.resume(ids, options, results)
  }

  async #append({ view, messages, groups: numbers }: AppendStep): Promise<void> {
    const { orderingKeys, deduplication } = this.#factory.guarantees
    const drafts = messages.map((message): NewMessage => {
      const { id, key, lane, headers, delayMs, expiresInMs, maxAttempts, replace, dedupeMs } = message
      const { maxDelayMs, keepMs } = message
      const body = `m${this.#bodies++}`
      const named = id !== undefined && deduplication
      return {
        body,
        id: named ? `id-${id}` : undefined,
        key: orderingKeys ? keyOf(named ? id : undefined, key) : undefined,
        lane: lane !== undefined && this.#hasLanes ? LANES[lane] : undefined,
        headers: headers ? { of: body } : undefined,
        delayMs,
        // The core refuses messages that expire before they are due.
        expiresInMs: expiresInMs === undefined ? undefined : expiresInMs + (delayMs ?? 0),
        maxAttempts,
        replace: named ? replace : undefined,
        dedupeMs: named ? dedupeMs : undefined,
        ...(named && replace && delayMs !== undefined && { maxDelayMs }),
        ...(this.#keeps && { keepMs }),
      }
    })
    const batchId = uuid()
    const groups = numbers && startsOf(numbers)
    this.#say(`append by ${view} ${show(drafts)}${groups === undefined ? '' : ` for ${show(groups)}`}`)
    const results = await (await this.#view(view)).append(drafts, { batchId, groups })
    this.#answer(results)
    for (const { id } of results) if (!this.#ids.includes(id)) this.#ids.push(id)
    this.#model.append(drafts, batchId, results, groups)
  }

  async #list({
    view,
    group,
    states,
    limit,
    ids: numbers,
    lane: number,
  }: Step & { verb: 'list' }): Promise<void> {
    const name = GROUPS[group]!
    const ids = numbers && [...new Set(numbers.map((number) => this.#id(number)))]
    const lane = number === undefined || !this.#hasLanes ? undefined : (LANES[number] ?? '')
    this.#say(`list by ${view} of ${name} ${show({ states, limit, ids, lane })}`)
    const all = await this.#readAll(name, { limit: 1000, states: STATES })
    const wanted = states ?? STATES.filter((state) => state !== 'dead' && state !== 'done')
    const expected = all.filter(
      ({ id, state, lane: of }) =>
        wanted.includes(state) && (ids?.includes(id) ?? true) && (lane === undefined || lane === (of ?? '')),
    )
    const actual = await this.#readAll(name, { limit, states, ids, lane }, view)
    this.#answer(actual.map(({ body, state }) => `${String(body)} ${state}`))
    const sorted = (listed: readonly ListedMessage[]): ListedMessage[] =>
      listed.toSorted((a, b) => (`${String(a.body)} ${a.id}` < `${String(b.body)} ${b.id}` ? -1 : 1))
    const sure = expected.filter(
      (one) =>
        ids === undefined ||
        one.state === 'done' ||
        !this.#model.isShadowed(one) ||
        actual.some(({ body }) => body === one.body),
    )
    equal(sorted(actual), sorted(sure), `the list of ${name}, compared with the list of all`)
  }

  async #readAll(
    group: string,
    query: {
      readonly limit: number
      readonly states: readonly MessageState[] | undefined
      readonly ids?: readonly string[] | undefined
      readonly lane?: string | undefined
    },
    view = 0,
  ): Promise<ListedMessage[]> {
    const listed: ListedMessage[] = []
    const storage = await this.#view(view)
    let cursor: string | undefined
    do {
      const page = await storage.list({ group, ...query, cursor })
      ok(page.messages.length <= query.limit, `a page of ${query.limit} has ${page.messages.length} messages`)
      listed.push(...page.messages)
      cursor = page.cursor
      ok(listed.length < 10_000, 'pages go on for ever')
    } while (cursor !== undefined)
    return listed
  }

  async #reopen(): Promise<void> {
    const { durability, leasesSurviveReopen } = this.#factory.guarantees
    if (durability === 'none' || this.#backend.reopen === undefined) {
      this.#say('close all views')
      for (const view of this.#views ?? []) await view.close()
      this.#model.reopen('either')
    } else {
      this.#say('reopen')
      this.#adapter = await this.#backend.reopen()
      this.#model.reopen(leasesSurviveReopen ? 'survive' : 'end')
    }
    this.#views = undefined
  }

  /** Compares everything that can be seen. */
  async #look(): Promise<void> {
    const storage = await this.#view(this.#trace.length)
    const stats = await storage.stats()
    for (const group of GROUPS) {
      const listed = await this.#readAll(group, { limit: 1000, states: STATES }, this.#trace.length)
      for (const { receipt } of listed) {
        if (receipt === undefined) continue
        this.#dead.add(receipt)
        this.#learn(receipt, group)
      }
      this.#model.observe(group, listed)
      if (!this.#keeps) continue
      const ids = this.#ids.slice(-RESULTS)
      this.#model.results(group, ids, await resultsOf(storage, group, ids))
    }
    this.#model.checkStats(stats)
    if (!this.#hasLanes) return
    for (const group of GROUPS) {
      const lanes: LaneState[] = []
      let cursor: string | undefined
      do {
        const page = await storage.lanes({ group, limit: 2, cursor })
        lanes.push(...page.lanes)
        cursor = page.cursor
        ok(lanes.length < 100, 'pages of lanes go on for ever')
      } while (cursor !== undefined)
      this.#model.checkLanes(group, lanes)
    }
  }

  /** A receipt, by its number from the last that was given out. */
  #receipt(number: number): { readonly receipt: string; readonly group: string } | undefined {
    return number < 0 ? undefined : this.#receipts.at(-1 - (number % Math.max(1, this.#receipts.length)))
  }

  #settlement({ receipt: number, kind, ms, error, counts, value }: StepSettlement): {
    settlement: Settlement
    group: string | undefined
  } {
    const known = this.#receipt(number)
    const receipt = known?.receipt ?? `made up ${number}`
    const group = known?.group
    if (kind === 'ack') return { settlement: { receipt, kind, ...(this.#keeps && { value }) }, group }
    if (kind === 'retry') return { settlement: { receipt, kind, delayMs: ms, error, counts }, group }
    // What else the receipt of a dead letter does is open.
    if (this.#dead.has(receipt)) return { settlement: { receipt, kind: 'retry', delayMs: ms }, group }
    if (kind === 'dead') {
      const deadForMs = DEAD_FOR_MS[GROUPS.indexOf(group ?? '')]
      const parksNext = this.#parks && PARKS_NEXT[GROUPS.indexOf(group ?? '')]
      return {
        settlement: { receipt, kind, reason: 'rejected', error, deadForMs, ...(parksNext && { parksNext }) },
        group,
      }
    }
    if (kind === 'park' && this.#parks)
      return {
        settlement: { receipt, kind, reason: error ?? 'a fix', data: value && JSON.stringify(value) },
        group,
      }
    const progress = this.#keeps ? value : undefined
    return {
      settlement: { receipt, kind: 'extend', leaseMs: ms + 1, ...(progress !== undefined && { progress }) },
      group,
    }
  }

  #id(number: number): string {
    return this.#ids.at(-1 - (number % Math.max(1, this.#ids.length))) ?? 'unknown'
  }

  #learn(receipt: string, group: string): void {
    if (this.#known.has(receipt)) return
    this.#known.add(receipt)
    this.#receipts.push({ receipt, group })
  }

  #say(line: string): void {
    this.#trace.push(line)
  }

  #answer(result: unknown): void {
    this.#trace[this.#trace.length - 1] += ` -> ${show(result)}`
  }
}

/** Every other one starts at the latest. */
function startsOf(numbers: readonly number[]): GroupStart[] {
  return numbers.map((number, i) => ({ name: GROUPS[number]!, from: i % 2 === 0 ? 'earliest' : 'latest' }))
}

/** The key of an id is always the same, because the place of a message that changes its key is open. */
function keyOf(id: number | undefined, key: number | undefined): string | undefined {
  const number = id === undefined ? key : id % 2 === 0 ? id : undefined
  return number === undefined ? undefined : `key-${number}`
}
