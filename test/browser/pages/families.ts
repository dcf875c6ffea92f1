import { IndexedDBAdapter } from '../../../adapters/indexeddb/index.ts'
import { Queue } from '../../../src/index.ts'
import { Outbox, type OutboxPayload } from '../../../src/outbox/index.ts'
import { FAMILIES } from '../../support/families.ts'

// Stores families of requests, a create with three edits and a delete that come after it, and sends them, until the page is gone; with
// `?rest` it only sends what is left.

const outbox = new Outbox(new Queue<OutboxPayload>('families', { storage: new IndexedDBAdapter() }), FAMILIES)
outbox.start()

async function store(): Promise<never> {
  for (;;) {
    const id = crypto.randomUUID()
    await outbox.store('/items/new', { method: 'POST', body: id, id })
    for (const edit of ['1', '2', '3'])
      await outbox.store('/items/tmp', { method: 'PUT', body: `${id} ${edit}`, after: id })
    await outbox.store('/items/tmp', { method: 'DELETE', after: id })
    await fetch('/stored', { method: 'POST', body: id })
  }
}

if (location.search !== '?rest') void store()
Object.assign(globalThis, { outbox })
