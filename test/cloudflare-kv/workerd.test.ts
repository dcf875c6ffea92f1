import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { KVOperations } from '../../adapters/cloudflare-kv/index.ts'
import { names } from './support/setting.ts'
import { type Worker, startWorker } from './support/workerd.ts'

let worker: Worker
beforeAll(async () => void (worker = await startWorker('test/cloudflare-kv/workers/queue.ts')))
afterAll(() => worker.close())
beforeEach(async () => {
  await worker.json('/drain')
  await worker.json('/reset')
})

const counted = (): Promise<KVOperations> => worker.json('/counted')
const drain = (): Promise<{ seen: string[]; operations: KVOperations }> => worker.json('/drain')

test('a message sent in one request is handled in another, and the adapter counts as the namespace does', async () => {
  expect(await worker.json('/send', { payloads: ['a', 'b'] })).toEqual({ stored: true })
  expect(await counted()).toEqual({ reads: 0, writes: 1, deletes: 0, lists: 0 })
  await worker.json('/reset')
  const { seen, operations } = await drain()
  expect(seen.sort()).toEqual(['a', 'b'])
  expect(operations).toEqual(await counted())
})

test('500 concurrent requests share a few writes, and each is answered after its own is stored', async () => {
  const payloads = names('m', 500)
  const answers = await Promise.all(
    payloads.map((payload) =>
      worker.json<{ stored: boolean }>('/send', { payloads: [payload], options: { coalesceMs: 10 } }),
    ),
  )
  expect(answers.every(({ stored }) => stored)).toBe(true)
  const { writes } = await counted()
  console.log(`500 concurrent requests with coalesceMs: 10 needed ${writes} writes`)
  expect(writes).toBeLessThan(100)
  const seen = []
  for (let drained = await drain(); drained.seen.length > 0; drained = await drain())
    seen.push(...drained.seen)
  expect(seen.sort()).toEqual(payloads)
})

test('without coalescing each request writes for itself', async () => {
  await Promise.all(names('m', 50).map((payload) => worker.json('/send', { payloads: [payload] })))
  expect((await counted()).writes).toBe(50)
})

test('a request that is cancelled while others wait for it leaves them to write, or to be told', async () => {
  const options = { coalesceMs: 50 }
  const dying = worker.json('/die', { payloads: ['of the dead'], options })
  const answers = await Promise.all(
    names('follower', 20).map((payload) =>
      worker.json<{ stored: boolean }>('/send', { payloads: [payload], options }),
    ),
  )
  await dying
  expect(answers.map(({ stored }) => stored)).toEqual(Array(20).fill(true))
  const { seen } = await drain()
  expect(seen).toEqual(expect.arrayContaining(names('follower', 20)))
})
