import { checkFunction, checkName, checkOptions, mustBeOurs, mustHave } from '../check.ts'
import { type Outbox, type OutboxRequestInit, type StoredState, isAttempt } from '../outbox/index.ts'
import { storedPage } from './stored-page.ts'
import { DEFAULT_TAG, type RequestSyncOptions, registerSync } from './sync.ts'

/** What a service worker takes from pages, and how it sends. */
export interface BackgroundSyncOptions extends RequestSyncOptions {
  /**
   * Which requests of the pages go through the outbox, without their knowing; with an answer of options, how they are stored
   * (`key`, `meta`, `seeOther` and others). It is asked at each `fetch` event that no listener before this one has answered, but not
   * about attempts of outboxes, in pages or elsewhere: they are let through, see `isAttempt`. So is what says that it is longer than
   * the outbox may store. @defaultValue none
   */
  readonly match?: ((request: Request) => boolean | OutboxRequestInit) | undefined
  /**
   * What the browser shows after a navigation (a form, most often) whose request is stored and not accepted yet: `state` is what
   * `Quayside-State` says. @defaultValue a page that says so, in English
   */
  readonly answer?:
    | ((request: Request, state: StoredState, response: Response) => Response | Promise<Response>)
    | undefined
  /**
   * Is called at a sync event, and calls `replay`, which sends what waits and rejects if something is left: for example to
   * notify the user afterwards. @defaultValue calls it
   */
  readonly onSync?: ((replay: () => Promise<void>) => unknown) | undefined
}

/** What is needed of an outbox. */
export type SyncedOutbox = Pick<Outbox, 'drain' | 'due' | 'fetch'> & Partial<Pick<Outbox, 'maxBodyBytes'>>

/** Events of a service worker, as far as they are used here. */
interface WorkerEvent {
  readonly tag?: string
  readonly lastChance?: boolean
  readonly data?: { readonly quayside?: unknown } | null
  readonly request?: Request
  waitUntil(work: Promise<unknown>): void
  respondWith(response: Promise<Response>): void
}

interface Worker {
  addEventListener(type: string, listener: (event: WorkerEvent) => void): void
}

/** Chromium ends a sync event after three minutes. */
const SYNC_MS = 150_000
/**
 * The event comes with the first sign of a network, when requests still fail, and while a page that was closed still holds
 * leases. The browser's own next try is minutes away.
 */
const FIRST_REST_MS = 500
/** Other events are ended sooner, in some browsers after half a minute. */
const TRY_MS = 25_000
/** Events of pages are frequent. */
const TRY_EVERY_MS = 60_000

/**
 * For service workers: sends what waits in the outbox when the browser fires a `sync` event, also after the last page was
 * closed; and, because not every browser does, when the worker starts, when a page sends it a message (see
 * `requestSync`), and now and then at `fetch` events. Call it while the worker's script is first evaluated.
 *
 * In a sync event it tries for two and a half minutes, in others for 25 seconds. A sync event fails if requests are left
 * that could go, so that the browser fires it again: after some minutes, and a few times.
 *
 * ```ts
 * registerBackgroundSync(outbox, { match: ({ method, url }) => method !== 'GET' && new URL(url).pathname.startsWith('/api/') })
 * ```
 *
 * @throws {@link QuaysideError} `INVALID_ARGUMENT`.
 */
export function registerBackgroundSync(outbox: SyncedOutbox, options: BackgroundSyncOptions = {}): void {
  mustBeOurs('an Outbox', 'due')('registerBackgroundSync', 'outbox', outbox)
  checkOptions('registerBackgroundSync', options, {
    tag: checkName,
    match: checkFunction,
    answer: checkFunction,
    onSync: checkFunction,
  })
  const { tag = DEFAULT_TAG, match, answer = storedPage, onSync = (replay) => replay() } = options
  const worker = globalThis as unknown as Worker
  mustHave('addEventListener')('registerBackgroundSync', 'self, which is that of a service worker,', worker)
  let triedAt = 0

  /** Sends until nothing is left, or the time is over. Answers with how many are left that could go. */
  const replay = async (forMs: number): Promise<number> => {
    triedAt = Date.now()
    const deadline = triedAt + forMs
    for (let restMs = FIRST_REST_MS; ; restMs *= 2) {
      await outbox.drain({ deadline })
      // What waits for a person does not wait for the network.
      const left = await outbox.due()
      if (left === 0 || Date.now() + restMs > deadline) return left
      await new Promise((resolve) => setTimeout(resolve, restMs))
    }
  }
  // Whoever comes next tries again.
  const attempt = (): Promise<unknown> => replay(TRY_MS).catch(() => undefined)
  const sync = async (lastChance: boolean | undefined): Promise<void> => {
    await onSync(async () => {
      const left = await replay(SYNC_MS)
      if (left > 0 && !lastChance) throw new Error(`requests left for the next sync: ${left}`)
    })
  }
  const take = async (request: Request, init: OutboxRequestInit): Promise<Response> => {
    const response = await outbox.fetch(request, init)
    const state = response.headers.get('quayside-state') as StoredState | null
    if (state === null || state === 'unstored') return response
    await registerSync(undefined, tag)
    // Any other status is the server's own.
    return request.mode === 'navigate' && response.status === 202
      ? await answer(request, state, response)
      : response
  }
  const matched = (request: Request): false | OutboxRequestInit => {
    if (match === undefined || isAttempt(request)) return false
    if (Number(request.headers.get('content-length')) > (outbox.maxBodyBytes ?? Infinity)) return false
    const found = match(request)
    return found === true ? {} : found
  }

  worker.addEventListener('sync', (event) => {
    if (event.tag === tag) event.waitUntil(sync(event.lastChance))
  })
  worker.addEventListener('message', (event) => {
    if (event.data?.quayside === tag) event.waitUntil(attempt())
  })
  worker.addEventListener('fetch', (event) => {
    const init = matched(event.request!)
    if (init) event.respondWith(take(event.request!, init))
    else if (Math.abs(Date.now() - triedAt) > TRY_EVERY_MS) event.waitUntil(attempt())
  })
  // What the worker was started for comes first, and may well be to try.
  setTimeout(() => {
    if (triedAt === 0) void attempt()
  }, FIRST_REST_MS)
}
