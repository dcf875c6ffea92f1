import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { NOT_LOADED, Rows } from '../../adapters/fs/rows.ts'

/** Rows of 10 bytes each. */
function add(rows: Rows, count: number): number[] {
  return Array.from({ length: count }, (_, i) => {
    const row = rows.add(7, i * 10, 10, NOT_LOADED)
    rows.cache(row, `value ${i}`)
    return row
  })
}

const loaded = (rows: Rows, all: readonly number[]): boolean[] =>
  all.map((row) => rows.value(row) !== NOT_LOADED)

test('values stay in memory as long as there is room, the ones used last the longest', () => {
  const rows = new Rows(40)
  const [a, b, c, d] = add(rows, 4) as [number, number, number, number]
  rows.touch(a)
  const [e, f] = add(rows, 2) as [number, number]
  expect(loaded(rows, [a, b, c, d, e, f])).toEqual([true, false, false, true, true, true])
})

test('values that are kept for good take no room, and stay', () => {
  const rows = new Rows(25)
  const kept = rows.add(7, 0, 1000, NOT_LOADED)
  rows.keep(kept, undefined)
  const all = add(rows, 5)
  expect(rows.value(kept)).toBeUndefined()
  expect(loaded(rows, all)).toEqual([false, false, false, true, true])
})

test('removed rows give back their room and their number', () => {
  const rows = new Rows(50)
  for (let round = 0; round < 1000; round++) {
    const all = add(rows, 5)
    expect(loaded(rows, all)).toEqual([true, true, true, true, true])
    expect(Math.max(...all)).toBeLessThan(6)
    for (const row of all) rows.remove(row)
  }
})

test('a million rows come and go', () => {
  const rows = new Rows(1000)
  const all = add(rows, 1_000_000)
  const left = loaded(rows, all)
  expect(left.filter(Boolean).length).toBeGreaterThan(80)
  expect(left.slice(0, -100)).not.toContain(true)
  expect(rows.file(all[123_456]!)).toBe(7)
  expect(rows.offset(all[123_456]!)).toBe(1_234_560)
  expect(rows.length(all[123_456]!)).toBe(10)
  let count = 0
  for (const row of all.slice(0, 10)) rows.remove(row)
  rows.forEach(() => count++)
  expect(count).toBe(999_990)
})

test('nothing is left of rows that came and went while there was room', () => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const rows = new Rows(1000)
  const heap = (): number => {
    collect()
    return process.memoryUsage().heapUsed
  }
  const comeAndGo = (times: number): void => {
    for (let i = 0; i < times; i++) {
      const all = add(rows, 5)
      rows.touch(all[0]!)
      for (const row of all) rows.remove(row)
    }
  }
  comeAndGo(100)
  const before = heap()
  comeAndGo(20_000)
  expect(heap() - before).toBeLessThan(1_000_000)
})

test('a row that comes and goes costs the same whatever else is in memory', () => {
  const spent = [10, 60_000].map((others) => {
    const rows = new Rows(1e9)
    add(rows, others)
    const { user, system } = process.cpuUsage()
    for (let i = 0; i < 60_000; i++) {
      const [row] = add(rows, 1) as [number]
      rows.touch(row)
      rows.remove(row)
    }
    const since = process.cpuUsage({ user, system })
    return since.user + since.system
  })
  expect(spent[1]! / spent[0]!).toBeLessThan(20)
})
