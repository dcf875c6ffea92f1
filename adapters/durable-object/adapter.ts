import { QuaysideError } from '../../src/errors.ts'
import type { Guarantees, QueueStorage, StorageAdapter } from '../../src/storage.ts'
import { guaranteesOf } from './guarantees.ts'
import { textOfHint } from './hint-text.ts'
import { ObjectView } from './object-view.ts'
import type { ObjectNamespace } from './platform.ts'
import { ShardedView } from './sharded-view.ts'
import { MAX_SHARDS, nameOfShard } from './shards.ts'
import { Stub } from './stub.ts'
import { upgrade } from './web-socket.ts'

/** How queues lie in Durable Objects. */
export interface DurableObjectOptions {
  /**
   * How many objects share a queue, 1 to 256. One object does about 300 verbs a second; use more where that is not enough.
   * A change takes a queue that is empty: see docs/storage-durable-objects.md. @defaultValue 1
   */
  readonly shards?: number | undefined
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
  readonly #shards: number
  readonly #locationHint: string | undefined
  readonly #views: Set<QueueStorage> = new Set()
  #closed: Promise<void> | undefined

  /**
   * @param namespace The binding of your {@link QueueObject}, or of a subclass of it.
   * @throws {@link QuaysideError} `INVALID_ARGUMENT`.
   */
  constructor(namespace: ObjectNamespace, options: DurableObjectOptions = {}) {
    check(namespace, options)
    const { shards = 1, locationHint } = options
    this.#namespace = namespace
    this.#shards = shards
    this.#locationHint = locationHint
    this.guarantees = guaranteesOf(shards)
  }

  /** Makes no request: an object comes into being with the first message. See {@link StorageAdapter.open}. */
  async open(queue: string): Promise<QueueStorage> {
    if (this.#closed !== undefined)
      throw new QuaysideError('CLOSED', 'open a queue: this storage was closed; make another one')
    const stubs = this.#stubs(queue)
    const onClose = (): boolean => this.#views.delete(view)
    const view =
      stubs.length === 1
        ? new ObjectView(stubs[0]!, onClose)
        : new ShardedView(
            stubs.map((stub) => new ObjectView(stub)),
            onClose,
          )
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
    const stubs = this.#stubs(queue)
    if (stubs.length === 1) return await stubs[0]!.fetch(request)
    const view = await this.open(queue)
    return upgrade(request, (socket) => {
      socket.accept()
      view.watch!((hint) => socket.send(textOfHint(hint)))
      const end = (): void => void view.close()
      socket.addEventListener('close', end)
      socket.addEventListener('error', end)
    })
  }

  #stubs(queue: string): Stub[] {
    const names = Array.from({ length: this.#shards }, (_, shard) => nameOfShard(queue, shard, this.#shards))
    return names.map((name) => new Stub(this.#namespace, name, this.#locationHint))
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
  const { shards = 1, locationHint = '' } = options
  if (!Number.isInteger(shards) || shards < 1 || shards > MAX_SHARDS)
    refuse(`shards must be a whole number, 1 to ${MAX_SHARDS}`, shards)
  if (typeof locationHint !== 'string') refuse('locationHint must be a string', locationHint)
}
