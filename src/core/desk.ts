import { next } from '../clock.ts'
import { Alarm } from './alarm.ts'
import type { Context, GroupDesk } from './context.ts'
import type { Hand } from './hand.ts'
import { Line, type Seat, type Share, type Terms, claimOf } from './line.ts'
import { type Lease, type Message, staleError } from './message.ts'
import {
  type Body,
  type ClaimResult,
  type GroupStart,
  type Held,
  type Hint,
  MAX_IDS,
  type MessageState,
  type QueueStorage,
  type SettleResult,
  type Settlement,
} from '../storage.ts'
import { isThenable } from './schema.ts'
import { isTransient, isUnsure, restMs } from './trouble.ts'

/** Settlements that belong together. */
export interface Unit<T> {
  readonly settlements: readonly Settlement[]
  /** That of a handler that has ended, on this message. */
  readonly message?: Message<T> | undefined
  /** It waits until the storage has taken it, however often that fails. */
  readonly kept?: boolean
  /** A step that it was in may have been done, although it failed. */
  unsure: boolean
  /** @param from Where its own results begin. */
  settled(results: readonly SettleResult[], from: number): void
  failed(error: unknown): void
}

/** What one call to the storage is for. */
interface Step<T> {
  readonly at: number
  /** Whom it asked. */
  view: QueueStorage | undefined
  readonly units: readonly Unit<T>[]
  hands: readonly Hand<T>[]
  settlements: readonly Settlement[]
  readonly shares: readonly Share[]
  /** Whose they all are. */
  readonly line: Line | undefined
  /** How many messages they are for. */
  readonly limit: number
  readonly groups: readonly GroupStart[]
}

type Extension = Extract<Settlement, { kind: 'extend' }>

type Answer = ClaimResult<Held> | readonly SettleResult[]

/** Where the storage tells of changes, whoever waits looks all the same this often, in ms: a hint may be lost. */
const LOOK_MS = 30_000
/** Elsewhere this often. */
const POLL_MS = 1000
/** After a hint it takes so long until messages in hand are looked for, in ms. */
const CHECK_MS = 1000
/** Progress waits so long for more of it, in ms. */
const REPORT_MS = 1000
/** A timer that is this much too early was set before the clock was set back. */
const SLACK_MS = 50

const ALL_STATES: readonly MessageState[] = ['ready', 'leased', 'delayed', 'blocked', 'dead']
const NOTHING: readonly never[] = []

/**
 * Where all consumers and loops of one group on one `Queue` object take and settle messages.
 *
 * What is asked for in one turn, or while a step is under way, becomes one step: settlements first, then extensions of the
 * leases in hand that are past their half, then a claim for all who stand in line. So nobody here is given what another one
 * here has in hand or has just finished, however long the program, the storage or the machine stood still; and many cost
 * no more than one.
 */
export class Desk<T> implements GroupDesk {
  readonly group: string
  readonly #context: Context<T>
  readonly #lines: Line[] = []
  readonly #hands: Set<Hand<T>> = new Set()
  /** Those whose leases end first, the very first at the end. All others end with the first of these or after it. */
  #ending: Hand<T>[] = []
  #units: Unit<T>[] = []
  /** Seats that wait. */
  #waiting = 0
  #unwatch: (() => void) | undefined
  #busy = false
  #idle: (() => void)[] = []
  /** What is under way. */
  #step: Step<T> | undefined
  /** Whom the last step asked. */
  #view: QueueStorage | undefined
  /** When the first lease in hand is to be extended. */
  #renewAt = Infinity
  /** Those whose progress is to be told. */
  readonly #reports: Map<Lease, Hand<T>> = new Map()
  /** When that is to be done, if no extension does it before. */
  #reportAt = Infinity
  /** When to see whether what is in hand is still there. */
  #checkAt = Infinity
  /** Steps that failed in a row. */
  #failures = 0
  #retryAt = 0
  /** The last one failed with trouble that will not pass: nobody waits for that. */
  #lasts = false
  /** When it last looked what there is to do. */
  #at = 0
  readonly #alarm: Alarm
  /** Everything that was to happen until then is due, whatever the clock says. */
  #dueUntil = 0

  constructor(context: Context<T>, group: string) {
    this.#context = context
    this.group = group
    this.#alarm = new Alarm(context.options.clock, (now, at) => this.#ring(now, at))
  }

  // Who asks

  /** With what to claim for nobody: as its first consumer does that takes from all lanes. */
  terms: Terms | undefined

  line(terms: Terms): Line {
    if (terms.only === undefined) this.terms ??= terms
    return this.current(new Line(terms))
  }

  /** Where those stand who claim as this line does: in another one, if that was there sooner. */
  current(line: Line): Line {
    if (line.isKept) return line
    return this.#lines.find(({ key }) => key === line.key) ?? line
  }

  join(seat: Seat): void {
    const { line } = seat
    this.#adopt(line)
    if (seat.waits) {
      if (line.lookAt === Infinity) line.lookAt = this.#context.now() + POLL_MS
      if (++this.#waiting === 1) this.#unwatch = this.#context.watch(this.#hint)
    }
    this.look(seat)
  }

  leave(seat: Seat): void {
    const { line } = seat
    const wasThere = line.delete(seat)
    this.#dismiss(line)
    if (!wasThere || !seat.waits || --this.#waiting > 0) return
    this.#unwatch!()
    if (!this.#busy) this.#setTimer()
  }

  #adopt(line: Line): void {
    if (line.isKept) return
    line.isKept = true
    this.#lines.push(line)
  }

  /** Where nobody stands, nobody looks; and there may be any number of terms by and by. */
  #dismiss(line: Line): void {
    if (!line.isEmpty || !line.isKept) return
    line.lookAt = Infinity
    line.isKept = false
    this.#lines.splice(this.#lines.indexOf(line), 1)
  }

  /** Has those whose line is another one by now go over to it. */
  reseat(): void {
    for (const line of this.#lines) {
      for (const seat of line.seats) {
        if (seat.line === line) continue
        line.delete(seat)
        this.#adopt(seat.line)
        seat.line.lookAt = Math.min(seat.line.lookAt, line.lookAt)
        seat.line.look(seat)
      }
    }
    for (const line of this.#lines.filter(({ isEmpty }) => isEmpty)) this.#dismiss(line)
    this.#wake()
  }

  /** Somebody who has joined wants to know whether there is something. */
  look(seat: Seat): void {
    seat.line.look(seat)
    this.#wake()
  }

  get #seats(): readonly Seat[] {
    return this.#lines.flatMap(({ seats }) => seats)
  }

  /** A consumer was paused or goes on. */
  poke(): void {
    for (const seat of this.#seats) {
      seat.line.look(seat)
      seat.poke()
    }
    this.#wake()
  }

  stop(): void {
    this.#reports.clear()
    for (const seat of this.#seats) seat.stop(this.#context.closing.reason)
    if (!this.#busy) this.#setTimer()
  }

  handBack(): void {
    for (const seat of this.#seats) seat.handBack?.()
  }

  readonly #hint = (hint?: Hint): void => {
    // Whatever came of its own steps was in their answers.
    if (hint?.own) return
    for (const line of this.#lines) line.stir()
    if (this.#hands.size > 0 && this.#checkAt === Infinity) this.#checkAt = this.#context.now() + CHECK_MS
    this.#wake()
  }

  // Who settles

  /** Settles in the next step. */
  settle(unit: Unit<T>): void {
    this.#units.push(unit)
    this.#wake()
  }

  /** Gives up what waits for the next step. Answers whether it did. */
  drop(unit: Unit<T>): boolean {
    const place = this.#units.indexOf(unit)
    if (place >= 0) this.#units.splice(place, 1)
    return place >= 0
  }

  /** Whether settlements wait for the next step. */
  get settling(): boolean {
    return this.#units.length > 0
  }

  /** As {@link settle}. Resolves with the first result; without settlements, once those before it are answered. */
  tell(settlements: readonly Settlement[], kept = false): Promise<SettleResult | undefined> {
    return new Promise((resolve, failed) => {
      const settled: Unit<T>['settled'] = (results, from) => resolve(results[from])
      this.settle({ settlements, kept, unsure: false, settled, failed })
    })
  }

  // At once

  /** Whether nobody is before whoever asks at that time. */
  isFree(at: number): boolean {
    if (this.#busy || at < this.#at - SLACK_MS || at >= this.#alarm.at) return false
    this.#at = at
    return true
  }

  /** Somebody waits for messages. */
  get isAwaited(): boolean {
    return this.#lines.some(({ isEmpty }) => !isEmpty)
  }

  /** There may be something for those who wait. */
  stir(): void {
    for (const line of this.#lines) {
      line.stir()
      if (line.due) this.#wake()
    }
  }

  // What is in hand

  /** The lease of a message is extended until it is released. */
  hold(hand: Hand<T>): void {
    this.#hands.add(hand)
    const { until } = hand.lease
    // Those that were let go of lie among them.
    if (this.#ending.length > 2 * this.#hands.size) this.reorder()
    let place = 0
    for (let end = this.#ending.length; place < end;) {
      const middle = (place + end) >> 1
      if (this.#ending[middle]!.lease.until > until) place = middle + 1
      else end = middle
    }
    if (place > 0) this.#ending.splice(place, 0, hand)
    this.#renewBy(hand.renewAt)
  }

  #renewBy(at: number): void {
    if (at >= this.#renewAt) return
    this.#renewAt = at
    if (!this.#busy) this.#setTimer()
  }

  /** A lease was extended by hand. Where that was for less than it had, it must be extended sooner, if it is one in hand. */
  extended(lease: Lease | undefined, receipt: string, until: number, leaseMs: number): void {
    this.reorder()
    const at = until - leaseMs / 2
    if (lease !== undefined) {
      lease.until = until
      // All are by then.
      if (at >= this.#renewAt) return
    }
    for (const hand of this.#hands) {
      if (lease === undefined ? hand.lease.receipt !== receipt : hand.lease !== lease) continue
      hand.lease.until = until
      this.#renewBy(at)
    }
  }

  release(hand: Hand<T>): void {
    this.#hands.delete(hand)
    if (this.#hands.size > 0) return
    this.reorder()
    this.#renewAt = this.#checkAt = Infinity
    if (!this.#busy) this.#setTimer()
  }

  /** Leases in hand end at other times than they did, or are in hand again. */
  reorder(): void {
    this.#ending = []
  }

  /** Tells with an extension how far a handler is: soon, and only the last of what is said until then. */
  report(hand: Hand<T>, progress: Body): void {
    const { lease } = hand
    const isFirst = lease.progress === undefined
    lease.progress = progress
    // Once the queue is closed, it is told with what is extended anyway.
    if (!isFirst || this.#context.isClosed) return
    this.#reports.set(lease, hand)
    this.#reportAt = Math.min(this.#reportAt, this.#context.now() + REPORT_MS)
    if (!this.#busy) this.#setTimer()
  }

  #lose(hand: Hand<T>): void {
    this.release(hand)
    const { lease, id } = hand
    if (lease.settled) return
    lease.settled = lease.gone = true
    hand.lose(staleError('extend', [id]))
  }

  /** These messages, or all, are gone. */
  gone(ids: ReadonlySet<string> | undefined): void {
    for (const hand of this.#hands) if (ids?.has(hand.id) ?? true) this.#lose(hand)
  }

  /** Looks for what was in hand when a hint came: who cancelled it cannot tell its handler. */
  async #check(hintedAt: number): Promise<void> {
    if (this.#context.guarantees.consistentWithinMs > 0) return
    const hands = [...this.#hands].filter(({ startedAt }) => startedAt <= hintedAt)
    for (let from = 0; from < hands.length; from += MAX_IDS) {
      const some = hands.slice(from, from + MAX_IDS)
      const ids = some.map(({ id }) => id)
      const there = new Set<string>()
      let cursor: string | undefined
      do {
        const query = { group: this.group, states: ALL_STATES, ids, limit: MAX_IDS, bodies: false, cursor }
        const page = await this.#context.finish('list', (view) => view.list(query))
        for (const { id } of page.messages) there.add(id)
        cursor = page.cursor
      } while (cursor !== undefined)
      for (const hand of some) if (!there.has(hand.id) && this.#hands.has(hand)) this.#lose(hand)
    }
  }

  // Steps

  #wake(): void {
    if (this.#busy) return
    this.#busy = true
    next(this.#next)
  }

  idle(): Promise<void> | undefined {
    return this.#busy ? new Promise((resolve) => this.#idle.push(resolve)) : undefined
  }

  // Callbacks and not `await`, because this runs for each message that is received or settled on its own.
  readonly #next = (): void => {
    while (this.#hasWork) {
      const turn = this.#context.breathe()
      if (turn !== undefined) {
        void turn.then(this.#next)
        return
      }
      this.#step = this.#gather()
      if (this.#step === undefined) break
      if (!this.#do(this.#step)) return
    }
    this.#busy = false
    this.#setTimer()
    if (this.#idle.length > 0) for (const resolve of this.#idle.splice(0)) resolve()
  }

  /** Otherwise there is no need to read the clock. */
  get #hasWork(): boolean {
    if (this.#units.length > 0 || this.#dueUntil > 0) return true
    for (const { due } of this.#lines) if (due) return true
    return false
  }

  /** What the next step is for. `undefined`: there is nothing to do now. */
  #gather(): Step<T> | undefined {
    const { at } = this.#context
    // The clock was set back: whatever was to happen at some time is due.
    if (at < this.#at - SLACK_MS) this.#dueUntil = Infinity
    if (this.#dueUntil === Infinity) this.#retryAt = 0
    this.#at = at
    const now = Math.max(at, this.#dueUntil)
    this.#dueUntil = 0
    for (const line of this.#lines) {
      if (now < line.lookAt || line.isEmpty) continue
      line.stir()
      line.lookAt = at + this.#lookMs
    }
    if (now >= this.#checkAt) {
      // Whatever fails here, an extension will find out.
      this.#check(this.#checkAt - CHECK_MS).catch(() => undefined)
      this.#checkAt = Infinity
    }
    // While the storage recovers, only those try it who would not wait for that. What is in hand waits in any case.
    if (now < this.#retryAt && !this.#isUrgent()) return undefined
    const units = this.#takeUnits()
    const settlements = units.length === 1 ? units[0]!.settlements : units.flatMap((unit) => unit.settlements)
    // Whoever has ended is settled before anything is claimed: no lease of theirs is extended any more.
    const shares = this.#units.length > 0 ? NOTHING : this.#takeShares(settlements.length > 0)
    let limit = 0
    for (const { count } of shares) limit += count
    const line = shares[0]?.seat.line
    const groups = this.#context.unmade
    const step: Step<T> = {
      at,
      view: undefined,
      units,
      hands: NOTHING,
      settlements,
      shares,
      line,
      limit,
      groups,
    }
    if (now >= this.#renewAt || now >= this.#reportAt) this.#takeHands(step, now)
    if (shares.length + step.settlements.length > 0) return step
    for (const unit of units) unit.settled(NOTHING, 0)
    return undefined
  }

  #isUrgent(): boolean {
    const lasts = this.#lasts
    return (
      this.#units.some((unit) => lasts || !isKept(unit)) ||
      this.#lines.some((line) => (lasts ? line.due : line.isUrgent))
    )
  }

  #takeUnits(): readonly Unit<T>[] {
    const units = this.#units
    if (units.length === 0) return NOTHING
    const { maxBatch } = this.#context.guarantees
    let size = 0
    let count = 0
    for (const { settlements } of units) {
      size += settlements.length
      if (size > maxBatch && count > 0) break
      count++
    }
    this.#units = units.splice(count)
    return units
  }

  /** The leases in hand: where one is past its half, all are extended, so that they stay together. Else those with progress. */
  #takeHands(step: Step<T>, now: number): void {
    const isTime = now >= this.#renewAt
    const hands = new Set(step.hands)
    for (const hand of this.#hands) if (this.#reports.delete(hand.lease) || isTime) hands.add(hand)
    // Of those that nobody here works on.
    for (const hand of this.#reports.values()) hands.add(hand)
    this.#reports.clear()
    this.#reportAt = Infinity
    if (isTime) this.#renewAt = Infinity
    const more = [...hands].slice(step.hands.length).filter(({ lease }) => !lease.settled)
    step.hands = [...step.hands, ...more]
    step.settlements = [...step.settlements, ...more.map(extensionOf)]
  }

  /**
   * Of the next line in which somebody wants something. What ends may make something due, so then whoever waits looks in the
   * same step.
   */
  #takeShares(ends: boolean): readonly Share[] {
    const { maxBatch } = this.#context.guarantees
    const lines = this.#lines
    for (const line of lines) {
      if (!line.due && !ends) continue
      const shares = line.take(maxBatch)
      if (shares.length === 0) continue
      // The next one of another line comes first.
      if (lines.length > 1) lines.push(...lines.splice(lines.indexOf(line), 1))
      return shares
    }
    return NOTHING
  }

  /** A storage that is opened anew may have ended all leases: those in hand come first, before anything is claimed there. */
  #onView(step: Step<T>, view: QueueStorage): Step<T> {
    step.view = view
    if (view !== this.#view) this.#takeHands(step, Infinity)
    this.#view = view
    return step
  }

  /** Answers whether that is over already. */
  #do(step: Step<T>): boolean {
    const { view } = this.#context
    let answer: Answer | Promise<Answer>
    try {
      if (view === undefined) {
        this.#context.open('receive').then(() => this.#do(step) && this.#next(), this.#broke)
        return false
      }
      answer = this.#observed(this.#onView(step, view), view)
      if (isThenable(answer)) {
        answer.then(this.#answered, this.#broke)
        return false
      }
    } catch (error) {
      this.#failed(step, this.#context.broke(step.view, error))
      return true
    }
    this.#take(step, answer)
    return true
  }

  #take(step: Step<T>, answer: Answer): void {
    try {
      this.#done(step, answer)
    } catch (error) {
      this.#failed(step, error)
    }
  }

  readonly #answered = (answer: Answer): void => {
    try {
      this.#take(this.#step!, answer)
    } finally {
      this.#next()
    }
  }

  readonly #broke = (error: unknown): void => {
    const step = this.#step!
    try {
      this.#failed(step, this.#context.broke(step.view, error))
    } finally {
      this.#next()
    }
  }

  #call({ line, limit, settlements, hands, groups }: Step<T>, view: QueueStorage): Answer | Promise<Answer> {
    const asked = this.#context.atOnce ?? view
    const settle = settlements.length > 0 ? settlements : undefined
    if (line === undefined && groups.length === 0) return asked.settle(this.group, settlements)
    // What is answered at once cannot come late.
    const inHand = asked === view ? this.#firstToEnd(hands, view.hasPlaces) : undefined
    return asked.claim(
      claimOf(this.group, line?.terms ?? this.terms, limit, groups, settle, line?.position, inHand),
    )
  }

  /** The receipt of the lease in hand that ends first, of those that are not extended; of a queue in several places all, it at the end. */
  #firstToEnd(extended: readonly Hand<T>[], all = false): readonly string[] {
    const among = new Set(extended)
    const isLeft = (hand: Hand<T>): boolean =>
      this.#hands.has(hand) && !hand.lease.settled && !among.has(hand)
    while (this.#ending.length > 0 && !isLeft(this.#ending.at(-1)!)) this.#ending.pop()
    // Each is looked at once for each time that all are extended, however many are in hand.
    if (this.#ending.length === 0 || all)
      this.#ending = [...this.#hands].filter(isLeft).sort((a, b) => b.lease.until - a.lease.until)
    return this.#ending.slice(all ? 0 : -1).map(({ lease }) => lease.receipt)
  }

  /** Under the eyes of whoever observes the queue. What was settled by hand was seen already. */
  #observed(step: Step<T>, view: QueueStorage): Answer | Promise<Answer> {
    const context = this.#context
    if (context.options.instrumentation === undefined) return this.#call(step, view)
    const call = async (): Promise<Answer> => await this.#call(step, view)
    const show = (
      name: 'settle' | 'extend',
      all: readonly { readonly message?: Message<T> | undefined }[],
      run: () => Promise<Answer>,
    ): Promise<Answer> => {
      const messages = all.flatMap(({ message }) => message ?? [])
      return messages.length === 0 ? run() : context.observe(name, this.group, true, () => messages, run)
    }
    return show('settle', step.units, () => show('extend', step.hands, call))
  }

  #done({ at, units, hands, shares, line, limit, groups }: Step<T>, answer: Answer): void {
    if (this.#failures > 0) for (const seat of this.#seats) seat.recovered?.()
    this.#failures = this.#retryAt = 0
    this.#context.made(groups)
    const claimed = 'deliveries' in answer ? answer : undefined
    const results = claimed === undefined ? (answer as readonly SettleResult[]) : (claimed.settled ?? NOTHING)
    let from = 0
    for (const unit of units) {
      unit.settled(unit.unsure ? results.map(sure) : results, from)
      from += unit.settlements.length
    }
    if (hands.length > 0) this.#noteExtended(hands, results.slice(from), at)
    if (units.length > 0) for (const other of this.#lines) if (other !== line) other.stir()
    if (line === undefined) return
    const { deliveries, nextInMs, position, late } = claimed!
    line.position = position
    // The program, the storage or the way there stood still: what is in hand comes first.
    if (late) this.#renewAt = 0
    const more = deliveries.length >= limit || nextInMs === 0
    if (nextInMs !== 0 && this.#waiting > 0 && !line.isEmpty)
      line.lookAt = this.#context.answeredAt(at) + Math.min(nextInMs ?? Infinity, this.#lookMs)
    line.deal(shares, deliveries, more, at)
  }

  get #lookMs(): number {
    return this.#context.watches ? LOOK_MS : POLL_MS
  }

  #noteExtended(hands: readonly Hand<T>[], results: readonly SettleResult[], at: number): void {
    this.reorder()
    for (const [i, hand] of hands.entries()) {
      const { lease } = hand
      if (results[i]!.status === 'stale') {
        if (this.#hands.has(hand)) this.#lose(hand)
        continue
      }
      lease.until = at + hand.leaseMs
      hand.renewAt = at + hand.leaseMs / 2
      if (this.#hands.has(hand)) this.#renewAt = Math.min(this.#renewAt, hand.renewAt)
    }
  }

  #failed({ at, units, hands, settlements, shares, line }: Step<T>, error: unknown): void {
    let passing = isTransient(error)
    try {
      // Also trouble that lasts: whoever works on goes on trying to keep what is in hand.
      if ((passing || hands.length > 0) && at >= this.#retryAt)
        this.#retryAt = this.#context.now() + restMs(++this.#failures, this.#context.options.random())
    } catch (bug) {
      // A source of random numbers of somebody else's.
      passing = false
      error = bug
    }
    this.#lasts = !passing
    if (hands.length > 0) this.#renewAt = at
    for (const [i, { progress }] of (
      settlements.slice(settlements.length - hands.length) as Extension[]
    ).entries())
      // Unless there is news.
      if (progress !== undefined && hands[i]!.lease.progress === undefined) this.report(hands[i]!, progress)
    const back = passing ? units.filter(isKept) : []
    for (const unit of back) unit.unsure ||= isUnsure(error)
    this.#units = [...back, ...this.#units]
    const told = new Set<Seat>()
    for (const { seat } of shares) {
      seat.riding = false
      told.add(seat)
    }
    if (shares.length + hands.length > 0 || units.some(isKept))
      for (const seat of this.#seats) if (seat.waits) told.add(seat)
    for (const seat of told) seat.failed(error, passing)
    for (const unit of units) if (!back.includes(unit)) unit.failed(error)
    this.reorder()
    line?.stir()
  }

  // Time

  /** One timer for all that is to happen without anybody having asked. */
  #setTimer(): void {
    const recovers = this.#retryAt > 0 && this.#context.now() < this.#retryAt
    let at = Infinity
    if (this.#waiting > 0 && recovers) at = this.#retryAt
    else for (const { lookAt } of this.#lines) at = Math.min(at, lookAt)
    if (this.#units.length > 0) at = Math.min(at, this.#retryAt)
    const restsUntil = recovers ? this.#retryAt : 0
    if (this.#hands.size > 0) at = Math.min(at, Math.max(this.#renewAt, restsUntil), this.#checkAt)
    if (this.#reports.size > 0) at = Math.min(at, Math.max(this.#reportAt, restsUntil))
    // One that comes early does no harm.
    if (at === Infinity || at < this.#alarm.at) this.#alarm.set(at)
  }

  #ring(now: number, at: number): void {
    this.#dueUntil = now < at - SLACK_MS ? Infinity : Math.max(now, at)
    this.#wake()
  }
}

function isKept({ kept }: Unit<unknown>): boolean {
  return kept === true
}

function extensionOf({ lease, leaseMs }: Hand<unknown>): Extension {
  const { receipt, progress } = lease
  lease.progress = undefined
  return { receipt, kind: 'extend', leaseMs, progress }
}

/** What is stale on the second try was done by the first. */
function sure(result: SettleResult): SettleResult {
  return { ...result, status: 'settled' }
}
