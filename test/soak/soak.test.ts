import { describe, expect, test } from 'vitest'
import { effort } from '../support/effort.ts'
import { type Sample, judge } from './flat.ts'
import { soak } from './soak.ts'
import { SUBJECTS } from './subjects.ts'

const SECONDS = effort({ quick: 20, full: 60 })

describe(
  'all features mixed, with a handler that hangs and a group that is slow',
  { concurrent: true },
  () => {
    test.each(Object.keys(SUBJECTS))('leave nothing behind in %s', { timeout: 600_000 }, async (name) => {
      const { verdicts, problems } = await soak(name, { seconds: SECONDS, scale: 20 })
      expect(problems).toEqual([])
      const grown = verdicts.filter(({ isFlat }) => !isFlat)
      expect(
        grown.map(({ what, growth, perMessage }) => {
          return `${what}: ${Math.round(growth)} bytes more, ${perMessage.toFixed(1)} for each message`
        }),
      ).toEqual([])
    })
  },
)

const samples = (of: (sent: number) => number): Sample[] =>
  Array.from({ length: 10 }, (_, i) => ({ sent: i * 1000, bytes: { heap: of(i * 1000) } }))
const allowances = { heap: { perMessage: 8, floor: 1000 } }

test.each([
  ['what stays', () => 5000, true],
  ['what warms up in the first half', (sent: number) => Math.min(sent, 4000) * 100, true],
  ['noise', (sent: number) => 1e6 + (sent % 3000), true],
  ['what grows by a little for each message', (sent: number) => 1e6 + sent * 7, true],
  ['what grows with each message', (sent: number) => 1e6 + sent * 9, false],
])('%s is judged right', (_, of, isFlat) => {
  expect(judge(samples(of), allowances)[0]).toMatchObject({ isFlat })
})
