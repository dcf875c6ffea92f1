import { expect, test } from 'vitest'
import { KeyValueStore } from '../../adapters/key-value/store.ts'
import type { QueueStore } from '../../src/segments/index.ts'
import { randomFrom } from '../../conformance/scene.ts'
import { History, type Random, pick, randomStep } from '../fs/history.ts'
import { howMany } from '../support/effort.ts'
import { ItemStorage } from '../support/item-storage.ts'

/** More on request: `LIVES=1000 npx vitest run test/key-value/crash.test.ts`. A seed that fails is in the message. */
const LIVES = howMany('LIVES', { quick: 8, full: 150 })
const FIRST_SEED = Number(process.env['SEED'] ?? 1)

const open = async (storage: ItemStorage): Promise<[KeyValueStore, QueueStore]> => {
  const store = await KeyValueStore.open('quayside', storage, Date)
  return [store, await store.open('queue')]
}

async function perSeed(life: (random: Random) => Promise<void>): Promise<void> {
  for (let seed = FIRST_SEED; seed < FIRST_SEED + LIVES; seed++) {
    await life(randomFrom(seed)).catch((error: unknown) => {
      throw new Error(`SEED=${seed} LIVES=1: ${String(error)}`, { cause: error })
    })
  }
}

interface Written {
  readonly key: string
  /** `undefined`: it was removed. */
  readonly value: string | undefined
  /** How many steps had been acknowledged before it. */
  readonly acknowledged: number
}

/** Steps on one storage, opened again now and then, with all that became of its items on the way. */
async function record(random: Random): Promise<{ history: History; log: Written[] }> {
  const history = new History()
  const log: Written[] = []
  const storage = new ItemStorage({
    sync: random() < 0.3,
    onChange: (key, value) => void log.push({ key, value, acknowledged: history.acknowledged }),
  })
  const bytes = pick(random, [50, 200, 4000])
  for (let generation = 0; generation < 3; generation++) {
    const [store, queue] = await open(storage)
    const running: Promise<unknown>[] = []
    for (let i = 0; i < 60; i++) {
      const step = history.run(queue, randomStep(random, { bytes }))
      running.push(step)
      if (random() < 0.6) await step
    }
    for (const error of await Promise.all(running)) if (error !== undefined) throw error as Error
    // The next one takes over, or finds it closed.
    if (random() < 0.5) await store.close()
  }
  return { history, log }
}

test('after each prefix of what was written, whole or with its last item torn, all that was acknowledged is there', async () => {
  let opened = 0
  await perSeed(async (random) => {
    const { history, log } = await record(random)
    const items = new Map<string, string>()
    for (let i = 0; i <= log.length; i++) {
      const { key, value, acknowledged } = log[i] ?? { acknowledged: history.acknowledged }
      const torn = new Map(items)
      if (key !== undefined && value !== undefined)
        torn.set(key, value.slice(0, Math.floor(random() * value.length)))
      for (const left of value === undefined ? [items] : [items, torn]) {
        const [store, queue] = await open(new ItemStorage({ sync: true, items: left }))
        expect(await history.check(queue, acknowledged), `prefix ${i} of ${log.length}`).toBeUndefined()
        await store.close()
        opened++
      }
      if (key === undefined) continue
      if (value === undefined) items.delete(key)
      else items.set(key, value)
    }
  })
  expect(opened).toBeGreaterThan(LIVES * 200)
}, 600_000)

test('what is opened after a crash goes on, also when the next crash comes at once', async () => {
  await perSeed(async (random) => {
    const history = new History()
    let items: ReadonlyMap<string, string> = new Map()
    for (let generation = 0; generation < 40; generation++) {
      let left = Math.floor(random() ** 2 * 60)
      const tears = random() < 0.5
      let dead: Map<string, string> | undefined
      const die = (): never => {
        throw new Error('it was killed')
      }
      const storage: ItemStorage = new ItemStorage({
        items,
        sync: random() < 0.5,
        onChange(key, value, all) {
          if (dead !== undefined) die()
          if (left-- > 0) return
          dead = new Map(all)
          if (tears && value !== undefined) dead.set(key, value.slice(0, random() * value.length))
          history.crash()
          die()
        },
      })
      try {
        const [, queue] = await open(storage)
        expect(await history.check(queue, 'kill')).toBeUndefined()
        await history.goOn(queue)
        const steps = Array.from({ length: 30 }, () => history.run(queue, randomStep(random)))
        await Promise.all(steps)
      } catch (error) {
        if (dead === undefined) throw error
      }
      items = dead ?? storage.items
      history.crash()
    }
  })
})

const FAULTS = [
  'happens and fails',
  'does not happen',
  'tears',
  'has no room',
  'tears for want of room',
] as const

test('a call that fails loses nothing that was acknowledged, whether or not it happened', async () => {
  const codes = new Map<string, number>()
  await perSeed(async (random) => {
    const history = new History()
    const fault = pick(random, FAULTS)
    let isOn = false
    const storage = new ItemStorage({
      onChange(key, value, all) {
        if (!isOn || random() > 0.15) return
        const isFull = fault.endsWith('room')
        // Removing needs none.
        if (isFull && value === undefined) return
        if (fault === 'happens and fails' && value !== undefined) all.set(key, value)
        if (fault === 'happens and fails' && value === undefined) all.delete(key)
        if (fault.startsWith('tears') && value !== undefined) all.set(key, value.slice(0, value.length / 2))
        throw isFull
          ? Object.assign(new Error('database or disk is full (code 13 SQLITE_FULL)'), { code: 13 })
          : new Error('the bridge broke')
      },
    })
    for (let generation = 0; generation < 12; generation++) {
      isOn = false
      const [store, queue] = await open(storage)
      expect(await history.check(queue, 'kill'), fault).toBeUndefined()
      await history.goOn(queue)
      isOn = true
      for (let i = 0; i < 25; i++) {
        const error = (await history.run(queue, randomStep(random))) as { code: string } | undefined
        if (error !== undefined) codes.set(error.code, (codes.get(error.code) ?? 0) + 1)
        if (store.failure !== undefined) break
        // What was refused is not there, and what was not refused is; unless what was cleaned up afterwards failed.
        if (error === undefined && i % 5 !== 0) continue
        const wrong = await history.check(queue, 'running').catch((why: unknown) => {
          if (store.failure === undefined) throw why
        })
        expect(wrong, fault).toBeUndefined()
      }
      isOn = false
      await store.close()
    }
  })
  expect([...codes.keys()].sort()).toEqual(['QUOTA_EXCEEDED', 'STORAGE_FAILED'])
})
