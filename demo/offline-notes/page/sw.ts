import { type SyncedOutbox, registerBackgroundSync } from '../../../src/service-worker/index.ts'
import { switchedOff } from './switch.ts'
import { TAG, outbox } from './outbox.ts'
import type { Delivered } from './notes.ts'

/** The build sets both: the page's files, and what tells this set of them from others. */
declare const VERSION: string
declare const SHELL: readonly string[]

interface ExtendableEvent extends Event {
  waitUntil(work: Promise<unknown>): void
}
interface FetchEvent extends ExtendableEvent {
  readonly request: Request
  respondWith(response: Promise<Response>): void
}
interface WorkerScope {
  readonly clients: { claim(): Promise<void> }
  readonly location: Location
  skipWaiting(): Promise<void>
  addEventListener(type: 'install' | 'activate', listener: (event: ExtendableEvent) => void): void
  addEventListener(type: 'fetch', listener: (event: FetchEvent) => void): void
}
const worker = globalThis as unknown as WorkerScope

/** The outbox, which rests while it is switched off. */
const switched: SyncedOutbox = {
  fetch: (input, init) => outbox.fetch(input, init),
  due: async () => ((await switchedOff.get()) ? 0 : await outbox.due()),
  drain: async (options) =>
    (await switchedOff.get())
      ? { acked: 0, retried: 0, dead: 0, parked: 0, returned: 0 }
      : await outbox.drain(options),
}
registerBackgroundSync(switched, { tag: TAG })

const SHELL_CACHE = `shell-${VERSION}`
/** What the server said last, for when it cannot be asked. */
const NOTES_CACHE = 'notes'

worker.addEventListener('install', (event) => {
  event.waitUntil(
    (async () => {
      const cache = await caches.open(SHELL_CACHE)
      await cache.addAll([...SHELL])
      await worker.skipWaiting()
    })(),
  )
})

worker.addEventListener('activate', (event) => {
  event.waitUntil(
    (async () => {
      const names = await caches.keys()
      const old = names.filter((name) => name.startsWith('shell-') && name !== SHELL_CACHE)
      await Promise.all(old.map((name) => caches.delete(name)))
      await worker.clients.claim()
    })(),
  )
})

worker.addEventListener('fetch', (event) => {
  const { request } = event
  const { origin, pathname } = new URL(request.url)
  if (request.method !== 'GET' || origin !== worker.location.origin) return
  if (SHELL.includes(pathname)) event.respondWith(keptFirst(SHELL_CACHE, pathname, request))
  else if (pathname.startsWith('/api/photos/')) event.respondWith(keptFirst(NOTES_CACHE, pathname, request))
  else if (pathname === '/api/notes') event.respondWith(notes(event))
})

/** Neither the server nor anything kept has an answer. */
const unreachable = (): Response => new Response('', { status: 504 })

async function keptFirst(name: string, path: string, request: Request): Promise<Response> {
  const cache = await caches.open(name)
  const kept = await cache.match(path)
  if (kept !== undefined) return kept
  if (await switchedOff.get()) return unreachable()
  const response = await fetch(request)
  if (response.ok) await cache.put(path, response.clone())
  return response
}

/** The server's list, or the last one that there was. */
async function notes(event: FetchEvent): Promise<Response> {
  const cache = await caches.open(NOTES_CACHE)
  try {
    if (await switchedOff.get()) throw new TypeError('switched offline')
    const response = await fetch(event.request)
    if (response.ok) {
      await cache.put('/api/notes', response.clone())
      event.waitUntil(keepPhotos(cache, response.clone()))
    }
    return response
  } catch {
    return (await cache.match('/api/notes')) ?? unreachable()
  }
}

/** So that the photos are there too when the network is not. */
async function keepPhotos(cache: Cache, response: Response): Promise<void> {
  const { notes } = (await response.json()) as Delivered
  for (const { url } of notes.flatMap(({ photos }) => photos)) {
    if ((await cache.match(url)) === undefined) await cache.add(url).catch(() => undefined)
  }
}
