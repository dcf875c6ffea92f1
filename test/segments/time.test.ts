import { expect, test } from 'vitest'
import { type GroupRow, NEW_QUEUE } from '../../src/segments/rows.ts'
import { tick } from '../../src/segments/time.ts'

const HOUR = 3_600_000

test('time follows the clock forward', () => {
  const queue = { ...NEW_QUEUE, latest: 1000 }
  expect(tick(5000, queue)).toBe(5000)
  expect(queue.skew).toBe(0)
})

test('a clock that is set back goes on from where it was', () => {
  const queue = { ...NEW_QUEUE, latest: 10 * HOUR }
  expect(tick(9 * HOUR, queue)).toBe(10 * HOUR)
  expect(tick(9 * HOUR + 5, queue)).toBe(10 * HOUR + 5)
  expect(queue.skew).toBe(HOUR)
})

test('what a group saw last counts too', () => {
  const queue = { ...NEW_QUEUE, latest: HOUR }
  expect(tick(2 * HOUR, queue, { latest: 3 * HOUR } as GroupRow)).toBe(3 * HOUR)
})

test('clocks that differ by some ms do not make time run fast', () => {
  const queue = { ...NEW_QUEUE, latest: 0 }
  for (let now = 1000; now < 2000; now++) {
    queue.latest = Math.max(queue.latest, tick(now + 100, queue), tick(now, queue))
  }
  expect(queue.skew).toBe(0)
})
