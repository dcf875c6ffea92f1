import { IndexedDBAdapter } from '../../../adapters/indexeddb/index.ts'
import { exercise } from '../../encryption/exercise.ts'
import { newKey } from '../../encryption/keys.ts'
import { encrypted } from '../../../src/encryption/index.ts'
import { type Codec, Queue } from '../../../src/core/index.ts'
import { Outbox } from '../../../src/outbox/index.ts'

/** Stores a text in each of the ways in which messages are stored. Without a codec, as it is. */
async function store(database: string, secret: string, codec?: Codec<unknown>): Promise<void> {
  const queue = new Queue('orders', { storage: new IndexedDBAdapter({ database }), codec, keepMs: 3_600_000 })
  const producer = queue.createProducer()
  const consumer = queue.createConsumer()
  const bytes = new TextEncoder().encode(secret)
  await producer.sendBatch([secret, bytes, { secret }, secret, bytes].map((payload) => ({ payload })))
  const [first, second, third] = await consumer.receiveBatch(3)
  await first!.ack({ result: { secret } })
  await second!.park({ reason: 'later' })
  await third!.nack({ delayMs: 3_600_000 })
  await producer.send(secret, { delayMs: 3_600_000, key: 'plain key' })
  await queue.close()
  await storeRequest(database, secret, codec)
}

async function storeRequest(
  database: string,
  secret: string,
  codec: Codec<unknown> | undefined,
): Promise<void> {
  const queue = new Queue('outbox', { storage: new IndexedDBAdapter({ database }), codec })
  const outbox = new Outbox(queue, { fetch: () => Promise.reject(new TypeError('no network')) })
  const init = { method: 'POST', headers: { 'x-secret': secret }, meta: { name: 'plain meta' } }
  for (const body of [secret, new TextEncoder().encode(secret)])
    await outbox.store(`/${secret}`, { ...init, body })
  await outbox.drain()
  await queue.close()
}

const page = {
  exercise,
  async storeBoth(secret: string, plain: string): Promise<void> {
    const key = await newKey()
    await store('encrypted', secret, encrypted({ keyId: 'k1', key: () => key }))
    await store('plain', plain)
  },
}

Object.assign(globalThis, { encryption: page })
