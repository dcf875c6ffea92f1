import { abortError, abortReason, onceAborted, throwIfAborted } from '../aborts.ts'
import { type ErrorCode, errorText, hasCode } from '../errors.ts'
import { type HandlerContext, type Message, type Queue, edit, list, resume } from '../core/lean/index.ts'
import { type StoredState, answerOf, serversAnswer } from './answer.ts'
import { NO_ANSWER, attempt } from './attempt.ts'
import type { Events } from './events.ts'
import { type Family, WAITS } from './family.ts'
import { MOST_OF_DATA, MOST_OF_RESULT, bounded, copyOf, keep, letGo } from './kept.ts'
import { has } from './lanes.ts'
import type { OutboxRules } from './options.ts'
import type { End } from './owned.ts'
import { IDEMPOTENCY_KEY, type OutboxPayload, type Packed, pack, storedRequest, unpack } from './request.ts'
import { AFTER, asGiven, queueId } from './places.ts'
import type { Rests } from './rests.ts'
import { otherScope } from './scope.ts'
import { type Session, ownerOf } from './session.ts'
import type { Verdict } from './verdict.ts'
import type { Waiter, Waiters } from './waiter.ts'

/** Under which name a message says how often `onParked` has edited it. */
const EDITS = 'quayside-edits'

/** How the error begins of a conflict that is tried again: which in a row it is, and whether an earlier attempt got no answer. */
const IN_DOUBT = /^conflict (\d+)(.*?): /

/** So many conflicts in a row may be with an earlier attempt of the same request: at least, and after no answer. */
const MOST_CONFLICTS = 3
const MOST_DOUBTS = 10

/** Where no hold of a lane can keep a message from being claimed, it is tried again after this long, in ms. */
const HELD_MS = 60_000

/** The first bytes of a response that are kept. */
const KEPT_BYTES = 65_536
/** How long a caller waits for the end of a response that is to be kept, in ms. */
const ANSWER_WITHIN_MS = 100
/** Given back, as it came. */
const BACK = { counts: false, delayMs: 0 }

/** Such a response has no end to wait for. */
const STREAM = /event-stream|ndjson|json-seq/

/** What an attempt is made with. */
export interface Means {
  readonly queue: Queue<OutboxPayload>
  readonly rules: OutboxRules
  readonly session: Session
  readonly rests: Rests
  readonly waiters: Waiters
  readonly family: Family
  readonly events: Events
  /** Whether there is a network. Tells who sends. */
  readonly look: () => boolean
}

/** Makes attempts, and decides what becomes of their messages. */
export interface Sender {
  /** Makes one attempt at a message, and settles it. */
  readonly send: (message: Message<OutboxPayload>, context: HandlerContext) => Promise<void>
  /** Nothing more is sent. */
  paused: boolean
  readonly isBusy: boolean
  /** Ends what goes on only because somebody may still wait for its answer. */
  leave(): void
  /** Ends what is under way of an owner. */
  end(owner: string): void
}

export function senderOf(means: Means): Sender {
  const { queue, rules, session, rests, family, events } = means
  const { clock } = rules
  /** What is under way, by whose it is. */
  const underWay = new Map<AbortController, string>()
  /** What is under way of messages that were cancelled, or are in other hands. */
  const lost = new Set<AbortController>()

  const send: Sender['send'] = async (message, { signal }) => {
    const { lane, lastError: reason } = message
    const stopped = new AbortController()
    underWay.set(stopped, ownerOf(message))
    let isSent = false
    const unhook = onceAborted(signal, () => {
      const why = abortReason(signal)
      // Who stops it gives up what is under way. What is lost may still get its answer.
      if (isSent && isStale(why)) lost.add(stopped)
      else stopped.abort(why)
    })
    let leave: (() => void) | void = undefined
    try {
      if (lane !== undefined) leave = await rests.enter(lane, stopped.signal, reason).catch(events.fail)
      throwIfAborted(signal)
      if (lane !== undefined && !leave) return await message.nack({ ...BACK, reason })
      const parent = await mayGo(message)
      if (parent === undefined) return
      isSent = true
      await make(message, stopped, parent)
    } catch (error) {
      // Whoever has it now decides on it.
      unlessStale(error)
    } finally {
      unhook()
      leave?.()
      underWay.delete(stopped)
      lost.delete(stopped)
    }
  }

  /** Whether it is a message's turn, and how its parent has ended. `undefined`: it is not, and the message is settled. */
  async function mayGo(message: Message<OutboxPayload>): Promise<Partial<End> | undefined> {
    const { headers, lane, lastError: reason } = message
    try {
      if (sender.paused || !(await session.owns(message))) {
        // Somebody has put it into a lane of another: it would be claimed again at once.
        const isAstray = ownerOf(message) !== session.owner && lane?.startsWith(session.prefix)
        await message.nack({ ...BACK, reason, ...(isAstray && { delayMs: HELD_MS }) })
        return undefined
      }
      const name = headers[AFTER]
      if (name === undefined) return {}
      const parent = await family.parentOf(message, queueId(name, ownerOf(message)), clock.now())
      if (typeof parent === 'number') {
        await message.nack({ counts: false, delayMs: parent, reason: WAITS + name })
        answerLater(message, 'waiting')
      } else if (parent.state !== 'accepted') {
        const why = parent.state === 'purged' ? 'was dropped, or nothing is kept of it' : 'is dead'
        const gone = `the request that it comes after (${name}) ${why}`
        await message.park({ reason: gone })
        tell(message, 'parked', undefined, gone)
        answerLater(message, 'parked')
      } else return parent
    } catch (error) {
      // It is not the request's fault.
      if (!isStale(error)) await message.nack({ counts: false, reason: errorText(error) })
    }
    return undefined
  }

  async function make(
    message: Message<OutboxPayload>,
    stopped: AbortController,
    { answer: parent }: Partial<End>,
  ): Promise<void> {
    const { id, lastError } = message
    let request: Request
    let waiters: readonly Waiter[]
    try {
      const stored = storedRequest(message.payload)
      request = unpack(stored, id)
      waiters = means.waiters.of(id, stored.version)
    } catch (error) {
      return await message.reject({ reason: `no stored request: ${errorText(error)}` })
    }
    for (const waiter of waiters) {
      waiter.state = 'sending'
      for (const [name, value] of waiter.packed!.omitted) request.headers.set(name, value)
    }
    const from = otherScope(message)
    events.emit({ type: 'sending', id, reason: from && `stored by ${from}` })
    const { turn } = rests
    const owner = ownerOf(message)
    const verdict = await attempt(request, message, rules, stopped.signal, {
      parent: parent && answerOf(id, undefined, parent),
      // `before` may have taken its time.
      mayGo: async () => {
        if (!(await session.isStill(owner))) throw new Error('somebody else has logged in')
      },
      progress: (sent, total) => events.emit({ type: 'progress', id, sent, total }),
      isKept: true,
    })
    if (verdict.response === undefined) {
      // Before it is given back, or it would be claimed again.
      await session.look().catch(events.fail)
      if (abortReason(stopped.signal) === SIGNED_OUT || session.owner !== owner) {
        answer(waiters, 'stored')
        return await message.nack({ ...BACK, reason: lastError })
      }
      throwIfAborted(stopped.signal)
    }
    await settle(message, verdict, waiters, turn, lost.has(stopped))
  }

  async function settle(
    message: Message<OutboxPayload>,
    verdict: Verdict,
    waiters: readonly Waiter[],
    turn: number,
    isLost: boolean,
  ): Promise<void> {
    const { lane = '', attempt: count, maxAttempts } = message
    const { response, retryAfterMs } = verdict
    let { outcome, reason } = verdict
    if (outcome === 'accepted') return await accepted(message, verdict, waiters)
    const doubt = outcome === 'park' ? doubtOf(message, verdict) : undefined
    if (doubt !== undefined) {
      outcome = 'retry'
      reason = doubt + reason
    }
    const counts = means.look() || response !== undefined
    // Before the message is given back, or it would be claimed again at once. A conflict is between requests, and no trouble of the
    // destination. What is lost is nobody's probe any more.
    if (outcome === 'retry' && doubt === undefined && counts && (!isLost || retryAfterMs !== undefined))
      await rests.failed(lane, verdict, turn).catch(events.fail)
    let state: StoredState = outcome === 'park' ? 'parked' : 'dead'
    try {
      if (outcome !== 'dead' && (await isReplaced(message))) {
        state = 'cancelled'
        reason = `replaced by a newer one: ${reason}`
        // Its end must not pass for that of a probe.
        if (outcome !== 'park') await rests.again(lane).catch(events.fail)
        await message.ack()
      } else if (outcome === 'dead') await message.reject({ reason })
      else if (outcome === 'park') {
        rests.answered(lane)
        if (await edited(message, verdict, waiters)) return void letGo(response, verdict.cut)
        state = await parked(message, verdict)
      } else if (outcome === 'hold') {
        state = 'held'
        await rests.hold(lane, reason, turn).catch(events.fail)
        await message.nack({ counts: false, delayMs: message.lane === undefined ? HELD_MS : 0, reason })
      } else {
        if (!counts || count < maxAttempts) state = 'retrying'
        await message.nack({ counts, delayMs: retryAfterMs, reason })
      }
      tell(message, state, response, reason)
    } catch (error) {
      // Whoever has the lease now decides on the message. What the server said holds for those who wait here.
      unlessStale(error)
    }
    answer(waiters, state, verdict)
  }

  async function accepted(
    message: Message<OutboxPayload>,
    verdict: Verdict,
    waiters: readonly Waiter[],
  ): Promise<void> {
    const { response } = verdict
    rests.answered(message.lane ?? '')
    // Of what is opaque nothing is known.
    const kept =
      message.keepMs !== undefined && response?.status ? keep(response, KEPT_BYTES, clock) : undefined
    let isGiven = false
    const give = (): void => {
      if (!isGiven) answer(waiters, 'accepted', verdict)
      isGiven = true
    }
    const timer = clock.setTimeout(give, ANSWER_WITHIN_MS)
    if (STREAM.test(response?.headers.get('content-type') ?? '')) give()
    try {
      const result = kept && bounded(await kept, MOST_OF_RESULT)
      await message.ack({ result }).catch((error: unknown) => {
        // It must not be sent again because a codec refuses its response, or there is no room for it.
        if (cannotBeKept(error)) return message.ack()
        return unlessStale(error)
      })
    } finally {
      clock.clearTimeout(timer)
      // Also where that cannot be stored: it is what the server said.
      give()
    }
    tell(message, 'accepted', response)
    await family.ended(message.id).catch(events.fail)
  }

  async function parked(message: Message<OutboxPayload>, verdict: Verdict): Promise<StoredState> {
    if (!has(queue, 'parking')) {
      await message.reject({ reason: verdict.reason })
      return 'dead'
    }
    await parkWith(message, verdict)
    // A newer one of its id that came meanwhile would hide it: it goes once more, and then that one goes in its place.
    if (await isReplaced(message)) await resume(queue, [message.id])
    return 'parked'
  }

  /** Has `onParked` mend a request that the server refused. */
  async function edited(
    message: Message<OutboxPayload>,
    verdict: Verdict,
    waiters: readonly Waiter[],
  ): Promise<boolean> {
    const { response, reason } = verdict
    const { onParked, maxEdits } = rules
    const { id, headers, maxAttempts } = message
    const edits = Number(headers[EDITS] ?? 0)
    if (onParked === undefined || response === undefined || edits >= maxEdits) return false
    let packed: Packed
    try {
      // What was sent may have no body any more.
      const request = unpack(storedRequest(message.payload), id)
      const ours = request.headers.get(IDEMPOTENCY_KEY)
      const edited = await onParked(request, copyOf(response), asGiven(message))
      if (!edited) return false
      if (edited.headers.get(IDEMPOTENCY_KEY) === ours) edited.headers.delete(IDEMPOTENCY_KEY)
      packed = await pack('onParked', edited, { replace: true }, rules, false)
    } catch (error) {
      events.fail(error)
      return false
    }
    await parkWith(message, verdict)
    const { payload, version } = packed
    for (const waiter of waiters)
      Object.assign(waiter, { packed: { ...waiter.packed!, version }, state: 'stored' })
    await edit(queue, id, payload, { headers: { ...headers, [EDITS]: `${edits + 1}` }, maxAttempts })
    tell(message, 'retrying', response, reason)
    return true
  }

  /** Whether a newer request of the same id waits behind this one. */
  async function isReplaced({ id, timestamp, attempt: count }: Message<OutboxPayload>): Promise<boolean> {
    try {
      const { messages } = await list(means.queue, { ids: [id], bodies: false })
      // Both may be of the same millisecond.
      return messages.some(
        (one) => one.state !== 'leased' && (one.timestamp !== timestamp || one.attempt < count),
      )
    } catch {
      return false
    }
  }

  /** Answers all who wait: with a response of their own where there is one, and nothing more is to come. */
  function answer(
    waiters: readonly Waiter[],
    state: StoredState,
    { response, cut }: Partial<Verdict> = {},
  ): void {
    const isLast = !['retrying', 'cancelled'].includes(state)
    // Who has gone on meanwhile reads nothing.
    waiters = waiters.filter((waiter) => means.waiters.all.has(waiter))
    for (const waiter of waiters) {
      // A copy that nobody reads would hold up who reads the other one.
      const own = waiter === waiters.at(-1) ? response : response && copyOf(response)
      if (own === undefined || !isLast) waiter.answerLater(state)
      else waiter.answer(state === 'accepted' ? own : serversAnswer(waiter.id, state, own))
    }
    if (!isLast || waiters.length === 0) void letGo(response, cut)
  }

  function answerLater({ id, payload }: Message<OutboxPayload>, state: StoredState): void {
    answer(means.waiters.of(id, storedRequest(payload).version), state)
  }

  function tell(
    { id }: Message<OutboxPayload>,
    type: StoredState,
    response?: Response,
    reason?: string,
  ): void {
    means.events.emit({ type: type as 'accepted', id, status: response?.status, reason })
  }

  const sender: Sender = {
    send,
    paused: false,
    get isBusy() {
      return underWay.size > 0
    },
    leave() {
      for (const controller of lost) controller.abort()
    },
    end(owner) {
      for (const [controller, whose] of underWay) if (whose === owner) controller.abort(SIGNED_OUT)
    },
  }
  return sender
}

/** With what the server said, as far as it can be kept. */
async function parkWith(message: Message<OutboxPayload>, { reason, answer: said }: Verdict): Promise<void> {
  await message.park({ reason, data: said && bounded(said, MOST_OF_DATA) }).catch((error: unknown) => {
    if (said && cannotBeKept(error)) return message.park({ reason })
    throw error
  })
}

const UNKEPT: readonly ErrorCode[] = ['UNSERIALIZABLE', 'TOO_LARGE', 'QUOTA_EXCEEDED']

/** It is what the server said that was in the way. */
function cannotBeKept(error: unknown): boolean {
  return UNKEPT.some((code) => hasCode(error, code))
}

const SIGNED_OUT = abortError('the owner has signed out', 'AbortError')

/**
 * A conflict that may be with an earlier attempt of the same request, which the server still works on: how the error of this
 * attempt begins. `undefined`: it is about the request.
 */
function doubtOf(
  { attempt: count, maxAttempts, lastError }: Message<OutboxPayload>,
  { request, response }: Verdict,
): string | undefined {
  if (response?.status !== 409 && response?.status !== 425) return undefined
  // Without an error, whoever had it before has died over it.
  const before = lastError ?? (count > 1 ? NO_ANSWER : '')
  const [, times = 0, after = before.startsWith(NO_ANSWER) ? ' after no answer' : ''] =
    IN_DOUBT.exec(before) ?? []
  // A server that failed may still be at it behind who said so.
  const mayBe = times || before.startsWith('HTTP 5') || request.headers.has(IDEMPOTENCY_KEY)
  const most = after ? MOST_DOUBTS : mayBe ? MOST_CONFLICTS : 0
  return +times + 1 < most && count < maxAttempts ? `conflict ${+times + 1}${after}: ` : undefined
}

function isStale(error: unknown): boolean {
  return hasCode(error, 'STALE_RECEIPT')
}

function unlessStale(error: unknown): void {
  if (!isStale(error)) throw error
}
