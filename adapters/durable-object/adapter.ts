import { QuaysideError } from '../../src/errors.ts'
import type { Guarantees, QueueStorage, StorageAdapter } from '../../src/storage.ts'
import { GUARANTEES } from './guarantees.ts'
import type { Shards } from './in-shards.ts'
import { ObjectView } from './object-view.ts'
import type { ObjectNamespace } from './platform.ts'
import { nameOfObject } from './shards.ts'
import { Stub } from './stub.ts'

/** How queues lie in Durable Objects. */
export interface DurableObjectOptions {
  /**
   * Several objects share a queue: {@link inShards} says how many. One object does about 300 verbs a second; use more where that is
   * not enough. A change takes a queue that is empty: see docs/storage-durable-objects.md. @defaultValue one object
   */
  readonly shards?: Shards | undefined
  /**
   * Where objects are made that do not exist yet, as `DurableObjectNamespace.get` takes it: `'weur'`, `'enam'` …
   * @defaultValue near the first request
   */
  readonly locationHint?: string | undefined
}

/**
 * Keeps each queue in a Durable Object of its own: shared by all Workers that have the binding, replicated, with exact
 * leases and order.
 *
 * ```ts
 * const queue = new Queue('orders', { storage: new DurableObjectAdapter(env.QUEUE) })
 * ```
 */
export class DurableObjectAdapter implements StorageAdapter {
  readonly guarantees: Guarantees
  readonly #namespace: ObjectNamespace
  readonly #shards: Shards | undefined
  readonly #locationHint: string | undefined
  readonly #views: Set<QueueStorage> = new Set()
  #closed: Promise<void> | undefined

  /**
   * @param namespace The binding of your {@link QueueObject}, or of a subclass of it.
   * @throws {@link QuaysideError} `INVALID_ARGUMENT`.
   */
  constructor(namespace: ObjectNamespace, options: DurableObjectOptions = {}) {
    check(namespace, options)
    const { shards, locationHint } = options
    this.#namespace = namespace
    this.#shards = shards
    this.#locationHint = locationHint
    this.guarantees = shards?.guarantees ?? GUARANTEES
  }

  /** Makes no request: an object comes into being with the first message. See {@link StorageAdapter.open}. */
  async open(queue: string): Promise<QueueStorage> {
    if (this.#closed !== undefined)
      throw new QuaysideError('CLOSED', 'open a queue: this storage was closed; make another one')
    const onClose = (): boolean => this.#views.delete(view)
    const view: QueueStorage =
      this.#shards?.open(queue, (name) => new ObjectView(this.#stub(name)), onClose) ??
      new ObjectView(this.#stub(nameOfObject(queue)), onClose)
    this.#views.add(view)
    return view
  }

  /**
   * Lets somebody watch a queue: answers a request for a WebSocket, which gets a message whenever the queue has changed: an
   * empty one, or `{"finished":…}` as JSON where messages with `keepMs` are done or dead, with their ids, or `"many"`. Decide
   * first who may.
   * What the platform throws, where the object cannot be reached: the call rejects with it.
   */
  async fetch(request: Request, queue: string): Promise<Response> {
    if (this.#shards === undefined) return await this.#stub(nameOfObject(queue)).fetch(request)
    return this.#shards.watch(request, await this.open(queue))
  }

  #stub(name: string): Stub {
    return new Stub(this.#namespace, name, this.#locationHint)
  }

  /** @throws {@link QuaysideError} `UNSUPPORTED`, always. */
  queues(): Promise<string[]> {
    return Promise.reject(
      new QuaysideError(
        'UNSUPPORTED',
        'queues: every queue is a Durable Object of its own, and a Worker cannot list the objects of a namespace; keep the names where you make them',
      ),
    )
  }

  /** Lets go of connections. Queues that are open reject with `CLOSED` from now on. See {@link StorageAdapter.close}. */
  close(): Promise<void> {
    return (this.#closed ??= Promise.all([...this.#views].map((view) => view.close())).then(() => undefined))
  }
}

function check(namespace: unknown, options: DurableObjectOptions): void {
  const refuse = (rule: string, value: unknown): never => {
    throw new QuaysideError(
      'INVALID_ARGUMENT',
      `new DurableObjectAdapter: ${rule}, not ${JSON.stringify(value)}`,
    )
  }
  const { idFromName } = (namespace ?? {}) as Partial<ObjectNamespace>
  if (typeof idFromName !== 'function')
    refuse('its first argument must be the binding of a Durable Object (env.QUEUE)', namespace)
  for (const name in options)
    if (name !== 'shards' && name !== 'locationHint') refuse('options are shards, locationHint', name)
  const { shards, locationHint = '' } = options
  if (shards !== undefined && typeof (shards as Shards | null)?.open !== 'function')
    refuse('shards must be what inShards answers with, such as inShards(4)', shards)
  if (typeof locationHint !== 'string') refuse('locationHint must be a string', locationHint)
}
