import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { writePart } from '../../support/pages.ts'
import type { Results, Section } from './model.ts'
import { render, summary } from './render.ts'

const bench = new URL('..', import.meta.url)
/** The page that has the table of all races. */
export const PAGE = 'docs/speed.md'

export function readResults(): Results {
  try {
    return JSON.parse(readFileSync(new URL('results.json', bench), 'utf8')) as Results
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { sections: [] }
    throw error
  }
}

/** Puts sections that were run in the place of older ones of the same name, in the order of `names`. */
export function merge(before: Results, ran: readonly Section[], names: readonly string[]): Results {
  const newest = new Map([...before.sections, ...ran].map((section) => [section.name, section]))
  return { sections: names.flatMap((name) => newest.get(name) ?? []) }
}

/** Writes results.json, RESULTS.md, the plots and the table of the documentation. */
export function write(results: Results): void {
  const json = `${JSON.stringify(results, rounded, 1)}\n`
  writeFileSync(new URL('results.json', bench), json)
  const kept = JSON.parse(json) as Results
  rmSync(new URL('plots', bench), { recursive: true, force: true })
  mkdirSync(new URL('plots', bench), { recursive: true })
  for (const [path, text] of render(kept)) writeFileSync(new URL(path, bench), text)
  writePart(PAGE, 'bench', summary(kept))
}

/** Five digits are more than a measurement has. */
function rounded(_key: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(5)) : value
}
