import { checkName, checkOptions, mustBeOurs } from '../check.ts'
import type { Outbox } from '../outbox/index.ts'
import { isOffline, onEvents } from '../outbox/inside.ts'

/** What sync events and the messages of pages are about. */
export const DEFAULT_TAG = 'quayside'

/** Under which name a browser is asked for a sync. */
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
}

const scope = globalThis as Scope

/**
 * For pages: has the service worker send what this page leaves behind. It asks the browser for a `sync` event when a
 * request is stored offline, and when the network goes while requests wait; the event comes once there is a network, the
 * page open or not. When the page is hidden or closed while requests wait, it also tells the worker to try at once. As
 * long as the page is there it sends itself, see `outbox.start()`.
 *
 * Answers with a function that stops it.
 *
 * @throws {@link QuaysideError} `INVALID_ARGUMENT`.
 * @example
 * ```ts
 * await navigator.serviceWorker.register('/worker.js', { type: 'module' })
 * requestSync(outbox)
 * ```
 */
export function requestSync(outbox: Pick<Outbox, 'watch'>, options: RequestSyncOptions = {}): () => void {
  mustBeOurs('an Outbox', 'watch')('requestSync', 'outbox', outbox)
  checkOptions('requestSync', options, { tag: checkName })
  const { tag = DEFAULT_TAG } = options
  const waiting = new Set<string>()
  let registration: Registration | undefined
  const leave = (): void => {
    if (waiting.size === 0) return
    void registerSync(registration, tag)
    // A page that is closed may no longer ask for a sync. For this there is time.
    if (!isOffline()) registration?.active?.postMessage({ quayside: tag })
  }
  // In advance: a page that is closed does not live to see a promise resolve.
  void workerOfPage().then((found) => {
    registration = found
    if (isOffline()) leave()
  })
  const unwatch = outbox.watch(({ type, id }) => {
    if (id === undefined) return
    // What is parked waits for a person.
    if (/^(accepted|parked|dead|cancelled|unstored)$/.test(type)) waiting.delete(id)
    else waiting.add(id)
    if (isOffline()) leave()
  })
  const unlisten = onEvents(['offline', 'pagehide', 'visibilitychange'], leave)
  return () => {
    unwatch()
    unlisten()
  }
}

/** A page that may keep nothing (cookies are blocked, its frame is sandboxed) may not even ask. */
async function workerOfPage(): Promise<Registration | undefined> {
  try {
    return await scope.navigator?.serviceWorker?.ready
  } catch {
    return undefined
  }
}

/** Asks for a `sync` event. Never rejects: what waits is tried again in other ways too. */
export async function registerSync(
  registration: Registration | undefined = scope.registration,
  tag: string = DEFAULT_TAG,
): Promise<void> {
  try {
    await registration?.sync?.register(tag)
  } catch {
    // Denied by the user or by the browser's settings.
  }
}
