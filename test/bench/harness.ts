import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/**
 * Contestants take turns in one process: slice by slice, in an order that rotates, so that a noisy second hits them
 * alike. What counts is the median of the slices and the ratio of paired slices (same round), with their spread.
 */

/** One way of doing the work, set up anew for each slice. */
export interface Contestant {
  name: string
  /** `quayside` is what the goals are about, `peer` what they are measured against; `limit` and `part` are for orientation. */
  role: 'quayside' | 'peer' | 'limit' | 'part'
  setup(): Promise<Running> | Running
}

export interface Running {
  /** Does some of the work, at most a few milliseconds, and returns how many messages that was. */
  step(): Promise<number> | number
  /** Untimed. */
  close?(): unknown
}

export interface Options {
  /** Timed slices per contestant, after `warmups` that are not counted. */
  slices: number
  warmups: number
  sliceMs: number
  /** How many messages a long queue has. */
  many: number
}

export interface Result {
  name: string
  role: Contestant['role']
  /** Messages per second, one entry per round; all contestants of a run have the same number of rounds. */
  rates: number[]
}

setFlagsFromString('--expose-gc')
export const gc = runInNewContext('gc') as () => void

export async function compete(contestants: readonly Contestant[], options: Options): Promise<Result[]> {
  const results = contestants.map(({ name, role }): Result => ({ name, role, rates: [] }))
  for (let round = -options.warmups; round < options.slices; round++) {
    for (let turn = 0; turn < contestants.length; turn++) {
      const index = (turn + round + options.warmups) % contestants.length
      const contestant = contestants[index]!
      const running = await contestant.setup()
      gc()
      // A first step outside of the clock: connections, first pages, statements.
      await running.step()
      let done = 0
      const started = performance.now()
      let elapsed = 0
      while (elapsed < options.sliceMs) {
        done += await running.step()
        elapsed = performance.now() - started
      }
      await running.close?.()
      if (round >= 0) results[index]!.rates.push((done / elapsed) * 1000)
      progress(`${contestant.name}: round ${round + 1} of ${options.slices}`)
    }
  }
  progress('')
  return results
}

function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r${text.padEnd(78)}\r`)
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** Median, least and greatest ratio of the slices that ran in the same round. */
export function ratio(subject: Result, other: Result): { median: number; min: number; max: number } {
  const ratios = subject.rates.map((rate, round) => rate / other.rates[round]!)
  return { median: median(ratios), min: Math.min(...ratios), max: Math.max(...ratios) }
}

export interface Goal {
  text: string
  met: boolean | undefined
}

const goals: Goal[] = []

/** A goal of the form "at least `factor` times that contestant"; without a name, the fastest peer. */
export function atLeast(results: readonly Result[], factor: number, name?: string): void {
  const subject = results.find((result) => result.role === 'quayside')
  const others = results.filter((result) => (name ? result.name === name : result.role === 'peer'))
  const other = others.sort((a, b) => median(b.rates) - median(a.rates))[0]
  if (!other) throw new Error(`no contestant ${name}`)
  const text = `≥ ${factor} × ${name ? '' : 'the fastest peer, '}${other.name}`
  if (!subject) return goal(text, undefined, 'quayside did not run')
  const { median: middle, min, max } = ratio(subject, other)
  goal(text, middle >= factor, `${times(middle)} (${times(min)}–${times(max)})`)
}

export function atMost(what: string, value: number, limit: number, unit = ''): void {
  goal(`${what} ≤ ${amount(limit)}${unit}`, value <= limit, `${amount(value)}${unit}`)
}

function goal(text: string, met: boolean | undefined, value: string): void {
  goals.push({ text: `${section}: ${text}`, met })
  print(`- goal ${text}: **${met === undefined ? '–' : met ? 'met' : 'not met'}**, ${value}`)
}

let section = ''

export function heading(text: string): void {
  section = text
  print(`\n### ${text}\n`)
}

/** One row per contestant, fastest first; the last column compares quayside with it. */
export function printRates(results: readonly Result[]): void {
  const subject = results.find((result) => result.role === 'quayside')
  printTable(
    ['', 'role', 'messages/s', 'µs each', 'slices from–to', 'quayside is'],
    [...results]
      .sort((a, b) => median(b.rates) - median(a.rates))
      .map((result) => {
        const middle = median(result.rates)
        const compared = subject && subject !== result ? ratio(subject, result) : undefined
        return [
          result.name,
          result.role,
          amount(middle),
          (1e6 / middle).toPrecision(3),
          `${amount(Math.min(...result.rates))}–${amount(Math.max(...result.rates))}`,
          compared ? `${times(compared.median)} (${times(compared.min)}–${times(compared.max)})` : '',
        ]
      }),
  )
  print('')
}

export function printTable(head: readonly string[], rows: readonly (readonly string[])[]): void {
  const widths = head.map((cell, column) =>
    Math.max(cell.length, ...rows.map((row) => row[column]!.length), 3),
  )
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, i) => cell.padEnd(widths[i]!)).join(' | ')} |`
  print(line(head))
  print(`|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`)
  for (const row of rows) print(line(row))
}

/** All goals at the end; returns how many were not met. */
export function printGoals(): number {
  if (goals.length === 0) return 0
  print('\n### Goals\n')
  printTable(
    ['goal', ''],
    goals.map(({ text, met }) => [text, met === undefined ? '–' : met ? 'met' : 'NOT MET']),
  )
  return goals.filter(({ met }) => met === false).length
}

export function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

export function amount(value: number): string {
  if (value >= 1e6) return `${(value / 1e6).toFixed(2)} M`
  if (value >= 1e4) return `${(value / 1e3).toFixed(0)} k`
  if (value >= 1e3) return `${(value / 1e3).toFixed(1)} k`
  return String(Number(value.toPrecision(3)))
}

function times(value: number): string {
  return `${value.toPrecision(3)}×`
}
