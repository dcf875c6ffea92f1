import { readFileSync } from 'node:fs'
import { lineId } from './lines.ts'

/** What a file of records says about the lines that were sent. */
export interface Tally {
  /** Lines that are in it, as they were. */
  readonly found: number
  /** Lines that are in it more than once. */
  readonly repeated: number
  /** Ids of lines that are not in it. */
  readonly missing: readonly string[]
  /** Ids of records that say something else than their line. */
  readonly altered: readonly string[]
  /** Ids of records that nobody sent. */
  readonly strange: readonly string[]
}

/** Compares every line with what a file of records has. */
export function tally(lines: readonly string[], file: string): Tally {
  const sent = new Map(lines.map((text, index) => [lineId(index), text]))
  const times = new Map<string, number>()
  const altered: string[] = []
  const strange: string[] = []
  for (const record of readFileSync(file, 'utf8').split('\n').slice(0, -1)) {
    const tab = record.indexOf('\t')
    const id = record.slice(0, tab)
    const text = sent.get(id)
    if (text === undefined) strange.push(id)
    else if (text !== record.slice(tab + 1)) altered.push(id)
    else times.set(id, (times.get(id) ?? 0) + 1)
  }
  const missing = [...sent.keys()].filter((id) => !times.has(id))
  const repeated = [...times.values()].filter((count) => count > 1).length
  return { found: times.size, repeated, missing, altered, strange }
}
