import type { Lines } from './model.ts'
import { amount } from './numbers.ts'
import { COLOURS, LogScale, MARGIN, TOP, WIDTH, circle, line, picture, round, text, widthOf } from './svg.ts'

const HEIGHT = 360
const LABEL = 15

/** Quayside's curves are drawn through and coloured, the others' are dashed; each is named where it ends. */
export function drawLines({ title, subtitle, x, series }: Lines): string {
  const bottom = TOP + HEIGHT
  const left = MARGIN + 44
  const right = WIDTH - MARGIN - Math.max(...series.map(({ name, role }) => widthOf(name, role))) - 14
  const points = series.flatMap(({ points }) => points)
  const across = new LogScale(
    points.map(([x]) => x),
    left,
    right,
  )
  const up = new LogScale(
    points.map(([, y]) => y),
    bottom,
    TOP,
  )
  const parts: string[] = []
  for (const tick of up.ticks()) {
    parts.push(line(left, up.at(tick), right, up.at(tick), 'grid'))
    parts.push(text(left - 8, up.at(tick) + 4, amount(tick), { class: 'soft', anchor: 'end' }))
  }
  const ticks = [...new Set(points.map(([x]) => x))]
  for (const tick of ticks) {
    parts.push(line(across.at(tick), TOP, across.at(tick), bottom, 'grid'))
    parts.push(text(across.at(tick), bottom + 18, amount(tick), { class: 'soft', anchor: 'middle' }))
  }
  parts.push(text((left + right) / 2, bottom + 38, x, { class: 'soft', anchor: 'middle' }))

  let own = 0
  let peers = 0
  const names: { name: string; y: number; from: [number, number]; style: string }[] = []
  for (const { name, role, points } of series) {
    const mine = role === 'quayside'
    const colour = mine ? `var(--c${own++ % COLOURS})` : 'var(--soft)'
    const dash = mine ? '' : ` stroke-dasharray="${['6 4', '2 3', '9 3 2 3', '12 4'][peers++ % 4]}"`
    const places = points.map(([x, y]): [number, number] => [across.at(x), up.at(y)])
    const path = places.map(([x, y]) => `${round(x)},${round(y)}`).join(' ')
    parts.push(
      `<polyline points="${path}" style="fill:none;stroke:${colour};stroke-width:${mine ? 2.5 : 1.5}" stroke-linejoin="round"${dash}/>`,
    )
    for (const [x, y] of places) parts.push(circle(x, y, mine ? 3.5 : 2.5, `style="fill:${colour}"`))
    const last = places.at(-1)!
    names.push({ name, y: last[1], from: last, style: `fill:${colour};${mine ? 'font-weight:650' : ''}` })
  }
  for (const { name, y, from, style } of spreadOut(names, TOP, bottom)) {
    // A curve that ends early has its name at the margin too, with a thread to it.
    const x = right + 10
    if (x - from[0] > 12 || Math.abs(y - from[1]) > 4) {
      parts.push(
        `<line x1="${round(from[0] + 5)}" y1="${round(from[1])}" x2="${round(x - 3)}" y2="${round(y)}" style="stroke:var(--soft);opacity:.5" stroke-dasharray="1 3"/>`,
      )
    }
    parts.push(text(x, y + 4, name).replace('<text', `<text style="${style}"`))
  }
  return picture(title, subtitle, bottom + 52, parts)
}

/** Moves names apart that would cover each other, as little as it takes. */
function spreadOut<T extends { y: number }>(names: readonly T[], top: number, bottom: number): T[] {
  const sorted = [...names].sort((a, b) => a.y - b.y)
  const placed = sorted.map(({ y }) => y)
  for (let i = 1; i < placed.length; i++) placed[i] = Math.max(placed[i]!, placed[i - 1]! + LABEL)
  const over = (placed.at(-1) ?? 0) - bottom
  if (over > 0) {
    placed[placed.length - 1]! -= over
    for (let i = placed.length - 2; i >= 0; i--) placed[i] = Math.min(placed[i]!, placed[i + 1]! - LABEL)
  }
  return sorted.map((name, i) => ({ ...name, y: Math.max(placed[i]!, top) }))
}
