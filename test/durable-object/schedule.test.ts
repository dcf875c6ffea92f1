import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Worker, startWorker } from './support/workerd.ts'

let worker: Worker
beforeAll(async () => {
  worker = await startWorker('test/durable-object/workers/schedule.ts', { JOBS: 'Jobs' })
})
afterAll(() => worker.close())

interface Seen {
  readonly id: string
  readonly at: number
}

function seen(queue: string): Promise<readonly Seen[]> {
  return worker.call<Seen[]>('seen', queue)
}

const instantOf = ({ id }: Seen): number => Date.parse(id.split('@')[1]!)

test('alarms fire schedules at each instant once, on time, also when their objects end in between', async () => {
  await worker.call('schedule', { queue: 'jobs', name: 's', when: { everyMs: 1000, catchUp: 'all' } })
  await expect.poll(async () => (await seen('jobs')).length).toBeGreaterThanOrEqual(2)
  await worker.call('kill', 'jobs.schedules')
  await worker.call('kill', 'jobs')
  await expect.poll(async () => (await seen('jobs')).length).toBeGreaterThanOrEqual(18)
  const all = await seen('jobs')
  const instants = all.map(instantOf)
  expect(instants).toEqual(instants.map((_, i) => instants[0]! + i * 1000))
  // The platform takes its time until it tries the alarm of an object again that has ended.
  for (const one of all.slice(-6)) expect(one.at - instantOf(one)).toBeLessThan(3000)
  for (const one of all) expect(one.at).toBeGreaterThanOrEqual(instantOf(one))
  expect(await worker.call('list', 'jobs')).toMatchObject({ schedules: [{ name: 's', payload: 's' }] })
  expect(await worker.call('unschedule', { queue: 'jobs', name: 's' })).toBe(true)
  expect(await worker.call('list', 'jobs')).toEqual({ schedules: [] })
})

test('an alarm outlives the runtime', async () => {
  await worker.call('schedule', { queue: 'outlived', name: 's', when: { everyMs: 3000 } })
  await expect.poll(async () => (await seen('outlived')).length).toBe(1)
  await worker.restart()
  await expect.poll(async () => (await seen('outlived')).length).toBe(2)
})
