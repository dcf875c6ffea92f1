import { checkName, checkOptions } from '../check.ts'
import type { Outbox } from '../outbox/index.ts'
import { isOffline } from '../outbox/triggers.ts'

/** What the page says to the worker with where there is no Background Sync, and what events are called where there is. */
export const DEFAULT_TAG = 'quayside'

export interface RequestSyncOptions {
  /** The same as that of the worker's `registerBackgroundSync`. @defaultValue 'quayside' */
  readonly tag?: string | undefined
}

/** A service worker registration, as far as it is used here. */
interface Registration {
  readonly sync?: { register(tag: string): Promise<void> }
  readonly active?: { postMessage(message: unknown): void } | null
}

interface Scope {
  /** In a service worker only. */
  readonly registration?: Registration
  readonly navigator?: { readonly serviceWorker?: { readonly ready: Promise<Registration> } }
  addEventListener?(type: string, listener: () => void): void
  removeEventListener?(type: string, listener: () => void): void
}

const scope = globalThis as Scope
const LEAVING = ['offline', 'pagehide', 'visibilitychange']

/**
 * For pages: has the browser wake the service worker to send what this page leaves behind. It asks when a request is
 * stored offline, and when the network goes, or the page is hidden or closed, while requests wait. As long as the page
 * lives and has a network it sends itself, see `outbox.start()`.
 *
 * The browser fires a `sync` event in the worker once there is a network, the page open or not. Where there is no
 * Background Sync (Firefox, Safari), or it is denied, the worker gets a message instead, and tries once.
 *
 * Answers with a function that stops it.
 *
 * @throws {@link QuaysideError} `INVALID_ARGUMENT`.
 */
export function requestSync(outbox: Pick<Outbox, 'watch'>, options: RequestSyncOptions = {}): () => void {
  checkOptions('requestSync', options, { tag: checkName })
  const { tag = DEFAULT_TAG } = options
  const waiting = new Set<string>()
  const leave = (): void => {
    if (waiting.size > 0) void askForSync(tag)
  }
  const unwatch = outbox.watch(({ type, id }) => {
    if (id === undefined) return
    if (type === 'accepted' || type === 'dead') waiting.delete(id)
    else waiting.add(id)
    if (isOffline()) leave()
  })
  for (const event of LEAVING) scope.addEventListener?.(event, leave)
  return () => {
    unwatch()
    for (const event of LEAVING) scope.removeEventListener?.(event, leave)
  }
}

/** Asks for a `sync` event. Never rejects: what waits is tried again in other ways too. */
export async function askForSync(tag: string): Promise<void> {
  const registration = scope.registration ?? (await scope.navigator?.serviceWorker?.ready)
  try {
    await registration!.sync!.register(tag)
  } catch {
    // A worker has no use for a message of its own: it would try for ever.
    if (scope.registration === undefined) registration?.active?.postMessage({ quayside: tag })
  }
}
