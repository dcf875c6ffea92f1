import { abortError, abortReason, onceAborted, throwIfAborted } from '../aborts.ts'
import type { Clock } from '../clock.ts'
import { errorText, hasCode } from '../errors.ts'
import {
  type ErrorCode,
  type HandlerContext,
  type ListedMessage,
  type Message,
  type Queue,
  edit,
  list,
  resume,
} from '../core/lean/index.ts'
import { type StoredState, keptResponse, serversAnswer } from './answer.ts'
import { NO_ANSWER, attempt } from './attempt.ts'
import { MOST_OF_DATA, MOST_OF_RESULT, bounded } from './bounded.ts'
import type { Events } from './events.ts'
import { AFTER, type Family, WAITS } from './family.ts'
import { keep, letGo } from './kept.ts'
import { has } from './lanes.ts'
import type { OutboxRules } from './options.ts'
import type { Paces } from './pace.ts'
import { IDEMPOTENCY_KEY, type OutboxPayload, pack, storedRequest, unpack } from './request.ts'
import type { Rests } from './rests.ts'
import { otherScope } from './scope.ts'
import { type Session, ownerOf } from './session.ts'
import type { KeptAnswer, Verdict } from './verdict.ts'
import type { Waiter, Waiters } from './waiter.ts'

/** Under which name a message says how often `onParked` has edited it. */
const EDITS = 'quayside-edits'

/** How the error of an attempt begins whose answer may be about an earlier one that got none. */
const IN_DOUBT = 'after no answer: '

/** So often a conflict is tried again that may be with an earlier attempt of the same request: at least, and after no answer. */
const MOST_CONFLICTS = 3
const MOST_DOUBTS = 10

/** Where no hold of a lane can keep a message from being claimed, it is tried again after this long, in ms. */
const HELD_MS = 60_000

/** The first bytes of a response that are kept. */
const KEPT_BYTES = 65_536
/** How long a caller waits for the end of a response that is to be kept, and how long its message does, in ms. */
const ANSWER_WITHIN_MS = 100
const KEEP_WITHIN_MS = 5000
/** Such a response has no end to wait for. */
const STREAM = /event-stream|ndjson|json-seq/

/** What an attempt is made with. */
export interface Means {
  readonly queue: Queue<OutboxPayload>
  readonly rules: OutboxRules
  readonly session: Session
  readonly rests: Rests
  readonly paces: Paces
  readonly waiters: Waiters
  readonly family: Family
  readonly events: Events
  /** Whether there is a network. Tells who sends. */
  readonly look: () => boolean
}

/** Makes attempts, and decides what becomes of their messages. */
export class Sender {
  readonly #means: Means
  readonly #clock: Clock
  /** What is under way, by whose it is. */
  readonly #underWay: Map<AbortController, string> = new Map()
  /** What is under way of messages that were cancelled, or are in other hands. */
  readonly #lost: Set<AbortController> = new Set()
  /** Changes when somebody has logged in: what began before says nothing of that. */
  #epoch = 0
  paused = false

  constructor(means: Means) {
    this.#means = means
    this.#clock = means.rules.clock
  }

  /** Somebody has logged in. */
  loggedIn(): void {
    this.#epoch++
  }

  get isBusy(): boolean {
    return this.#underWay.size > 0
  }

  /** Ends what goes on only because somebody may still wait for its answer. */
  leave(): void {
    for (const controller of this.#lost) controller.abort()
  }

  /** Ends what is under way of an owner. */
  end(owner: string): void {
    for (const [controller, whose] of this.#underWay) if (whose === owner) controller.abort(SIGNED_OUT)
  }

  /** Makes one attempt at a message, and settles it. */
  readonly send = async (message: Message<OutboxPayload>, context: HandlerContext): Promise<void> => {
    const stopped = new AbortController()
    const owner = ownerOf(message)
    this.#underWay.set(stopped, owner)
    let leave: (() => void) | undefined
    try {
      leave = await this.#enter(message, context, stopped)
      if (leave !== undefined) await this.#send(message, context, stopped, owner)
    } finally {
      leave?.()
      this.#underWay.delete(stopped)
      this.#lost.delete(stopped)
    }
  }

  /** Waits until one more may go to the destination. Answers with nothing where none may, and the message is given back. */
  async #enter(
    message: Message<OutboxPayload>,
    { signal }: HandlerContext,
    stopped: AbortController,
  ): Promise<(() => void) | undefined> {
    const { lane, lastError: reason } = message
    if (lane === undefined) return () => undefined
    const { rests, paces, events } = this.#means
    const unhook = onceAborted(signal, () => stopped.abort(abortReason(signal)))
    const looks = (): Promise<boolean> =>
      rests.isResting(lane).catch((error: unknown) => {
        events.fail(error)
        return true
      })
    const leave = await paces.enter(lane, stopped.signal, looks)
    unhook()
    if (leave !== undefined) return leave
    const why = stopped.signal.aborted ? abortReason(stopped.signal) : undefined
    if (isStale(why)) return undefined
    if (why === undefined || why === SIGNED_OUT)
      await message.nack({ counts: false, delayMs: 0, reason }).catch(unlessStale)
    else throwIfAborted(stopped.signal)
    return undefined
  }

  async #send(
    message: Message<OutboxPayload>,
    { signal }: HandlerContext,
    stopped: AbortController,
    owner: string,
  ): Promise<void> {
    const { session, family, events } = this.#means
    const { id, lastError } = message
    const back = { counts: false, delayMs: 0, reason: lastError }
    let parent: KeptAnswer | undefined
    try {
      if (this.paused || !(await session.owns(message))) {
        // Somebody has put it into a lane of another: it would be claimed again at once.
        const isAstray = owner !== session.owner && message.lane?.startsWith(session.prefix)
        return await message.nack(isAstray ? { ...back, delayMs: HELD_MS } : back)
      }
      const found = await family.parentOf(message, this.#clock.now())
      if (found?.state === 'waits') {
        const reason = WAITS + message.headers[AFTER]!
        await message.nack({ counts: false, delayMs: found.againInMs, reason })
        return this.#answerLater(message, 'waiting')
      }
      if (found?.state === 'gone') return await this.#park(message, found.reason)
      parent = found?.answer
    } catch (error) {
      if (isStale(error)) return
      // It is not the request's fault.
      return await message.nack({ counts: false, reason: errorText(error) })
    }
    let first: Request
    let version: string | undefined
    try {
      const stored = storedRequest(message.payload)
      version = stored.version
      first = unpack(stored, id)
    } catch (error) {
      return await message.reject({ reason: `no stored request: ${errorText(error)}` })
    }
    const waiters = this.#means.waiters.of(id, version)
    for (const waiter of waiters) {
      waiter.state = 'sending'
      for (const [name, value] of waiter.packed!.omitted) first.headers.set(name, value)
    }
    const from = otherScope(message)
    events.emit({ type: 'sending', id, reason: from && `stored by ${from}` })
    // Who stops it gives up what is under way. What is lost may still get its answer.
    const stop = (): void => {
      if (isStale(abortReason(signal))) this.#lost.add(stopped)
      else stopped.abort(abortReason(signal))
    }
    const unhook = onceAborted(signal, stop)
    const epoch = this.#epoch
    const startedAt = this.#clock.now()
    const progress = (sent: number, total: number): void => events.emit({ type: 'progress', id, sent, total })
    const verdict = await attempt(first, message, this.#rulesFor(owner, parent), stopped.signal, progress)
    unhook()
    if (verdict.response === undefined) {
      const reason = abortReason(stopped.signal)
      // Before it is given back, or it would be claimed again.
      await session.look().catch(events.fail)
      if (reason === SIGNED_OUT || session.owner !== owner) {
        await message.nack(back).catch(unlessStale)
        for (const waiter of waiters) waiter.answerLater('stored')
        return
      }
      throwIfAborted(stopped.signal)
    }
    await this.#settle(message, verdict, waiters, { epoch, startedAt, isLost: this.#lost.has(stopped) })
  }

  /** What `before` and `fetch` need to know of this message. */
  #rulesFor(owner: string, parent: KeptAnswer | undefined): OutboxRules {
    const { rules, session } = this.#means
    if (!session.isAsked && parent === undefined) return rules
    return {
      ...rules,
      before: (request, message) =>
        rules.before(request, message, { response: parent && keptResponse(message.id, parent) }),
      fetch: async (...args) => {
        // `before` may have taken its time.
        if (!(await session.isStill(owner))) throw new Error('somebody else has logged in')
        return await rules.fetch(...args)
      },
    }
  }

  async #settle(
    message: Message<OutboxPayload>,
    verdict: Verdict,
    waiters: readonly Waiter[],
    began: { readonly epoch: number; readonly startedAt: number; readonly isLost: boolean },
  ): Promise<void> {
    const { id, lane = '' } = message
    const { rests, look } = this.#means
    const { response } = verdict
    let { outcome, reason } = verdict
    if (outcome === 'accepted') return await this.#accepted(message, response, waiters)
    const doubt = doubtOf(message, verdict)
    if (outcome === 'park' && doubt !== undefined) {
      outcome = 'retry'
      reason = doubt + reason
    }
    const counts = look() || response !== undefined
    // Before the message is given back, or it would be claimed again at once.
    const rest = async (): Promise<void> => {
      // A conflict is between requests, and no trouble of the destination. What is lost is nobody's probe any more.
      const isTrouble = doubt === undefined && counts && (!began.isLost || verdict.retryAfterMs !== undefined)
      if (this.#hasLanes && isTrouble) await this.#quietly(rests.failed(lane, verdict, began.startedAt))
    }
    if (outcome !== 'dead' && (await this.#isReplaced(message))) {
      if (outcome === 'retry') await rest()
      // Its end must not pass for that of a probe.
      if (this.#hasLanes && outcome !== 'park') await this.#quietly(rests.again(lane))
      await message.ack().catch(unlessStale)
      this.#tell(message, 'cancelled', response, `replaced by a newer one: ${reason}`)
      return answer(waiters, 'cancelled', undefined, response)
    }
    let state: StoredState = outcome === 'park' ? 'parked' : 'dead'
    let isOurs = true
    try {
      if (outcome === 'dead') await message.reject({ reason })
      else if (outcome === 'park') {
        rests.answered(lane)
        if (await this.#edited(message, verdict, waiters)) return letGo(response)
        state = await this.#parked(message, verdict)
      } else if (outcome === 'hold') {
        state = 'held'
        if (this.#hasLanes && began.epoch === this.#epoch) await this.#quietly(rests.hold(lane, reason))
        await message.nack({ counts: false, delayMs: this.#hasLanes ? 0 : HELD_MS, reason })
      } else {
        if (!counts || message.attempt < message.maxAttempts) state = 'retrying'
        await rest()
        await message.nack({ counts, delayMs: verdict.retryAfterMs, reason })
      }
    } catch (error) {
      // Whoever has the lease now decides on the message. What the server said holds for those who wait here.
      unlessStale(error)
      isOurs = false
    }
    if (isOurs) this.#tell(message, state, response, reason)
    if (response === undefined || state === 'retrying') answer(waiters, state, undefined, response)
    else answer(waiters, state, (own) => serversAnswer(id, state, own), response)
  }

  async #accepted(
    message: Message<OutboxPayload>,
    response: Response | undefined,
    waiters: readonly Waiter[],
  ): Promise<void> {
    const { rests, family } = this.#means
    rests.answered(message.lane ?? '')
    // Of what is opaque nothing is known.
    const kept = message.keepMs !== undefined && response?.status ? this.#kept(response) : undefined
    let answered = false
    const give = (): void => {
      if (!answered) answer(waiters, 'accepted', (own) => own, response)
      answered = true
    }
    const soon = STREAM.test(response?.headers.get('content-type') ?? '')
    if (soon) give()
    const timer = soon ? undefined : this.#clock.setTimeout(give, ANSWER_WITHIN_MS)
    let result: unknown
    if (kept !== undefined) {
      const owner = ownerOf(message) || undefined
      result = { ...bounded(await kept, MOST_OF_RESULT), ...(owner && { owner }) }
    }
    try {
      await message.ack({ result }).catch((error: unknown) => {
        unlessStale(error, 'UNSERIALIZABLE')
        // It must not be sent again because a codec refuses its response.
        return isStale(error) ? undefined : message.ack()
      })
    } finally {
      if (timer !== undefined) this.#clock.clearTimeout(timer)
    }
    give()
    this.#tell(message, 'accepted', response)
    await this.#quietly(family.ended(message.id))
  }

  /** What has come of a response by the time that somebody wants to know. */
  async #kept(response: Response): Promise<KeptAnswer> {
    const { status, headers } = response
    const late = new AbortController()
    const timer = this.#clock.setTimeout(() => late.abort(), KEEP_WITHIN_MS)
    return await keep(response, KEPT_BYTES, late.signal)
      .catch(() => ({ status, headers: Object.fromEntries(headers), body: '' }))
      .finally(() => this.#clock.clearTimeout(timer))
  }

  async #parked(message: Message<OutboxPayload>, verdict: Verdict): Promise<StoredState> {
    if (has(this.#means.queue, 'parking')) {
      await parkWith(message, verdict)
      // A newer one of its id that came meanwhile would hide it: it goes once more, and then that one goes in its place.
      if (await this.#isReplaced(message)) await resume(this.#means.queue, [message.id])
      return 'parked'
    }
    await message.reject({ reason: verdict.reason })
    return 'dead'
  }

  /** Without having been sent. */
  async #park(message: Message<OutboxPayload>, reason: string): Promise<void> {
    await message.park({ reason })
    this.#tell(message, 'parked', undefined, reason)
    this.#answerLater(message, 'parked')
  }

  /** Has `onParked` mend a request that the server refused. */
  async #edited(
    message: Message<OutboxPayload>,
    verdict: Verdict,
    waiters: readonly Waiter[],
  ): Promise<boolean> {
    const { response, reason } = verdict
    const { rules, queue, events } = this.#means
    const { onParked, maxEdits } = rules
    const edits = Number(message.headers[EDITS] ?? 0)
    if (onParked === undefined || response === undefined || edits >= maxEdits) return false
    let payload: OutboxPayload
    let version: string | undefined
    try {
      // What was sent may have no body any more.
      const request = unpack(storedRequest(message.payload), message.id)
      const ours = request.headers.get(IDEMPOTENCY_KEY)
      const edited = await onParked(request, response.clone(), message)
      if (!edited) return false
      if (edited.headers.get(IDEMPOTENCY_KEY) === ours) edited.headers.delete(IDEMPOTENCY_KEY)
      ;({ payload, version } = await pack('onParked', edited, { replace: true }, rules, false))
    } catch (error) {
      events.fail(error)
      return false
    }
    await parkWith(message, verdict)
    for (const waiter of waiters)
      Object.assign(waiter, { packed: { ...waiter.packed!, version }, state: 'stored' })
    const headers = { ...message.headers, [EDITS]: `${edits + 1}` }
    await edit(queue, message.id, payload, { headers, maxAttempts: message.maxAttempts })
    this.#tell(message, 'retrying', response, reason)
    return true
  }

  /** Whether a newer request of the same id waits behind this one. */
  async #isReplaced({ id, timestamp, attempt: count }: Message<OutboxPayload>): Promise<boolean> {
    try {
      const { messages } = await list(this.#means.queue, { ids: [id], bodies: false })
      // Both may be of the same millisecond.
      const isOther = (one: ListedMessage<OutboxPayload>): boolean =>
        one.timestamp !== timestamp || one.attempt < count
      return messages.some((one) => one.state !== 'leased' && isOther(one))
    } catch {
      return false
    }
  }

  get #hasLanes(): boolean {
    return has(this.#means.queue, 'lanes')
  }

  /** What must not keep a message from being settled. */
  async #quietly(work: Promise<unknown>): Promise<void> {
    await work.catch(this.#means.events.fail)
  }

  #answerLater({ id, payload }: Message<OutboxPayload>, state: StoredState): void {
    for (const waiter of this.#means.waiters.of(id, storedRequest(payload).version)) waiter.answerLater(state)
  }

  #tell({ id }: Message<OutboxPayload>, type: StoredState, response?: Response, reason?: string): void {
    this.#means.events.emit({ type: type as 'accepted', id, status: response?.status, reason })
  }
}

/** With what the server said, as far as it can be kept. */
async function parkWith(message: Message<OutboxPayload>, { reason, answer }: Verdict): Promise<void> {
  await message.park({ reason, data: answer && bounded(answer, MOST_OF_DATA) })
}

const SIGNED_OUT = abortError('the owner has signed out', 'AbortError')

/**
 * A conflict that may be with an earlier attempt of the same request, which the server still works on: how the error of this
 * attempt begins. `undefined`: it is about the request.
 */
function doubtOf(
  { attempt: count, lastError }: Message<OutboxPayload>,
  verdict: Verdict,
): string | undefined {
  const { request, response } = verdict
  if (response?.status !== 409 && response?.status !== 425) return undefined
  const gotNone = lastError?.startsWith(NO_ANSWER) || lastError?.startsWith(IN_DOUBT)
  // Whoever had it before has died over it.
  if (gotNone || (count > 1 && lastError === undefined)) return count < MOST_DOUBTS ? IN_DOUBT : undefined
  return request.headers.has(IDEMPOTENCY_KEY) && count < MOST_CONFLICTS ? '' : undefined
}

/** Answers all who wait: with a response of their own where there is one to take. */
function answer(
  waiters: readonly Waiter[],
  state: StoredState,
  take: ((response: Response) => Response) | undefined,
  response: Response | undefined,
): void {
  for (const waiter of waiters) {
    // A copy that nobody reads would hold up who reads the other one.
    const own = waiter === waiters.at(-1) ? response : response?.clone()
    if (take === undefined || own === undefined) waiter.answerLater(state)
    else waiter.answer(take(own))
  }
  if (take === undefined || waiters.length === 0) letGo(response)
}

function isStale(error: unknown): boolean {
  return hasCode(error, 'STALE_RECEIPT')
}

function unlessStale(error: unknown, also?: ErrorCode): void {
  if (!isStale(error) && !(also && hasCode(error, also))) throw error
}
