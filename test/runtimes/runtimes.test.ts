import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { effort } from '../support/effort.ts'
import { absence, type Cell, runCell } from './cell.ts'
import { COLUMNS } from './columns.ts'
import { InstalledPackage } from './installed.ts'
import { note, ROWS } from './rows.ts'
import { Servers } from '../support/servers.ts'
import { disagreement, table } from './table.ts'

const cells: Cell[] = []
const servers = new Servers()
let installed: InstalledPackage

beforeAll(() => void (installed = InstalledPackage.install()))
afterAll(() => servers.stop())
afterAll(() => {
  installed.uninstall()
  console.log(`${table(cells)}\n${note ?? ''}`)
})

const pairs = ROWS.flatMap((row) =>
  COLUMNS.filter((column) => absence(row, column) === undefined).map((column) => ({
    title: `${column.adapter} in ${row.name}`,
    row,
    column,
  })),
)

/**
 * In `npm test` the core shows that the package loads, and has what it needs of its runtime: all cases run on the sources, for
 * each storage in one place.
 */
const SELECTION = effort<'all' | 'core'>({ quick: 'core', full: 'all' })

describe('the built package passes the conformance suite', () => {
  test.each(pairs)('with $title', { timeout: 600_000 }, async ({ row, column }) => {
    const cell = await runCell(installed, servers, row, column, SELECTION)
    cells.push(cell)
    expect(cell.failures.join('\n\n')).toBe('')
    expect(cell.passed).toBeGreaterThan(0)
  })

  test('as docs/storages.md says: else npm run test:runtimes -- --write', () => {
    expect(cells.length).toBe(pairs.length)
    expect(disagreement(cells)).toEqual({ said: [], seen: [] })
  })
})
