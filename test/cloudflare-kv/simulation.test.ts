import { afterAll, describe, expect, test } from 'vitest'
import { type Configuration, type Result, simulate } from './support/simulation.ts'
import { howMany } from '../support/effort.ts'

/** `KV_MESSAGES=2000000` has it run with more. */
const ALL = howMany('KV_MESSAGES', { quick: 50_000, full: 200_000 })
const share = (part: number): number => Math.ceil(ALL * part)

const ONE: readonly Configuration[] = [
  {
    name: 'one drainer, a new isolate each time',
    drainsAt: [0],
    newIsolates: true,
    batch: 20,
    messages: share(0.2),
  },
  {
    name: 'one drainer, always the same isolate',
    drainsAt: [0],
    newIsolates: false,
    batch: 20,
    messages: share(0.2),
  },
  { name: 'one drainer, batches of 100', drainsAt: [0], newIsolates: true, batch: 100, messages: share(0.1) },
  { name: 'one drainer, no batches', drainsAt: [0], newIsolates: true, batch: 1, messages: share(0.05) },
]
const OTHERS: readonly Configuration[] = [
  {
    name: 'one drainer, claims of 10 of batches of 100, a third of the drains die',
    drainsAt: [0],
    newIsolates: true,
    batch: 100,
    messages: share(0.05),
    limit: 10,
    crashes: 0.33,
  },
  {
    name: 'one drainer, a third of the drains die',
    drainsAt: [0],
    newIsolates: true,
    batch: 20,
    messages: share(0.1),
    crashes: 0.33,
  },
  {
    name: 'one drainer, 2 % of operations fail',
    drainsAt: [0],
    newIsolates: true,
    batch: 20,
    messages: share(0.15),
    lags: { failing: 0.02 },
  },
  {
    name: 'two drainers, 30 s apart',
    drainsAt: [0, 30_000],
    newIsolates: true,
    batch: 20,
    messages: share(0.1),
  },
  { name: 'two drainers at once', drainsAt: [0, 0], newIsolates: true, batch: 20, messages: share(0.1) },
]

describe('queues of three places on a namespace that lags behind', { timeout: 3_600_000 }, () => {
  const results = new Map<string, Result>()

  afterAll(() => {
    console.log(
      '| configuration | messages | lost | duplicates | after a crash | p50 | p99 | operations per message |',
    )
    console.log('|---|---|---|---|---|---|---|---|')
    for (const [name, result] of results) {
      const { messages, lost, duplicates, afterCrash, p50, p99, operationsPerMessage } = result
      const percent = (count: number): string => `${((100 * count) / messages).toFixed(2)} %`
      console.log(
        `| ${name} | ${messages} | ${lost} | ${percent(duplicates)} | ${percent(afterCrash)} | ${Math.round(p50 / 1000)} s | ${Math.round(p99 / 1000)} s | ${operationsPerMessage.toFixed(2)} |`,
      )
    }
  })

  test.each([...ONE, ...OTHERS])('$name: nothing is lost', async (configuration) => {
    const result = await simulate(configuration)
    results.set(configuration.name, result)
    expect(result.lost).toBe(0)
    expect(result.messages).toBeGreaterThan(configuration.messages * 0.99)
  })

  test.each(ONE)('$name: nothing comes twice without a crash', ({ name }) => {
    expect(results.get(name)!.duplicates / results.get(name)!.messages).toBeLessThan(0.000_05)
  })
})
