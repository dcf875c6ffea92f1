import { DurableObject } from 'cloudflare:workers'
import type { Message } from '../../src/core.ts'
import { SegmentAdapter } from '../../src/segments/engine.ts'
import type { QueueStorage } from '../../src/storage.ts'
import { GUARANTEES } from './guarantees.ts'
import { Hints } from './hints.ts'
import { type Outcome, type Wire, fromWire, outcomeOf } from './outcome.ts'
import type { ObjectState } from './platform.ts'
import { Push, type PushOptions } from './push.ts'
import { ObjectStore } from './store.ts'
import type { Verb } from './verbs.ts'
import { upgrade } from './web-socket.ts'

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
  readonly #storage: SegmentAdapter
  readonly #hints: Hints
  readonly #push: Push<T> | undefined
  readonly #name: string
  #view: Promise<QueueStorage> | undefined

  constructor(ctx: ObjectState, env: Env) {
    super(ctx, env)
    this.#name = ctx.id.name ?? 'queue'
    this.#storage = new SegmentAdapter(GUARANTEES, async () => {
      return new ObjectStore(ctx.storage, { now: () => this.now(), onChange: () => this.#changed() })
    })
    this.#hints = new Hints(ctx)
    if (this.onMessages === undefined) return
    this.#push = new Push<T>({
      name: this.#name,
      storage: this.#storage,
      alarms: ctx.storage,
      options: () => this.push,
      handle: (messages) => this.onMessages!(messages),
    })
    void ctx.blockConcurrencyWhile(() => this.#push!.load())
  }

  /**
   * Push mode, where a subclass has it: called with messages as they come, up to `push.batchSize` at a time, by an alarm of
   * the object. It returns, and they are acked; it throws, and they are tried again by the retry policy, then dead letters.
   * It may settle messages itself, one by one. Leases are extended while it works.
   */
  onMessages?(messages: readonly Message<T>[]): unknown

  /** The clock of the queue, in ms since 1970. */
  protected now(): number {
    return Date.now()
  }

  /** One verb of the storage. Called by {@link DurableObjectAdapter}, whose protocol this is. */
  verb(name: Verb, args: Wire): Promise<Outcome> {
    return outcomeOf(async () => {
      const view = await this.#open()
      const verb = view[name] as (...args: unknown[]) => Promise<unknown>
      return await verb.apply(view, fromWire(args) as unknown[])
    })
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

  async alarm(): Promise<void> {
    await this.#push?.alarm()
  }

  /** Watchers have nothing to say. */
  webSocketMessage(): void {}

  #changed(): void {
    this.#hints.changed()
    this.#push?.changed()
  }
}
