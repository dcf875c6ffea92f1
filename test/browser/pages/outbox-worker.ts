import { IndexedDBAdapter } from '../../../adapters/indexeddb/index.ts'
import { Queue } from '../../../src/index.ts'
import { Outbox } from '../../../src/outbox/index.ts'
import { registerBackgroundSync } from '../../../src/service-worker/index.ts'

/** A service worker with the outbox of the pages; it also takes the requests of pages that have none. */
const outbox = new Outbox(new Queue('outbox', { storage: new IndexedDBAdapter() }), { leaseMs: 2000 })
registerBackgroundSync(outbox, { match: ({ url }) => new URL(url).pathname === '/api/matched' })

const scope = globalThis as unknown as { skipWaiting(): void; clients: { claim(): Promise<void> } }
addEventListener('install', () => scope.skipWaiting())
addEventListener('activate', (event) =>
  (event as unknown as { waitUntil(work: unknown): void }).waitUntil(scope.clients.claim()),
)
