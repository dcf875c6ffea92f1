import { fastestFirst } from './markdown.ts'
import type { Bars, Section } from './model.ts'
import { amount, median, ratioOf, times } from './numbers.ts'

/** The races of a section as one plot; undefined if quayside took part in none. */
export function races({ title, parts }: Section): Bars | undefined {
  const panels = parts.flatMap(({ title, blocks }) =>
    blocks.flatMap((block) => {
      if (block.kind !== 'rates') return []
      const subject = block.results.find(({ role }) => role === 'quayside')
      if (!subject) return []
      const bars = fastestFirst(block.results).map(({ name, role, rates }) => {
        const middle = median(rates)
        const lead = role === 'quayside' ? '' : `, quayside ${times(ratioOf(subject.rates, rates).median)}`
        const spread: [number, number] = [Math.min(...rates), Math.max(...rates)]
        return { label: name, role, value: middle, text: `${amount(middle)}/s${lead}`, spread }
      })
      return [{ title, bars }]
    }),
  )
  if (panels.length === 0) return undefined
  const subtitle =
    'Messages per second, and how many times as fast quayside is. Whiskers: least and greatest slice.'
  return { kind: 'bars', title, subtitle, panels }
}
