import { IndexedDBAdapter } from '../../../adapters/indexeddb/index.ts'
import { Queue } from '../../../src/index.ts'
import { Outbox, type OutboxPayload } from '../../../src/outbox/index.ts'
import type { Harbour } from '../server/weather.ts'
import { session } from './session.ts'
import { fetchUnlessOff } from './switch.ts'

// The page, its other tabs, and the service worker each run this; the database is what they share.

export const queue: Queue<OutboxPayload> = new Queue<OutboxPayload>('notes', {
  storage: new IndexedDBAdapter({ database: 'offline-notes' }),
})
export const outbox: Outbox = new Outbox(queue, {
  // Whose it is stays with a note. It is sent while they are here, and with their token.
  owner: async () => (await session.get()).person,
  before: async ({ headers }) => {
    const { token } = await session.get()
    if (token !== undefined) headers.set('authorization', `Bearer ${token}`)
  },
  // One server, two harbours: neither waits for the other.
  destination: ({ url }) => harbourOf(url),
  // The first retries come soon, so that there is something to see.
  retry: { initialMs: 1000, maxMs: 30_000 },
  fetch: fetchUnlessOff,
})

/** `/api/island/notes` goes to the island. */
export function harbourOf(url: string): Harbour {
  return new URL(url).pathname.split('/')[2] as Harbour
}

/** The name of the background sync. */
export const TAG = 'notes'
