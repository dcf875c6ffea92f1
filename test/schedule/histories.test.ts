import * as fc from '../support/fast-check.ts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { ConformanceFactory } from '../../conformance/index.ts'
import { factory as fsFactory } from '../conformance/factories/fs.ts'
import { factory as memoryFactory } from '../conformance/factories/memory.ts'
import { redisFactory } from '../redis/support/backend.ts'
import { type RedisServer, startRedis } from '../redis/support/server.ts'
import { effort, howMany } from '../support/effort.ts'
import { ManualClock } from '../../src/testing/index.ts'
import { histories, run } from './support/history.ts'

let server: RedisServer
beforeAll(async () => {
  server = await startRedis()
})
afterAll(() => server.stop())

const STORAGES: Readonly<Record<string, readonly [ConformanceFactory, { quick: number; full: number }]>> = {
  memory: [memoryFactory(), { quick: 100, full: 5000 }],
  fs: [fsFactory({ durability: 'os' }), { quick: 25, full: 500 }],
  redis: [redisFactory({ server: () => server, client: 'redis' }), { quick: 25, full: 500 }],
}

test.each(Object.entries(STORAGES))(
  'whatever happens, each instant is sent once, on %s',
  { timeout: effort({ quick: 300_000, full: 1_800_000 }) },
  async (_, [{ create }, runs]) => {
    const property = fc.asyncProperty(histories, async (steps) => {
      const clock = new ManualClock()
      const { adapter, destroy } = await create({ clock })
      try {
        await run(adapter, clock, steps)
      } finally {
        await destroy()
      }
    })
    const seed = process.env['SEED']
    const options = { numRuns: howMany('RUNS', runs), ...(seed !== undefined && { seed: Number(seed) }) }
    const { failed, counterexample, errorInstance, seed: itsSeed } = await fc.check(property, options)
    expect(
      failed &&
        [errorInstance, `SEED=${itsSeed}`, ...counterexample![0].map((one) => JSON.stringify(one))].join(
          '\n',
        ),
    ).toBe(false)
  },
)
