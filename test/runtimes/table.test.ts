import { expect, test } from 'vitest'
import type { Cell } from './cell.ts'
import { disagreement, table } from './table.ts'

const cell = (runtime: string, version: string, more: Partial<Cell> = {}): Cell => ({
  runtime,
  version,
  adapter: 'memory',
  passed: 310,
  skipped: [],
  failures: [],
  seconds: 1,
  ...more,
})
const cells = [cell('Node 20', '20.20.2'), cell('Node 24', '24.21.0'), cell('Bun', '1.4.5')]
const said = table(cells)

test('versions and numbers of cases may change, and so may the Node that a machine has besides', () => {
  const later = [cell('Node 26', '26.1.0'), cells[1]!, cell('Bun', '1.5.0', { passed: 311 })]
  expect(disagreement(later, said)).toEqual({ said: [], seen: [] })
  expect(disagreement(cells.slice(1), said)).toEqual({ said: [], seen: [] })
})

test.each([
  ['a failure', [cell('Bun', '1.4.5', { failures: ['it broke'] })]],
  ['a case that is skipped', [cell('Bun', '1.4.5', { skipped: [{ name: 'a case', skip: 'no order' }] })]],
  ['a runtime that is not told of', [cells[2]!, cell('Deno', '2.9.6')]],
  ['a runtime that was not seen', []],
])('%s is seen', (_, others) => {
  const { said: onlySaid, seen } = disagreement([cells[0]!, cells[1]!, ...others], said)
  expect(onlySaid.length + seen.length).toBeGreaterThan(0)
})
