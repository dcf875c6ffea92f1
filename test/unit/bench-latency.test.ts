import { expect, test } from 'vitest'
import { differences, pauses, percentiles } from '../bench/latency/figures.ts'

const MEASURED = { name: 'it', role: 'quayside', durability: 'nothing' } as const

test('percentiles are of the messages after the first tenth, the warm-up', () => {
  const slowStart = Array.from({ length: 10 }, () => 1e6)
  const rest = Array.from({ length: 90 }, (_, i) => 90 - i)
  expect(percentiles(MEASURED, [...slowStart, ...rest])).toMatchObject({
    label: 'it',
    count: 90,
    p50: 45,
    p90: 81,
    p99: 90,
    max: 90,
  })
})

test('each message is compared with itself, in whatever order they were handled', () => {
  const heard = new Map([
    [2, 35],
    [0, 11],
    [1, 22],
  ])
  expect(differences([10, 20, 30], heard)).toEqual([1, 2, 5])
})

test('a message that was never handled is not left out of the figures', () => {
  expect(() => differences([10, 20], new Map([[0, 11]]))).toThrow('message 1 of 2 was never handled')
})

test('messages are sent about 100 a second, at times that differ', () => {
  const all = pauses(10_000)
  const mean = all.reduce((sum, pause) => sum + pause) / all.length
  expect(mean).toBeGreaterThan(9)
  expect(mean).toBeLessThan(11)
  expect(Math.max(...all)).toBeGreaterThan(30)
})
