import { encrypted } from '../../src/encryption/index.ts'
import { Queue } from '../../src/index.ts'

/** What one message goes through when keys come, go and come back: the same in every runtime. */
export async function exercise(): Promise<unknown> {
  const algorithm = { name: 'AES-GCM', length: 256 }
  const usages = ['encrypt', 'decrypt'] as const
  const keys = new Map<string, CryptoKey>()
  for (const id of ['k1', 'k2']) keys.set(id, await crypto.subtle.generateKey(algorithm, false, usages))
  let keyId = 'k1'
  const codec = encrypted({ keyId: () => keyId, key: (id) => keys.get(id), scope: 'orders' })
  const queue = new Queue('orders', { codec })
  const producer = queue.createProducer()
  const consumer = queue.createConsumer()
  await producer.send({ text: 'é€😀' })
  keyId = 'k2'
  await producer.send(Uint8Array.of(0, 255))
  const first = keys.get('k1')!
  keys.set('k1', keys.get('k2')!)
  const before = await consumer.receiveBatch(2)
  const { messages } = await queue.list({ state: 'parked' })
  keys.set('k1', first)
  await queue.resume(messages.map(({ id }) => id))
  const after = await consumer.receiveBatch(2)
  const payloads = [...before, ...after].map(({ payload }) =>
    payload instanceof Uint8Array ? [...payload] : payload,
  )
  await queue.close()
  return { payloads, reasons: messages.map(({ parked }) => parked?.reason) }
}

/** What it answers. */
export const EXPECTED: unknown = {
  payloads: [[0, 255], { text: 'é€😀' }],
  reasons: ['cannot be decrypted: the key "k1" does not fit, or the message was changed'],
}
