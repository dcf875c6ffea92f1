import { IndexedDBAdapter } from '../../../adapters/indexeddb/index.ts'
import { Queue } from '../../../src/index.ts'
import { Outbox, type OutboxPayload } from '../../../src/outbox/index.ts'
import { requestSync as request } from '../../../src/service-worker/index.ts'

/** A page's outbox, for what tests evaluate. */
declare global {
  // oxlint-disable no-var -- The only way to declare a global.
  var queue: Queue<OutboxPayload>
  var outbox: Outbox
  var requestSync: typeof request
  // oxlint-enable no-var
}

const queue = new Queue<OutboxPayload>('outbox', { storage: new IndexedDBAdapter() })
Object.assign(globalThis, { queue, outbox: new Outbox(queue, { leaseMs: 2000 }), requestSync: request })
