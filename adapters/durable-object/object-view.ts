import type { HoldRequest, LanesPage, LanesQuery, ReleaseRequest } from '../../src/lanes.ts'
import type {
  AppendOptions,
  AppendResult,
  ClaimRequest,
  ClaimResult,
  Hint,
  ListQuery,
  NewMessage,
  Outcome,
  Page,
  QueueStorage,
  ResumeOptions,
  SettleResult,
  Settlement,
  StorageStats,
} from '../../src/storage.ts'
import { type Stub, closedError } from './stub.ts'
import type { Verb } from './verbs.ts'
import { watchObject } from './watcher.ts'

/** A queue in one object: hands each verb on to it. */
export class ObjectView implements QueueStorage {
  readonly #stub: Stub
  readonly #onClose: (() => void) | undefined
  readonly #running: Set<Promise<unknown>> = new Set()
  readonly #unwatch: Set<() => void> = new Set()
  #closed: Promise<void> | undefined

  /** @param onClose Told once the view is closed. */
  constructor(stub: Stub, onClose?: () => void) {
    this.#stub = stub
    this.#onClose = onClose
  }

  append(messages: readonly NewMessage[], options: AppendOptions): Promise<AppendResult[]> {
    return this.#call('append', messages, options)
  }

  claim(request: ClaimRequest): Promise<ClaimResult> {
    return this.#call('claim', request)
  }

  settle(group: string, settlements: readonly Settlement[]): Promise<SettleResult[]> {
    return this.#call('settle', group, settlements)
  }

  list(query: ListQuery): Promise<Page> {
    return this.#call('list', query)
  }

  results(group: string, ids: readonly string[]): Promise<(Outcome | undefined)[]> {
    return this.#call('results', group, ids)
  }

  lanes(query: LanesQuery): Promise<LanesPage> {
    return this.#call('lanes', query)
  }

  resume(ids: readonly string[], options?: ResumeOptions): Promise<boolean[]> {
    return this.#call('resume', ids, options)
  }

  hold(request: HoldRequest): Promise<void> {
    return this.#call('hold', request)
  }

  release(request: ReleaseRequest): Promise<boolean> {
    return this.#call('release', request)
  }

  stats(): Promise<StorageStats> {
    return this.#call('stats')
  }

  cancel(ids: readonly string[]): Promise<boolean[]> {
    return this.#call('cancel', ids)
  }

  retryNow(group: string, ids: readonly string[]): Promise<boolean[]> {
    return this.#call('retryNow', group, ids)
  }

  deleteGroup(group: string): Promise<void> {
    return this.#call('deleteGroup', group)
  }

  purge(): Promise<void> {
    return this.#call('purge')
  }

  delete(): Promise<void> {
    return this.#call('delete')
  }

  watch(listener: (hint?: Hint) => void): () => void {
    const stop = watchObject(() => this.#stub.watch(), listener)
    this.#unwatch.add(stop)
    return () => {
      this.#unwatch.delete(stop)
      stop()
    }
  }

  close(): Promise<void> {
    return (this.#closed ??= this.#close())
  }

  async #close(): Promise<void> {
    this.#onClose?.()
    for (const stop of this.#unwatch) stop()
    await Promise.allSettled(this.#running)
  }

  #call<T>(verb: Verb, ...args: readonly unknown[]): Promise<T> {
    if (this.#closed !== undefined) return Promise.reject(closedError(verb))
    const call = this.#stub.call(verb, args) as Promise<T>
    this.#running.add(call)
    const done = (): boolean => this.#running.delete(call)
    call.then(done, done)
    return call
  }
}
