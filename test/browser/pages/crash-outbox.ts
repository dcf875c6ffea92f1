import { IndexedDBAdapter } from '../../../adapters/indexeddb/index.ts'
import { Queue } from '../../../src/index.ts'
import { Outbox } from '../../../src/outbox/index.ts'

// Stores requests and sends them, until the browser dies; with `?rest` it only sends what is left.

const outbox = new Outbox(new Queue('orders', { storage: new IndexedDBAdapter() }), {
  concurrency: location.search === '?rest' ? 32 : 4,
  leaseMs: 500,
  timeoutMs: 1000,
  retry: { initialMs: 20, maxMs: 200 },
})
outbox.start()

async function store(): Promise<never> {
  for (;;) {
    const id = crypto.randomUUID()
    await outbox.store('/order', { method: 'POST', body: id })
    await fetch('/stored', { method: 'POST', body: id })
  }
}

if (location.search !== '?rest') void store()
Object.assign(globalThis, { outbox })
