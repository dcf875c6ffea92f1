import { IndexedDBAdapter } from '../../../adapters/indexeddb/index.ts'
import { Queue } from '../../../src/index.ts'

// Sends, receives and acks until the browser dies, and tells the server of each step once it is acknowledged.

const storage = new IndexedDBAdapter({
  durability: new URLSearchParams(location.search).get('durability') as 'strict' | 'relaxed',
})
const queue = new Queue<string>('q', { storage })
const tell = async (step: string, ids: readonly string[]): Promise<void> => {
  await fetch(`/${step}`, { method: 'POST', body: ids.join('\n') })
}

const producer = queue.createProducer()
const consumer = queue.createConsumer('default', { leaseMs: 1 })

async function send(): Promise<never> {
  for (let i = 0; ; i++) {
    const batch = Array.from({ length: 1 + (i % 5) }, (_, n) => {
      const payload = crypto.randomUUID()
      return { payload, id: payload, keepMs: 3_600_000, ...(n > 1 && { lane: `lane-${n}` }) }
    })
    await producer.sendBatch(batch)
    await tell(
      'sent',
      batch.map(({ payload }) => payload),
    )
  }
}

async function work(): Promise<never> {
  for (;;) {
    const messages = await consumer.receiveBatch(4, { waitMs: 1000 })
    for (const message of messages) {
      try {
        if (Math.random() < 0.2) await message.nack({ delayMs: 0 })
        else if (Math.random() < 0.1) await message.park({ reason: 'a fix' })
        else {
          // What was being acked at the end may be acked or not.
          await tell('acking', [message.payload])
          await message.ack({ result: message.payload })
          await tell('acked', [message.payload])
        }
      } catch (error) {
        // Its lease, which is short on purpose, went to nobody else but the next claim of this loop.
        if ((error as { code?: string }).code !== 'STALE_RECEIPT') throw error
      }
    }
  }
}

/** Holds a lane now and then, and has parked messages go on. */
async function manage(): Promise<never> {
  for (;;) {
    await queue.hold({ lane: 'lane-2', forMs: 5, probe: Math.random() < 0.5 })
    const { messages } = await queue.list({ state: 'parked', limit: 20 })
    await queue.resume(messages.map(({ id }) => id))
    await queue.release({ lane: 'lane-2' })
  }
}

addEventListener('unhandledrejection', ({ reason }) => void tell('failed', [String(reason)]))
void send()
void work()
void manage()
