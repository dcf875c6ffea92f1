/**
 * Works on a queue until it is killed, and writes each step that the queue has acknowledged into a file, at once: what
 * the operating system has of it survives the kill.
 *
 * Lines: `s N` message N was stored · `b N` about to ack N · `a N` N was acked · `d N` N was delivered.
 */
import { openSync, writeSync } from 'node:fs'
import { NodeFsAdapter } from '../../adapters/fs/index.ts'
import { Queue } from '../../src/index.ts'

const [directory = '', log = '', durability = 'fsync', generation = '0'] = process.argv.slice(2)
const ledger = openSync(log, 'a')

const say = (lines: string[]): void => {
  if (lines.length > 0) writeSync(ledger, `${lines.join('\n')}\n`)
}

const queue = new Queue<number>('crash', {
  storage: new NodeFsAdapter(directory, { durability: durability as 'fsync' | 'os' }),
})
const producer = queue.createProducer()
const consumer = queue.createConsumer('workers', { retry: { maxAttempts: 1_000_000, initialMs: 0 } })

let next = Number(generation) * 1_000_000

async function sendSingly(): Promise<never> {
  for (;;) {
    const n = next++
    await producer.send(n, n % 7 === 0 ? { id: `id-${n}` } : n % 5 === 0 ? { key: `key-${n % 3}` } : {})
    say([`s ${n}`])
  }
}

async function sendBatches(): Promise<never> {
  for (;;) {
    const batch = Array.from({ length: 1 + (next % 40) }, () => next++)
    await producer.sendBatch(
      batch.map((payload) => ({ payload, ...(payload % 11 === 0 ? { delayMs: 1 } : {}) })),
    )
    say(batch.map((n) => `s ${n}`))
  }
}

async function work(): Promise<never> {
  for (;;) {
    const messages = await consumer.receiveBatch(1 + (next % 30), { waitMs: 1000 })
    say(messages.map(({ payload }) => `d ${payload}`))
    const done = messages.filter(({ payload, attempt }) => attempt > 1 || payload % 13 !== 0)
    const failed = messages.filter((message) => !done.includes(message))
    say(done.map(({ payload }) => `b ${payload}`))
    await Promise.all([consumer.ackBatch(done), consumer.nackBatch(failed, { delayMs: 0 })])
    say(done.map(({ payload }) => `a ${payload}`))
  }
}

process.stdout.write('ready\n')
await Promise.all([sendSingly(), sendSingly(), sendBatches(), work(), work()])
