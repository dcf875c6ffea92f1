import { expect, test } from 'vitest'
import { MemoryAdapter } from '../../adapters/memory.ts'
import { Queue } from '../../src/index.ts'
import type { OutboxPayload } from '../../src/outbox/index.ts'
import { until } from '../../src/outbox/until.ts'
import { ManualClock } from '../../src/testing/index.ts'
import { settle } from '../support/settle.ts'

test('who waits for a busy queue looks half of the time at most, and at once in one that is not', async () => {
  const clock = new ManualClock()
  const queue = new Queue<OutboxPayload>('q', { storage: new MemoryAdapter({ clock }), clock })
  let lookMs = 100
  let looks = 0
  let isSo = false
  const controller = new AbortController()
  const look = (): Promise<boolean> => {
    looks++
    clock.jump(lookMs)
    return Promise.resolve(isSo)
  }
  const waiting = until(queue, clock, look, controller.signal)
  const hint = async (): Promise<void> => {
    await queue.createProducer().send({ method: 'GET', url: 'https://app.example', headers: {} })
    await settle()
  }
  await settle()
  expect(looks).toBe(1)
  await hint()
  await hint()
  expect(looks).toBe(1)
  lookMs = 0
  await clock.advance(100)
  await settle()
  expect(looks).toBe(2)
  isSo = true
  await hint()
  expect(looks).toBe(3)
  await waiting
  await queue.close()
})
