import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { RedisAdapter, type RedisClient } from '../../adapters/redis/index.ts'
import { Queue, type StorageAdapter } from '../../src/index.ts'
import { type When, schedule } from '../../src/schedule/index.ts'
import { connectClient } from '../redis/support/clients.ts'
import { startRedis } from '../redis/support/server.ts'
import { effort } from '../support/effort.ts'
import type { Step } from './support/child.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR
const STEP = 6 * HOUR

/** A year; else some days around both changes to summer time in Europe and in America. */
const SPANS = effort({
  quick: [
    [Date.UTC(2026, 2, 7), 3 * DAY],
    [Date.UTC(2026, 2, 28), 3 * DAY],
    [Date.UTC(2026, 9, 24), 3 * DAY],
    [Date.UTC(2026, 9, 31), 3 * DAY],
  ],
  full: [[Date.UTC(2026, 0, 1), 365 * DAY]],
} as const) as readonly (readonly [number, number])[]
const PROCESSES = effort({ quick: 3, full: 8 })
/** One of so many steps kills a process. */
const KILLS = effort({ quick: 4, full: 12 })

const SCHEDULES: Readonly<Record<string, When>> = {
  hourly: { cron: '0 * * * *', timeZone: 'Europe/Berlin', catchUp: 'all' },
  halfHourly: { everyMs: HOUR / 2, catchUp: 'all' },
  nightly: { cron: '30 2 * * *', timeZone: 'Europe/Berlin', catchUp: 'last' },
  weekly: { cron: '30 1 * * SUN', timeZone: 'America/New_York', catchUp: 'last' },
}

/** The time of day and week in a place. */
function localTime(timeZone: string): (at: number) => string {
  const format = new Intl.DateTimeFormat('en-GB', {
    timeZone,
    weekday: 'short',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
  })
  return (at) => format.format(at)
}

/** The instants as anybody would count them, half an hour after the other. */
function expected(from: number, ms: number): string[] {
  const inBerlin = localTime('Europe/Berlin')
  const inNewYork = localTime('America/New_York')
  const ids: string[] = []
  let before = ['', '']
  for (let at = from + HOUR / 2; at <= from + ms; at += HOUR / 2) {
    const instant = new Date(at).toISOString()
    const [berlin, newYork] = [inBerlin(at), inNewYork(at)]
    ids.push(`halfHourly@${instant}`)
    if (berlin.endsWith(':00')) ids.push(`hourly@${instant}`)
    // Right behind the gap, if it is in there.
    const isNight = berlin.endsWith('02:30') || (berlin.endsWith('03:00') && before[0]!.endsWith('01:30'))
    const twice = ids.findLast((id) => id.startsWith('nightly'))
    const isSecond = twice !== undefined && at - Date.parse(twice.slice('nightly@'.length)) <= 2 * HOUR
    if (isNight && !isSecond) ids.push(`nightly@${instant}`)
    const again = ids.findLast((id) => id.startsWith('weekly'))
    const isAgain = again !== undefined && at - Date.parse(again.slice('weekly@'.length)) <= 2 * HOUR
    if (newYork.startsWith('Sun') && newYork.endsWith('01:30') && !isAgain) ids.push(`weekly@${instant}`)
    before = [berlin, newYork]
  }
  return ids.toSorted()
}

/** What the adapter is made of: it can be given a clock in place of the server's. */
const Storage = Object.getPrototypeOf(RedisAdapter) as new (
  client: RedisClient,
  settings: object,
) => StorageAdapter

/** The same numbers each time. */
function random(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

test(
  'processes with clocks an hour apart, which are killed, fire each instant once, through both changes to summer time',
  { timeout: effort({ quick: 300_000, full: 1_800_000 }) },
  async () => {
    const server = await startRedis()
    onTestFinished(() => server.stop())
    const connected = await connectClient('redis', server.url)
    onTestFinished(() => connected.close())
    const child = fileURLToPath(new URL('support/child.ts', import.meta.url))
    const next = random(7)
    let kills = 0

    const start = async (i: number): Promise<ChildProcess> => {
      const wrongByMs = Math.round((i / (PROCESSES - 1) - 0.5) * 2 * HOUR)
      const one = spawn(process.execPath, [child, server.url, `${wrongByMs}`], {
        stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      })
      const [said] = (await once(one, 'message')) as [unknown]
      expect(said).toBe('ready')
      return one
    }
    /** Answers once it is done with the step, or dead. */
    const fire = async (one: ChildProcess, step: Step): Promise<boolean> => {
      const ended = new Promise<string>((resolve) => {
        one.once('message', resolve)
        one.once('exit', () => resolve('dead'))
      })
      one.send(step)
      const said = await ended
      one.removeAllListeners()
      expect(said === 'done' || (said === 'dead' && step.diesAt !== undefined), said).toBe(true)
      return said === 'done'
    }

    const processes = await Promise.all(Array.from({ length: PROCESSES }, (_, i) => start(i)))
    onTestFinished(() => processes.forEach((one) => one.kill('SIGKILL')))

    for (const [from, ms] of SPANS) {
      const prefix = `${from}`
      let now = from
      const storage = new Storage(connected.client, {
        prefix,
        durability: 'process',
        clock: { now: () => now },
      })
      const queue = new Queue('jobs', { storage })
      const consumer = queue.createConsumer()
      for (const [name, when] of Object.entries(SCHEDULES))
        await schedule(queue, name, when, { payload: name })
      const seen: string[] = []
      // One step more, for what those have left that died in the last one.
      for (now = from + STEP; now <= from + ms + STEP; now += STEP) {
        const victim = next() < 1 / KILLS && now <= from + ms ? Math.floor(next() * PROCESSES) : -1
        const diesAt = Math.ceil(next() * 12) / 2 + 0.5
        await Promise.all(
          processes.map(async (one, i) => {
            const step = { now, prefix, ...(i === victim && { diesAt }) }
            if (await fire(one, step)) return
            kills++
            processes[i] = await start(i)
          }),
        )
        for (let messages; (messages = await consumer.receiveBatch(1000)).length > 0;) {
          for (const { id, payload, headers } of messages) {
            const [name, instant] = id.split('@')
            expect([payload, headers['scheduled-for']]).toEqual([name, instant])
            // Those of the step more are not counted.
            if (Date.parse(instant!) <= from + ms) seen.push(id)
          }
          await consumer.ackBatch(messages)
        }
      }
      expect(seen.toSorted()).toEqual(expected(from, ms))
      await queue.close()
    }
    expect(kills).toBeGreaterThan(0)
  },
)
