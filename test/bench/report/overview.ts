import { fastestFirst } from './markdown.ts'
import type { Results, Versus } from './model.ts'
import { amount, duration, inBytes, median, ratioOf, times } from './numbers.ts'
import { LogScale, MARGIN, TOP, WIDTH, line, picture, rect, text, widthOf } from './svg.ts'

/** A difference up to this factor means nothing in one run on a shared machine. */
export const NOISE = 1.5

/** Every race against peers, and every other comparison: quayside and the best of the peers. */
export function comparisons({ sections }: Results): Versus[] {
  return sections.flatMap(({ parts }) =>
    parts.flatMap(({ title, blocks }) =>
      blocks.flatMap((block): Versus[] => {
        if (block.kind === 'versus') return [block.versus]
        if (block.kind !== 'rates') return []
        const subject = block.results.find(({ role }) => role === 'quayside')
        const peer = fastestFirst(block.results).find(({ role }) => role === 'peer')
        if (!subject || !peer) return []
        const better = ratioOf(subject.rates, peer.rates).median
        const [ours, theirs] = [median(subject.rates), median(peer.rates)]
        const reason = block.reasons[peer.name]
        return [{ what: title, unit: 'messages/s', ours, peer: peer.name, theirs, better, reason }]
      }),
    ),
  )
}

export function inUnit(value: number, unit: Versus['unit']): string {
  if (unit === 'ms') return duration(value)
  return unit === 'bytes' ? inBytes(value) : `${amount(value)}/s`
}

/** In words: ahead, level or behind. */
export function standing({ better }: Versus): 'ahead' | 'level' | 'behind' {
  if (better >= NOISE) return 'ahead'
  return better > 1 / NOISE ? 'level' : 'behind'
}

const ROW = 26
/** Bars end here, the figure beside them does not: one comparison of seconds with microseconds would make all others small. */
const MOST = 100
const COLOUR = { ahead: 'quayside', level: 'level', behind: 'behind' } as const

/** One bar per comparison, on a logarithmic axis around "as good as the best peer". */
export function drawOverview(all: readonly Versus[]): string {
  const title = 'Where quayside leads, and where it does not'
  const subtitle =
    'Times as good as the best peer with the same durability: faster, sooner or smaller. Shaded: noise.'
  const left = MARGIN + Math.max(...all.map(({ what }) => widthOf(what))) + 8
  const right = WIDTH - MARGIN
  // The first words of a name: the rest says how the peer was set up.
  const labels = all.map(({ better, peer }) => `${times(better)} ${peer.split(/: |, /)[0]}`)
  const room = Math.max(...labels.map((label) => widthOf(label))) + 8
  const top = TOP
  const bottom = top + all.length * ROW
  const drawn = (better: number) => Math.min(Math.max(better, 1 / MOST), MOST)
  const across = new LogScale([...all.map(({ better }) => drawn(better)), 0.5, 2], left, right - room)
  const zero = across.at(1)
  const parts = [
    rect(across.at(1 / NOISE), top, across.at(NOISE) - across.at(1 / NOISE), bottom - top, 'noise'),
  ]
  for (const tick of across.ticks()) {
    parts.push(line(across.at(tick), top, across.at(tick), bottom, 'grid'))
    parts.push(text(across.at(tick), bottom + 18, `${tick}×`, { class: 'soft', anchor: 'middle' }))
  }
  all.forEach((versus, i) => {
    const middle = top + ROW * (i + 0.5)
    const end = across.at(drawn(versus.better))
    parts.push(text(left - 8, middle + 4, versus.what, { anchor: 'end' }))
    parts.push(rect(Math.min(zero, end), middle - 7, Math.abs(end - zero), 14, COLOUR[standing(versus)], 2))
    parts.push(text(Math.max(zero, end) + 7, middle + 4, labels[i]!, { class: 'soft' }))
  })
  parts.push(line(zero, top, zero, bottom, 'axis'))
  return picture(title, subtitle, bottom + 32, parts)
}
