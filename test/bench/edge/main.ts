// npm run bench:edge: what the edge costs, counted in workerd, printed and written into the pages of the two storages.
import { writePart } from '../../support/pages.ts'
import { durableObjects } from './durable-object.ts'
import { kv } from './kv.ts'

export interface Check {
  readonly name: string
  readonly value: number
  /** The goal: no more than this. */
  readonly most: number
}

/** A table for a page of the documentation, between `<!-- bench:edge -->` and `<!-- /bench:edge -->`. */
export interface Section {
  /** The page that has the table. */
  readonly page: string
  readonly table: readonly string[]
  readonly checks: readonly Check[]
}

const SECTIONS: readonly (() => Promise<Section>)[] = [kv, durableObjects]

for (const run of SECTIONS) {
  const { page, table, checks } = await run()
  console.log(table.join('\n'))
  for (const { name: what, value, most } of checks) {
    const isMet = value <= most
    if (!isMet) process.exitCode = 1
    console.log(`${isMet ? 'ok  ' : 'MISS'}  ${what}: ${value.toFixed(3)}, the goal is ${most}`)
  }
  writePart(page, 'bench:edge', `${table.join('\n')}\n`)
}
