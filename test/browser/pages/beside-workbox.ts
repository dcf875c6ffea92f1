import { Queue as WorkboxQueue } from 'workbox-background-sync/Queue.js'
import { IndexedDBAdapter } from '../../../adapters/indexeddb/index.ts'
import { Queue } from '../../../src/index.ts'
import { Outbox } from '../../../src/outbox/index.ts'

// A service worker with both queues; each stores requests, and sends them when it is told to.

const workbox = new WorkboxQueue('orders', { forceSyncFallback: true, onSync: () => undefined })
const outbox = new Outbox(new Queue('orders', { storage: new IndexedDBAdapter() }), { leaseMs: 500 })

const beside = {
  workbox: {
    store: (url: string): Promise<void> =>
      workbox.pushRequest({ request: new Request(url, { method: 'POST', body: 'an order' }) }),
    replay: (): Promise<void> => workbox.replayRequests(),
  },
  quayside: {
    store: (url: string): Promise<unknown> => outbox.store(url, { method: 'POST', body: 'an order' }),
    replay: (): unknown => outbox.start(),
  },
}

export type Beside = typeof beside
Object.assign(globalThis, { beside })
