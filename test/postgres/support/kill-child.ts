/**
 * One of several processes that work on a queue until they are killed, and write each step that the queue has acknowledged
 * into a file of their own, at once: what the operating system has of it survives the kill.
 *
 * Lines: `s N` message N was stored · `d N A` it was delivered, for the A-th time · `b N` about to be acked · `a N A` acked ·
 * `e TEXT` something failed that must not. A server that is killed is waited for.
 */
import { openSync, writeSync } from 'node:fs'
import { Pool } from 'pg'
import { PostgresAdapter } from '../../../adapters/postgres/index.ts'
import { type Message, QuaysideError, Queue } from '../../../src/index.ts'

const [url = '', log = '', leaseMs = '', first = ''] = process.argv.slice(2)
const ledger = openSync(log, 'a')

const say = (...lines: readonly string[]): void => {
  if (lines.length > 0) writeSync(ledger, `${lines.join('\n')}\n`)
}

const queue = new Queue<number>('work', {
  storage: new PostgresAdapter(new Pool({ connectionString: url, max: 4 })),
})
const producer = queue.createProducer()
const consumer = queue.createConsumer('workers', {
  leaseMs: Number(leaseMs),
  retry: { maxAttempts: 1_000_000, initialMs: 0 },
})

let next = Number(first)

async function send(): Promise<never> {
  for (;;) {
    const batch = Array.from({ length: 1 + (next % 5) }, () => next++)
    try {
      await producer.sendBatch(
        batch.map((payload) => ({ payload, ...(payload % 3 === 0 && { id: `id-${payload}` }) })),
      )
    } catch (error) {
      await outage(error)
      continue
    }
    say(...batch.map((n) => `s ${n}`))
  }
}

async function work(): Promise<never> {
  for (;;) {
    let messages: Message<number>[]
    try {
      messages = await consumer.receiveBatch(1 + (next % 20), { waitMs: 1000 })
    } catch (error) {
      await outage(error)
      continue
    }
    say(...messages.map(({ payload, attempt }) => `d ${payload} ${attempt}`))
    say(...messages.map(({ payload }) => `b ${payload}`))
    await Promise.all(messages.map(ack))
  }
}

async function ack(message: Message<number>): Promise<void> {
  try {
    await message.ack()
    say(`a ${message.payload} ${message.attempt}`)
  } catch (error) {
    // A machine that stood still, and the lease is over: then somebody else has it.
    if (!(error instanceof QuaysideError && error.code === 'STALE_RECEIPT')) await outage(error)
  }
}

/** What a server that is killed, and its clients, may say. */
async function outage(error: unknown): Promise<void> {
  if (!(error instanceof QuaysideError && ['STORAGE_FAILED', 'STORAGE_UNAVAILABLE'].includes(error.code)))
    throw error
  await new Promise((resolve) => setTimeout(resolve, 50))
}

try {
  await Promise.all([send(), work(), work()])
} catch (error) {
  say(`e ${String(error)}`)
  throw error
}
