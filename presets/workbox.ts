/**
 * **quayside/workbox**: takes the place of `workbox-background-sync`.
 *
 * ```ts
 * // import { BackgroundSyncPlugin } from 'workbox-background-sync'
 * import { BackgroundSyncPlugin } from 'quayside/workbox'
 *
 * registerRoute(/\/api\//, new NetworkOnly({ plugins: [new BackgroundSyncPlugin('notes')] }), 'POST')
 * ```
 *
 * @module
 */
import { IndexedDBAdapter } from '../adapters/indexeddb/index.ts'
import { checkFunction, checkNothing, checkOptions, checkPositiveMs } from '../src/check.ts'
import { QuaysideError, Queue } from '../src/core/lean/index.ts'
import { Outbox, type OutboxOptions, type OutboxPayload, isAttempt } from '../src/outbox/index.ts'
import { registerBackgroundSync } from '../src/service-worker/index.ts'
import { registerSync } from '../src/service-worker/inside.ts'

/** What `onSync` gets for a queue. */
export interface WorkboxQueue {
  readonly name: string
  /** Sends what waits. Rejects if something is left after two and a half minutes. */
  replayRequests(): Promise<void>
  /** How many requests wait. See {@link Outbox.size}. */
  size(): Promise<number>
}

/** Those of Workbox's plugin, and those of the outbox below. */
export interface BackgroundSyncPluginOptions {
  /** How long a request may wait, in minutes; then it becomes a dead letter. @defaultValue 10,080 (7 days) */
  readonly maxRetentionTime?: number | undefined
  /** Is called at a sync event in place of `queue.replayRequests()`. @defaultValue that is called */
  readonly onSync?: ((options: { readonly queue: WorkboxQueue }) => unknown) | undefined
  /** Is of no use here: other ways than the sync event are always tried as well. @defaultValue none */
  readonly forceSyncFallback?: boolean | undefined
  /** Where requests are kept. @defaultValue the queue of the plugin's name in the IndexedDB database `quayside` */
  readonly queue?: Queue<OutboxPayload> | undefined
  /** How they are sent: `before`, `outcome` and others. @defaultValue those of {@link OutboxOptions} */
  readonly outbox?: OutboxOptions | undefined
}

const OPTIONS = {
  maxRetentionTime: checkNothing,
  onSync: checkFunction,
  forceSyncFallback: checkNothing,
  queue: checkNothing,
  outbox: checkNothing,
}

const names = new Set<string>()

/**
 * A Workbox plugin that stores the requests that failed, and sends them when the network is back.
 *
 * ```ts
 * import { BackgroundSyncPlugin } from 'quayside/workbox'
 * import { registerRoute } from 'workbox-routing'
 * import { NetworkOnly } from 'workbox-strategies'
 *
 * const plugin = new BackgroundSyncPlugin('notes', { maxRetentionTime: 24 * 60 })
 * registerRoute(/\/api\/notes/, new NetworkOnly({ plugins: [plugin] }), 'POST')
 * ```
 */
export class BackgroundSyncPlugin {
  /** To watch, retry and cancel its requests. */
  readonly outbox: Outbox
  readonly #tag: string
  readonly #expiresInMs: number

  /**
   * @param name Of the queue. Each name may be used once in a worker.
   * @throws {@link QuaysideError} `INVALID_ARGUMENT`.
   */
  constructor(name: string, options: BackgroundSyncPluginOptions = {}) {
    if (names.has(name)) {
      throw new QuaysideError(
        'INVALID_ARGUMENT',
        `new BackgroundSyncPlugin: the name ${JSON.stringify(name)} is taken in this worker; use one plugin for several routes`,
      )
    }
    const tried = 'new BackgroundSyncPlugin'
    checkOptions(tried, options, OPTIONS)
    const { maxRetentionTime = 7 * 24 * 60, onSync } = options
    this.#expiresInMs = maxRetentionTime * 60_000
    checkPositiveMs(tried, 'maxRetentionTime × 60,000', this.#expiresInMs)
    const queue = options.queue ?? new Queue<OutboxPayload>(name, { storage: new IndexedDBAdapter() })
    const outbox = new Outbox(queue, options.outbox)
    this.outbox = outbox
    this.#tag = `quayside:${name}`
    registerBackgroundSync(outbox, {
      tag: this.#tag,
      onSync:
        onSync &&
        ((replayRequests) => onSync({ queue: { name, replayRequests, size: () => outbox.size() } })),
    })
    names.add(name)
  }

  /** Workbox calls it with a request that got no answer. Attempts of outboxes, such as that of a page, are left to those. */
  readonly fetchDidFail = async ({ request }: { readonly request: Request }): Promise<void> => {
    // It is stored already.
    if (isAttempt(request)) return
    await this.outbox.store(request, { expiresInMs: this.#expiresInMs })
    await registerSync(undefined, this.#tag)
  }
}
