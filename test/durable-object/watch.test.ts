import type { WebSocket } from 'miniflare'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { type Worker, startWorker } from './support/workerd.ts'
import { WALL_CLOCK } from '../support/wall-clock.ts'

let worker: Worker
beforeAll(async () => {
  worker = await startWorker('test/durable-object/workers/watch.ts', { QUEUE: 'Watched' })
})
afterAll(() => worker.close())

/** Watches as a browser does. Answers with the hints so far. */
async function watch(path: string): Promise<{ hints: number[]; socket: WebSocket }> {
  const response = await worker.miniflare.dispatchFetch(`http://worker/watch/${path}`, {
    headers: { upgrade: 'websocket' },
  })
  expect(response.status).toBe(101)
  const socket = response.webSocket!
  const hints: number[] = []
  socket.addEventListener('message', () => void hints.push(Date.now()))
  socket.accept()
  onTestFinished(() => socket.close())
  return { hints, socket }
}

async function expectHints(hints: readonly unknown[], count: number): Promise<void> {
  await expect.poll(() => hints.length).toBeGreaterThanOrEqual(count)
}

/** Waits until all shards are watched, each of which gives a hint: something may have changed before. A single one is watched at once. */
async function connected(hints: readonly unknown[], shards: number): Promise<void> {
  if (shards > 1) await expectHints(hints, shards)
}

test.each([1, 3])('a browser hears of changes, %i shards', async (shards) => {
  const { hints } = await watch(`${shards}/browser`)
  await connected(hints, shards)
  const before = hints.length
  await worker.call(`send/${shards}/browser`)
  await expectHints(hints, before + 1)
})

test.each([1, 3])('a browser hears what has finished, %i shards', async (shards) => {
  const { socket } = await watch(`${shards}/finished`)
  const texts: unknown[] = []
  socket.addEventListener('message', ({ data }) => void texts.push(data))
  await connected(texts, shards)
  texts.length = 0
  const id = await worker.call<string>(`finish/${shards}/finished`)
  await expect.poll(() => texts).toContain(JSON.stringify({ finished: [id] }))
  for (const text of texts) expect(['', JSON.stringify({ finished: [id] })]).toContain(text)
})

test('a burst of changes is told a few times, the last included', WALL_CLOCK, async () => {
  const { hints } = await watch('1/burst')
  const ms = await worker.call<number>('burst/1/burst')
  const end = Date.now()
  await expect.poll(() => hints.at(-1) ?? 0).toBeGreaterThan(end - 100)
  expect(hints.length).toBeLessThanOrEqual(2 + Math.ceil(ms / 50))
})

test('a watcher stays connected while its object is out of memory', async () => {
  const { hints } = await watch('1/asleep')
  await worker.call('send/1/asleep')
  await expectHints(hints, 1)
  await worker.miniflare.unsafeEvictDurableObject('quayside', 'Watched', { name: 'asleep' })
  const before = hints.length
  await worker.call('send/1/asleep')
  await expectHints(hints, before + 1)
})

test('what is no request for a WebSocket is refused', async () => {
  for (const shards of [1, 3]) {
    const response = await worker.miniflare.dispatchFetch(`http://worker/watch/${shards}/refused`)
    expect(response.status).toBe(426)
  }
})

test.each([1, 3])('a consumer that waits in a Worker is woken, %i shards', WALL_CLOCK, async (shards) => {
  const { payload, ms } = await worker.call<{ payload: number; ms: number }>(`wait/${shards}/wait`)
  expect(payload).toBe(0)
  expect(ms).toBeLessThan(15_000)
})

test.each([1, 3])('who waits for a result in a Worker is woken, %i shards', WALL_CLOCK, async (shards) => {
  const { result, ms } = await worker.call<{ result: object; ms: number }>(`result/${shards}/result`)
  expect(result).toMatchObject({ status: 'done', value: 'well done' })
  expect(ms).toBeLessThan(15_000)
})

test('a watcher in a Worker connects again when its object has ended, and is silent once it is stopped', async () => {
  const { heard: hints, afterStop } = await worker.call<Record<string, number>>('reconnect/1/reconnect')
  expect(hints).toBeGreaterThan(0)
  expect(afterStop).toBe(0)
})
