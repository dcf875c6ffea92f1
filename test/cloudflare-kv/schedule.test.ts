import { expect, test } from 'vitest'
import { CloudflareKVAdapter } from '../../adapters/cloudflare-kv/index.ts'
import { Queue } from '../../src/index.ts'
import { type When, drainSchedules, listSchedules, schedule, unschedule } from '../../src/schedule/index.ts'
import { REAL } from './support/model-kv.ts'
import { Setting } from './support/setting.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const EVERY = 5 * MINUTE

/** A Worker whose cron trigger fires schedules and then works on what there is, each time in a new isolate. */
function cron(setting: Setting): (work?: (queue: Queue) => Promise<unknown>) => Promise<readonly string[]> {
  return async (work) => {
    setting.pass(EVERY)
    const clock = { now: () => setting.clock.now(), setTimeout: () => 0, clearTimeout: () => undefined }
    const { binding } = setting.isolate()
    const storage = new CloudflareKVAdapter(binding, { ...setting.options, maxOperations: Infinity })
    const queue = new Queue('tasks', { storage, clock })
    await work?.(queue)
    await drainSchedules(queue)
    const ids: string[] = []
    await queue.createConsumer().drain(({ id }) => ids.push(id))
    await queue.close()
    return ids
  }
}

test('a cron trigger fires each instant once, although what it reads lags behind, and what is changed is not fired', async () => {
  const setting = new Setting(REAL)
  const run = cron(setting)
  const from = setting.clock.at
  const seen: string[] = []
  const say = (when: When) => (queue: Queue) => schedule(queue, 's', when, { payload: 1 })
  for (let i = 0; i < 6 * 12; i++) {
    // As each invocation says what there is to be.
    const when: When = i < 40 ? { everyMs: HOUR } : { cron: '30 * * * *' }
    seen.push(...(await run(say(when))))
  }
  const hours = [1, 2, 3].map((hour) => from + hour * HOUR)
  const halves = [3, 4, 5].map((hour) => from + (hour + 0.5) * HOUR)
  expect(seen).toEqual([...hours, ...halves].map((at) => `s@${new Date(at).toISOString()}`))
  await run(async (queue) => {
    expect(await unschedule(queue, 's')).toBe(true)
  })
  const late: string[] = []
  for (let i = 0; i < 40; i++) late.push(...(await run()))
  expect(late).toEqual([])
  await run(async (queue) => {
    expect((await listSchedules(queue)).schedules).toEqual([])
    expect(await unschedule(queue, 's')).toBe(false)
  })
})
