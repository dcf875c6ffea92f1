import { markdown, verdict } from './report/markdown.ts'
import type { Block, Chart, Part, Result, Section, Versus } from './report/model.ts'
import { amount, median, ratioOf, times } from './report/numbers.ts'

/**
 * What sections call to say what they found. It is printed at once and kept for the report, as the same data.
 */

const sections: Section[] = []

/** What is recorded from now on belongs to this section. */
export function startSection(name: string, title: string): Section {
  const section: Section = { name, title, parts: [] }
  sections.push(section)
  return section
}

function part(): Part {
  const section = sections.at(-1) ?? startSection('alone', 'Alone')
  if (section.parts.length === 0) section.parts.push({ title: section.title, blocks: [] })
  return section.parts.at(-1)!
}

function record(block: Block): void {
  part().blocks.push(block)
  for (const line of markdown(block)) out(line)
}

function out(line: string): void {
  process.stdout.write(`${line}\n`)
}

export function heading(text: string): void {
  if (sections.length === 0) startSection('alone', 'Alone')
  sections.at(-1)!.parts.push({ title: text, blocks: [] })
  out(`\n### ${text}\n`)
}

/** A sentence or a list item. An empty one keeps what follows apart from what was before. */
export function print(text: string): void {
  if (text.trim() === '') out('')
  else record({ kind: 'text', text: text.trim() })
}

export function printTable(head: readonly string[], rows: readonly (readonly string[])[]): void {
  record({ kind: 'table', head, rows })
}

/**
 * One row per contestant, fastest first, with how quayside compares. `reasons` says, by name, why a contestant can be
 * faster than quayside; it is shown only where it was.
 */
export function printRates(results: readonly Result[], reasons: Readonly<Record<string, string>> = {}): void {
  record({ kind: 'rates', results, reasons })
}

/** A plot, in a file of that name. */
export function plot(name: string, chart: Chart): void {
  record({ kind: 'chart', name, chart })
}

/** For the overview: a comparison that is not a race. */
export function versus(versus: Versus): void {
  record({ kind: 'versus', versus })
}

/** A goal of the form "at least `factor` times that contestant"; without a name, the fastest peer. */
export function atLeast(results: readonly Result[], factor: number, name?: string): void {
  const subject = results.find((result) => result.role === 'quayside')
  const others = results.filter((result) => (name ? result.name === name : result.role === 'peer'))
  const other = others.sort((a, b) => median(b.rates) - median(a.rates))[0]
  if (!other) throw new Error(`no contestant ${name}`)
  const text = `≥ ${factor} × ${name ? '' : 'the fastest peer, '}${other.name}`
  if (!subject) return record({ kind: 'goal', text, met: undefined, value: 'quayside did not run' })
  const { median: middle, min, max } = ratioOf(subject.rates, other.rates)
  const value = `${times(middle)} (${times(min)}–${times(max)})`
  record({ kind: 'goal', text, met: middle >= factor, value })
}

export function atMost(what: string, value: number, limit: number, unit = ''): void {
  const text = `${what} ≤ ${amount(limit)}${unit}`
  record({ kind: 'goal', text, met: value <= limit, value: `${amount(value)}${unit}` })
}

/** All goals at the end; returns how many were not met. */
export function printGoals(): number {
  const goals = sections.flatMap(({ parts }) =>
    parts.flatMap(({ title, blocks }) =>
      blocks.flatMap((block) => (block.kind === 'goal' ? [{ title, ...block }] : [])),
    ),
  )
  if (goals.length === 0) return 0
  out('\n### Goals\n')
  const head = ['goal', '']
  const rows = goals.map(({ title, text, met }) => [
    `${title}: ${text}`,
    met === false ? 'NOT MET' : verdict(met),
  ])
  for (const line of markdown({ kind: 'table', head, rows })) out(line)
  return goals.filter(({ met }) => met === false).length
}
