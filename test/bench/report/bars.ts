import type { Bars } from './model.ts'
import { MARGIN, TOP, WIDTH, labelClass, line, picture, rect, text, widthOf } from './svg.ts'

const ROW = 24
const BAR = 14

export function drawBars({ title, subtitle, panels }: Bars): string {
  const all = panels.flatMap(({ bars }) => bars)
  const left = MARGIN + Math.min(Math.max(...all.map(({ label, role }) => widthOf(label, role))), 370) + 8
  const right = WIDTH - MARGIN - Math.max(...all.map(({ text, role }) => widthOf(text, role))) - 8
  const parts: string[] = []
  let y = TOP
  for (const panel of panels) {
    if (panel.title) {
      parts.push(text(MARGIN, y + 14, panel.title, { class: 'panel' }))
      y += 24
    }
    const greatest = Math.max(...panel.bars.map(({ value, spread }) => spread?.[1] ?? value))
    const at = (value: number) => left + (value / greatest) * (right - left)
    parts.push(line(left, y, left, y + panel.bars.length * ROW, 'axis'))
    for (const { label, role, value, text: figure, spread } of panel.bars) {
      const middle = y + ROW / 2
      parts.push(text(left - 8, middle + 4, label, { class: labelClass(role), anchor: 'end' }))
      parts.push(rect(left, middle - BAR / 2, Math.max(at(value) - left, 1.5), BAR, role, 2))
      if (spread) parts.push(...whisker(at(spread[0]), at(spread[1]), middle))
      const end = Math.max(at(value), spread ? at(spread[1]) : 0)
      parts.push(text(end + 8, middle + 4, figure, { class: labelClass(role) }))
      y += ROW
    }
    y += 14
  }
  return picture(title, subtitle, y + 4, parts)
}

/** From the least to the greatest. */
function whisker(from: number, to: number, y: number): string[] {
  if (to - from < 3) return []
  return [
    line(from, y, to, y, 'whisker'),
    line(from, y - 3, from, y + 3, 'whisker'),
    line(to, y - 3, to, y + 3, 'whisker'),
  ]
}
