import type { Guarantees, Hint, QueueStorage, StorageAdapter } from '../../src/index.ts'

export type Verb = Exclude<keyof QueueStorage, 'watch'> | 'open' | 'closeAll'

export interface Call {
  readonly verb: Verb
  readonly args: readonly unknown[]
}

export interface SpyOptions {
  /** What to declare differently from the storage behind. */
  readonly guarantees?: Partial<Guarantees>
  /** `false`: as a storage that cannot wake anybody. */
  readonly watch?: boolean
}

/** A storage before another one. It writes down what is called; `before` and `after` may delay or refuse it. */
export class SpyStorage implements StorageAdapter {
  readonly guarantees: Guarantees
  readonly calls: Call[] = []
  /** Runs before a verb reaches the storage. What it throws, the verb rejects with. */
  before: ((call: Call) => unknown) | undefined
  /** Makes of a verb's result what the caller gets. */
  after: ((call: Call, result: unknown) => unknown) | undefined
  /** Answers in place of the storage behind, by verb. */
  readonly stubs: Partial<Record<Verb, (...args: never) => unknown>> = {}
  /** Hints are lost. */
  deaf = false
  /** Listeners that watch now. */
  listeners = 0
  readonly #inner: StorageAdapter
  readonly #watch: boolean
  readonly #listeners: Set<(hint?: Hint) => void> = new Set()

  constructor(inner: StorageAdapter, { guarantees = {}, watch = true }: SpyOptions = {}) {
    this.#inner = inner
    this.#watch = watch
    this.guarantees = { ...inner.guarantees, ...guarantees }
  }

  /** How often a verb was called. */
  count(verb: Verb): number {
    return this.of(verb).length
  }

  /** The calls of a verb. */
  of(verb: Verb): readonly Call[] {
    return this.calls.filter((call) => call.verb === verb)
  }

  /** Has every call of the verbs reject with `error`, until {@link SpyStorage.work}. */
  fail(error: unknown, ...verbs: readonly Verb[]): void {
    this.before = ({ verb }) => {
      if (verbs.length === 0 || verbs.includes(verb)) throw error
    }
  }

  work(): void {
    this.before = undefined
  }

  /** Tells all who watch, as the storage would. */
  hint(hint?: Hint): void {
    for (const listener of this.#listeners) listener(hint)
  }

  open(queue: string): Promise<QueueStorage> {
    return this.#call('open', [queue], async () => this.#wrap(await this.#inner.open(queue)))
  }

  queues(): Promise<string[]> {
    return this.#inner.queues()
  }

  close(): Promise<void> {
    return this.#call('closeAll', [], () => this.#inner.close())
  }

  #wrap(view: QueueStorage): QueueStorage {
    const verb =
      <A extends unknown[], R>(name: Verb, method: (...args: A) => Promise<R>) =>
      (...args: A): Promise<R> =>
        this.#call(name, args, () => method(...args))
    const wrapped: QueueStorage = {
      append: verb('append', view.append.bind(view)),
      claim: verb('claim', view.claim.bind(view)),
      settle: verb('settle', view.settle.bind(view)),
      list: verb('list', view.list.bind(view)),
      stats: verb('stats', view.stats.bind(view)),
      results: verb('results', view.results.bind(view)),
      lanes: verb('lanes', view.lanes.bind(view)),
      resume: verb('resume', view.resume.bind(view)),
      hold: verb('hold', view.hold.bind(view)),
      release: verb('release', view.release.bind(view)),
      retryNow: verb('retryNow', view.retryNow.bind(view)),
      cancel: verb('cancel', view.cancel.bind(view)),
      deleteGroup: verb('deleteGroup', view.deleteGroup.bind(view)),
      purge: verb('purge', view.purge.bind(view)),
      delete: verb('delete', view.delete.bind(view)),
      close: verb('close', view.close.bind(view)),
    }
    if (!this.#watch) return wrapped
    return {
      ...wrapped,
      watch: (listener) => {
        this.listeners++
        const own = (hint?: Hint): void => listener(hint)
        this.#listeners.add(own)
        const unwatch = view.watch!((hint) => {
          if (!this.deaf) listener(hint)
        })
        let stopped = false
        return () => {
          if (!stopped) this.listeners--
          stopped = true
          this.#listeners.delete(own)
          unwatch()
        }
      },
    }
  }

  async #call<R>(verb: Verb, args: readonly unknown[], run: () => Promise<R>): Promise<R> {
    const call: Call = { verb, args }
    this.calls.push(call)
    await this.before?.(call)
    const stub = this.stubs[verb] as ((...args: readonly unknown[]) => unknown) | undefined
    const result = stub === undefined ? await run() : ((await stub(...args)) as R)
    return this.after === undefined ? result : ((await this.after(call, result)) as R)
  }
}
