import { expect, test } from 'vitest'
import { Queue } from '../../src/index.ts'

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
