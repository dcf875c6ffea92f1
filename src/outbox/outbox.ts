import { v7 } from 'uuid'
import { checkFunction } from '../check.ts'
import { MAX_TIMEOUT_MS } from '../clock.ts'
import { errorText } from '../errors.ts'
import {
  type Consumer,
  type DrainOptions,
  type DrainReport,
  type HandlerContext,
  type Message,
  type MessageOptions,
  type MessageState,
  type Producer,
  QuaysideError,
  type Queue,
  type SendResult,
} from '../core.ts'
import { deadAnswer, headerSafe } from './answer.ts'
import { NO_ANSWER, attempt } from './attempt.ts'
import { coalesce } from './coalesce.ts'
import { type OutboxOptions, type OutboxRules, withDefaults } from './options.ts'
import { letGo } from './kept.ts'
import { IDEMPOTENCY_KEY, type OutboxPayload, pack, storedRequest, toPayload, unpack } from './request.ts'
import type { Verdict } from './verdict.ts'
import { isOffline, onTrigger } from './triggers.ts'
import { Waiter } from './waiter.ts'

/** As for `fetch`, and how the request is stored. */
export interface OutboxRequestInit extends RequestInit, Omit<MessageOptions, 'headers'> {
  /** What you want to know of it yourself: stored beside it, listed as its headers, given to hooks, and never sent. */
  readonly meta?: Readonly<Record<string, string>> | undefined
}

/** Something that happened to a request in this context, or, as `changed` and `failed`, to the queue. */
export interface OutboxEvent {
  /**
   * - `stored`, `sending`, `accepted`, `retrying`, `held`, `parked`, `dead`: the state that the request `id` has reached here.
   * - `changed`: something changed, in this or in another context. A hint to look again.
   * - `failed`: the storage failed while nobody waited for it. Sending goes on when it works again, unless what it failed with is no
   *   passing trouble: see {@link Consumer.run}.
   */
  readonly type:
    | 'stored'
    | 'sending'
    | 'accepted'
    | 'retrying'
    | 'held'
    | 'parked'
    | 'dead'
    | 'changed'
    | 'failed'
  readonly id?: string | undefined
  /** Of the server's response, if there was one. */
  readonly status?: number | undefined
  /** What went wrong. */
  readonly reason?: string | undefined
}

const STATES = {
  accepted: 'accepted',
  retry: 'retrying',
  hold: 'held',
  park: 'parked',
  dead: 'dead',
} as const

const ALL_STATES: readonly MessageState[] = ['ready', 'leased', 'delayed', 'blocked', 'dead']

/**
 * Sends HTTP requests through a queue: each is stored first, and stays stored until the server has accepted it.
 *
 * Several outboxes may share one queue, in tabs, workers and processes: one of them at a time sends a given request. Every
 * attempt bears the same `Idempotency-Key`, the id of the message, so that a server can tell a second delivery from a
 * second request. Delivery is at least once.
 */
export class Outbox {
  readonly #queue: Queue<OutboxPayload>
  readonly #producer: Producer<OutboxPayload>
  readonly #consumer: Consumer<OutboxPayload>
  readonly #rules: OutboxRules
  readonly #waiters: Set<Waiter> = new Set()
  readonly #listeners: Set<(event: OutboxEvent) => void> = new Set()
  #paused = false
  #held = false
  /** Ends what {@link start} began. */
  #stop: (() => Promise<void>) | undefined
  /** Ends with the drains that were asked for so far. */
  #draining: Promise<unknown> = Promise.resolve()
  /** Sends what is due, for all who ask, where nothing was started. */
  readonly #pass: () => void = coalesce(async () => {
    if (this.#stop === undefined) await this.#drain().catch((error: unknown) => this.#fail(error))
  })
  /** Looks for requests that others send while somebody waits for them here. */
  readonly #look: () => void = coalesce(() => this.#lookAtWaiting().catch(() => undefined))

  /**
   * @param queue A queue of the outbox's own. Its payloads are bodies; what its messages ask for is in their headers. The
   * outbox is its group `default`.
   * @throws {@link QuaysideError} `INVALID_ARGUMENT`.
   */
  constructor(queue: Queue<OutboxPayload> | Queue, options: OutboxOptions = {}) {
    this.#rules = withDefaults(options)
    this.#queue = queue as Queue<OutboxPayload>
    this.#producer = this.#queue.createProducer()
    const { leaseMs, retry } = this.#rules
    this.#consumer = this.#queue.createConsumer(undefined, { leaseMs, retry })
  }

  /**
   * Stores a request, sends it, and answers with the server's own response, if the server accepts it now. It is stored
   * before this sends anything.
   *
   * If it is not accepted now, the answer is a 202 that the server knows nothing of, and sending goes on. Its headers:
   * `Quayside-Message-Id`, and `Quayside-State` with one of {@link StoredState}. If the server refuses it for good, the
   * answer is the server's response (a 422, say) with these two headers, and the request is kept as a dead letter.
   *
   * An abort before it is stored stores nothing. Later it ends the wait only: see {@link cancel}.
   *
   * @param init `id`, `key` (requests of one key go one after the other), `replace`, `delayMs`, `expiresInMs`,
   * `maxAttempts` and `dedupeMs` are those of `producer.send`.
   * @throws {@link QuaysideError} `INVALID_ARGUMENT`: this is no request for http or https. `TOO_LARGE`: its body is over
   * `maxBodyBytes`. And what `producer.send` throws. In each case nothing was stored, but for `STORAGE_FAILED`.
   */
  async fetch(input: string | URL | Request, init: OutboxRequestInit = {}): Promise<Response> {
    const { clock, answerWithinMs } = this.#rules
    const waiter = new Waiter()
    let timer: unknown
    let signal: AbortSignal | undefined
    const abort = (): void => waiter.giveUp(signal!.reason)
    let unwatch: (() => void) | undefined
    try {
      const stored = await this.#store('outbox.fetch', input, init, waiter)
      signal = stored.signal
      signal.addEventListener('abort', abort)
      if (signal.aborted) abort()
      waiter.state ??= 'stored'
      const rests = this.#rests()
      if (stored.status === 'duplicate') waiter.answerLater('duplicate')
      else if ((rests && waiter.state === 'stored') || init.delayMs) waiter.answerLater()
      else {
        unwatch = this.#queue.watch(this.#look)
        timer = clock.setTimeout(() => waiter.answerLater(), Math.min(answerWithinMs, MAX_TIMEOUT_MS))
        this.#pass()
      }
      return await waiter.promise
    } finally {
      unwatch?.()
      if (timer !== undefined) clock.clearTimeout(timer)
      signal?.removeEventListener('abort', abort)
      this.#waiters.delete(waiter)
    }
  }

  /**
   * Stores a request and does not wait for more. It is sent when its turn comes: by an outbox that was started, by the
   * next `drain`, or along with the next `fetch`.
   *
   * @throws as {@link fetch}
   */
  async store(input: string | URL | Request, init: OutboxRequestInit = {}): Promise<SendResult> {
    const { id, status } = await this.#store('outbox.store', input, init)
    return { id, status }
  }

  async #store(
    tried: string,
    input: string | URL | Request,
    init: OutboxRequestInit,
    waiter?: Waiter,
  ): Promise<SendResult & { readonly signal: AbortSignal }> {
    const { id = v7(), key, delayMs, expiresInMs, maxAttempts, replace, dedupeMs, meta } = init
    const { maxBodyBytes, omitHeaders } = this.#rules
    const { request, omitted, signal } = await pack(tried, input, init, maxBodyBytes, omitHeaders)
    // What replaces a request is another request: a server that knows the first must not take it for the same.
    const version = replace ? v7() : undefined
    if (waiter !== undefined) {
      // Before it is stored, because it may be sent before we hear that it is.
      Object.assign(waiter, { id, omitted, version })
      this.#waiters.add(waiter)
    }
    // Who sends is told of a network that is gone before storing this wakes it.
    this.#rests()
    const options = { id, key, headers: meta, delayMs, expiresInMs, maxAttempts, replace, dedupeMs }
    const payload = toPayload(version === undefined ? request : { ...request, version })
    const { status } = await this.#producer.send(payload, options)
    // The new version need not wait because the old one failed.
    if (status === 'replaced' && !delayMs) await this.#queue.retryNow([id])
    if (status !== 'duplicate') this.#emit({ type: 'stored', id })
    return { id, status, signal }
  }

  /**
   * Sends what is due, and what is not due yet but got no answer from a server before, and reports. With a deadline (in
   * ms since 1970) it hands back just before it what is not finished. For service workers and cron jobs; where a program
   * goes on, {@link start} does better.
   */
  async drain(options: Omit<DrainOptions, 'concurrency'> = {}): Promise<DrainReport> {
    await this.#wake()
    return await this.#drain(options)
  }

  /** One at a time, or they would add up to more than `concurrency`. */
  #drain(options: DrainOptions = {}): Promise<DrainReport> {
    const { concurrency } = this.#rules
    const before = this.#draining
    const drained = this.#turn(before, options).then(() =>
      // Too late, it takes nothing.
      this.#consumer.drain(this.#send, { concurrency, ...options }),
    )
    this.#draining = Promise.allSettled([before, drained])
    return drained
  }

  /** Resolves when what a drain waits for has ended, or there is no time left to wait. */
  async #turn(before: Promise<unknown>, { deadline, signal }: DrainOptions): Promise<void> {
    const { clock } = this.#rules
    let timer: unknown
    let leave!: () => void
    const late = new Promise<void>((resolve) => (leave = resolve))
    // What is no time and no signal is refused when it has its turn.
    if (typeof deadline === 'number')
      timer = clock.setTimeout(leave, Math.min(deadline - clock.now(), MAX_TIMEOUT_MS))
    signal?.addEventListener?.('abort', leave)
    if (signal?.aborted) leave()
    await Promise.race([before, late])
    if (timer !== undefined) clock.clearTimeout(timer)
    signal?.removeEventListener?.('abort', leave)
  }

  /** Another tab or worker may have sent what is waited for here, and keeps the response. */
  async #lookAtWaiting(): Promise<void> {
    const waiting = [...this.#waiters].filter(({ state }) => state === 'stored')
    if (waiting.length === 0) return
    const ids = waiting.map(({ id }) => id)
    const { messages } = await this.#queue.list({ ids, state: ALL_STATES, limit: ids.length })
    for (const waiter of waiting) {
      // It may have been our own turn meanwhile.
      if (waiter.state !== 'stored') continue
      const found = messages.find(({ id }) => id === waiter.id)
      if (found === undefined) waiter.answerLater('accepted')
      else if (found.state === 'dead') waiter.answerLater('dead')
      else if (found.state === 'delayed') waiter.answerLater('retrying')
    }
  }

  /**
   * Sends requests as they come and become due, until the function is called that this answers with. In a page it also
   * looks when the network comes back and when the page is shown. An idle outbox costs next to nothing, and keeps a process
   * alive.
   *
   * What is under way when it is stopped is given up and handed back; the server may get it once more.
   */
  start(): () => Promise<void> {
    return (this.#stop ??= this.#start())
  }

  #start(): () => Promise<void> {
    const controller = new AbortController()
    const wake = (): void => void this.#wake().catch((error: unknown) => this.#fail(error))
    const unhook = onTrigger(wake)
    const running = this.#run(controller.signal)
    wake()
    return async () => {
      this.#stop = undefined
      unhook()
      controller.abort()
      await running
    }
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { concurrency } = this.#rules
    const onError = (error: unknown): void => this.#fail(error)
    try {
      await this.#consumer.run(this.#send, { concurrency, signal, onError })
    } catch (error) {
      this.#fail(error)
    }
  }

  /** Sends nothing more until {@link resume}, in this context. What is under way goes on. */
  pause(): void {
    this.#paused = true
    this.#rests()
  }

  /** Goes on after {@link pause}, and after an answer that held this outbox, in this context. */
  resume(): void {
    this.#paused = this.#held = false
    if (!this.#rests()) this.#pass()
  }

  /** Whether the server answered 401 or 403, so that this outbox waits for {@link resume}. */
  get held(): boolean {
    return this.#held
  }

  /** Whether nothing may be sent. Tells the consumer. */
  #rests(): boolean {
    const rests = this.#paused || this.#held || isOffline()
    if (rests) this.#consumer.pause()
    else if (this.#consumer.paused) this.#consumer.resume()
    return rests
  }

  /** The network may be back: what got no answer is due again, and who sends looks at once. */
  async #wake(): Promise<void> {
    if (this.#rests()) return
    const ids: string[] = []
    let cursor: string | undefined
    do {
      const page = await this.#queue.list({ state: 'delayed', limit: 1000, cursor })
      for (const { id, lastError } of page.messages) if (lastError?.startsWith(NO_ANSWER)) ids.push(id)
      cursor = page.cursor
    } while (cursor !== undefined)
    if (ids.length > 0) await this.#queue.retryNow(ids)
    // Timers of a page that was hidden may be late.
    this.#consumer.resume()
  }

  /** How many requests the server has not accepted yet. Dead letters do not count. */
  async size(): Promise<number> {
    return (await this.#queue.stats()).messages
  }

  /**
   * Drops a request that is not accepted yet. Answers whether there was one. One that is under way may still reach the
   * server.
   */
  async cancel(id: string): Promise<boolean> {
    return (await this.#queue.cancel([id]))[0]!
  }

  /** Ends the wait of a request for its next attempt, or of all. Answers how many there were. */
  async retryNow(id?: string): Promise<number> {
    const count = await this.#queue.retryNow(id === undefined ? undefined : [id])
    if (!this.#rests()) this.#pass()
    return count
  }

  /** Calls `listener` at each {@link OutboxEvent}. Answers with a function that stops it. */
  watch(listener: (event: OutboxEvent) => void): () => void {
    checkFunction('outbox.watch', 'listener', listener)
    const own = (event: OutboxEvent): void => listener(event)
    const unwatch = this.#queue.watch(() => own({ type: 'changed' }))
    this.#listeners.add(own)
    return () => {
      this.#listeners.delete(own)
      unwatch()
    }
  }

  #emit(event: OutboxEvent): void {
    // Apart from what goes on here, which no listener may break.
    for (const listener of this.#listeners) queueMicrotask(() => listener(event))
  }

  /** Reports what failed while nobody waited. */
  #fail(error: unknown): void {
    if (error instanceof QuaysideError && error.code === 'CLOSED') return
    this.#emit({ type: 'failed', reason: errorText(error) })
  }

  /** Makes one attempt at a message, and settles it. */
  readonly #send = async (message: Message<OutboxPayload>, { signal }: HandlerContext): Promise<void> => {
    const { id, lastError } = message
    if (this.#rests()) return await message.nack({ counts: false, delayMs: 0, reason: lastError })
    let first: Request
    let version: string | undefined
    try {
      const stored = storedRequest(message.payload)
      version = stored.version
      first = unpack(stored)
    } catch (error) {
      return await message.reject({ reason: `no stored request: ${errorText(error)}` })
    }
    const waiters = [...this.#waiters].filter((waiter) => waiter.id === id && waiter.version === version)
    for (const waiter of waiters) {
      waiter.state = 'sending'
      for (const [name, value] of waiter.omitted) first.headers.set(name, value)
    }
    if (!first.headers.has(IDEMPOTENCY_KEY)) first.headers.set(IDEMPOTENCY_KEY, version ?? headerSafe(id))
    this.#emit({ type: 'sending', id })
    // Who stops it gives up what is under way. A message that was cancelled, or is in other hands, may still get its answer.
    const stopped = new AbortController()
    const stop = (): void => {
      if (!isStale(signal.reason)) stopped.abort(signal.reason)
    }
    signal.addEventListener('abort', stop)
    if (signal.aborted) stop()
    const verdict = await attempt(first, message, this.#rules, stopped.signal)
    const { outcome, response, reason } = verdict
    if (response === undefined) stopped.signal.throwIfAborted()
    const counts = outcome !== 'hold' && (response !== undefined || !isOffline())
    const state =
      outcome === 'retry' && counts && message.attempt >= message.maxAttempts ? 'dead' : STATES[outcome]
    try {
      await this.#settle(message, verdict, counts)
    } catch (error) {
      // Whoever has the lease now decides on the message. What the server said holds for those who wait here.
      if (!isStale(error)) throw error
    }
    this.#emit({
      type: state,
      id,
      status: response?.status,
      reason: state === 'accepted' ? undefined : reason,
    })
    const takes = state === 'retrying' || state === 'held' ? undefined : response
    for (const waiter of waiters) {
      // A copy that nobody reads would hold up who reads the other one.
      const own = waiter === waiters.at(-1) ? takes : takes?.clone()
      if (own === undefined) waiter.answerLater(state)
      else waiter.answer(state === 'dead' ? deadAnswer(id, own) : own)
    }
    if (response !== undefined && (takes === undefined || waiters.length === 0)) letGo(response)
  }

  #settle(
    message: Message<OutboxPayload>,
    { outcome, reason, answer, retryAfterMs }: Verdict,
    counts: boolean,
  ): Promise<void> {
    if (outcome === 'accepted') return message.ack()
    if (outcome === 'dead') return message.reject({ reason })
    if (outcome === 'park') return message.park({ reason, data: answer })
    if (outcome === 'hold') this.#held = true
    if (!counts) {
      // Before it is given back, or it would be claimed again at once.
      this.#rests()
      return message.nack({ counts, delayMs: 0, reason })
    }
    return message.nack({ delayMs: retryAfterMs, reason })
  }
}

function isStale(error: unknown): boolean {
  return error instanceof QuaysideError && error.code === 'STALE_RECEIPT'
}
