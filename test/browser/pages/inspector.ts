import '../../../inspector/index.ts'
import type { QuaysideInspector } from '../../../inspector/index.ts'
import { MemoryAdapter } from '../../../src/records/memory.ts'
import { Queue } from '../../../src/index.ts'
import { drainSchedules, schedule } from '../../../src/schedule/index.ts'

/** What the tests of the inspector use in the page. */
export interface InspectorPage {
  readonly queue: Queue
  readonly inspector: QuaysideInspector
  /** Fills the queue with a bit of everything, in the groups `default` and `audit`. */
  fill(): Promise<void>
  /** Parks two messages in the group `default`. */
  park(): Promise<void>
  /** Finishes a message there whose result is kept. */
  finish(): Promise<void>
  /** The queue of two schedules. */
  schedules(): Promise<Queue>
}

/** Reads of the queue so far, to see that the inspector rests. */
let reads = 0

const storage = new MemoryAdapter()

class CountingQueue extends Queue {
  override stats(): ReturnType<Queue['stats']> {
    reads++
    return super.stats()
  }
}

const queue = new CountingQueue('harbour', { storage })
const inspector = document.createElement('quayside-inspector')
document.querySelector('main')!.append(inspector)

const hostile = '<img src=x onerror="globalThis.stolen = true"><script>globalThis.stolen = true</script>'

async function fill(): Promise<void> {
  const producer = queue.createProducer()
  const retry = { initialMs: 600_000, maxMs: 600_000 }
  const main = queue.createConsumer('default', { retry })
  const audit = queue.createConsumer('audit')
  await Promise.all([main.join(), audit.join()])
  const request = { method: 'POST', url: new URL('/orders', location.href).href, headers: {} }
  const messages = [
    {
      id: 'dead',
      payload: new TextEncoder().encode(
        `${JSON.stringify({ ...request, url: 'https://shop.example/refunds?page=2' })}\n\0\u0001`,
      ),
    },
    { id: 'delayed', payload: { ...request, body: '{"total":42}' } },
    { id: 'leased', payload: new Uint8Array(2048) },
    { id: 'head', payload: { step: 1 }, key: 'customer-7', maxAttempts: 5 },
    { id: 'blocked', payload: { step: 2 }, key: 'customer-7' },
    { id: 'hostile', payload: hostile },
    { id: 'ready', payload: { text: 'a plain message' } },
    { id: 'later', payload: 'sent with a delay', delayMs: 3_600_000 },
  ]
  await producer.sendBatch(messages)
  const [dead, delayed, , head] = await main.receiveBatch(4)
  await dead!.reject({ reason: 'HTTP 422: the order has no address' })
  await delayed!.nack({ reason: 'HTTP 503 Service Unavailable' })
  await head!.nack({ reason: 'the printer was busy', delayMs: 90_000 })
  // The claim that leases what is still ready passes the one behind its key.
  const rest = await main.receiveBatch(10)
  await main.nackBatch(rest, { delayMs: 0, reason: 'given back' })
  await audit.drain(() => undefined)
}

async function park(): Promise<void> {
  const consumer = queue.createConsumer('default', { only: 'mail' })
  for (const to of ['nobody', 'ada']) {
    await queue.createProducer().send({ to }, { lane: 'mail' })
    const message = await consumer.receive()
    await message!.park({ reason: `no such address: ${to}`, data: { field: 'to' } })
  }
}

async function finish(): Promise<void> {
  await queue.createProducer().send({ to: 'ada' }, { id: 'kept-1', lane: 'mail', keepMs: 3_600_000 })
  const consumer = queue.createConsumer('default', { only: 'mail' })
  await consumer.ack((await consumer.receive())!, { result: { sent: true } })
}

async function schedules(): Promise<Queue> {
  await schedule(queue, 'tidy', { cron: '0 3 * * *' }, { payload: 'tidy up' })
  await schedule(queue, 'beat', { everyMs: 3_600_000 }, { payload: 'beat' })
  await drainSchedules(queue)
  return new Queue('harbour.schedules', { storage })
}

Object.assign(globalThis, {
  page: { queue, inspector, fill, park, finish, schedules } satisfies InspectorPage,
  readsSoFar: () => reads,
})
