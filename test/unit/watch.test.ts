import { expect, test } from 'vitest'
import { Queue } from '../../src/index.ts'
import { settle } from '../support/settle.ts'
import { defer, setUp } from '../support/set-up.ts'

test('watch calls the listener when anything changed', async () => {
  const { queue, producer, consumer } = setUp()
  let calls = 0
  queue.watch(() => calls++)
  await settle()
  const changed = async (work: () => Promise<unknown>): Promise<boolean> => {
    const before = calls
    await work()
    await settle()
    return calls > before
  }
  expect(await changed(() => producer.send('x'))).toBe(true)
  let message = await consumer.receive()
  expect(await changed(() => message!.nack({ delayMs: 0 }))).toBe(true)
  expect(await changed(async () => (message = await consumer.receive()))).toBe(true)
  expect(await changed(() => message!.extend(5))).toBe(true)
  expect(await changed(() => message!.reject())).toBe(true)
  expect(await changed(() => queue.deadLetters().redrive())).toBe(true)
  expect(await changed(() => queue.cancel([message!.id]))).toBe(true)
  expect(await changed(() => producer.send('y', { delayMs: 1000 }))).toBe(true)
  expect(await changed(() => queue.purge())).toBe(true)
  expect(await changed(() => queue.deleteGroup('default'))).toBe(true)
})

test('a watch of a queue that could not be opened begins when it can', async () => {
  const { storage, queue, producer } = setUp()
  storage.fail(new Error('no disk'), 'open')
  let calls = 0
  queue.watch(() => calls++)
  await settle()
  await expect(producer.send('x')).rejects.toThrow('no disk')
  storage.work()
  await producer.send('x')
  await producer.send('y')
  await settle()
  expect(calls).toBeGreaterThan(0)
})

test('looking changes nothing', async () => {
  const { queue, producer, consumer } = setUp()
  await producer.send('x')
  await (await consumer.receive())!.reject()
  let calls = 0
  queue.watch(() => calls++)
  await settle()
  await queue.stats()
  await queue.list()
  await queue.list({ state: 'dead' })
  await queue.deadLetters().list()
  await queue.cancel(['unknown'])
  await consumer.receive()
  await settle()
  expect(calls).toBe(0)
})

test('changes by another queue object on the same storage are seen, those of another queue are not', async () => {
  const { storage, clock, queue } = setUp()
  const [same, other] = [new Queue('orders', { storage, clock }), new Queue('other', { storage, clock })]
  let calls = 0
  queue.watch(() => calls++)
  await settle()
  await other.createProducer().send('x')
  await settle()
  expect(calls).toBe(0)
  await same.createProducer().send('x')
  await settle()
  expect(calls).toBeGreaterThan(0)
  await same.close()
  await other.close()
})

test('the function it answers with stops it, at any time and more than once', async () => {
  const { storage, queue, producer } = setUp()
  let calls = 0
  const stopAtOnce = queue.watch(() => calls++)
  stopAtOnce()
  const stop = queue.watch(() => calls++)
  await settle()
  expect(storage.listeners).toBe(1)
  stop()
  stop()
  stopAtOnce()
  expect(storage.listeners).toBe(0)
  await producer.send('x')
  await settle()
  expect(calls).toBe(0)
})

test('several watch at once, the same listener too', async () => {
  const { storage, queue, producer } = setUp()
  const calls: string[] = []
  const listener = (): void => void calls.push('a')
  const stop = queue.watch(listener)
  queue.watch(listener)
  queue.watch(() => calls.push('b'))
  await settle()
  await producer.send('x')
  await settle()
  expect(calls.toSorted((a, b) => a.localeCompare(b))).toEqual(['a', 'a', 'b'])
  // They share one watch of the storage.
  expect(storage.listeners).toBe(1)
  stop()
  expect(storage.listeners).toBe(1)
})

test('closing the queue stops it', async () => {
  const { storage, clock, queue } = setUp()
  let calls = 0
  const stop = queue.watch(() => calls++)
  await settle()
  await queue.close()
  expect(storage.listeners).toBe(0)
  const other = new Queue('orders', { storage, clock })
  await other.createProducer().send('x')
  await settle()
  expect(calls).toBe(0)
  stop()
  await other.close()
})

test('closing the queue while it is being opened leaves no listener behind', async () => {
  const { storage, queue } = setUp()
  const gate = defer()
  storage.before = ({ verb }) => (verb === 'open' ? gate.promise : undefined)
  queue.watch(() => undefined)
  const closing = queue.close()
  gate.resolve()
  await closing
  await settle()
  expect(storage.listeners).toBe(0)
})

test('where the storage cannot watch it is never called, and nothing breaks', async () => {
  const { queue, producer } = setUp({ watch: false })
  let calls = 0
  const stop = queue.watch(() => calls++)
  await producer.send('x')
  await settle()
  expect(calls).toBe(0)
  stop()
})

test('where the storage cannot be opened it is silent: the verbs say so', async () => {
  const { storage, queue, producer } = setUp()
  storage.fail(new Error('no such disk'), 'open')
  const stop = queue.watch(() => undefined)
  await settle()
  stop()
  storage.work()
  expect(await producer.send('x')).toMatchObject({ status: 'stored' })
})
