import { execFileSync } from 'node:child_process'
import { describe, expect, onTestFinished, test } from 'vitest'
import { type Consumer, type Producer, Queue } from '../../src/index.ts'

test('a run whose storage and handler answer at once lets timers fire', async () => {
  const queue = new Queue<number>('endless')
  const producer = queue.createProducer()
  await producer.send(0)
  const stop = new AbortController()
  // The runtime's own timer: without a turn of the event loop it never fires, and the run never ends.
  setTimeout(() => stop.abort(), 0)
  let handled = 0
  await queue.createConsumer().run(
    async ({ payload }) => {
      handled++
      if (handled > 1_000_000) stop.abort()
      await producer.send(payload + 1)
    },
    { signal: stop.signal },
  )
  expect(handled).toBeLessThan(1_000_000)
  await queue.close()
})

/** A timer that is due after 20 ms must have fired by then, however busy the machine is, in ms. */
const PATIENCE_MS = 5000

/** Does something over and over, which the storage answers at once, until a timer of the program has fired. */
async function timerFires(step: (isOver: () => boolean) => Promise<unknown>): Promise<boolean> {
  let fired = false
  const timer = setTimeout(() => (fired = true), 20)
  const giveUpAt = performance.now() + PATIENCE_MS
  const isOver = (): boolean => fired || performance.now() > giveUpAt
  while (!isOver()) await step(isOver)
  clearTimeout(timer)
  return fired
}

function setUp(): { readonly producer: Producer<number>; readonly consumer: Consumer<number> } {
  const queue = new Queue<number>('busy')
  onTestFinished(() => queue.close())
  return { producer: queue.createProducer(), consumer: queue.createConsumer('default', { leaseMs: 600_000 }) }
}

describe('timers fire while a program does nothing but', () => {
  test('receive where there is nothing', async () => {
    const { consumer } = setUp()
    expect(await timerFires(() => consumer.receive())).toBe(true)
    expect(await timerFires(() => consumer.receiveBatch(10))).toBe(true)
  })

  test('send', async () => {
    const { producer } = setUp()
    expect(await timerFires(() => producer.send(1))).toBe(true)
    expect(await timerFires(() => producer.sendBatch([{ payload: 1 }, { payload: 2 }]))).toBe(true)
  })

  test('send, receive and ack', async () => {
    const { producer, consumer } = setUp()
    const fires = await timerFires(async () => {
      await producer.send(1)
      await (await consumer.receive())!.ack()
    })
    expect(fires).toBe(true)
  })

  test('settle one message', async () => {
    const { producer, consumer } = setUp()
    await producer.send(1)
    const message = (await consumer.receive())!
    expect(await timerFires(() => message.extend(600_000))).toBe(true)
    await message.ack()
    expect(await timerFires(() => message.ack().catch(() => undefined))).toBe(true)
  })

  test('go through messages', async () => {
    const { producer, consumer } = setUp()
    const fires = await timerFires(async (isOver) => {
      await producer.send(1)
      for await (const message of consumer) {
        await producer.send(message.payload)
        await message.ack()
        if (isOver()) break
      }
    })
    expect(fires).toBe(true)
  })

  test('drain', async () => {
    const { producer, consumer } = setUp()
    const fires = await timerFires(async () => {
      await producer.send(1)
      await consumer.drain(() => {})
    })
    expect(fires).toBe(true)
  })
})

test('a time limit on receive is kept while others are busy', async () => {
  const { producer, consumer } = setUp()
  const over = new AbortController()
  const send = async (): Promise<void> => {
    while (!over.signal.aborted) await producer.send(1, { delayMs: 3_600_000 })
  }
  const busy = send()
  const startedAt = performance.now()
  const reason: unknown = await consumer
    .receive({ waitMs: 600_000, signal: AbortSignal.timeout(50) })
    .catch((error: unknown) => error)
  over.abort()
  await busy
  expect(reason).toMatchObject({ name: 'TimeoutError' })
  expect(performance.now() - startedAt).toBeLessThan(PATIENCE_MS)
})

test('a turn of the event loop has Node load nothing', () => {
  const clock = JSON.stringify(new URL('../../src/clock.ts', import.meta.url))
  const code = `
    const { nextTurn } = await import(${clock})
    const before = process.moduleLoadList.length
    await nextTurn()
    console.log(process.moduleLoadList.slice(before).join())`
  const loaded = execFileSync(process.execPath, ['--input-type=module', '-e', code], { encoding: 'utf8' })
  expect(loaded).toBe('\n')
})
