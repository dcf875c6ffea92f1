import { isRequest } from './kinds.ts'
import { abortReason, onceAborted, throwIfAborted } from '../aborts.ts'
import {
  checkFunction,
  checkGlobals,
  checkName,
  checkOptions,
  checkQueue,
  checkSignal,
  mustBeOneOf,
} from '../check.ts'
import { MAX_TIMEOUT_MS } from '../clock.ts'
import {
  type Consumer,
  type DrainOptions,
  type DrainReport,
  type ListPage,
  type ListedMessage,
  type Producer,
  type Queue,
  type SendResult,
  cancel,
  deadLetters,
  list,
  resume,
  retryNow,
  stats,
  watch,
  drain,
  run,
  limitLanes,
  takeOnly,
} from '../core/lean/index.ts'
import { uuid } from '../message-id.ts'
import { NO_ANSWER } from './attempt.ts'
import { tooLarge } from './body.ts'
import { coalesce } from './coalesce.ts'
import { Events, type OutboxEvent } from './events.ts'
import { Family } from './family.ts'
import { type OutboxOptions, type OutboxRules, withDefaults } from './options.ts'
import { AFTER, OWNER, checkGiven, destinationOf, givenId, laneOf, queueId } from './places.ts'
import { isAttempt } from './mark.ts'
import { leadsBack, passThrough } from './pass-through.ts'
import { type OutboxPayload, pack } from './request.ts'
import { GROUP, freeLane, has, mustHave } from './lanes.ts'
import { type HeldDestination, Rests, isHeld, isUnreachable } from './rests.ts'
import { type Sender, senderOf } from './sender.ts'
import { Session } from './session.ts'
import { TERMS, edit, termsOf } from './edit.ts'
import {
  type OutboxListOptions,
  type OutboxRequestInit,
  type Resolution,
  type ResponseOptions,
  type SettledOptions,
  checkInit,
} from './init.ts'
import { drop, find, owned, unsettled } from './owned.ts'
import { responseTo } from './response.ts'
import { SCOPE, ownScope } from './scope.ts'
import { onTrigger } from './triggers.ts'
import { until } from './until.ts'
import { Waiter, Waiters } from './waiter.ts'

/** How many requests may be under way in one context, to all destinations together. */
const SLOTS = 64

/** At most this often a page that is shown has a destination tried that is held, in ms. */
const SHOWN_EVERY_MS = 60_000

/** What an outbox cannot do without. */
const NEEDED = ['Request', 'Response', 'Headers', 'URL', 'TextEncoder', 'TextDecoder']

/**
 * Sends HTTP requests through a queue: each is stored first, and stays stored until the server has accepted it.
 *
 * Several outboxes may share one queue, in tabs, workers and processes: one of them at a time sends a given request. Every
 * attempt bears the same `Idempotency-Key`, the id of the message, so that a server can tell a second delivery from a
 * second request. Delivery is at least once.
 *
 * ```ts
 * const outbox = new Outbox(new Queue('outbox', { storage: new IndexedDBAdapter() }))
 * outbox.start()
 * const response = await outbox.fetch('/api/notes', { method: 'POST', body: 'hello' })
 * if (response.status === 202) console.log('it waits:', response.headers.get('quayside-state'))
 * ```
 */
export class Outbox {
  readonly #queue: Queue<OutboxPayload>
  readonly #producer: Producer<OutboxPayload>
  /** Sends what comes, once started. Rests while there is no network. */
  readonly #runner: Consumer<OutboxPayload>
  /** Sends what somebody asked for. */
  readonly #asked: Consumer<OutboxPayload>
  readonly #rules: OutboxRules
  readonly #events: Events
  readonly #rests: Rests
  readonly #session: Session
  readonly #waiters: Waiters
  readonly #family: Family
  readonly #sender: Sender
  readonly #slots: number
  /** Ends what {@link start} began. */
  #stop: (() => Promise<void>) | undefined
  /** Attempts of other outboxes. */
  readonly #sentOn: WeakSet<Request> = new WeakSet()
  #entering: Promise<unknown> = Promise.resolve()
  /** Ends with the drains that were asked for so far. */
  #draining: Promise<unknown> = Promise.resolve()
  /** Sends what is due, for all who ask. */
  readonly #pass: () => void
  /** Something has changed in the queue. */
  readonly #hint: () => void

  /**
   * @param queue A queue of the outbox's own. The outbox is its group `default`.
   * @throws {@link QuaysideError} `INVALID_ARGUMENT`; `UNSUPPORTED`: `owner` needs a storage with lanes.
   */
  constructor(queue: Queue<OutboxPayload> | Queue, options: OutboxOptions = {}) {
    checkGlobals('new Outbox', NEEDED)
    checkQueue('new Outbox', 'queue', queue)
    const rules = withDefaults(options)
    const { leaseMs, retry, concurrency, clock } = rules
    const own = (this.#queue = queue as Queue<OutboxPayload>)
    this.#rules = rules
    const hasLanes = has(own, 'lanes')
    if (rules.owner !== undefined) mustHave(own, 'new Outbox, owner', 'lanes')
    this.#slots = hasLanes ? Math.max(SLOTS, concurrency) : concurrency
    this.#producer = own.createProducer()
    const consumers = [0, 1].map(() => own.createConsumer(GROUP, { leaseMs, retry }))
    if (hasLanes) for (const one of consumers) limitLanes(one, { concurrency })
    const [runner, asked] = consumers as [Consumer<OutboxPayload>, Consumer<OutboxPayload>]
    this.#runner = runner
    this.#asked = asked
    const events = (this.#events = new Events(own, clock))
    const rests = (this.#rests = new Rests(own, clock))
    const session = (this.#session = new Session(own, clock, rules.owner, (only) => {
      for (const one of consumers) takeOnly(one, only)
    }))
    const waiters = (this.#waiters = new Waiters(own, rests))
    const family = (this.#family = new Family(own))
    const look = (): boolean => this.#look()
    const sender = (this.#sender = senderOf({
      queue: own,
      rules,
      session,
      rests,
      waiters,
      family,
      events,
      look,
    }))
    this.#pass = coalesce(async () => {
      // Who was started sends it already, unless it rests.
      if (this.#stop !== undefined && !runner.paused) return
      await this.#enter()
      await this.#drain()
      waiters.look()
    }, events.fail)
    this.#hint = coalesce(async () => {
      await family.look()
      if (!session.isAsked) return
      await this.#enter()
      if (sender.isBusy && (await session.isBarred())) sender.end(session.owner)
    }, events.fail)
  }

  /**
   * Stores a request, sends it, and answers with the server's own response, if the server accepts it now. It is stored
   * before this sends anything.
   *
   * If it is not accepted now, sending goes on, and the answer has the headers `Quayside-Message-Id`, and `Quayside-State` with
   * one of {@link StoredState}. It is the server's own where the server refused it (a 401 that holds its destination, a 422 with
   * which it is parked), and else a 202 that the server knows nothing of.
   *
   * Where it cannot be stored (`TOO_LARGE`, `QUOTA_EXCEEDED`, `STORAGE_FAILED`, `STORAGE_UNAVAILABLE`, `TIMEOUT`) it is sent once
   * all the same, and the server's response has `Quayside-State: unstored`. If there is no response, that error is what it rejects
   * with.
   *
   * An attempt that another outbox makes is sent, and not stored: see {@link isAttempt}.
   *
   * An abort before it is stored stores nothing. Later it ends the wait only: see {@link cancel}.
   *
   * @param init `id`, `key` (requests of one key and destination go one after the other), `replace`, `delayMs`, `maxDelayMs`,
   * `expiresInMs`, `maxAttempts` and `dedupeMs` are those of `producer.send`.
   * @throws {@link QuaysideError} `INVALID_ARGUMENT`: this is no request for http or https, or its body cannot be read. `TOO_LARGE`:
   * its body is over `maxBodyBytes`. And what `producer.send` throws. In each case nothing was stored, but for `STORAGE_FAILED`.
   */
  async fetch(input: string | URL | Request, init: OutboxRequestInit = {}): Promise<Response> {
    const { clock, answerWithinMs } = this.#rules
    if (isRequest(input) && isAttempt(input)) {
      // Where it comes here again, it would come here for ever.
      if (this.#sentOn.has(input)) throw leadsBack('outbox.fetch')
      this.#sentOn.add(input)
      return await this.#rules.fetch(input, init)
    }
    checkInit('outbox.fetch', init)
    const waiter = new Waiter()
    const ends: (() => void)[] = []
    try {
      const { signal, status } = await this.#store('outbox.fetch', input, init, waiter)
      ends.push(onceAborted(signal, () => waiter.giveUp(abortReason(signal))))
      waiter.state ??= 'stored'
      if (status === 'duplicate') waiter.answerLater('duplicate')
      else if ((this.#sender.paused && waiter.state === 'stored') || init.delayMs) waiter.answerLater()
      else {
        const timer = clock.setTimeout(() => waiter.answerLater(), Math.min(answerWithinMs, MAX_TIMEOUT_MS))
        ends.push(watch(this.#queue, this.#waiters.look), () => clock.clearTimeout(timer))
        this.#pass()
        this.#waiters.look()
      }
      return await waiter.promise
    } catch (error) {
      // Not before its time.
      if (init.after !== undefined || init.delayMs) throw error
      return await passThrough(error, waiter, this.#rules, this.#events)
    } finally {
      for (const end of ends) end()
      this.#waiters.all.delete(waiter)
    }
  }

  /**
   * Stores a request and does not wait for more. It is sent when its turn comes: by an outbox that was started, by the
   * next `drain`, or along with the next `fetch`.
   *
   * @throws as {@link fetch}, and where it cannot be stored.
   */
  async store(input: string | URL | Request, init: OutboxRequestInit = {}): Promise<SendResult> {
    if (isRequest(input) && isAttempt(input)) throw leadsBack('outbox.store')
    checkInit('outbox.store', init)
    const { id, status } = await this.#store('outbox.store', input, init)
    return { id, status }
  }

  async #store(
    tried: string,
    input: string | URL | Request,
    init: OutboxRequestInit,
    waiter?: Waiter,
  ): Promise<SendResult & { readonly signal: AbortSignal }> {
    const {
      id = uuid(),
      after,
      meta,
      delayMs,
      maxDelayMs,
      expiresInMs,
      maxAttempts,
      replace,
      dedupeMs,
    } = init
    const { keepResponse = this.#rules.keepResponse } = init
    checkGiven(tried, 'id', id, this.#session.isAsked)
    if (after !== undefined) {
      checkGiven(tried, 'after', after, this.#session.isAsked)
      mustHave(this.#queue, `${tried}, after`, 'results')
    }
    const packed = await pack(tried, input, init, this.#rules, waiter !== undefined)
    const { payload, request, signal, tooLong } = packed
    if (waiter !== undefined) Object.assign(waiter, { id, packed })
    if (tooLong !== undefined) throw tooLarge(tried, tooLong.size, this.#rules.maxBodyBytes)
    await this.#enter()
    const { owner } = this.#session
    const own = queueId(id, owner)
    const lane = has(this.#queue, 'lanes') ? laneOf(owner, this.#rules.destination(request)) : undefined
    const { orderingKeys, idsWithKeys = true } = this.#queue.guarantees
    // One id is never under way twice: a newer request of it goes behind what is under way.
    const ownKey = orderingKeys && (idsWithKeys || init.id === undefined) ? (init.id ?? after) : undefined
    const key = init.key ?? ownKey
    // Before it is stored, because it may be sent before we hear that it is.
    if (waiter !== undefined) this.#waiters.all.add(Object.assign(waiter, { id: own }))
    if (after !== undefined) this.#family.adopt(queueId(after, owner), own)
    const terms = termsOf(init, this.#rules.clock.now())
    const scope = ownScope()
    const headers = {
      ...meta,
      ...(scope && { [SCOPE]: scope }),
      ...(owner && { [OWNER]: owner }),
      ...(after !== undefined && { [AFTER]: after }),
      ...(terms && { [TERMS]: terms }),
    }
    // Who waits for it learns by its end that it was accepted elsewhere.
    const keepMs = has(this.#queue, 'results')
      ? Math.max(keepResponse, waiter ? this.#rules.answerWithinMs : 0)
      : undefined
    const options = {
      id: own,
      key,
      lane,
      headers,
      keepMs,
      delayMs,
      maxDelayMs,
      expiresInMs,
      maxAttempts,
      replace,
      dedupeMs,
    }
    throwIfAborted(signal)
    // Who sends is told of a network that is gone before storing this wakes it.
    this.#look()
    const { status } = await this.#producer.send(payload, options)
    // The new version need not wait because the old one failed.
    if (status === 'replaced' && !delayMs) await retryNow(this.#queue, [own])
    if (status !== 'duplicate') this.#events.emit({ type: 'stored', id: own })
    return { id, status, signal }
  }

  /**
   * Sends what is due, and what is not due yet but got no answer from a server before, and reports. With a deadline (in
   * ms since 1970) it hands back just before it what is not finished. For service workers and cron jobs; where a program
   * goes on, {@link start} does better. It tries also where there seems to be no network.
   *
   * @throws {@link QuaysideError} `INVALID_ARGUMENT`; what {@link Queue.stats} throws.
   */
  async drain(options: Omit<DrainOptions, 'concurrency'> = {}): Promise<DrainReport> {
    await this.#wake()
    return await this.#drain(options)
  }

  /** One at a time, so that who asks has waited for what is under way, but for no longer than they like; too late, they take nothing. */
  #drain(options: DrainOptions<OutboxPayload> = {}): Promise<DrainReport> {
    const { clock } = this.#rules
    const { deadline = Infinity, signal } = options
    const before = this.#draining
    const turn = new Promise<void>((come) => {
      // What is no time and no signal is refused when it has its turn.
      const timer = clock.setTimeout(come, Math.min(deadline - clock.now(), MAX_TIMEOUT_MS))
      const leave = (): void => come()
      signal?.addEventListener?.('abort', leave)
      if (signal?.aborted) leave()
      void before.then(() => {
        clock.clearTimeout(timer)
        signal?.removeEventListener?.('abort', leave)
        leave()
      })
    })
    const drained = turn.then(async () => {
      const unwatch = watch(this.#queue, this.#hint)
      const settings = { concurrency: this.#slots, ...options }
      return await drain(this.#asked, this.#sender.send, settings).finally(unwatch)
    })
    this.#draining = Promise.allSettled([before, drained])
    return drained
  }

  /**
   * Sends requests as they come and become due, until the function is called that this answers with. In a page it also
   * looks when the network comes back and when the page is shown; then it tries destinations that are held, once a minute at most.
   * An idle outbox costs next to nothing, and keeps a process alive.
   *
   * What is under way when it is stopped is given up and handed back; the server may get it once more.
   */
  start(): () => Promise<void> {
    return (this.#stop ??= this.#start())
  }

  #start(): () => Promise<void> {
    const controller = new AbortController()
    const { fail } = this.#events
    const wake = (shown: boolean): void => {
      this.#look()
      if (!this.#runner.paused) void this.#wake(shown).catch(fail)
    }
    const ends = [onTrigger(wake), watch(this.#queue, this.#hint), () => controller.abort()]
    this.#look()
    const settings = { concurrency: this.#slots, signal: controller.signal, onError: fail }
    const running = run(this.#runner, this.#sender.send, settings).catch(fail)
    wake(true)
    return async () => {
      this.#stop = undefined
      for (const end of ends) end()
      this.#sender.leave()
      await running
    }
  }

  /** Sends nothing more until {@link resume}, in this context. What is under way goes on. */
  pause(): void {
    this.#sender.paused = true
    this.#look()
  }

  /**
   * Goes on after {@link pause}, and after a {@link signOut} without another owner; and tries destinations that are held: one
   * request goes first, and the rest once it was accepted. Call it when somebody has logged in, in any context. What fails is told as
   * an event.
   * It never rejects.
   */
  async resume(): Promise<void> {
    this.#sender.paused = false
    this.#rests.loggedIn()
    this.#look()
    try {
      await this.#session.look()
      await this.#session.unbar()
      await this.#rests.probe(this.#session.prefix, isHeld)
      if (!has(this.#queue, 'lanes')) await retryNow(this.#queue)
      await this.#wake()
    } catch (error) {
      this.#events.fail(error)
    }
    this.#pass()
  }

  /** Whether there seems to be a network: see {@link OutboxOptions.isOnline}. */
  get online(): boolean {
    return this.#rules.isOnline()
  }

  /**
   * The destinations to which nothing is sent before somebody has logged in, and {@link resume} was called in some context.
   *
   * @throws What {@link Queue.stats} throws.
   */
  async held(): Promise<readonly HeldDestination[]> {
    await this.#enter()
    return await this.#rests.held(this.#session.prefix)
  }

  /** Whether there is a network. Tells the consumers whether they may send. */
  #look(): boolean {
    const { paused } = this.#sender
    const isOnline = this.#rules.isOnline()
    rest(this.#runner, paused || !isOnline)
    rest(this.#asked, paused)
    return isOnline
  }

  /** Asks whose turn it is. Whoever is new gets a try at what was held. */
  #enter(): Promise<void> {
    // One after the other, or who comes while a new owner is let in would be ahead of who came before.
    const entered = this.#entering.then(() => this.#letIn())
    this.#entering = entered.catch(() => undefined)
    return entered
  }

  async #letIn(): Promise<void> {
    if (!(await this.#session.look())) return
    this.#rests.loggedIn()
    await this.#rests.probe(this.#session.prefix, isHeld)
    this.#runner.resume()
    this.#look()
  }

  /** The network may be back: what got no answer is due again, and who sends looks at once. */
  async #wake(shown = false): Promise<void> {
    this.#look()
    if (this.#sender.paused) return
    await this.#enter()
    const now = this.#rules.clock.now()
    await this.#rests.probe(
      this.#session.prefix,
      (hold) =>
        isUnreachable(hold) || (shown && isHeld(hold) && Math.abs(now - hold.since) >= SHOWN_EVERY_MS),
    )
    const ids: string[] = []
    for await (const page of owned(this.#queue, this.#ownPrefix, ['delayed']))
      for (const { id, lastError } of page) if (lastError?.startsWith(NO_ANSWER)) ids.push(id)
    if (ids.length > 0) await retryNow(this.#queue, ids)
    // Timers of a page that was hidden may be late.
    if (!this.#runner.paused) this.#runner.resume()
  }

  /**
   * How many requests the server has not accepted yet; where there are owners, those of the present one. Dead letters do not count.
   *
   * @throws What {@link Queue.stats} throws.
   */
  async size(): Promise<number> {
    if (!this.#session.isAsked) return (await stats(this.#queue)).messages
    await this.#enter()
    let count = 0
    for await (const page of owned(this.#queue, this.#session.prefix)) count += page.length
    return count
  }

  /**
   * How many requests of the present owner can be sent without anybody's doing, now or later: not what is parked, or blocked by
   * that or `after` it, nor what is held.
   *
   * @throws What {@link Queue.stats} throws.
   */
  async due(): Promise<number> {
    const held = new Set((await this.held()).map(({ destination }) => destination))
    const all = await unsettled(this.#queue, this.#ownPrefix)
    return all.filter(({ lane }) => lane === undefined || !held.has(destinationOf(lane))).length
  }

  /**
   * What waits, of the present owner. Its `headers` are its `meta`, and names of the outbox's own, which begin with `quayside-`.
   *
   * @throws {@link QuaysideError} `INVALID_ARGUMENT`; what {@link Queue.stats} throws.
   */
  async list(options: OutboxListOptions = {}): Promise<ListPage<ListedMessage<OutboxPayload>>> {
    await this.#enter()
    const { isAsked, owner, prefix } = this.#session
    if (!isAsked) return await list(this.#queue, options)
    const ids = options.ids?.map((id) => queueId(id, owner))
    const page = await list(this.#queue, { ...options, ids })
    const own = page.messages.filter(({ lane }) => lane?.startsWith(prefix))
    return { ...page, messages: own.map((one) => ({ ...one, id: givenId(one.id) })) }
  }

  /**
   * Drops all that waits, of the present owner. Answers how much it was. What is under way may still reach the server.
   *
   * @throws What {@link Queue.stats} throws.
   */
  async clear(): Promise<number> {
    await this.#enter()
    return await this.#cancel(owned(this.#queue, this.#ownPrefix))
  }

  /** The id of a request of the present owner, as the queue has it. */
  async #own(tried: string, id: string): Promise<string> {
    checkName(tried, 'id', id)
    await this.#enter()
    return queueId(id, this.#session.owner)
  }

  /** Of the owner's lanes, where there are owners. */
  get #ownPrefix(): string | undefined {
    return this.#session.isAsked ? this.#session.prefix : undefined
  }

  /**
   * Drops a request that is not accepted yet. Answers whether there was one. One that is under way may still reach the
   * server.
   *
   * @throws {@link QuaysideError} `INVALID_ARGUMENT`; what {@link Queue.stats} throws.
   */
  async cancel(id: string): Promise<boolean> {
    return (await this.#cancel([[{ id: await this.#own('outbox.cancel', id) }]])) > 0
  }

  async #cancel(pages: Pages): Promise<number> {
    let count = 0
    for await (const page of pages) {
      const ids = page.map(({ id }) => id)
      const found = await cancel(this.#queue, ids)
      const cancelled = ids.filter((_, i) => found[i])
      count += cancelled.length
      this.#cancelled(cancelled)
    }
    return count
  }

  #cancelled(ids: readonly string[]): void {
    for (const id of ids) {
      this.#waiters.cancelled(id)
      this.#events.emit({ type: 'cancelled', id })
      void this.#family.ended(id).catch(this.#events.fail)
    }
  }

  /**
   * Ends the wait of a request for its next attempt, or of all, and that of destinations which rest for a time: each is tried with
   * one request first. Answers how many requests there were.
   *
   * @throws {@link QuaysideError} `INVALID_ARGUMENT`; what {@link Queue.stats} throws.
   */
  async retryNow(id?: string): Promise<number> {
    const ids = id === undefined ? id : [await this.#own('outbox.retryNow', id)]
    const count = await retryNow(this.#queue, ids)
    await this.#enter()
    await this.#rests.probe(this.#session.prefix, (hold) => !isHeld(hold))
    this.#look()
    if (!this.#sender.paused) this.#pass()
    return count
  }

  /**
   * Decides on a request that is parked or dead: tries it again, drops it, or sends another in its place, which keeps its id, place
   * and key, and gets an `Idempotency-Key` of its own. Answers whether there was one.
   *
   * @throws as {@link fetch}
   */
  async resolve(id: string, resolution: Resolution): Promise<boolean> {
    const tried = 'outbox.resolve'
    id = await this.#own(tried, id)
    if (typeof resolution === 'object' && resolution !== null)
      return await this.#edit(tried, id, resolution.request, true)
    mustBeOneOf('retry', 'drop')(tried, 'resolution', resolution)
    const isParked = (await find(this.#queue, id))?.state === 'parked'
    const dead = deadLetters(this.#queue)
    if (resolution === 'retry') {
      const done = isParked ? (await resume(this.#queue, [id]))[0]! : (await dead.redrive([id])) > 0
      if (done) this.#pass()
      return done
    }
    if (isParked) return await this.cancel(id)
    const done = (await dead.delete([id])) > 0
    if (done) this.#cancelled([id])
    return done
  }

  /**
   * Has a request that waits be another one from now on: it keeps its id, place, key and all else that it was stored with, and gets
   * an `Idempotency-Key` of its own. Answers whether it was there and nobody was sending it; if not, nothing is changed.
   *
   * @throws as {@link fetch}
   */
  async edit(id: string, request: Request): Promise<boolean> {
    const tried = 'outbox.edit'
    return await this.#edit(tried, await this.#own(tried, id), request, false)
  }

  async #edit(tried: string, id: string, request: Request, onlyParked: boolean): Promise<boolean> {
    const was = await edit(this.#queue, this.#rules, tried, id, request, onlyParked)
    if (was === 'parked') this.#pass()
    return was !== undefined
  }

  /**
   * What the server said to a request, also when another context has sent it, or before a reload: status, headers and the first
   * 64 kB of the body. `undefined`: it is not sent yet, or nothing is kept of it. What the server refused has `Quayside-State`,
   * `parked` or `dead`.
   *
   * @throws {@link QuaysideError} `INVALID_ARGUMENT`, `UNSUPPORTED`, and what `queue.result` throws. The signal's reason.
   */
  async response(id: string, options: ResponseOptions = {}): Promise<Response | undefined> {
    const own = await this.#own('outbox.response', id)
    return await responseTo(this.#queue, this.#rules.clock, own, options)
  }

  /**
   * Resolves when nothing of the present owner, or of one key of it, waits to be sent any more: for who must not read from a server
   * before his writes are in. What is parked or dead does not count, nor what is blocked by that or comes `after` it.
   *
   * @throws {@link QuaysideError} `INVALID_ARGUMENT`, and what the storage fails with. The signal's reason.
   */
  async settled(options: SettledOptions = {}): Promise<void> {
    checkOptions('outbox.settled', options, { key: checkName, signal: checkSignal })
    const { key, signal } = options
    throwIfAborted(signal)
    await this.#enter()
    const isSo = async (): Promise<boolean> =>
      (await unsettled(this.#queue, this.#ownPrefix, key)).length === 0
    await until(this.#queue, this.#rules.clock, isSo, signal)
  }

  /**
   * The present owner signs out: ends what is under way, here and in other contexts, and resolves when no attempt of theirs can
   * start any more. `keep`: their requests wait until they are back. `drop`: all is deleted that they have here, kept responses
   * and dead letters too. Call it while they are still logged in. For a context that died in the middle of an attempt it waits until
   * that one's lease is over. Without the option `owner` it is about all requests, until
   * {@link resume}.
   *
   * @throws {@link QuaysideError} `INVALID_ARGUMENT`, `UNSUPPORTED`, and what the storage fails with.
   */
  async signOut(what: 'keep' | 'drop'): Promise<void> {
    mustBeOneOf('keep', 'drop')('outbox.signOut', 'what becomes of requests', what)
    await this.#enter()
    const { owner, prefix } = this.#session
    do {
      await this.#session.bar()
      this.#sender.end(owner)
      await this.#session.allEnded(prefix)
      // Whoever hears only now that this owner had come has lifted it.
    } while (this.#session.isAsked && this.#session.prefix === prefix && !(await this.#session.isBarred()))
    if (what === 'keep') return
    await this.#rests.forget(prefix)
    await drop(this.#queue, this.#ownPrefix, (pages) => this.#cancel(pages))
    // There is nothing left that could start.
    if (this.#session.isAsked) await freeLane(this.#queue, prefix)
  }

  /** The longest body that it stores, in bytes. */
  get maxBodyBytes(): number {
    return this.#rules.maxBodyBytes
  }

  /** Calls `listener` at each {@link OutboxEvent}. Answers with a function that stops it. */
  watch(listener: (event: OutboxEvent) => void): () => void {
    checkFunction('outbox.watch', 'listener', listener)
    const unwatch = watch(this.#queue, () => listener({ type: 'changed' }))
    const unlisten = this.#events.listen(listener)
    return () => {
      unlisten()
      unwatch()
    }
  }
}

/** Messages, page by page. */
type Pages = AsyncIterable<readonly { readonly id: string }[]> | Iterable<readonly { readonly id: string }[]>

function rest(consumer: Consumer<OutboxPayload>, rests: boolean): void {
  if (rests) consumer.pause()
  else if (consumer.paused) consumer.resume()
}
