import { QuaysideError } from '../../src/errors.ts'
import type { Guarantees, QueueStorage, StorageAdapter } from '../../src/storage.ts'
import type { KVBinding } from './binding.ts'
import { RECORD, isKey, nameOf, prefixOf } from './keys.ts'
import { ledgerOf, ledgersOf } from './ledger.ts'
import { Namespace } from './namespace.ts'
import { type CloudflareKVOptions, type Settings, settingsOf } from './options.ts'
import type { KVOperations } from './prices.ts'
import { CloudflareKVQueue } from './queue.ts'

export type { KVBinding, KVKey, KVPage } from './binding.ts'
export type { CloudflareKVOptions } from './options.ts'
export { type KVOperations, priceOf } from './prices.ts'

const GUARANTEES: Guarantees = {
  name: 'cloudflare-kv',
  durability: 'replicated',
  sharedBy: 'network',
  exclusiveLeases: false,
  fifo: false,
  orderingKeys: false,
  deduplication: false,
  cancellation: false,
  leasesSurviveReopen: true,
  // A value may have 25 MB and must be a text: bytes grow by a third, and a text of lone surrogates to 8/3.
  maxBodyBytes: 8 * 1024 * 1024,
  maxHeaderBytes: 64 * 1024,
  maxBatch: 1000,
  maxBatchBytes: 16 * 1024 * 1024,
  consistentWithinMs: 60_000,
  // Two that send at once would not see each other's messages.
  queueLimits: false,
  lanes: false,
  parking: false,
  results: false,
}

/**
 * Keeps queues in a Workers KV namespace: at least once, not in order, seen within minutes.
 *
 * KV is eventually consistent and has no conditional writes, so a lease is advice: **one** place must drain a queue at a time, which
 * is what a cron trigger does, and handlers must bear that a message comes twice. What is stored is never lost before
 * `retentionMs`.
 *
 * Make one for each invocation, as Cloudflare limits the operations of one. What an isolate has learnt of a namespace is kept
 * beside its binding (`env.TASKS` is one object for all requests of an isolate) and shared by all adapters on it.
 *
 * `stats()` counts `acked`, `failed` and `sent` in this isolate only: KV has no place to count in.
 *
 * @example
 * ```ts
 * const queue = new Queue('tasks', { storage: new CloudflareKVAdapter(env.TASKS) })
 * ```
 */
export class CloudflareKVAdapter implements StorageAdapter {
  readonly guarantees: Guarantees
  readonly #binding: KVBinding
  readonly #settings: Settings
  readonly #namespace: Namespace
  readonly #views: Set<QueueStorage> = new Set()
  #closed = false

  /**
   * @param binding The namespace, `env.TASKS`.
   * @throws {@link QuaysideError} `INVALID_ARGUMENT`.
   */
  constructor(binding: KVBinding, options: CloudflareKVOptions = {}) {
    for (const method of ['get', 'put', 'list', 'delete'] as const) {
      if (typeof (binding as Partial<KVBinding> | undefined)?.[method] !== 'function') {
        throw new QuaysideError(
          'INVALID_ARGUMENT',
          `new CloudflareKVAdapter: the first argument must be a KV namespace (env.TASKS), and it has no method ${method}; is it among kv_namespaces of the Worker's configuration?`,
        )
      }
    }
    this.guarantees = GUARANTEES
    this.#binding = binding
    this.#settings = settingsOf(options)
    this.#namespace = new Namespace(binding, this.#settings)
  }

  /** What this adapter has done so far, as it is billed. */
  get operations(): KVOperations {
    return { ...this.#namespace.operations }
  }

  /** Is called by the queue. Reads nothing yet. See {@link StorageAdapter.open}. */
  async open(queue: string): Promise<QueueStorage> {
    if (this.#closed) throw closedError('open a queue')
    const settings = this.#settings
    const ledger = ledgerOf(this.#binding, prefixOf(settings.prefix, queue), settings.random)
    const view = new CloudflareKVQueue({ kv: this.#namespace, ledger, settings }, () => this.#closed)
    this.#views.add(view)
    return view
  }

  /** Lists every key of all queues: one operation for each 1,000 of them. @throws {@link QuaysideError} `STORAGE_FAILED`. */
  async queues(): Promise<string[]> {
    if (this.#closed) throw closedError('queues')
    const kv = this.#namespace
    const prefix = `${this.#settings.prefix}/`
    const ledgers = ledgersOf(this.#binding)
    const names = new Set<string>()
    for (let cursor: string | undefined; ;) {
      kv.require('queues', 1)
      const page = await kv.list('queues', prefix, cursor)
      for (const { name: listed } of page.keys) {
        const [escaped = '', key = '', ...rest] = listed.slice(prefix.length).split('/')
        // Records may outlive what they are about.
        if (rest.length > 0 || !isKey(key) || key.startsWith(RECORD)) continue
        const name = ledgers.get(`${prefix}${escaped}/`)?.isGone(key) ? undefined : nameOf(escaped)
        if (name !== undefined) names.add(name)
      }
      if (page.list_complete) break
      cursor = page.cursor
    }
    for (const [own, { hasOwn }] of ledgers) {
      const name = own.startsWith(prefix) ? nameOf(own.slice(prefix.length, -1)) : undefined
      if (hasOwn && name !== undefined) names.add(name)
    }
    return [...names].sort()
  }

  /** Is called by the queue. There is nothing to let go of. It never rejects. */
  async close(): Promise<void> {
    this.#closed = true
    await Promise.all([...this.#views].map((view) => view.close()))
    this.#views.clear()
  }
}

function closedError(tried: string): QuaysideError {
  return new QuaysideError('CLOSED', `${tried}: this CloudflareKVAdapter was closed; make another`)
}
