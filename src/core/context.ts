import type { Activity } from './activity.ts'
import { type Clock, MAX_TIMEOUT_MS, nextTurn } from '../clock.ts'
import type { Codec } from './codec.ts'
import { type Line, type Terms, claimOf } from './line.ts'
import { QuaysideError, hasCode } from '../errors.ts'
import type { Instrumentation, ObservedMessage, Operation } from './instrumentation.ts'
import type { StandardSchema } from './schema.ts'
import type {
  AppendResult,
  ClaimRequest,
  ClaimResult,
  Delivery,
  GroupStart,
  Guarantees,
  Held,
  Hint,
  NewMessage,
  QueueStorage,
  SettleResult,
  Settlement,
  StorageAdapter,
  VerbsAtOnce,
} from '../storage.ts'

export interface ContextOptions<T> {
  readonly name: string
  readonly storage: StorageAdapter
  readonly clock: Clock
  readonly random: () => number
  readonly id: () => string
  readonly codec: Codec<T>
  readonly schema?: StandardSchema<T> | undefined
  readonly instrumentation?: Instrumentation | undefined
  readonly keepMs?: number | undefined
  readonly maxMessages?: number | undefined
  readonly maxBytes?: number | undefined
}

/** What a storage may declare that it cannot do. */
export type Feature =
  | 'orderingKeys'
  | 'deduplication'
  | 'idsWithKeys'
  | 'cancellation'
  | 'queueLimits'
  | 'lanes'
  | 'parking'
  | 'results'

/** Something that has work under way at times. */
export interface Idling {
  /** While something is under way: when it is done. */
  idle(): Promise<void> | undefined
  /** Waits for nothing that is not in its power: what is not ready by now is rejected. */
  giveUp?(error: unknown): void
}

/** What a queue knows of the desk of one of its groups. */
export interface GroupDesk extends Idling {
  readonly group: string
  /** How its consumers claim, if it has any. */
  readonly terms: Terms | undefined
  /** Somebody waits for messages. */
  readonly isAwaited: boolean
  /** Whether nobody is before whoever asks at that time. */
  isFree(at: number): boolean
  /** There may be something for those who wait. */
  stir(): void
  stop(): void
  handBack(): void
  gone(ids: ReadonlySet<string> | undefined): void
}

/**
 * What a queue does without promises, on a storage that answers at once. `undefined`: it was not done, since somebody is before
 * whoever asks, or must be waited for; it is for the batcher or the desk.
 */
export interface AtOnce {
  /** Where payloads need not be encoded: what takes them. */
  readonly values: VerbsAtOnce['copyOf'] | undefined
  append(messages: readonly NewMessage<Held>[]): readonly AppendResult[] | undefined
  /** Takes messages for somebody who has just come. */
  take(desk: GroupDesk, line: Line, limit: number): readonly Delivery<Held>[] | undefined
  end(desk: GroupDesk, settlements: readonly Settlement[]): readonly SettleResult[] | undefined
  /** What a step of a desk asks. */
  claim(request: ClaimRequest): ClaimResult<Held>
  settle(group: string, settlements: readonly Settlement[]): readonly SettleResult[]
}

/** Calls to a storage that answers at once let the program's event loop turn about this often, in ms. */
const TURN_MS = 10
/** And after so many calls, where the clock stands still. */
const CALLS_PER_TURN = 10_000

/** What the parts of one queue share: its storage, opened when first needed, its groups, and its end. */
export class Context<T> {
  readonly options: ContextOptions<T>
  /** Counts what goes through, if anybody is to know. */
  activity: Activity | undefined
  /** Those, besides the desks, that have something under way, for {@link close} to wait for. */
  readonly batchers: Set<Idling> = new Set()
  /** The time when {@link breathe} was last called. */
  at = 0
  /** Those that a consumer still has: of groups that come and go, nothing stays. */
  readonly #desks: Map<string, Pick<WeakRef<GroupDesk>, 'deref'>> = new Map()
  /** Engines of apps may have none of this, nor weak references: there, desks stay. */
  readonly #left: FinalizationRegistry<string> | undefined =
    typeof FinalizationRegistry === 'undefined'
      ? undefined
      : new FinalizationRegistry((group) => {
          if (this.#desks.get(group)?.deref() === undefined) this.#desks.delete(group)
        })
  readonly #watchers: Set<{ readonly hint: (hint?: Hint) => void }> = new Set()
  /** What is done without promises, if the storage answers at once. */
  atOnce: AtOnce | undefined
  /** The storage has said which messages have finished. */
  tells = false
  #unwatch: (() => void) | undefined
  /** The groups that this queue is to have, and where they start. */
  readonly #groups: Map<string, GroupStart> = new Map()
  /** Those of them that nobody knows to exist. */
  #unmade: readonly GroupStart[] = []
  /** The storage, once it is open. */
  #view: QueueStorage | undefined
  #opening: Promise<QueueStorage> | undefined
  /** The closing of a view that broke. */
  #discarding: Promise<unknown> | undefined
  readonly #closing: AbortController = new AbortController()
  /** {@link close} was called: quicker to see than a signal. */
  isClosed = false
  /** And what that waits for is over. */
  isEnded = false
  /** Work that the end of the queue waits for. */
  readonly #running: Set<Promise<unknown>> = new Set()
  #closed: Promise<void> | undefined
  /** Under way while the event loop has not turned, and where somebody waits for that. */
  #turn: object | undefined
  #breath: Promise<void> | undefined
  #turnedAt = 0
  #calls = 0

  constructor(options: ContextOptions<T>) {
    this.options = options
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

  /** The time at which something was answered that was asked for then: the same where the storage answers at once. */
  answeredAt(at: number): number {
    // Whoever observes may take time before the storage is asked.
    if (this.atOnce !== undefined && this.options.instrumentation === undefined) return at
    return this.activity?.turn() ?? this.now()
  }

  // The storage

  /** The storage. Rejects with `CLOSED` after the end. */
  open(tried: string): Promise<QueueStorage> {
    if (this.isEnded) return Promise.reject(this.closedError(tried))
    if (this.#opening === undefined) {
      const { storage, name } = this.options
      this.#opening = this.#discarding?.then(() => storage.open(name)) ?? storage.open(name)
      this.#opening.then(
        (view) => {
          this.#view = view
          // Whoever stands before its view and knows nothing of these verbs is not passed by.
          const verbs = view.atOnce
          if (verbs?.of === view)
            this.atOnce = (verbs.askedBy as (...given: unknown[]) => AtOnce)(this, verbs)
          // Whoever broke it may have lost them.
          this.#unmade = [...this.#groups.values()]
          this.#attach()
        },
        // The next call tries again.
        () => (this.#opening = undefined),
      )
    }
    return this.#opening
  }

  /** The storage, while it is open. */
  get view(): QueueStorage | undefined {
    return this.#view
  }

  closedError(tried: string): QuaysideError {
    return new QuaysideError('CLOSED', `${tried}: the queue ${JSON.stringify(this.options.name)} was closed`)
  }

  /** Refuses what comes after the end. Handlers that {@link close} waits for may still send. */
  admit(tried: string): void {
    if (this.isClosed && this.#running.size === 0) throw this.closedError(tried)
  }

  /** Refuses what the storage declares that it cannot do. */
  require(tried: string, feature: Feature): void {
    if (this.guarantees[feature] ?? true) return
    const { name } = this.guarantees
    const what = feature.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)
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

  /** Has a verb done by the storage, opened if need be, once the groups that it is to have exist. */
  use<R>(tried: string, verb: (view: QueueStorage) => Promise<R>): Promise<R> {
    return this.useAsItIs(tried, async (view) => {
      await this.#make(view)
      return await verb(view)
    })
  }

  /** As {@link use}, whatever groups there are. */
  useAsItIs<R>(tried: string, verb: (view: QueueStorage) => Promise<R>): Promise<R> {
    if (this.isClosed) return Promise.reject(this.closedError(tried))
    return this.track(
      this.finish(tried, async (view) => {
        await this.breathe()
        return await verb(view)
      }),
    )
  }

  /** Has a verb done that may have been asked for before the queue was closed. */
  finish<R>(tried: string, verb: (view: QueueStorage) => Promise<R>): Promise<R> {
    const view = this.#view
    if (view === undefined) return this.open(tried).then(() => this.finish(tried, verb))
    return verb(view).catch((error: unknown) => {
      throw this.broke(view, error)
    })
  }

  /**
   * A view that broke is closed: whoever comes next opens the storage anew. Answers with the error for those who asked the
   * view: where another one's trouble closed it under them, the queue is still open.
   */
  broke(view: QueueStorage | undefined, error: unknown): unknown {
    if (view === undefined || this.isEnded) return error
    if (view !== this.#view) {
      if (!hasCode(error, 'CLOSED')) return error
      const { name } = this.options
      const message = `the storage of the queue ${JSON.stringify(name)} failed and is opened anew; try again`
      return new QuaysideError('STORAGE_UNAVAILABLE', message, { cause: error })
    }
    if (hasCode(error, 'STORAGE_FAILED')) {
      this.#detach()
      this.#view = this.#opening = undefined
      this.#discarding = view.close().catch(() => undefined)
      // What it had to tell may be lost with it: whoever waits looks, and has it opened anew.
      this.hint({ finished: 'many' })
    }
    return error
  }

  /**
   * The storage is about to be called. Where calls that it answered at once have kept timers and sockets of the program
   * waiting, there is a promise to wait for first.
   */
  breathe(): Promise<void> | undefined {
    if (this.#breath !== undefined) return this.#breath
    const at = (this.at = this.activity?.turn() ?? this.now())
    const soon = ++this.#calls < CALLS_PER_TURN && Math.abs(at - this.#turnedAt) < TURN_MS / 2
    if (soon) return undefined
    this.#turnedAt = at
    this.#calls = 0
    const turned = (): void => {
      if (this.#turn !== mark) return
      this.#turn = this.#breath = undefined
    }
    const late = this.#turn !== undefined
    // A mark that is still there when it is looked for again shows that nothing else had its turn meanwhile.
    const mark = (this.#turn = {})
    const turn = nextTurn().then(turned)
    return late ? (this.#breath = turn) : undefined
  }

  /** Stores messages, along with groups that do not exist yet. */
  append(messages: readonly NewMessage<Held>[]): Promise<readonly AppendResult[]> {
    const append = (): Promise<readonly AppendResult[]> =>
      this.finish('send', async (view) => {
        const { id, maxMessages, maxBytes } = this.options
        const unmade = this.#unmade
        const groups = unmade.length > 0 ? unmade : undefined
        const options = { batchId: id(), groups, maxMessages, maxBytes }
        // Only a storage that has them gets values.
        const results = await view.append(messages as readonly NewMessage[], options)
        this.made(unmade)
        this.activity?.count('sent', results.length)
        return results
      })
    return this.breathe()?.then(append) ?? append()
  }

  // Groups

  /** Has a group exist from the next step on. Answers with where it starts. */
  declare(name: string, from: GroupStart['from']): GroupStart['from'] {
    const known = this.#groups.get(name)
    if (known !== undefined) return from ?? known.from
    const group = { name, from }
    this.#groups.set(name, group)
    this.#unmade = [...this.#unmade, group]
    return from
  }

  /** The groups to be made with the next step, if there are any. */
  get unmade(): readonly GroupStart[] {
    return this.#unmade
  }

  /** These exist now. */
  made(groups: readonly GroupStart[]): void {
    if (groups.length > 0) this.#unmade = this.#unmade.filter((group) => !groups.includes(group))
  }

  /** From now on nobody but its consumers makes the group. */
  forget(name: string): void {
    this.#groups.delete(name)
    this.#unmade = this.#unmade.filter((group) => group.name !== name)
  }

  /** The groups may be gone: the next step is told all of them again. */
  doubt(): void {
    this.#unmade = [...this.#groups.values()]
  }

  /** Makes the groups that do not exist yet, in a step of its own. */
  async #make(view: QueueStorage): Promise<void> {
    const groups = this.#unmade
    if (groups.length === 0) return
    const { name } = groups.at(-1)!
    await view.claim(claimOf(name, this.#desks.get(name)?.deref()?.terms, 0, groups))
    this.made(groups)
  }

  /** Where all consumers of a group ask; made where there is none. */
  desk<D extends GroupDesk>(group: string, make: () => D): D {
    let desk = this.#desks.get(group)?.deref() as D | undefined
    if (desk === undefined) {
      desk = make()
      const made = desk
      this.#desks.set(group, typeof WeakRef === 'undefined' ? { deref: () => made } : new WeakRef(made))
      this.#left?.register(made, group)
    }
    return desk
  }

  #allDesks(): GroupDesk[] {
    return [...this.#desks.values()].flatMap((desk) => desk.deref() ?? [])
  }

  /** Messages are gone: of these ids, or all, in one group or all. Who works on one is told. */
  gone(ids?: ReadonlySet<string>, group?: string): void {
    for (const desk of this.#allDesks()) if (group === undefined || group === desk.group) desk.gone(ids)
  }

  // Hints

  /** Calls `hint` when anything may have changed: one watch of the storage for all. Answers with a function that stops it. */
  watch(hint: (hint?: Hint) => void): () => void {
    const watcher = { hint }
    this.#watchers.add(watcher)
    this.#attach()
    return () => {
      if (this.#watchers.delete(watcher) && this.#watchers.size === 0) this.#detach()
    }
  }

  /** Whether the storage tells of changes. */
  get watches(): boolean {
    return this.#view?.watch !== undefined
  }

  #attach(): void {
    if (this.#watchers.size === 0 || this.#unwatch !== undefined) return
    this.#unwatch = this.#view?.watch?.((hint) => {
      this.tells ||= hint?.finished !== undefined
      this.hint(hint)
    })
  }

  /** Tells those who watch that something may have changed. */
  hint(hint?: Hint): void {
    for (const watcher of this.#watchers) watcher.hint(hint)
  }

  #detach(): void {
    this.#unwatch?.()
    this.#unwatch = undefined
  }

  // The end

  /** Has {@link close} wait for some work, which ends when {@link closing} aborts. */
  track<R>(work: Promise<R>): Promise<R> {
    this.#running.add(work)
    const done = (): boolean => this.#running.delete(work)
    work.then(done, done)
    return work
  }

  close(graceMs: number): Promise<void> {
    return (this.#closed ??= this.#rest(graceMs).then(() => this.#end()))
  }

  /** Deletes what is stored, and closes. */
  async delete(): Promise<void> {
    const tried = 'delete'
    const remove = (): Promise<void> => this.finish(tried, (view) => view.delete())
    await this.useAsItIs(tried, remove)
    this.gone()
    if (this.#closed !== undefined) return await this.#closed
    // Whoever was at work may have written behind it.
    const deleted = this.#rest(0).then(remove)
    const end = (): Promise<void> => this.#end()
    this.#closed = deleted.then(end, end)
    await this.#closed
    await deleted
  }

  /** Stops all who work, and waits for them. */
  async #rest(graceMs: number): Promise<void> {
    const { clock } = this.options
    this.isClosed = true
    this.#closing.abort(this.closedError('wait'))
    const desks = this.#allDesks()
    for (const desk of desks) desk.stop()
    const timer =
      graceMs > MAX_TIMEOUT_MS
        ? undefined
        : clock.setTimeout(() => {
            for (const desk of desks) desk.handBack()
            for (const one of this.batchers) one.giveUp?.(this.closedError('send'))
          }, graceMs)
    for (;;) {
      await Promise.allSettled(this.#running)
      const busy = [...this.#allDesks(), ...this.batchers].flatMap((one) => one.idle() ?? [])
      if (this.#running.size + busy.length === 0) break
      await Promise.all(busy)
    }
    if (timer !== undefined) clock.clearTimeout(timer)
  }

  async #end(): Promise<void> {
    this.isEnded = true
    this.#watchers.clear()
    this.#detach()
    this.#view = this.atOnce = undefined
    // A queue that could not be opened has nothing to close.
    const view = await this.#opening?.catch(() => undefined)
    await this.#discarding
    await view?.close()
  }
}
