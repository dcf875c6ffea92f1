import { cut, pad, widthOf } from './width.ts'

export interface Column {
  readonly title: string
  /** @defaultValue `'left'` */
  readonly align?: 'left' | 'right'
  /** The most cells it takes. What is longer is cut. */
  readonly most?: number
  /** Gives way last. */
  readonly firm?: boolean
}

const GAP = '  '

/**
 * Rows below their titles, none wider than `width`: first the last column gives way, then the widest of the others, and at
 * last those that are firm. Columns in which nothing stands are left out.
 */
export function table(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  width: number,
): string {
  const used = columns.flatMap((_, i) => (rows.some((row) => row[i] !== '') ? [i] : []))
  const shown = used.map((i) => columns[i]!)
  const cells = [shown.map(({ title }) => title), ...rows.map((row) => used.map((i) => row[i]!))]
  const widths = shown.map(({ most = Infinity }, i) =>
    Math.min(most, Math.max(...cells.map((row) => widthOf(row[i]!)))),
  )
  const room = width - GAP.length * (widths.length - 1)
  fit(widths, room, [widths.length - 1], PAYLOAD_CELLS)
  fit(
    widths,
    room,
    shown.flatMap(({ firm }, i) => (firm ? [] : [i])),
    NARROWEST,
  )
  fit(widths, room, [...shown.keys()], NARROWEST)
  const lines = cells.map((row) =>
    row
      .map((cell, i) => pad(cut(cell, widths[i]!), widths[i]!, shown[i]!.align ?? 'left'))
      .join(GAP)
      .trimEnd(),
  )
  return lines.map((line) => `${line}\n`).join('')
}

/** So much of the last column is left while others can give way. */
const PAYLOAD_CELLS = 24
/** And so narrow may any column become that is wider. */
const NARROWEST = 8

/** Makes the widest of these columns narrower until all fit, or none can give way any more. */
function fit(widths: number[], room: number, which: readonly number[], least: number): void {
  for (let over = widths.reduce((sum, one) => sum + one, 0) - room; over > 0; over--) {
    const widest = which.reduce((best, i) => (widths[i]! > widths[best]! ? i : best), which[0] ?? 0)
    if (which.length === 0 || widths[widest]! <= least) return
    widths[widest]!--
  }
}
