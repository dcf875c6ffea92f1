import type { Spans } from './model.ts'
import { duration } from './numbers.ts'
import {
  LogScale,
  MARGIN,
  TOP,
  WIDTH,
  circle,
  labelClass,
  line,
  picture,
  rect,
  text,
  widthOf,
} from './svg.ts'

const ROW = 28

/** For each row a thread from the median to the worst: a dot at the median, a thick part up to the 90th percentile, a ring at the 99th. */
export function drawSpans({ title, subtitle, rows }: Spans): string {
  const left = MARGIN + Math.max(...rows.map(({ label, role }) => widthOf(label, role))) + 8
  const right = WIDTH - MARGIN - 30
  const top = TOP + 30
  const bottom = top + rows.length * ROW
  const across = new LogScale(
    rows.flatMap(({ p50, max }) => [p50, max]),
    left + 10,
    right,
  )
  const parts: string[] = legend(left)
  for (const tick of across.ticks()) {
    parts.push(line(across.at(tick), top, across.at(tick), bottom, 'grid'))
    parts.push(text(across.at(tick), bottom + 18, duration(tick), { class: 'soft', anchor: 'middle' }))
  }
  rows.forEach(({ label, role, p50, p90, p99, max }, i) => {
    const y = top + ROW * (i + 0.5)
    parts.push(text(left - 8, y + 4, label, { class: labelClass(role), anchor: 'end' }))
    parts.push(...span(role, y, across.at(p50), across.at(p90), across.at(p99), across.at(max)))
  })
  return picture(title, subtitle, bottom + 32, parts)
}

function span(role: string, y: number, p50: number, p90: number, p99: number, max: number): string[] {
  return [
    line(p50, y, max, y, 'axis'),
    line(max, y - 4, max, y + 4, 'axis'),
    rect(p50, y - 3.5, p90 - p50, 7, role, 3.5),
    circle(p99, y, 4, 'style="fill:var(--ground);stroke:var(--ink);stroke-width:1.5"'),
    circle(p50, y, 5.5, `class="${role}"`),
  ]
}

function legend(left: number): string[] {
  const y = TOP + 12
  const [p50, p90, p99, max] = [left + 10, left + 90, left + 160, left + 230] as const
  const name = (x: number, content: string) =>
    text(x, y - 9, content, { class: 'soft small', anchor: 'middle' })
  return [
    ...span('peer', y, p50, p90, p99, max),
    name(p50, 'p50'),
    name(p90, 'p90'),
    name(p99, 'p99'),
    name(max, 'max'),
  ]
}
