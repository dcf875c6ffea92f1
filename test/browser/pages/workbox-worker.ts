import { BackgroundSyncPlugin } from '../../../presets/workbox.ts'

/** A service worker as Workbox's NetworkOnly strategy makes it: what fails is handed to the plugin. */
const plugin = new BackgroundSyncPlugin('notes')

interface Fetch extends Event {
  readonly request: Request
  respondWith(response: Promise<Response>): void
}

addEventListener('fetch', (event) => {
  const { request } = event as Fetch
  if (request.method !== 'POST') return
  const copy = request.clone()
  const answer = fetch(request).catch(async (error: unknown) => {
    await plugin.fetchDidFail({ request: copy })
    throw error
  })
  ;(event as Fetch).respondWith(answer)
})
addEventListener('install', () => (globalThis as unknown as { skipWaiting(): void }).skipWaiting())
addEventListener('activate', (event) => {
  const { clients } = globalThis as unknown as { clients: { claim(): Promise<void> } }
  ;(event as unknown as { waitUntil(work: unknown): void }).waitUntil(clients.claim())
})
