import '../../../inspector/index.ts'
import { Queue } from '../../../src/index.ts'
import { MemoryAdapter } from '../../../src/records/memory.ts'

// A queue in the middle of an ordinary bad day, for the pictures of the documentation.

const MINUTE = 60_000
let now = Date.now() - 47 * MINUTE
const pass = (ms: number): void => void (now += ms)

const queue = new Queue('orders', { storage: new MemoryAdapter({ clock: { now: () => now } }) })
const producer = queue.createProducer()
const retry = { initialMs: 4 * MINUTE, maxMs: 10 * MINUTE }
const stock = queue.createConsumer('stock', { retry, leaseMs: MINUTE })
const mail = queue.createConsumer('mail', { retry, leaseMs: MINUTE })
await Promise.all([stock.join(), mail.join()])

const request = (method: string, path: string, body: unknown): unknown => ({
  method,
  url: `https://shop.example/api/${path}`,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
})
const order = (total: number, sku: string): { payload: unknown } => ({
  payload: request('POST', 'orders', { total, items: [{ sku, amount: 2 }], customer: 'customer-7' }),
})

await producer.sendBatch(Array.from({ length: 238 }, (_, i) => ({ payload: { order: i } })))
await stock.drain(() => undefined, { concurrency: 20 })
await mail.drain(() => undefined, { concurrency: 20 })

await producer.send(request('POST', 'refunds', { order: 1093, amount: 18.5 }))
for (const message of await stock.receiveBatch(1)) {
  await message.reject({ reason: 'HTTP 422: {"error":"order 1093 was refunded before"}' })
}
// Two more that died of the same as each other, one that somebody has to mend, and customers who have lanes of their own.
await producer.sendBatch([1101, 1102].map((id) => ({ payload: request('DELETE', `carts/${id}`, {}) })))
for (const message of await stock.receiveBatch(2))
  await message.reject({ reason: `HTTP 404: there is no cart ${message.timestamp % 1000}` })
await producer.send({ to: 'kelvin@example,com', template: 'shipped', order: 1098 }, { key: 'mail' })
for (const message of await stock.receiveBatch(1))
  await message.park({ reason: 'the address has a comma', data: { field: 'to' } })
await producer.sendBatch(
  ['tenant-ada', 'tenant-bob', 'tenant-bob'].map((lane) => ({ payload: { sync: lane }, lane })),
)
await queue.hold({
  group: 'stock',
  lane: 'tenant-bob',
  reason: 'complaints',
  forMs: 90 * MINUTE,
  probe: true,
})
for (const message of await stock.receiveBatch(1))
  await message.nack({ reason: 'HTTP 503: try later', delayMs: 60 * MINUTE })
pass(28 * MINUTE)
await producer.sendBatch([{ ...order(64, 'pot-iron'), maxAttempts: 5 }])
await producer.send(request('PUT', 'labels/1107', 'a label'))
for (const message of await stock.receiveBatch(2))
  await message.nack({ reason: 'HTTP 503: try later', delayMs: 1000 })
pass(12 * MINUTE)
await producer.send({ step: 'reserve', order: 1108 }, { key: 'order-1108' })
await producer.send({ step: 'pack', order: 1108 }, { key: 'order-1108' })
await producer.send({ step: 'ship', order: 1108 }, { key: 'order-1108' })
const tried = await stock.receiveBatch(10)
for (const message of tried) {
  await message.nack({
    reason: message.key ? 'the printer is out of labels' : 'HTTP 503: try later',
    delayMs: 9 * MINUTE,
  })
}
pass(6 * MINUTE)
await producer.sendBatch([order(12, 'cup-blue'), order(31.2, 'tea-sencha'), order(7.8, 'spoon')])
await producer.send('Weekly report', { delayMs: 50 * MINUTE })
await stock.receiveBatch(1)
await mail.drain(() => undefined, { deadline: Date.now() + 500 })
pass(40_000)
await producer.sendBatch([order(55, 'kettle'), order(9.9, 'cup-white')])
setInterval(() => pass(1000), 1000)

document.querySelector('quayside-inspector')!.queue = queue
