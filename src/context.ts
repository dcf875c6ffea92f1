import { Activity } from './activity.ts'
import type { Idling } from './batcher.ts'
import type { Clock } from './clock.ts'
import type { Codec } from './codec.ts'
import { QuaysideError } from './errors.ts'
import type { Instrumentation, ObservedMessage, Operation } from './instrumentation.ts'
import type { StandardSchema } from './schema.ts'
import type { Guarantees, QueueStorage, StorageAdapter } from './storage.ts'

export interface ContextOptions<T> {
  readonly name: string
  readonly storage: StorageAdapter
  readonly clock: Clock
  readonly random: () => number
  readonly id: () => string
  readonly codec: Codec<T>
  readonly schema: StandardSchema<T> | undefined
  readonly instrumentation: Instrumentation | undefined
}

/** What the parts of one queue share: its storage, opened when first needed, and its end. */
export class Context<T> {
  readonly options: ContextOptions<T>
  readonly activity: Activity
  /** Those that have something under way, for {@link close} to wait for. */
  readonly batchers: Set<Idling> = new Set()
  /** Called with the storage as soon as it is open: the first time, or after openings that failed. */
  readonly onceOpen: Set<(view: QueueStorage) => void> = new Set()
  /** The storage, once it is open. */
  #view: QueueStorage | undefined
  readonly #closing: AbortController = new AbortController()
  /** Work that the end of the queue waits for. */
  readonly #running: Set<Promise<unknown>> = new Set()
  #opening: Promise<QueueStorage> | undefined
  #closed: Promise<void> | undefined

  constructor(options: ContextOptions<T>) {
    this.options = options
    this.activity = new Activity(() => options.clock.now())
  }

  get guarantees(): Guarantees {
    return this.options.storage.guarantees
  }

  /** Aborts when the queue is closed; the reason is the error to reject with. */
  get closing(): AbortSignal {
    return this.#closing.signal
  }

  now(): number {
    return this.options.clock.now()
  }

  /** The storage. Rejects with `CLOSED` after the end. */
  open(tried: string): Promise<QueueStorage> {
    if (this.closing.aborted) return Promise.reject(this.closedError(tried))
    if (this.#opening === undefined) {
      this.#opening = this.options.storage.open(this.options.name)
      this.#opening.then(
        (view) => {
          this.#view = view
          for (const use of this.onceOpen) use(view)
          this.onceOpen.clear()
        },
        // The next call tries again.
        () => (this.#opening = undefined),
      )
    }
    return this.#opening
  }

  /** While the storage is not open: the opening. */
  opening(tried: string): Promise<QueueStorage> | undefined {
    return this.#view === undefined ? this.open(tried) : undefined
  }

  closedError(tried: string): QuaysideError {
    return new QuaysideError('CLOSED', `${tried}: the queue ${JSON.stringify(this.options.name)} was closed`)
  }

  /** Refuses what the storage declares that it cannot do. */
  require(
    tried: string,
    feature: 'orderingKeys' | 'deduplication' | 'idsWithKeys' | 'cancellation',
    what: string,
  ): void {
    if (this.guarantees[feature] ?? true) return
    const { name } = this.guarantees
    throw new QuaysideError(
      'UNSUPPORTED',
      `${tried}: the storage ${name} has no ${what}; memory, indexeddb, fs, durable-object and redis have`,
    )
  }

  /**
   * Does something under the eyes of whoever observes the queue, if anybody does; only then there are `messages`, as
   * `show` makes them.
   */
  observe<M extends ObservedMessage, R>(
    name: Operation['name'],
    group: string | undefined,
    batch: boolean,
    show: () => M[],
    run: (messages?: M[]) => Promise<R>,
  ): Promise<R> {
    const { instrumentation, name: queue, storage } = this.options
    if (instrumentation === undefined) return run()
    const messages = show()
    const operation = { name, queue, storage: storage.guarantees.name, group, batch, messages }
    return instrumentation(operation, async () => run(messages))
  }

  /** Has a verb done by the storage, opened if need be. */
  use<R>(tried: string, verb: (view: QueueStorage) => Promise<R>): Promise<R> {
    return this.closing.aborted ? Promise.reject(this.closedError(tried)) : this.finish(tried, verb)
  }

  /** As {@link use}, for what was begun before the queue was closed and still can be finished. */
  finish<R>(tried: string, verb: (view: QueueStorage) => Promise<R>): Promise<R> {
    return this.#view === undefined ? this.open(tried).then(verb) : verb(this.#view)
  }

  /** Has {@link close} wait for some work, which ends when {@link closing} aborts. */
  track<R>(work: Promise<R>): Promise<R> {
    this.#running.add(work)
    const done = (): boolean => this.#running.delete(work)
    work.then(done, done)
    return work
  }

  close(): Promise<void> {
    return (this.#closed ??= this.#close())
  }

  async #close(): Promise<void> {
    this.#closing.abort(this.closedError('wait'))
    await Promise.allSettled(this.#running)
    for (const batcher of this.batchers) await batcher.idle()
    this.#view = undefined
    // A queue that could not be opened has nothing to close.
    const view = await this.#opening?.catch(() => undefined)
    await view?.close()
  }
}
