/**
 * Works on a queue until it is killed, and writes each step that the queue has acknowledged into a file, at once: what
 * the operating system has of it survives the kill.
 *
 * Lines: `s N` message N was stored · `b N` about to ack N · `a N` N was acked · `d N` N was delivered. Of every other one what
 * became of it is kept: see {@link isKept}.
 */
import { openSync, writeSync } from 'node:fs'
import { NodeFsAdapter } from '../../adapters/fs/index.ts'
import { type SendOptions, Queue } from '../../src/index.ts'
import { isKept } from './ledger.ts'

const [directory = '', log = '', durability = 'fsync', generation = '0'] = process.argv.slice(2)
const ledger = openSync(log, 'a')

const say = (lines: string[]): void => {
  if (lines.length > 0) writeSync(ledger, `${lines.join('\n')}\n`)
}

const queue = new Queue<number>('crash', {
  storage: new NodeFsAdapter(directory, { durability: durability as 'fsync' | 'os' }),
})
const producer = queue.createProducer()
const consumer = queue.createConsumer('workers', {
  retry: { maxAttempts: 1_000_000, initialMs: 0 },
  lanes: { names: { 'lane-1': { concurrency: 20 } } },
})

let next = Number(generation) * 1_000_000

function optionsOf(n: number): SendOptions {
  return {
    ...(isKept(n) && { id: `id-${n}`, keepMs: 3_600_000 }),
    ...(n % 5 === 0 && { key: `key-${n % 3}` }),
    ...(n % 4 > 1 && { lane: `lane-${n % 4}` }),
  }
}

async function sendSingly(): Promise<never> {
  for (;;) {
    const n = next++
    await producer.send(n, optionsOf(n))
    say([`s ${n}`])
  }
}

async function sendBatches(): Promise<never> {
  for (;;) {
    const batch = Array.from({ length: 1 + (next % 40) }, () => next++)
    await producer.sendBatch(
      batch.map((payload) => ({
        payload,
        ...optionsOf(payload),
        ...(payload % 11 === 0 && { delayMs: 1 }),
      })),
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
    const [parked, retried] = [0, 1].map((part) => failed.filter(({ payload }) => payload % 2 === part))
    say(done.map(({ payload }) => `b ${payload}`))
    await Promise.all([
      ...done.map((message) => message.ack({ result: message.payload })),
      ...parked!.map((message) => message.park({ reason: 'a fix' })),
      consumer.nackBatch(retried!, { delayMs: 0 }),
    ])
    say(done.map(({ payload }) => `a ${payload}`))
  }
}

/** Holds a lane or the group now and then, and has parked messages go on. */
async function manage(): Promise<never> {
  for (let turn = 0; ; turn++) {
    const place = turn % 4 === 0 ? { group: 'workers' } : { lane: `lane-${2 + (turn % 2)}` }
    await queue.hold({ ...place, forMs: 5, probe: turn % 3 === 0 })
    const { messages } = await queue.list({ group: 'workers', state: 'parked', limit: 20 })
    await queue.resume(messages.map(({ id }) => id))
    await queue.release(place)
  }
}

process.stdout.write('ready\n')
await Promise.all([sendSingly(), sendSingly(), sendBatches(), work(), work(), manage()])
