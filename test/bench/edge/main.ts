// npm run bench:edge: what the edge costs, counted in workerd, printed and written into the README between its markers.
import { readFileSync, writeFileSync } from 'node:fs'
import { durableObjects } from './durable-object.ts'
import { kv } from './kv.ts'

export interface Check {
  readonly name: string
  readonly value: number
  /** The goal: no more than this. */
  readonly most: number
}

/** A table for the README, between `<!-- bench:edge:name -->` and `<!-- /bench:edge:name -->`. */
export interface Section {
  readonly name: string
  readonly table: readonly string[]
  readonly checks: readonly Check[]
}

const SECTIONS: readonly (() => Promise<Section>)[] = [kv, durableObjects]

const file = new URL('../../../README.md', import.meta.url)
for (const run of SECTIONS) {
  const { name, table, checks } = await run()
  console.log(table.join('\n'))
  for (const { name: what, value, most } of checks) {
    const isMet = value <= most
    if (!isMet) process.exitCode = 1
    console.log(`${isMet ? 'ok  ' : 'MISS'}  ${what}: ${value.toFixed(3)}, the goal is ${most}`)
  }
  writeBetween(name, table.join('\n'))
}

function writeBetween(name: string, text: string): void {
  const readme = readFileSync(file, 'utf8')
  const [begin, end] = [`<!-- bench:edge:${name} -->`, `<!-- /bench:edge:${name} -->`]
  const from = readme.indexOf(begin)
  const to = readme.indexOf(end)
  if (from < 0 || to < from) throw new Error(`the README has no ${begin} … ${end}`)
  writeFileSync(file, `${readme.slice(0, from + begin.length)}\n${text}\n${readme.slice(to)}`)
}
