import { expect, test } from 'vitest'
import { howMany } from '../support/effort.ts'
import { live } from './life.ts'

const SEEDS = howMany('LIVES', { quick: 12, full: 150 })

test.each(Array.from({ length: SEEDS }, (_, i) => i + 1))(
  'people, tabs, networks and servers: life %i',
  { timeout: 600_000 },
  async (seed) => {
    const { problems, wishes, requests } = await live(seed, 120)
    expect(problems).toEqual([])
    expect(wishes).toBeGreaterThan(10)
    expect(requests).toBeGreaterThan(10)
  },
)

test('a life is the same whenever it is lived', { timeout: 600_000 }, async () => {
  const told = async (): Promise<readonly string[]> => (await live(1, 40)).log
  expect(await told()).toEqual(await told())
})
