// What is remembered of rows is what they are, whatever was read and written in whatever order.
import { expect, test } from 'vitest'
import { type Event, Memory } from '../../adapters/postgres/memory.ts'
import { luck } from '../support/luck.ts'

const KEYS = 40
const keyOf = (n: number): string => (0x10_00 + n * 16).toString(16)
const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, 'hex'))

test('what it knows is what is there, and what it has forgotten it does not know', () => {
  const random = luck()
  const up = (to: number): number => Math.floor(random() * to)
  let recalled = 0
  for (let history = 0; history < 200; history++) {
    const rows = new Map<string, Uint8Array>()
    const memory = new Memory()
    memory.found('00')
    const within = (from: string, to: string, limit: number): [string, Uint8Array][] =>
      [...rows]
        .filter(([key]) => key >= from && key < to)
        .toSorted(([a], [b]) => (a < b ? -1 : 1))
        .slice(0, limit)
    const stretch = (): [string, string] => {
      const [a, b] = [up(KEYS), up(KEYS)]
      return [keyOf(Math.min(a, b)), keyOf(Math.max(a, b) + 1)]
    }
    for (let step = 0; step < 60; step++) {
      const events: Event[] = []
      for (let i = up(4); i > 0; i--) {
        const key = keyOf(up(KEYS))
        const [from, to] = stretch()
        const kind = up(4)
        if (kind === 0) {
          const value = Uint8Array.of(up(256), step)
          rows.set(key, value)
          events.push({ kind: 'put', key, value })
        } else if (kind === 1) {
          rows.delete(key)
          events.push({ kind: 'delete', key })
        } else if (kind === 2 && up(3) === 0) {
          for (const [one] of within(from, to, Infinity)) rows.delete(one)
          events.push({ kind: 'cut', from, to })
        } else {
          const found = within(from, to, Infinity)
          events.push({ kind: 'read', from, to, rows: found.map(([hex, value]) => [bytes(hex), value]) })
        }
      }
      memory.committed(events, `${step}`)
      if (up(40) === 0) memory.found('of somebody else')
      const key = keyOf(up(KEYS))
      const one = memory.get(key)
      expect(one === undefined ? rows.get(key) : one.value).toEqual(rows.get(key))
      const [from, to] = stretch()
      const limit = 1 + up(5)
      const some = memory.scan(from, to, limit)
      if (some === undefined) continue
      recalled++
      expect(some.map(([hex, value]) => [Buffer.from(hex).toString('hex'), value])).toEqual(
        within(from, to, limit),
      )
    }
  }
  expect(recalled).toBeGreaterThan(1000)
})

test('it is believed that nobody else writes once that was seen, and less readily each time it was wrong', () => {
  const memory = new Memory()
  const steps = (): number => {
    let count = 0
    for (; !memory.isLikely; count++) {
      memory.found(`${count}`)
      memory.committed([], `${count + 1}`)
    }
    return count
  }
  expect(steps()).toBe(2)
  memory.guessed(false)
  const second = steps()
  memory.guessed(false)
  expect(steps()).toBeGreaterThan(second)
})

test('it does not grow with what was written', () => {
  const memory = new Memory()
  memory.found('00')
  const value = new Uint8Array(1024 * 1024)
  for (let n = 0; n < 10; n++) memory.committed([{ kind: 'put', key: keyOf(n), value }], `${n}`)
  expect(
    Array.from({ length: 10 }, (_, n) => memory.get(keyOf(n))).filter((one) => one !== undefined).length,
  ).toBeLessThan(6)
})
