import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { basename } from 'node:path'
import { expect, test } from 'vitest'
import { COLUMNS } from '../runtimes/columns.ts'

const root = new URL('../../', import.meta.url)

/** What is in `adapters/`: a file or a folder each. */
const adapters = readdirSync(new URL('adapters', root)).map((name) => basename(name, '.ts'))

test.for(adapters)('the adapter %s runs the conformance suite and random histories', (name) => {
  const file = new URL(`test/conformance/${name}.test.ts`, root)
  const text = existsSync(file) ? readFileSync(file, 'utf8') : ''
  expect(text).toMatch(/^ *registerConformance(In)?\(/m)
  expect(text).toMatch(/^ *registerHistories(In)?\(/m)
})

test.for(adapters)('the adapter %s is a column of the table of runtimes', (name) => {
  expect(COLUMNS.map(({ adapter }) => adapter)).toContain(name)
})
