import type { HoldRequest, LanesPage, LanesQuery, ReleaseRequest } from './lanes.ts'
import { QuaysideError } from './errors.ts'
import type {
  AppendOptions,
  AppendResult,
  ClaimRequest,
  ClaimResult,
  Guarantees,
  Hint,
  ListQuery,
  NewMessage,
  Outcome,
  Page,
  QueueStorage,
  ResumeOptions,
  SettleResult,
  Settlement,
  StorageAdapter,
  StorageStats,
} from './storage.ts'
import { RecordQueue } from './records/index.ts'

export interface MemoryOptions {
  /** Where the storage reads the time, in ms since 1970. @defaultValue `Date` */
  readonly clock?: { now(): number } | undefined
}

/**
 * Keeps queues in memory: the fastest storage, which survives nothing. Queues are shared by whoever shares the adapter
 * object. It is what `new Queue(name)` uses.
 */
export class MemoryAdapter implements StorageAdapter {
  readonly guarantees: Guarantees = {
    name: 'memory',
    durability: 'none',
    sharedBy: 'instance',
    exclusiveLeases: true,
    fifo: true,
    orderingKeys: true,
    deduplication: true,
    cancellation: true,
    leasesSurviveReopen: false,
    maxBodyBytes: 64 * 1024 * 1024,
    maxHeaderBytes: 64 * 1024,
    maxBatch: 100_000,
    maxBatchBytes: Infinity,
    consistentWithinMs: 0,
    lanes: true,
    parking: true,
    results: true,
  }
  readonly #clock: { now(): number }
  readonly #queues: Map<string, Shared> = new Map()
  #closed = false

  constructor({ clock = Date }: MemoryOptions = {}) {
    this.#clock = clock
  }

  async open(name: string): Promise<QueueStorage> {
    if (this.#closed) throw closedError('open a queue', 'storage')
    const shared = this.#queues.get(name) ?? { queue: new RecordQueue(name, this.#clock), views: 0 }
    this.#queues.set(name, shared)
    shared.views++
    return new View(
      shared.queue,
      () => this.#closed,
      () => {
        // Nothing is kept of a queue that nobody has and that is as new.
        if (--shared.views === 0 && shared.queue.isNew && this.#queues.get(name) === shared)
          this.#queues.delete(name)
      },
    )
  }

  async queues(): Promise<string[]> {
    if (this.#closed) throw closedError('list queues', 'storage')
    return [...this.#queues].flatMap(([name, { queue }]) => (queue.isEmpty ? [] : [name])).sort()
  }

  async close(): Promise<void> {
    this.#closed = true
  }
}

/** A queue, and how many have it open. */
interface Shared {
  readonly queue: RecordQueue
  views: number
}

function closedError(tried: string, what: string): QuaysideError {
  return new QuaysideError('CLOSED', `${tried}: this ${what} was closed; open it again`)
}

class View implements QueueStorage {
  readonly #queue: RecordQueue
  readonly #isAdapterClosed: () => boolean
  readonly #leave: () => void
  #closed = false

  constructor(queue: RecordQueue, isAdapterClosed: () => boolean, leave: () => void) {
    this.#queue = queue
    this.#isAdapterClosed = isAdapterClosed
    this.#leave = leave
  }

  #run<T>(tried: string, verb: (queue: RecordQueue) => Promise<T>): Promise<T> {
    if (this.#closed) return Promise.reject(closedError(tried, 'queue'))
    if (this.#isAdapterClosed()) return Promise.reject(closedError(tried, 'storage'))
    return verb(this.#queue)
  }

  append(messages: readonly NewMessage[], options: AppendOptions): Promise<AppendResult[]> {
    return this.#run('append', (queue) => queue.append(messages, options))
  }

  claim(request: ClaimRequest): Promise<ClaimResult> {
    return this.#run('claim', (queue) => queue.claim(request))
  }

  settle(group: string, settlements: readonly Settlement[]): Promise<SettleResult[]> {
    return this.#run('settle', (queue) => queue.settle(group, settlements))
  }

  list(query: ListQuery): Promise<Page> {
    return this.#run('list', (queue) => queue.list(query))
  }

  results(group: string, ids: readonly string[]): Promise<(Outcome | undefined)[]> {
    return this.#run('results', (queue) => queue.results(group, ids))
  }

  lanes(query: LanesQuery): Promise<LanesPage> {
    return this.#run('lanes', (queue) => queue.lanes(query))
  }

  stats(): Promise<StorageStats> {
    return this.#run('stats', (queue) => queue.stats())
  }

  cancel(ids: readonly string[]): Promise<boolean[]> {
    return this.#run('cancel', (queue) => queue.cancel(ids))
  }

  retryNow(group: string, ids: readonly string[]): Promise<boolean[]> {
    return this.#run('retryNow', (queue) => queue.retryNow(group, ids))
  }

  resume(ids: readonly string[], options?: ResumeOptions): Promise<boolean[]> {
    return this.#run('resume', (queue) => queue.resume(ids, options))
  }

  hold(request: HoldRequest): Promise<void> {
    return this.#run('hold', (queue) => queue.hold(request))
  }

  release(request: ReleaseRequest): Promise<boolean> {
    return this.#run('release', (queue) => queue.release(request))
  }

  deleteGroup(group: string): Promise<void> {
    return this.#run('deleteGroup', (queue) => queue.deleteGroup(group))
  }

  purge(): Promise<void> {
    return this.#run('purge', (queue) => queue.purge())
  }

  delete(): Promise<void> {
    return this.#run('delete', (queue) => queue.delete())
  }

  watch(listener: (hint?: Hint) => void): () => void {
    return this.#queue.watch(listener)
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#leave()
  }
}
