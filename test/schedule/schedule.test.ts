import { describe, expect, onTestFinished, test } from 'vitest'
import { type Consumer, type Instrumentation, QuaysideError, Queue } from '../../src/index.ts'
import { nextTurn } from '../../src/clock.ts'
import { MemoryAdapter } from '../../src/records/memory.ts'
import {
  type When,
  drainSchedules,
  listSchedules,
  runSchedules,
  schedule,
  unschedule,
} from '../../src/schedule/index.ts'
import { ManualClock } from '../../src/testing/index.ts'
import { expectCode, setUp } from '../support/set-up.ts'
import { SpyStorage } from '../support/spy-storage.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR

/** What waits in the queue, by its ids; done then. */
async function taken(consumer: Consumer<unknown>): Promise<string[]> {
  const messages = await consumer.receiveBatch(10_000)
  if (messages.length > 0) await consumer.ackBatch(messages)
  return messages.map(({ id }) => id)
}

/** Lets some time pass in steps, and fires what is due after each. */
async function pass(
  queue: Queue<never> | Queue,
  clock: ManualClock,
  ms: number,
  stepMs: number,
): Promise<void> {
  for (let passed = 0; passed < ms; passed += stepMs) {
    await clock.advance(stepMs)
    await drainSchedules(queue)
  }
}

/** Lets everything happen that waits for no time. */
async function turns(): Promise<void> {
  for (let i = 0; i < 30; i++) await nextTurn()
}

function at(name: string, ...instants: readonly string[]): string[] {
  return instants.map((instant) => `${name}@${instant}`)
}

describe('a schedule', () => {
  test('sends at each instant, by whoever runs schedules, with the instant in the id and in the headers', async () => {
    const { clock, queue, consumer } = setUp()
    const stop = new AbortController()
    expect(
      await schedule(queue, 'hourly', { cron: '0 * * * *' }, { payload: { n: 1 }, headers: { a: 'b' } }),
    ).toBe('stored')
    const running = [1, 2, 3].map(() => runSchedules(queue, { signal: stop.signal }))
    await turns()
    await clock.advance(HOUR - 1)
    await turns()
    expect(await consumer.receive()).toBe(undefined)
    await clock.advance(1)
    await turns()
    const message = await consumer.receive()
    expect(message).toMatchObject({
      id: 'hourly@2030-01-01T01:00:00.000Z',
      payload: { n: 1 },
      headers: { a: 'b', schedule: 'hourly', 'scheduled-for': '2030-01-01T01:00:00.000Z' },
      timestamp: clock.now(),
    })
    await message!.ack()
    for (let i = 0; i < 2; i++) {
      await clock.advance(HOUR)
      await turns()
    }
    expect(await taken(consumer)).toEqual(
      at('hourly', '2030-01-01T02:00:00.000Z', '2030-01-01T03:00:00.000Z'),
    )
    stop.abort()
    await Promise.all(running)
  })

  test('each so many ms is on the multiples of it', async () => {
    const { clock, queue, consumer } = setUp()
    await clock.advance(1234)
    await schedule(queue, 'often', { everyMs: 1000, catchUp: 'all' }, { payload: 1 })
    await pass(queue, clock, 3000, 250)
    expect(await taken(consumer)).toEqual(
      at('often', '2030-01-01T00:00:02.000Z', '2030-01-01T00:00:03.000Z', '2030-01-01T00:00:04.000Z'),
    )
  })

  test('carries bytes, keys, lanes, attempts and a time to live', async () => {
    const { clock, queue, consumer } = setUp<Uint8Array>()
    const payload = Uint8Array.from({ length: 256 }, (_, i) => i)
    const rest = { key: 'k', lane: 'l', maxAttempts: 9, keepMs: 5, expiresInMs: HOUR }
    await schedule(queue, 's', { everyMs: HOUR }, { payload, ...rest })
    await pass(queue, clock, HOUR, HOUR)
    const message = await consumer.receive()
    expect(message).toMatchObject({ payload, key: 'k', lane: 'l', maxAttempts: 9, keepMs: 5 })
    await message!.nack({ delayMs: 2 * HOUR })
    expect(await queue.deadLetters().list()).toMatchObject({ messages: [{ reason: 'expired' }] })
  })

  test('goes on whatever becomes of what it sent: purged, cancelled, dead, or not taken', async () => {
    const { clock, queue, consumer } = setUp()
    await schedule(queue, 's', { everyMs: HOUR, catchUp: 'all' }, { payload: 1 })
    await pass(queue, clock, HOUR, HOUR)
    await queue.purge()
    await pass(queue, clock, HOUR, HOUR)
    await queue.cancel(at('s', '2030-01-01T02:00:00.000Z'))
    await pass(queue, clock, HOUR, HOUR)
    await (await consumer.receive())!.reject()
    await pass(queue, clock, 2 * HOUR, HOUR)
    expect(await taken(consumer)).toEqual(at('s', '2030-01-01T04:00:00.000Z', '2030-01-01T05:00:00.000Z'))
  })

  test('reaches every group, each once', async () => {
    const { clock, queue } = setUp()
    const groups = ['a', 'b'].map((group) => queue.createConsumer(group))
    await schedule(queue, 's', { everyMs: HOUR }, { payload: 1 })
    await pass(queue, clock, HOUR, HOUR)
    for (const group of groups) expect(await taken(group)).toEqual(at('s', '2030-01-01T01:00:00.000Z'))
    await pass(queue, clock, HOUR, HOUR)
    for (const group of groups) expect(await taken(group)).toEqual(at('s', '2030-01-01T02:00:00.000Z'))
  })

  test('is seen by whoever observes the queue, who may add headers', async () => {
    const seen: unknown[] = []
    const instrumentation: Instrumentation = (operation, run) => {
      const { name, queue, batch, messages } = operation
      if (name === 'send') {
        seen.push([queue, batch, messages.map(({ id, lane }) => [id, lane])])
        for (const { headers } of messages) headers['trace'] = 't'
      }
      return run()
    }
    const { clock, queue, consumer } = setUp({ instrumentation })
    await schedule(queue, 's', { everyMs: HOUR }, { payload: 1, lane: 'l' })
    await pass(queue, clock, HOUR, HOUR)
    expect(seen).toEqual([['orders', true, [['s@2030-01-01T01:00:00.000Z', 'l']]]])
    expect((await consumer.receive())!.headers).toMatchObject({ schedule: 's', trace: 't' })
    expect((await queue.stats()).throughput.sent).toBeGreaterThan(0)
  })

  test('ends with a pattern that has an end', async () => {
    const { clock, queue, consumer } = setUp()
    await schedule(queue, 'once', { cron: '2030-01-01T05:00:00' }, { payload: 1 })
    await pass(queue, clock, DAY, HOUR)
    expect(await taken(consumer)).toEqual(at('once', '2030-01-01T05:00:00.000Z'))
    expect((await listSchedules(queue)).schedules).toEqual([])
  })
})

describe('summer time', () => {
  const year = async (when: When, from: number, ms: number, stepMs: number): Promise<string[]> => {
    const clock = new ManualClock(from)
    const queue = new Queue('q', { clock })
    onTestFinished(() => queue.close())
    await schedule(queue, 's', when, { payload: 1 })
    await pass(queue, clock, ms, stepMs)
    return (await taken(queue.createConsumer())).map((id) => id.slice(2))
  }

  test('a nightly hour that does not exist is fired right behind the gap, and one that comes twice once', async () => {
    const when = { cron: '30 2 * * *', timeZone: 'Europe/Berlin' }
    expect(await year(when, Date.UTC(2026, 2, 28), 3 * DAY, HOUR / 2)).toEqual([
      '2026-03-28T01:30:00.000Z',
      '2026-03-29T01:00:00.000Z',
      '2026-03-30T00:30:00.000Z',
    ])
    expect(await year(when, Date.UTC(2026, 9, 24), 3 * DAY, HOUR / 2)).toEqual([
      '2026-10-24T00:30:00.000Z',
      '2026-10-25T00:30:00.000Z',
      '2026-10-26T01:30:00.000Z',
    ])
  })

  test('also where clocks are half an hour apart, and change by half an hour', async () => {
    const daily = { cron: '30 7 * * *', timeZone: 'Asia/Kolkata' }
    expect(await year(daily, Date.UTC(2026, 0, 1), DAY, HOUR / 2)).toEqual(['2026-01-01T02:00:00.000Z'])
    const quarter = { cron: '0 9 * * *', timeZone: 'Asia/Kathmandu' }
    expect(await year(quarter, Date.UTC(2026, 0, 1), DAY, HOUR / 4)).toEqual(['2026-01-01T03:15:00.000Z'])
    // Forward at 02:00 on 4 October, to 02:30; back at 02:00 on 5 April, to 01:30.
    const nightly = { cron: '15 2 * * *', timeZone: 'Australia/Lord_Howe' }
    expect(await year(nightly, Date.UTC(2026, 9, 2, 12), 3 * DAY, HOUR / 4)).toEqual([
      '2026-10-02T15:45:00.000Z',
      '2026-10-03T15:30:00.000Z',
      '2026-10-04T15:15:00.000Z',
    ])
    const twice = { cron: '45 1 * * *', timeZone: 'Australia/Lord_Howe' }
    expect(await year(twice, Date.UTC(2026, 3, 3, 12), 3 * DAY, HOUR / 4)).toEqual([
      '2026-04-03T14:45:00.000Z',
      '2026-04-04T14:45:00.000Z',
      '2026-04-05T15:15:00.000Z',
    ])
  })

  test('each hour that passes is fired once, also those of the changes', async () => {
    const when = { cron: '0 * * * *', timeZone: 'America/New_York' }
    for (const from of [Date.UTC(2026, 2, 8), Date.UTC(2026, 10, 1)]) {
      const hours = Array.from({ length: 24 }, (_, i) => new Date(from + (i + 1) * HOUR).toISOString())
      expect(await year(when, from, DAY, HOUR / 2)).toEqual(hours)
    }
  })
})

describe('after downtime', () => {
  const back = async (when: When, downMs: number): Promise<string[]> => {
    const { clock, queue, consumer } = setUp()
    await schedule(queue, 's', when, { payload: 1 })
    await pass(queue, clock, HOUR, HOUR)
    await clock.advance(downMs)
    await drainSchedules(queue)
    await drainSchedules(queue)
    return (await taken(consumer)).map((id) => id.slice('s@2030-01-'.length))
  }

  test('last: the last one that was missed is fired', async () => {
    expect(await back({ everyMs: HOUR }, 5.5 * HOUR)).toEqual(['01T01:00:00.000Z', '01T06:00:00.000Z'])
    expect(await back({ cron: '* * * * *', catchUp: 'last' }, 5 * DAY)).toEqual([
      '01T01:00:00.000Z',
      '06T01:00:00.000Z',
    ])
  })

  test('all: each is fired, in order', async () => {
    const hours = Array.from({ length: 221 }, (_, i) => new Date(Date.UTC(2030, 0, 1, i + 1)).toISOString())
    expect(await back({ everyMs: HOUR, catchUp: 'all' }, 220.5 * HOUR)).toEqual(
      hours.map((hour) => hour.slice('2030-01-'.length)),
    )
  })

  test('all: however many there are', async () => {
    const minutes = Array.from({ length: 2501 }, (_, i) =>
      new Date(Date.UTC(2030, 0, 1, 1, i)).toISOString().slice('2030-01-'.length),
    )
    expect(await back({ cron: '* * * * *', catchUp: 'all' }, 2500 * 60_000)).toEqual(
      Array.from({ length: 60 }, (_, i) => `01T00:${String(i + 1).padStart(2, '0')}:00.000Z`)
        .slice(0, 59)
        .concat(minutes),
    )
  })

  test('none: what is more than five minutes late is not', async () => {
    expect(await back({ everyMs: HOUR, catchUp: 'none' }, 5.5 * HOUR)).toEqual(['01T01:00:00.000Z'])
    expect(await back({ everyMs: HOUR, catchUp: 'none' }, 5 * HOUR + 300_000)).toEqual([
      '01T01:00:00.000Z',
      '01T06:00:00.000Z',
    ])
  })
})

describe('a change', () => {
  test('to other times never fires the old one', async () => {
    const { clock, queue, consumer } = setUp()
    await schedule(queue, 's', { cron: '0 12 * * *' }, { payload: 'noon' })
    await pass(queue, clock, 11 * HOUR, HOUR)
    expect(await schedule(queue, 's', { cron: '0 18 * * *' }, { payload: 'evening' })).toBe('replaced')
    await pass(queue, clock, 20 * HOUR, HOUR)
    const messages = await consumer.receiveBatch(10)
    expect(messages.map(({ id, payload }) => [id, payload])).toEqual([
      ['s@2030-01-01T18:00:00.000Z', 'evening'],
    ])
  })

  test('to earlier times is fired at these', async () => {
    const { clock, queue, consumer } = setUp()
    await schedule(queue, 's', { everyMs: DAY }, { payload: 'daily' })
    await pass(queue, clock, HOUR, HOUR)
    expect(await schedule(queue, 's', { everyMs: HOUR }, { payload: 'hourly' })).toBe('replaced')
    await pass(queue, clock, HOUR, HOUR)
    expect(await taken(consumer)).toEqual(at('s', '2030-01-01T02:00:00.000Z'))
  })

  test('by the other of two releases, which say different things at their starts: the last one counts', async () => {
    const { clock, queue, consumer, storage } = setUp()
    const other = new Queue('orders', { storage, clock })
    onTestFinished(() => other.close())
    const older = (): Promise<string> =>
      schedule(queue, 's', { everyMs: HOUR, catchUp: 'all' }, { payload: 'older' })
    const newer = (): Promise<string> =>
      schedule(other, 's', { everyMs: HOUR / 2, catchUp: 'all' }, { payload: 'newer' })
    for (const say of [older, newer, older, newer]) {
      expect(await say()).toMatch(/stored|replaced/)
      await pass(queue, clock, 2 * HOUR, HOUR / 4)
      await pass(other, clock, HOUR, HOUR / 4)
    }
    const ids = await taken(consumer)
    expect(new Set(ids).size).toBe(ids.length)
    expect(ids.length).toBe(3 + 6 + 3 + 6)
    expect(ids.slice(-6)).toEqual(
      at(
        's',
        ...Array.from({ length: 6 }, (_, i) => new Date(clock.now() - (5 - i) * (HOUR / 2)).toISOString()),
      ),
    )
  })

  test('while it is being fired does not, either', async () => {
    const { clock, queue, consumer, storage } = setUp()
    await schedule(queue, 's', { everyMs: HOUR }, { payload: 'old' })
    await pass(queue, clock, HOUR, HOUR)
    // Somebody takes it, and then stands still.
    await clock.advance(HOUR)
    const other = new Queue('orders.schedules', { storage, clock })
    const held = await other.createConsumer().receive()
    expect(held?.id).toBe('s')
    expect(await schedule(queue, 's', { everyMs: DAY }, { payload: 'new' })).toBe('replaced')
    await held!.nack({ delayMs: 0, counts: false, reason: held!.lastError! })
    await pass(queue, clock, 30 * HOUR, HOUR)
    await other.close()
    const messages = await consumer.receiveBatch(10)
    expect(messages.map(({ id, payload }) => [id, payload])).toEqual([
      ['s@2030-01-01T01:00:00.000Z', 'old'],
      ['s@2030-01-02T00:00:00.000Z', 'new'],
    ])
    expect((await listSchedules(queue)).schedules).toHaveLength(1)
  })

  test('to something else with the name of what was removed while it was being fired does not, either', async () => {
    const { clock, queue, consumer, storage } = setUp()
    await schedule(queue, 's', { everyMs: HOUR }, { payload: 'first' })
    await schedule(queue, 's', { everyMs: HOUR }, { payload: 'old' })
    await clock.advance(HOUR)
    const done: boolean[] = []
    storage.before = async ({ verb, args }) => {
      const isLook = verb === 'append' && JSON.stringify(args).includes('clock')
      if (!isLook || done.length > 0) return
      done.push(true)
      await unschedule(queue, 's')
      await schedule(queue, 's', { everyMs: DAY }, { payload: 'new' })
    }
    await drainSchedules(queue)
    await pass(queue, clock, DAY, HOUR)
    expect(done).toEqual([true])
    const messages = await consumer.receiveBatch(10)
    expect(messages.map(({ id, payload }) => [id, payload])).toEqual([['s@2030-01-02T00:00:00.000Z', 'new']])
  })

  test('of the message goes on where the schedule was, and misses nothing', async () => {
    const { clock, queue, consumer } = setUp()
    const when: When = { everyMs: HOUR, catchUp: 'all' }
    await schedule(queue, 's', when, { payload: 1 })
    await pass(queue, clock, 2 * HOUR, HOUR)
    await clock.advance(20 * DAY)
    expect(await schedule(queue, 's', when, { payload: 2 })).toBe('replaced')
    await pass(queue, clock, 1, 1)
    const messages = await consumer.receiveBatch(1000)
    expect(messages.map(({ payload }) => payload)).toEqual([1, 1, ...Array<number>(480).fill(2)])
    expect(new Set(messages.map(({ id }) => id)).size).toBe(482)
  })

  test('to the same changes nothing, whoever says it', async () => {
    const { clock, queue, consumer } = setUp()
    for (let i = 0; i < 3; i++) {
      const said = await schedule(queue, 's', { cron: '0 * * * *', timeZone: 'UTC' }, { payload: 1 })
      expect(said).toBe(i === 0 ? 'stored' : 'unchanged')
      await pass(queue, clock, HOUR / 2, HOUR / 2)
    }
    expect(await taken(consumer)).toEqual(at('s', '2030-01-01T01:00:00.000Z'))
  })

  test.each(['last', 'all'] as const)(
    'or the end of a schedule that is removed is not fired, with %s',
    async (catchUp) => {
      const { clock, queue, consumer, storage } = setUp()
      await schedule(queue, 's', { everyMs: HOUR, catchUp }, { payload: 1 })
      await pass(queue, clock, HOUR, HOUR)
      expect(await taken(consumer)).toHaveLength(1)
      expect(await unschedule(queue, 's')).toBe(true)
      expect(await unschedule(queue, 's')).toBe(false)
      await pass(queue, clock, 3 * HOUR, HOUR)
      expect(await taken(consumer)).toEqual([])
      expect((await queue.stats()).messages).toBe(0)
      const companion = new Queue('orders.schedules', { storage, clock })
      const left = (await companion.list()).messages.map(({ id }) => id)
      await companion.close()
      expect(left).toEqual(['\nclock'])
    },
  )
})

test('schedules are listed with what they send and when', async () => {
  const { clock, queue } = setUp()
  await schedule(queue, 'a', { cron: '30 2 * * *', timeZone: 'Europe/Berlin' }, { payload: 'x' })
  await schedule(queue, 'b', { everyMs: HOUR, catchUp: 'none' }, { payload: 'y' })
  await pass(queue, clock, HOUR, HOUR)
  const { schedules, cursor } = await listSchedules(queue)
  expect(schedules.toSorted((one, two) => one.name.localeCompare(two.name))).toEqual([
    {
      name: 'a',
      when: { cron: '30 2 * * *', timeZone: 'Europe/Berlin', catchUp: 'last' },
      payload: 'x',
      nextAt: Date.UTC(2030, 0, 1, 1, 30),
    },
    { name: 'b', when: { everyMs: HOUR, catchUp: 'none' }, payload: 'y', nextAt: Date.UTC(2030, 0, 1, 2) },
  ])
  expect(cursor).toBe(undefined)
  expect(await listSchedules(queue, { names: ['b'] })).toMatchObject({ schedules: [{ name: 'b' }] })
})

describe('whoever fires', () => {
  test('may die at any point: what it has sent is not sent again, and what it has not is', async () => {
    const deaths = (['last', 'all'] as const).flatMap((catchUp) =>
      [true, false].flatMap((done) => Array.from({ length: 8 }, (_, point) => ({ catchUp, done, point }))),
    )
    for (const { catchUp, done, point } of deaths) {
      const clock = new ManualClock()
      const storage = new MemoryAdapter({ clock })
      const queue = new Queue('orders', { storage, clock })
      const consumer = queue.createConsumer()
      await schedule(queue, 's', { everyMs: HOUR, catchUp }, { payload: 1 })
      await pass(queue, clock, 2 * HOUR, HOUR)
      await clock.advance(HOUR)
      const dying = new Queue('orders', { storage, clock })
      // Its calls are not answered from some point on, be the first of them done or not.
      let calls = 0
      const open = storage.open.bind(storage)
      storage.open = async (name) => {
        const view = await open(name)
        return new Proxy(view, {
          get(target, verb) {
            const value: unknown = Reflect.get(target, verb, target)
            if (typeof value !== 'function') return value
            const call = value.bind(target) as (...args: unknown[]) => unknown
            if (verb === 'close' || verb === 'watch') return call
            return (...args: unknown[]) => {
              const dead = ++calls > point
              const answer = dead && !(done && calls === point + 1) ? undefined : call(...args)
              return dead ? new Promise(() => undefined) : answer
            }
          },
        })
      }
      void drainSchedules(dying).catch(() => undefined)
      await turns()
      storage.open = open
      // What it has sent is done before anybody sends it again.
      const ids = await taken(consumer)
      await pass(queue, clock, 2 * HOUR, HOUR / 4)
      ids.push(...(await taken(consumer)))
      expect(ids, `${catchUp}, ${point} calls, ${done ? 'and one without an answer' : ''}`).toEqual(
        at('s', ...[1, 2, 3, 4, 5].map((hour) => `2030-01-01T0${hour}:00:00.000Z`)),
      )
    }
  })

  test.each([
    ['before it has sent anything', 'send', 1],
    ['after it has sent what was due', 'settle', 2],
  ] as const)('may die %s, and nobody comes for weeks: nothing is left out', async (_, verb, times) => {
    const clock = new ManualClock()
    const memory = new MemoryAdapter({ clock })
    const queue = new Queue('orders', { storage: memory, clock })
    const consumer = queue.createConsumer()
    const when: When = { everyMs: HOUR, catchUp: 'all' }
    await schedule(queue, 's', when, { payload: 1 })
    await pass(queue, clock, 2 * HOUR, HOUR)
    await clock.advance(HOUR)
    const storage = new SpyStorage(memory)
    const dying = new Queue('orders', { storage, clock })
    storage.before = ({ verb: next, args }) =>
      (verb === 'send' ? next === 'append' && JSON.stringify(args).includes('s@') : next === verb)
        ? new Promise(() => undefined)
        : undefined
    void drainSchedules(dying).catch(() => undefined)
    await turns()
    const ids = await taken(consumer)
    await clock.advance(30 * DAY)
    const now = clock.now()
    await schedule(queue, 's', when, { payload: 'changed meanwhile' })
    await pass(queue, clock, 1, 1)
    ids.push(...(await taken(consumer)))
    const hours = Array.from({ length: 3 + 720 }, (_one, i) => new Date(now - (722 - i) * HOUR))
    expect(new Set(ids)).toEqual(new Set(at('s', ...hours.map((hour) => hour.toISOString()))))
    // What whoever died has sent last is so old that its id is not known any more.
    expect(ids.filter((id) => id === ids[2])).toHaveLength(times)
    expect(ids).toHaveLength(722 + times)
  })

  test('may die after weeks, and what was sent before is not sent again', async () => {
    const { clock, queue, consumer, storage } = setUp()
    await schedule(queue, 's', { everyMs: HOUR, catchUp: 'all' }, { payload: 1 })
    for (let day = 1; day <= 20; day++) {
      await pass(queue, clock, DAY, DAY)
      expect(await taken(consumer)).toHaveLength(24)
    }
    await clock.advance(HOUR)
    const dying = new Queue('orders.schedules', { storage, clock })
    expect((await dying.createConsumer().receive())?.id).toBe('s')
    await dying.close()
    await pass(queue, clock, HOUR, HOUR)
    expect(await taken(consumer)).toEqual(at('s', '2030-01-21T01:00:00.000Z', '2030-01-21T02:00:00.000Z'))
  })

  test('need not be who stored it, nor need that be there any more', async () => {
    const clock = new ManualClock()
    const storage = new MemoryAdapter({ clock })
    const producer = new Queue('q', { storage, clock })
    await schedule(producer, 's', { everyMs: HOUR }, { payload: 1 })
    await producer.close()
    const queue = new Queue<number>('q', { storage, clock })
    onTestFinished(() => queue.close())
    await pass(queue, clock, 2 * HOUR, HOUR)
    expect(await taken(queue.createConsumer() as Consumer<unknown>)).toEqual(
      at('s', '2030-01-01T01:00:00.000Z', '2030-01-01T02:00:00.000Z'),
    )
  })

  test('goes by the clock of the storage', async () => {
    const stored = new ManualClock()
    const storage = new MemoryAdapter({ clock: stored })
    const clocks = [-HOUR, 0, HOUR].map((ms) => new ManualClock(stored.now() + ms))
    const queues = clocks.map((clock) => new Queue('q', { storage, clock }))
    onTestFinished(async () => void (await Promise.all(queues.map((queue) => queue.close()))))
    await schedule(queues[2]!, 's', { cron: '0 2 * * *' }, { payload: 1 })
    const seen: [string, number][] = []
    const consumer = queues[1]!.createConsumer()
    for (let step = 0; step < 4 * 24 * 3; step++) {
      for (const clock of [stored, ...clocks]) await clock.advance(HOUR / 4)
      for (const queue of queues) await drainSchedules(queue)
      for (const id of await taken(consumer)) seen.push([id, stored.now()])
    }
    expect(seen).toEqual(
      [1, 2, 3].map((day) => [`s@2030-01-0${day}T02:00:00.000Z`, Date.UTC(2030, 0, day, 2)]),
    )
  })

  test('sends nothing early where the clock of the storage was set back, and nothing twice', async () => {
    const { clock, queue, consumer } = setUp()
    await schedule(queue, 's', { cron: '0 2 * * *' }, { payload: 1 })
    await pass(queue, clock, 1.5 * HOUR, HOUR / 2)
    clock.jump(-HOUR)
    await pass(queue, clock, HOUR, HOUR / 2)
    expect(await taken(consumer)).toEqual([])
    await pass(queue, clock, HOUR, HOUR / 4)
    expect(await taken(consumer)).toEqual(at('s', '2030-01-01T02:00:00.000Z'))
    clock.jump(-HOUR)
    await pass(queue, clock, 2 * HOUR, HOUR / 4)
    expect(await taken(consumer)).toEqual([])
  })

  test.each(['last', 'all', 'none'] as const)(
    'goes on once a clock is set right that was years ahead, with catchUp: %s',
    async (catchUp) => {
      const { clock, queue, consumer } = setUp()
      clock.jump(3650 * DAY)
      await schedule(queue, 's', { cron: '0 * * * *', catchUp }, { payload: 1 })
      await pass(queue, clock, HOUR, HOUR)
      expect(await taken(consumer)).toHaveLength(1)
      clock.jump(-3650 * DAY)
      await pass(queue, clock, 3 * HOUR, HOUR / 2)
      // It is looked at within an interval.
      expect(await taken(consumer)).toEqual(at('s', '2030-01-01T03:00:00.000Z', '2030-01-01T04:00:00.000Z'))
      await pass(queue, clock, HOUR, HOUR / 2)
      expect(await taken(consumer)).toEqual(at('s', '2030-01-01T05:00:00.000Z'))
    },
  )

  test.each(['last', 'all', 'none'] as const)(
    'catches up with no years once a clock is set right that was behind, with catchUp: %s',
    async (catchUp) => {
      const { clock, queue, consumer } = setUp()
      await schedule(queue, 's', { cron: '0 * * * *', catchUp }, { payload: 1 })
      await pass(queue, clock, HOUR, HOUR)
      expect(await taken(consumer)).toEqual(at('s', '2030-01-01T01:00:00.000Z'))
      clock.jump(-60 * DAY)
      await pass(queue, clock, 2 * HOUR, HOUR / 2)
      expect((await taken(consumer)).length).toBeGreaterThan(0)
      clock.jump(60 * DAY)
      await pass(queue, clock, 2 * HOUR, HOUR / 2)
      const hours = [2, 3, 4, 5].map((hour) => `2030-01-01T0${hour}:00:00.000Z`)
      expect(await taken(consumer)).toEqual(at('s', ...hours.slice({ all: 0, last: 1, none: 2 }[catchUp])))
    },
  )

  test('is told what fails, and tries again', async () => {
    const { clock, queue, consumer } = setUp({ maxMessages: 1 })
    await queue.createProducer().send('full')
    await schedule(queue, 's', { everyMs: HOUR }, { payload: 1 })
    const stop = new AbortController()
    const errors: unknown[] = []
    const running = runSchedules(queue, { signal: stop.signal, onError: (error) => errors.push(error) })
    await turns()
    for (const ms of [HOUR, 5000]) {
      await clock.advance(ms)
      await turns()
    }
    expect(errors).toMatchObject([{ code: 'QUOTA_EXCEEDED' }, { code: 'QUOTA_EXCEEDED' }])
    await taken(consumer)
    await clock.advance(5000)
    await turns()
    expect(await taken(consumer)).toEqual(at('s', '2030-01-01T01:00:00.000Z'))
    stop.abort()
    await running
  })

  test('is on time again after the storage was away just when it was to note what it had sent', async () => {
    const { clock, queue, consumer, storage } = setUp()
    await schedule(queue, 's', { everyMs: HOUR }, { payload: 1 })
    const stop = new AbortController()
    const running = runSchedules(queue, { signal: stop.signal })
    await turns()
    storage.before = ({ verb, args }) => {
      const isNote = verb === 'settle' || JSON.stringify(args).includes('"settle":')
      if (isNote && clock.now() >= Date.UTC(2030, 0, 1, 1))
        throw new QuaysideError('STORAGE_UNAVAILABLE', 'away')
    }
    for (let minute = 1; minute <= 150; minute++) {
      if (minute === 105) storage.work()
      await clock.advance(60_000)
      await turns()
    }
    stop.abort()
    await running
    const messages = await consumer.receiveBatch(10)
    expect(messages.map(({ id, timestamp }) => [id, new Date(timestamp).toISOString()])).toEqual([
      ['s@2030-01-01T01:00:00.000Z', '2030-01-01T01:00:00.000Z'],
      ['s@2030-01-01T02:00:00.000Z', '2030-01-01T02:00:00.000Z'],
    ])
  })

  test('once only learns what failed, after all others were sent', async () => {
    const { clock, queue, consumer } = setUp({ maxMessages: 1 })
    await queue.createProducer().send('full')
    await schedule(queue, 's', { everyMs: HOUR }, { payload: 1 })
    await clock.advance(HOUR)
    await expectCode(drainSchedules(queue), 'QUOTA_EXCEEDED')
    await taken(consumer)
    await clock.advance(5000)
    expect(await drainSchedules(queue)).toBe(1)
    expect(await drainSchedules(queue)).toBe(0)
  })

  test('ends when the queue is closed, which waits for it', async () => {
    const clock = new ManualClock()
    const queue = new Queue('q', { clock })
    await schedule(queue, 's', { everyMs: HOUR }, { payload: 1 })
    const running = runSchedules(queue)
    await clock.advance(HOUR)
    await queue.close()
    await running
    expect(clock.timers).toBe(0)
    await expectCode(schedule(queue, 's', { everyMs: HOUR }, { payload: 1 }), 'CLOSED')
  })
})

describe('what is wrong is refused, and nothing is stored', () => {
  const payload = 1
  test.each([
    ['a pattern', { cron: 'often' }, 'often'],
    ['a pattern that never comes', { cron: '0 0 30 2 *' }, 'an instant'],
    ['a time zone', { cron: '* * * * *', timeZone: 'Europe/Atlantis' }, 'Europe/Atlantis'],
    ['a time zone without a pattern', { everyMs: 1000, timeZone: 'UTC' }, 'timeZone is for cron'],
    ['a short time', { everyMs: 10 }, '1000 or more'],
    ['both', { everyMs: 1000, cron: '* * * * *' }, 'either cron or everyMs'],
    ['neither', {}, 'either cron or everyMs'],
    ['how to catch up', { everyMs: 1000, catchUp: 'some' }, '"last"'],
    ['a name of an option', { every: 1000 }, 'everyMs'],
    ['no options', undefined, 'when'],
    ['an empty pattern', { cron: '' }, 'cron'],
    ['a field too many', { cron: '* * * * * * * *' }, '* * * * * * * *'],
    ['an hour that no day has', { cron: '0 25 * * *' }, '0 25 * * *'],
    ['an empty time zone', { cron: '* * * * *', timeZone: '' }, 'timeZone'],
    ['a distance that is no number', { everyMs: '1000' }, 'everyMs'],
  ])('%s', async (_, when, text) => {
    const { queue, storage } = setUp()
    await expectCode(schedule(queue, 's', when as never, { payload }), 'INVALID_ARGUMENT', text)
    expect(await storage.queues()).toEqual([])
    expect((await listSchedules(queue)).schedules).toEqual([])
  })

  test('names and messages', async () => {
    const { queue } = setUp()
    const when: When = { everyMs: 1000 }
    await expectCode(schedule(queue, '', when, { payload }), 'INVALID_ARGUMENT', 'name')
    await expectCode(schedule(queue, 'a\nb', when, { payload }), 'INVALID_ARGUMENT', 'one line')
    await expectCode(schedule(queue, 'x'.repeat(232), when, { payload }), 'TOO_LARGE', '231')
    await expectCode(schedule(queue, 's', when, { payload, id: 'a' } as never), 'INVALID_ARGUMENT', 'id')
    await expectCode(schedule(queue, 's', when, { payload: () => 1 }), 'UNSERIALIZABLE')
    await expectCode(schedule(queue, 's', when, { payload, key: '' }), 'INVALID_ARGUMENT', 'key')
    await expectCode(unschedule(queue, ''), 'INVALID_ARGUMENT')
    await expectCode(listSchedules(queue, { name: 's' } as never), 'INVALID_ARGUMENT')
    await expectCode(runSchedules(queue, { concurrency: 5 } as never), 'INVALID_ARGUMENT')
    await expectCode(drainSchedules(queue, { deadline: -1 }), 'INVALID_ARGUMENT')
    expect((await listSchedules(queue)).schedules).toEqual([])
    const long = new Queue('q'.repeat(250))
    await expectCode(schedule(long, 's', when, { payload }), 'TOO_LARGE')
  })
})
