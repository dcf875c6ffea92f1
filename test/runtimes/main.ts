// npm run test:runtimes [-- [--write] [WORD…]]
//
// Runs the conformance suite of the built package in every runtime, on every storage that can live there, and prints what
// came of it. With words, only where the name of the runtime or of the storage has one of them. --write puts the table
// into docs/storages.md.
import { parseArgs } from 'node:util'
import { closeShared } from '../browser/support/shared.ts'
import { absence, type Cell, runCell } from './cell.ts'
import { COLUMNS } from './columns.ts'
import { InstalledPackage } from './installed.ts'
import { note, ROWS } from './rows.ts'
import { Servers } from '../support/servers.ts'
import { disagreement, PAGE, table, write } from './table.ts'

const { values, positionals } = parseArgs({
  options: { write: { type: 'boolean', default: false } },
  allowPositionals: true,
})
const isWanted = (...names: readonly string[]): boolean =>
  positionals.length === 0 ||
  positionals.some((word) => names.some((name) => name.toLowerCase().includes(word.toLowerCase())))

const installed = InstalledPackage.install()
const servers = new Servers()
const cells: Cell[] = []
try {
  for (const row of ROWS) {
    for (const column of COLUMNS) {
      if (!isWanted(row.name, column.adapter)) continue
      const what = `${row.name.padEnd(26)} ${column.adapter.padEnd(15)}`
      const reason = absence(row, column)
      if (reason !== undefined) {
        console.log(`–     ${what} ${reason}`)
        continue
      }
      const cell = await runCell(installed, servers, row, column)
      cells.push(cell)
      const { passed, skipped, failures, seconds } = cell
      console.log(
        `${failures.length === 0 ? 'ok  ' : 'FAIL'}  ${what} ${String(passed).padStart(4)} passed, ${String(skipped.length).padStart(3)} skipped, ${failures.length} failed  ${seconds.toFixed(1).padStart(5)} s`,
      )
      for (const failure of failures) console.log(failure.replaceAll(/^/gm, '      '))
    }
  }
} finally {
  await closeShared()
  await servers.stop()
  installed.uninstall()
}

if (note !== undefined) console.log(`note: ${note}`)
console.log(`\n${table(cells)}`)
if (cells.length === 0 || cells.some(({ failures }) => failures.length > 0)) {
  process.exitCode = 1
} else if (positionals.length > 0) {
  if (values.write) throw new Error('--write needs all runtimes and storages: leave the words out')
} else if (values.write) {
  write(cells)
  console.log(`written to ${PAGE}`)
} else {
  const { said, seen } = disagreement(cells)
  if (said.length + seen.length > 0) {
    console.log(`${PAGE} says otherwise: npm run test:runtimes -- --write`)
    process.exitCode = 1
  }
}
