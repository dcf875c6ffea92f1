import { expect, test } from 'vitest'
import { expectCode } from '../support/set-up.ts'
import { Setting, bodies, names } from './support/setting.ts'
import { VirtualTime } from './support/virtual-time.ts'

/** Requests to one isolate, on time that goes on by itself. */
function requests(): {
  readonly time: VirtualTime
  readonly setting: Setting
  readonly take: () => Promise<string[]>
  readonly send: (body: string, wait?: (ms: number) => Promise<void>) => Promise<unknown>
} {
  const time = new VirtualTime()
  const setting = new Setting()
  setting.clock.at = time.now()
  const isolate = setting.isolate()
  const send = async (body: string, wait = (ms: number) => time.sleep(ms)): Promise<unknown> =>
    (await isolate.open({ coalesceMs: 10, clock: time, wait })).send(body)
  const take = async (): Promise<string[]> => {
    setting.clock.at = time.now()
    return bodies(await (await isolate.open()).take({ limit: 200 }))
  }
  return { time, setting, take, send }
}

const never = (): Promise<void> => new Promise(() => {})

test('sends of the same moment are one write, those of later another', async () => {
  const { time, setting, take, send } = requests()
  await time.run(async () => {
    await Promise.all(names('a', 100).map((body) => send(body)))
    expect(setting.namespace.counted.writes).toBe(1)
    await Promise.all(names('b', 100).map((body) => send(body)))
  })
  expect(setting.namespace.counted.writes).toBe(2)
  expect(await take()).toEqual([...names('a', 100), ...names('b', 100)])
})

test('no send is answered before its write', async () => {
  const { time, setting, send } = requests()
  const answered: string[] = []
  setting.namespace.latency = async () => {
    await time.sleep(100)
    expect(answered).toEqual([])
  }
  await time.run(async () => {
    await Promise.all(names('a', 20).map(async (body) => answered.push(String(await send(body)))))
  })
  expect(answered).toHaveLength(20)
})

test('when the request that was to write is cancelled before it does, another writes for all', async () => {
  const { time, setting, take, send } = requests()
  await time.run(async () => {
    void send('cancelled', never)
    await time.sleep(1)
    await Promise.all(names('a', 20).map((body) => send(body)))
  })
  expect(setting.namespace.counted.writes).toBe(1)
  expect(await take()).toEqual([...names('a', 20), 'cancelled'])
})

test('when it is cancelled while it writes, the others are told that the outcome is unknown', async () => {
  const { time, setting, take, send } = requests()
  setting.namespace.latency = never
  await time.run(async () => {
    void send('cancelled')
    await time.sleep(1)
    await expectCode(send('a'), 'STORAGE_FAILED', 'append', 'unknown')
    // Later ones are not held up by it.
    setting.namespace.latency = undefined
    await send('b')
  })
  expect(await take()).toEqual(['b'])
})

test('when the write fails, all are told, each with an error of their own', async () => {
  const { time, setting, send } = requests()
  setting.namespace.before = () => {
    throw new Error('KV PUT failed: 403')
  }
  await time.run(async () => {
    const errors = await Promise.all(
      names('a', 3).map((body) => expectCode(send(body), 'STORAGE_FAILED', '403')),
    )
    expect(new Set(errors).size).toBe(3)
  })
})
