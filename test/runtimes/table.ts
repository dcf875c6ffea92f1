import { partOf, writePart } from '../support/pages.ts'
import type { Cell } from './cell.ts'
import { COLUMNS } from './columns.ts'

/** The page that has the table. */
export const PAGE = 'docs/storages.md'

/** What was seen, as Markdown: a row for each runtime, and what is skipped. */
export function table(cells: readonly Cell[]): string {
  const adapters = COLUMNS.map(({ adapter }) => adapter)
  const runtimes = new Map(cells.map(({ runtime, version }) => [runtime, version]))
  const rows = [...runtimes].map(([runtime, version]) => {
    const texts = adapters.map((adapter) =>
      textOf(cells.find((cell) => cell.runtime === runtime && cell.adapter === adapter)),
    )
    return `| ${[runtime, version, ...texts].join(' | ')} |\n`
  })
  const head = `| runtime | version | ${adapters.map((name) => `\`${name}\``).join(' | ')} |\n`
  return `${head}|${'---|'.repeat(adapters.length + 2)}\n${rows.join('')}\n${skips(cells)}`
}

function textOf(cell: Cell | undefined): string {
  if (cell === undefined) return '–'
  const { passed, skipped, failures } = cell
  if (failures.length > 0) return `**${failures.length} failed**, ${passed} passed`
  return skipped.length === 0 ? `all ${passed}` : `${passed} of ${passed + skipped.length}`
}

/** How many cases do not apply to which storage, and why. */
function skips(cells: readonly Cell[]): string {
  const lines = COLUMNS.flatMap(({ adapter }) => {
    const reasons = new Map<string, number>()
    for (const { skip } of cells.find((cell) => cell.adapter === adapter)?.skipped ?? [])
      reasons.set(skip!, (reasons.get(skip!) ?? 0) + 1)
    return [...reasons].map(([reason, count]) => `- \`${adapter}\` skips ${count} cases: ${reason}.\n`)
  })
  return lines.join('')
}

export interface Disagreement {
  readonly said: readonly string[]
  readonly seen: readonly string[]
}

/** What the page says and what was seen disagree about; versions and numbers of cases may change. */
export function disagreement(cells: readonly Cell[], told: string = partOf(PAGE, 'runtimes')): Disagreement {
  const lines = (text: string): string[] =>
    text.split('\n').map((line) => line.replaceAll(/\d+(\.\d+)*/g, '#'))
  const said = new Set(lines(told))
  const seen = new Set(lines(table(cells)))
  // The page may tell of one more Node than there is here.
  const isNode = (line: string): boolean => line.startsWith('| Node ')
  return {
    said: [...said].filter((line) => !seen.has(line) && !isNode(line)),
    seen: [...seen].filter((line) => !said.has(line)),
  }
}

export function write(cells: readonly Cell[]): void {
  writePart(PAGE, 'runtimes', `\n${table(cells)}\n`)
}
