import { drawBars } from './bars.ts'
import { drawLines } from './lines.ts'
import { markdown, table, verdict } from './markdown.ts'
import type { Block, Chart, Conditions, Results } from './model.ts'
import { times } from './numbers.ts'
import { NOISE, comparisons, drawOverview, inUnit, standing } from './overview.ts'
import { races } from './races.ts'
import { drawSpans } from './spans.ts'

/** The report as files, by their path from test/bench: RESULTS.md and its plots. */
export function render(results: Results): Map<string, string> {
  const files = new Map<string, string>()
  const plot = (name: string, svg: string, alt: string): string[] => {
    files.set(`plots/${name}.svg`, svg)
    return [`![${alt}](plots/${name}.svg)`, '']
  }
  const all = comparisons(results)
  const lines = [
    '# Benchmark results',
    '',
    'Written by `npm run bench`. Do not edit: the figures are in [results.json](results.json), and',
    '`npm run bench -- --render` writes this page from them.',
    '',
    ...conditions(results),
    '',
    '## In one look',
    '',
    ...(all.length > 0
      ? plot('overview', drawOverview(all), 'Quayside against the best peer, each race')
      : []),
    ...overview(results),
    ...HOW_TO_READ,
    ...goals(results),
  ]
  for (const section of results.sections) {
    lines.push(`## ${section.title}`, '')
    if (section.failed !== undefined) lines.push(`Did not run: ${section.failed}`, '')
    const bars = races(section)
    if (bars) lines.push(...plot(section.name, drawBars(bars), `Races: ${section.title}`))
    for (const { title, blocks } of section.parts) {
      lines.push(`### ${title}`, '')
      for (const block of blocks) {
        if (block.kind === 'chart') lines.push(...plot(block.name, draw(block.chart), block.chart.title))
        else lines.push(...markdown(block))
      }
      if (lines.at(-1) !== '') lines.push('')
    }
  }
  files.set('RESULTS.md', `${lines.join('\n').trimEnd()}\n`)
  return files
}

/** What the documentation has of it, between its markers. */
export function summary(results: Results): string {
  const where = results.sections.find(({ conditions }) => conditions)?.conditions
  return [
    '',
    '![Quayside against the best peer, each race](../test/bench/plots/overview.svg)',
    '',
    ...headlines(results),
    ...(where ? ['', `${machine(where)}, ${where.date}.`] : []),
    '',
  ].join('\n')
}

function draw(chart: Chart): string {
  if (chart.kind === 'bars') return drawBars(chart)
  return chart.kind === 'lines' ? drawLines(chart) : drawSpans(chart)
}

function headlines(results: Results): string[] {
  return table(
    ['', 'quayside', 'best peer', 'quayside is'],
    comparisons(results).map((versus) => [
      versus.what,
      inUnit(versus.ours, versus.unit),
      `${versus.peer}: ${inUnit(versus.theirs, versus.unit)}`,
      `${times(versus.better)} as good, ${standing(versus)}`,
    ]),
  )
}

function overview(results: Results): string[] {
  const all = comparisons(results)
  if (all.length === 0) return []
  const behind = all.filter((versus) => standing(versus) === 'behind')
  const count = (which: string) => all.filter((versus) => standing(versus) === which).length
  return [
    `Ahead in ${count('ahead')} of ${all.length} comparisons, level in ${count('level')}, behind in ${count('behind')}.`,
    '',
    ...headlines(results),
    '',
    ...(behind.length > 0 ? ['Where a peer is ahead, and why:', ''] : []),
    ...behind.map(
      ({ what, peer, better, reason }) =>
        `- ${what}: ${peer}, ${times(1 / better)}${reason === undefined ? '' : `. ${reason[0]!.toUpperCase()}${reason.slice(1)}`}.`,
    ),
    '',
  ]
}

const HOW_TO_READ = [
  '## How to read this',
  '',
  '- Contestants of a race take turns in one process, slice by slice, in an order that rotates. A figure is the median of the',
  '  slices. A ratio is the median of the ratios of slices that ran in the same round; its least and greatest follow.',
  `- A difference under ${NOISE}× in one run means nothing on a shared machine. Compare ratios, not figures of two machines.`,
  '- All carry the same payload, 200 bytes of JSON, a new object for each message, which the consumer reads. Peers run as their',
  '  documentation says, with the same number of messages in flight.',
  '- A **peer** does the same work with the same durability. An **other** does less, and its line says what is missing. A **limit** is',
  '  the least that the work costs, without what makes a queue. A **part** is a variant of a contestant.',
  '',
]

function goals({ sections }: Results): string[] {
  const all = sections.flatMap(({ parts }) =>
    parts.flatMap(({ title, blocks }) =>
      blocks
        .filter((block): block is Extract<Block, { kind: 'goal' }> => block.kind === 'goal')
        .map((goal) => ({ title, ...goal })),
    ),
  )
  if (all.length === 0) return []
  const met = all.filter((goal) => goal.met).length
  return [
    '## Goals',
    '',
    `${met} of ${all.length} are met.`,
    '',
    ...table(
      ['', 'goal', 'measured', ''],
      all.map(({ title, text, value, met }) => [title, text, value, met ? 'met' : `**${verdict(met)}**`]),
    ),
    '',
  ]
}

/** One line if all sections ran alike, else one for each way. */
function conditions({ sections }: Results): string[] {
  const ways = new Map<string, string[]>()
  for (const section of sections) {
    if (!section.conditions) continue
    const way = told(section.conditions)
    ways.set(way, [...(ways.get(way) ?? []), section.title])
  }
  if (ways.size === 1) return [`${[...ways.keys()][0]!}.`]
  return [...ways].map(([way, titles]) => `- ${titles.join(', ')}: ${way}.`)
}

function told(conditions: Conditions): string {
  return `${machine(conditions)}. Run on ${conditions.date}: medians of ${conditions.slices} slices of ${conditions.sliceMs} ms`
}

function machine({ cores, cpu, memoryGB, node, system }: Conditions): string {
  return `${cores} × ${cpu}, ${memoryGB} GB, ${system}, Node ${node}`
}
