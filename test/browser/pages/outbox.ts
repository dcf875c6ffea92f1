import { IndexedDBAdapter } from '../../../adapters/indexeddb/index.ts'
import { Queue } from '../../../src/index.ts'
import { Outbox, type OutboxOptions, type OutboxPayload } from '../../../src/outbox/index.ts'
import { requestSync as request } from '../../../src/service-worker/index.ts'

/** A page's outbox, for what tests evaluate. */
declare global {
  // oxlint-disable no-var -- The only way to declare a global.
  var queue: Queue<OutboxPayload>
  var outbox: Outbox
  var requestSync: typeof request
  var openQueue: (name: string) => Queue<OutboxPayload>
  var openOutbox: (name: string, options?: OutboxOptions) => Outbox
  // oxlint-enable no-var
}

const openQueue = (name: string): Queue<OutboxPayload> =>
  new Queue<OutboxPayload>(name, { storage: new IndexedDBAdapter() })
const openOutbox = (name: string, options?: OutboxOptions): Outbox =>
  new Outbox(openQueue(name), { leaseMs: 2000, ...options })
const queue = openQueue('outbox')
const outbox = new Outbox(queue, { leaseMs: 2000 })
Object.assign(globalThis, { queue, outbox, openQueue, openOutbox, requestSync: request })
