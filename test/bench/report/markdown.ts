import { type Block, type Result } from './model.ts'
import { amount, median, ratioOf, times } from './numbers.ts'

/** A block as lines of Markdown, the same while it is measured and in the report. A chart has none here. */
export function markdown(block: Block): string[] {
  switch (block.kind) {
    case 'text':
      return [block.text, '']
    case 'rates':
      return [...rates(block.results), '', ...faster(block.results, block.reasons)]
    case 'table':
      return [...table(block.head, block.rows), '']
    case 'goal':
      return [`- goal ${block.text}: **${verdict(block.met)}**, ${block.value}`]
    case 'versus':
    case 'chart':
      break
  }
  return []
}

export function verdict(met: boolean | undefined): string {
  return met === undefined ? '–' : met ? 'met' : 'not met'
}

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = head.map((cell, column) =>
    Math.max(cell.length, ...rows.map((row) => row[column]!.length), 3),
  )
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, i) => cell.padEnd(widths[i]!)).join(' | ')} |`
  return [line(head), `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`, ...rows.map(line)]
}

/** One row per contestant, fastest first; the last column compares quayside with it. */
function rates(results: readonly Result[]): string[] {
  const subject = results.find((result) => result.role === 'quayside')
  return table(
    ['', 'role', 'messages/s', 'µs each', 'slices from–to', 'quayside is'],
    fastestFirst(results).map((result) => {
      const middle = median(result.rates)
      const compared = subject && subject !== result ? ratioOf(subject.rates, result.rates) : undefined
      return [
        result.about === undefined ? result.name : `${result.name}: ${result.about}`,
        result.role,
        amount(middle),
        (1e6 / middle).toPrecision(3),
        `${amount(Math.min(...result.rates))}–${amount(Math.max(...result.rates))}`,
        compared ? `${times(compared.median)} (${times(compared.min)}–${times(compared.max)})` : '',
      ]
    }),
  )
}

export function fastestFirst(results: readonly Result[]): Result[] {
  return [...results].sort((a, b) => median(b.rates) - median(a.rates))
}

/** Who is faster than quayside, and why. */
function faster(results: readonly Result[], reasons: Readonly<Record<string, string>>): string[] {
  const subject = results.find((result) => result.role === 'quayside')
  if (!subject) return []
  const lines = fastestFirst(results).flatMap((result) => {
    const reason = reasons[result.name]
    const lead = ratioOf(result.rates, subject.rates).median
    return result !== subject && reason !== undefined && lead > 1
      ? [`- ${result.name} is ${times(lead)} as fast: ${reason}.`]
      : []
  })
  return lines.length > 0 ? [...lines, ''] : []
}
