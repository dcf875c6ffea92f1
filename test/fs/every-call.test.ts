import { expect, test } from 'vitest'
import { openJournalStore } from '../../adapters/fs/store.ts'
import { QuaysideError } from '../../src/errors.ts'
import type { QueueStore } from '../../src/segments/store.ts'
import { effort, howMany } from '../support/effort.ts'
import { seedOf } from '../support/lots.ts'
import { type Fault, FaultyFileSystem } from './faulty.ts'
import { randomFrom } from '../../conformance/scene.ts'
import { History, randomStep } from './history.ts'
import { MemoryDisk } from './memory-disk.ts'

/**
 * One history, with opening, rolling, cleaning and closing in it, again and again: each time another call to the file
 * system goes wrong. Whatever it is, the errors are typed, and nothing that was acknowledged is missing afterwards.
 */
async function live(fault: Fault | undefined): Promise<{
  calls: string[]
  hit: string | undefined
  errors: string[]
  /** Told by those who opened it afterwards. */
  events: string[]
}> {
  const random = randomFrom(5)
  const history = new History()
  const errors: string[] = []
  const events: string[] = []
  let disk = new MemoryDisk()
  const calls: string[] = []
  let hit: string | undefined
  // Opened twice, so that the second time finds a journal, with an unfinished end.
  for (const round of [1, 2]) {
    const faulty = new FaultyFileSystem(disk, fault && { ...fault, call: fault.call - calls.length })
    const steps = Array.from({ length: 25 }, () => randomStep(random, { bytes: 300 }))
    const tell = (error: unknown): void => {
      if (error === undefined) return
      if (!(error instanceof QuaysideError)) throw new Error('An error without a type', { cause: error })
      errors.push(error.code)
    }
    try {
      const store = await openJournalStore('/data', { fileSystem: faulty.fileSystem, maxFileBytes: 2000 })
      const queue = await store.open('queue')
      await work(queue, history, steps, tell)
      if (round === 1) history.crash()
      else await store.close().catch(tell)
      disk = disk.afterKill()
      if (round === 1) void store.close().catch(() => {})
    } catch (error) {
      tell(error)
      disk = disk.afterKill()
    }
    calls.push(...faulty.calls)
    hit ??= faulty.hit
    if (hit !== undefined) break
  }
  for (const after of ['kill', 'power cut'] as const) {
    const left = after === 'kill' ? disk.afterKill() : disk.afterPowerCut(randomFrom(calls.length))
    const store = await openJournalStore('/data', {
      fileSystem: left,
      onEvent: ({ type }) => void events.push(`${type} after a ${after}`),
    })
    const queue = await store.open('queue')
    const wrong = await history.check(queue, after)
    if (wrong !== undefined) throw new Error(`after a ${after}: ${wrong}`)
    await store.close()
  }
  return { calls, hit, errors, events }
}

async function work(
  queue: QueueStore,
  history: History,
  steps: readonly Parameters<History['run']>[1][],
  tell: (error: unknown) => void,
): Promise<void> {
  for (let i = 0; i < steps.length;) {
    const burst = steps.slice(i, (i += 1 + (i % 3)))
    const errors = await Promise.all(burst.map((step) => history.run(queue, step)))
    errors.forEach(tell)
    await new Promise((resolve) => setImmediate(resolve))
  }
}

const STRIDE = effort({ quick: 8, full: 1 })
const FIRST = howMany('FIRST_CALL', { quick: seedOf('call') % STRIDE, full: 0 })

/** The places of calls, from 1: all, or in `npm test` of each kind one in eight, beginning at any. */
function chosen(calls: readonly string[]): number[] {
  return [...new Set(calls)].flatMap((kind) => {
    const places = calls.flatMap((name, i) => (name === kind ? [i + 1] : []))
    const first = FIRST % Math.min(STRIDE, places.length)
    return places.filter((_, i) => i % STRIDE === first)
  })
}

/** Fails these calls, each in a life of its own; returns how often each kind of call was hit, and which errors and events there were. */
async function everyCall(
  kind: Fault['kind'],
): Promise<{ hits: Map<string, number>; codes: Set<string>; events: Set<string> }> {
  const { calls } = await live(undefined)
  expect(calls.length).toBeGreaterThan(150)
  const hits: Map<string, number> = new Map()
  const codes: Set<string> = new Set()
  const told: Set<string> = new Set()
  for (const call of chosen(calls)) {
    try {
      const { hit, errors, events } = await live({ call, kind })
      if (hit !== undefined) hits.set(hit, (hits.get(hit) ?? 0) + 1)
      for (const code of errors) codes.add(code)
      for (const event of events) told.add(event)
    } catch (error) {
      throw new Error(`call ${call}, ${kind}: ${String(error)}`, { cause: error })
    }
  }
  return { hits, codes, events: told }
}

test('EIO', async () => {
  const { hits, codes } = await everyCall('EIO')
  expect([...hits.keys()]).toEqual(
    expect.arrayContaining(['open', 'write', 'read', 'dataSync', 'syncDirectory', 'truncate']),
  )
  expect([...codes]).toEqual(expect.arrayContaining(['STORAGE_FAILED']))
})

test('no room', async () => {
  const { codes } = await everyCall('ENOSPC')
  expect([...codes]).toEqual(expect.arrayContaining(['QUOTA_EXCEEDED']))
})

test('a write that stops in the middle', async () => {
  const { codes, events } = await everyCall('short')
  expect([...codes]).toEqual(expect.arrayContaining(['QUOTA_EXCEEDED']))
  // Nothing of it is left for anybody to stumble over.
  expect([...events]).not.toContain('torn-tail after a kill')
})

test('a failed fsync that loses what it should have written', async () => {
  const { hits, codes } = await everyCall('lost')
  expect(hits.get('dataSync')).toBeGreaterThan(effort({ quick: 2, full: 5 }))
  expect([...codes]).toEqual(expect.arrayContaining(['STORAGE_FAILED']))
})

test('a process that dies before the call', async () => {
  const { hits } = await everyCall('dead')
  expect(hits.get('remove')).toBeGreaterThan(effort({ quick: 0, full: 3 }))
})

test('no descriptors left', async () => {
  const { codes } = await everyCall('EMFILE')
  expect([...codes]).toEqual(expect.arrayContaining(['STORAGE_UNAVAILABLE']))
})
