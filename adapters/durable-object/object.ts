import { DurableObject } from 'cloudflare:workers'
import type { Message, Verdict } from '../../src/core/index.ts'
import { QuaysideError } from '../../src/errors.ts'
import { SegmentAdapter } from '../../src/segments/index.ts'
import { type Hint, MAX_NAME_BYTES, type QueueStorage } from '../../src/storage.ts'
import { GUARANTEES } from './guarantees.ts'
import { Hints } from './hints.ts'
import { type Outcome, type Wire, fromWire, outcomeOf } from './outcome.ts'
import type { ObjectState } from './platform.ts'
import { Push, type PushContext, type PushOptions } from './push.ts'
import { ObjectStore } from './store.ts'
import type { Verb } from './verbs.ts'
import { upgrade } from './web-socket.ts'

/** How often an object whose options are wrong looks whether it is another version now, in ms. */
const REFUSED_MS = 60_000

/**
 * The Durable Object that keeps one queue, or one shard of it, in its SQLite. Export it from your Worker, bind it, and reach
 * it with a {@link DurableObjectAdapter}:
 *
 * ```ts
 * export { QueueObject } from 'quayside/durable-object'
 * ```
 *
 * A subclass with a method `onMessages` gets the messages pushed.
 */
export class QueueObject<Env = unknown, T = unknown> extends DurableObject<Env> {
  /** How messages are pushed to `onMessages`. */
  readonly push: PushOptions<T> = {}
  readonly #store: ObjectStore
  readonly #storage: SegmentAdapter
  readonly #hints: Hints
  readonly #push: Push<T> | undefined
  readonly #name: string
  #view: Promise<QueueStorage> | undefined
  /** The options of the push are wrong. */
  #refused: QuaysideError | undefined

  constructor(ctx: ObjectState, env: Env) {
    super(ctx, env)
    this.#name = nameOf(ctx)
    this.#store = new ObjectStore(ctx.storage, {
      now: () => this.now(),
      onChange: (hint) => this.#changed(hint),
    })
    this.#storage = new SegmentAdapter(GUARANTEES, () => Promise.resolve(this.#store))
    this.#hints = new Hints(ctx)
    if (this.onMessages === undefined) return
    this.#push = new Push<T>({
      name: this.#name,
      storage: this.#storage,
      alarms: ctx.storage,
      isEmpty: () => this.#store.isEmpty,
      options: () => this.push,
      handle: (messages, context) => this.onMessages!(messages, context),
    })
    void ctx.blockConcurrencyWhile(() => this.#load(this.#push!))
  }

  /** Wrong options are refused at every call, and not by an object that cannot be called. */
  async #load(push: Push<T>): Promise<void> {
    try {
      await push.load()
    } catch (error) {
      if (!(error instanceof QuaysideError) || error.code !== 'INVALID_ARGUMENT') throw error
      const message = `the class ${this.constructor.name} has wrong options for its push: ${error.message}`
      this.#refused = new QuaysideError('INVALID_ARGUMENT', message, { cause: error })
    }
  }

  /**
   * Push mode, where a subclass has it: called with messages as they come, up to `push.batchSize` at a time, by an alarm of
   * the object. It returns, and they are acked; it throws, and they are tried again by the retry policy, then dead letters.
   * Or it returns a {@link Verdict} for each of them, in their order: `{ kind: 'ack', result }`, `nack`, `reject`, `park`, or
   * an error. It may settle messages itself, one by one. Leases are extended while it works, for `push.timeoutMs` at most.
   */
  onMessages?(
    messages: readonly Message<T>[],
    context: PushContext,
  ): void | readonly Verdict[] | Promise<void | readonly Verdict[]>

  /** The clock of the queue, in ms since 1970. */
  protected now(): number {
    return Date.now()
  }

  /**
   * One verb of the storage. Called by {@link DurableObjectAdapter}, whose protocol this is.
   * It answers with what failed, and rejects where the object is broken.
   */
  verb(name: Verb, args: Wire): Promise<Outcome> {
    return outcomeOf(async () => {
      if (this.#refused !== undefined) throw this.#refused
      if (name === 'delete') return await this.#delete()
      if (name === 'claim') await this.#push?.beforeClaim()
      const view = await this.#open()
      const verb = view[name] as (...args: unknown[]) => Promise<unknown>
      const result = await verb.apply(view, fromWire(args) as unknown[])
      this.#push?.asked()
      return result
    })
  }

  /** Nothing is left, an alarm neither. All of it begins in one turn, so that nobody comes in between. */
  async #delete(): Promise<void> {
    this.#store.drop()
    this.#push?.deleted()
    const { storage } = this.ctx
    await Promise.all([this.#push && storage.deleteAlarm(), this.#store.release()])
  }

  /** Once, and again if it failed: the object may live on for long. */
  #open(): Promise<QueueStorage> {
    return (this.#view ??= this.#storage.open(this.#name).catch((error: unknown) => {
      this.#view = undefined
      throw error
    }))
  }

  /** Takes the WebSocket of somebody who watches. */
  fetch(request: Request): Response | Promise<Response> {
    return upgrade(request, (socket) => this.#hints.accept(socket))
  }

  /** Is called by the runtime when something is due. It rejects with what the platform throws, which has it tried again. */
  async alarm(): Promise<void> {
    if (this.#refused === undefined) await this.#push?.alarm()
    // Until a version comes that is right.
    else await this.ctx.storage.setAlarm(Date.now() + REFUSED_MS)
  }

  /** Watchers have nothing to say. */
  webSocketMessage(): void {}

  #changed(hint?: Hint): void {
    this.#hints.changed(hint)
    this.#push?.changed()
  }
}

/** The name of the queue for what happens inside of the object. That of the object may be longer than a queue's may be. */
function nameOf({ id: { name = '' } }: ObjectState): string {
  return name !== '' && new TextEncoder().encode(name).length <= MAX_NAME_BYTES ? name : 'queue'
}
