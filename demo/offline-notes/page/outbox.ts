import { IndexedDBAdapter } from '../../../adapters/indexeddb/index.ts'
import { Queue } from '../../../src/index.ts'
import { Outbox, type OutboxPayload } from '../../../src/outbox/index.ts'
import { fetchUnlessOff } from './switch.ts'

// The page, its other tabs, and the service worker each run this; the database is what they share.

export const queue: Queue<OutboxPayload> = new Queue<OutboxPayload>('notes', {
  storage: new IndexedDBAdapter({ database: 'offline-notes' }),
})
export const outbox: Outbox = new Outbox(queue, {
  // The first retries come soon, so that there is something to see.
  retry: { initialMs: 1000, maxMs: 30_000 },
  fetch: fetchUnlessOff,
})

/** The name of the background sync. */
export const TAG = 'notes'
