import type { WebSocket } from 'miniflare'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { type Worker, startWorker } from './support/workerd.ts'
import { WALL_CLOCK } from '../support/wall-clock.ts'

let worker: Worker
beforeAll(async () => {
  worker = await startWorker('test/durable-object/workers/watch.ts', { QUEUE: 'Watched' })
})
afterAll(() => worker.close())

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

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

async function heard(hints: readonly unknown[], count: number): Promise<boolean> {
  // As long as a busy machine may take.
  for (const end = Date.now() + 45_000; hints.length < count && Date.now() < end;) await sleep(20)
  return hints.length >= count
}

test.each([1, 3])('a browser hears of changes, %i shards', async (shards) => {
  const { hints } = await watch(`${shards}/browser`)
  if (shards > 1) await sleep(400)
  const before = hints.length
  await worker.call(`send/${shards}/browser`)
  expect(await heard(hints, before + 1)).toBe(true)
})

test.each([1, 3])('a browser hears what has finished, %i shards', async (shards) => {
  const { socket } = await watch(`${shards}/finished`)
  const texts: unknown[] = []
  socket.addEventListener('message', ({ data }) => void texts.push(data))
  if (shards > 1) await sleep(400)
  texts.length = 0
  const id = await worker.call<string>(`finish/${shards}/finished`)
  expect(await heard(texts, 1)).toBe(true)
  await sleep(200)
  expect(texts).toContain(JSON.stringify({ finished: [id] }))
  for (const text of texts) expect(['', JSON.stringify({ finished: [id] })]).toContain(text)
})

test('a burst of changes is told a few times, the last included', WALL_CLOCK, async () => {
  const { hints } = await watch('1/burst')
  const ms = await worker.call<number>('burst/1/burst')
  const end = Date.now()
  await sleep(200)
  expect(hints.length).toBeGreaterThan(0)
  expect(hints.length).toBeLessThanOrEqual(2 + Math.ceil(ms / 50))
  expect(hints.at(-1)!).toBeGreaterThan(end - 100)
})

test('a watcher stays connected while its object is out of memory', async () => {
  const { hints } = await watch('1/asleep')
  await worker.call('send/1/asleep')
  expect(await heard(hints, 1)).toBe(true)
  await sleep(200)
  await worker.miniflare.unsafeEvictDurableObject('quayside', 'Watched', { name: 'asleep' })
  const before = hints.length
  await worker.call('send/1/asleep')
  expect(await heard(hints, before + 1)).toBe(true)
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
  expect(ms).toBeLessThan(900)
})

test.each([1, 3])('who waits for a result in a Worker is woken, %i shards', WALL_CLOCK, async (shards) => {
  const { result, ms } = await worker.call<{ result: object; ms: number }>(`result/${shards}/result`)
  expect(result).toMatchObject({ status: 'done', value: 'well done' })
  expect(ms).toBeLessThan(900)
})

test('a watcher in a Worker connects again when its object has ended, and is silent once it is stopped', async () => {
  const { heard: hints, afterStop } = await worker.call<Record<string, number>>('reconnect/1/reconnect')
  expect(hints).toBeGreaterThan(0)
  expect(afterStop).toBe(0)
})
