import { type Consumer, Queue, type QueueOptions, QuaysideError } from '../../src/index.ts'
import { randomFrom } from '../../conformance/scene.ts'
import { pick } from '../fs/history.ts'

/** What may stand in the place of anything. */
export const GARBAGE: readonly unknown[] = [
  null,
  0,
  -1,
  Number.NaN,
  1e9,
  '',
  'x',
  '__proto__',
  true,
  [],
  {},
  [null],
  { bodies: 5 },
  { first: 'x' },
  new Uint8Array(3),
  [1, 2, 3],
]

/** A value with some part of it exchanged for garbage, or all. */
function forge(random: () => number, value: unknown, garbage: readonly unknown[]): unknown {
  if (value === null || typeof value !== 'object' || random() < 0.25) return pick(random, garbage)
  const copy = (Array.isArray(value) ? [...value] : { ...value }) as Record<string, unknown>
  const names = Object.keys(copy)
  if (names.length === 0) return pick(random, garbage)
  const name = pick(random, names)
  if (random() < 0.2) delete copy[name]
  else copy[name] = forge(random, copy[name], garbage)
  return copy
}

/** One row of the queue `q`. */
export interface ForgedRow {
  /** What it is, for who reads of it. */
  readonly name: string
  readonly value: unknown
  /** Writes something else in its place, unless the storage takes no such row. */
  put(value: unknown): Promise<void>
}

/** A storage, time that can be moved, and the rows as somebody else finds them. */
export interface Scene extends Pick<QueueOptions<unknown>, 'storage' | 'clock'> {
  readonly garbage: readonly unknown[]
  jump(ms: number): void
  rows(): Promise<readonly ForgedRow[]>
}

/** Has the queue have rows of every kind, whatever its consumer has at work. */
async function populate(queue: Queue, consumer: Consumer<unknown>): Promise<void> {
  const producer = queue.createProducer()
  await producer.sendBatch(
    [1, 2, 3, 4, 5, 6].map((payload) => ({
      payload,
      ...(payload % 2 === 1 && { key: 'k', headers: { a: 'b' } }),
      ...(payload === 4 && { id: 'four', keepMs: 60_000, dedupeMs: 60_000 }),
      ...(payload === 6 && { lane: 'a' }),
    })),
  )
  await producer.send('delayed', { delayMs: 1000, expiresInMs: 5000 })
  await producer.send('in a lane', { lane: 'b', delayMs: 1000, id: 'late', keepMs: 60_000 })
  const [retried, rejected, parked] = await consumer.receiveBatch(4)
  await retried!.nack({ delayMs: 500 })
  await rejected!.reject()
  await parked!.park({ reason: 'looked at' })
  await producer.send('done', { id: 'done', keepMs: 30_000, dedupeMs: 30_000 })
  for (const message of await consumer.receiveBatch(9))
    if (message.id === 'done') await message.ack()
    else if (message.lane === 'a') await message.progress(1)
  await queue.hold({ group: 'g', lane: 'b', forMs: 15_000 })
  await queue.hold({ lane: 'c', forMs: 1000, probe: true })
  await producer.sendBatch(
    [7, 8, 9, 10, 11].map((payload) => ({
      payload,
      ...(payload === 8 && { id: 'eight' }),
      ...(payload > 8 && { lane: payload === 9 ? 'b' : 'c' }),
    })),
  )
  await producer.send('eight, too', { id: 'eight', replace: true })
  await producer.sendBatch([12, 13, 14, 15, 16, 17, 18, 19].map((payload) => ({ payload, key: 'k' })))
  await producer.sendBatch(
    [20, 21, 22, 23, 24, 25].map((payload) => ({
      payload,
      lane: 'd',
      id: `${payload}`,
      dedupeMs: 60_000,
      expiresInMs: 70_000,
      ...(payload < 24 && { key: 'k' }),
    })),
  )
  for (const message of await consumer.receiveBatch(9))
    if (message.payload === 20) await message.park({ reason: 'looked at', data: { some: 'data' } })
    else if (message.payload === 24) await message.nack({ delayMs: 500, reason: 'again' })
    else if (message.payload === 25) await message.reject({ reason: 'never' })
  await producer.sendBatch(
    [20, 21, 24, 25].map((payload) => ({ payload, id: `${payload}`, lane: 'd', delayMs: 1, replace: true })),
  )
  await producer.send('again', { id: 'four', replace: true })
  await queue.hold({ lane: 'e' })
  await producer.send('held', { lane: 'e', key: 'k' })
}

/** A queue of which a row is forged, or some are. Answers with what became of its consumer. */
export async function meetForgery(seed: number, scene: Scene): Promise<string> {
  const { storage, clock, garbage, jump } = scene
  const random = randomFrom(seed)
  const queue = new Queue<unknown>('q', { storage, clock })
  const other = new Queue<string>('other', { storage, clock })
  const producer = queue.createProducer()
  const consumer = queue.createConsumer('g')
  await consumer.join()
  await populate(queue, consumer)
  await other.createProducer().send('untouched')

  // One row, or two or three together.
  let row: ForgedRow
  do {
    row = pick(random, await scene.rows())
    await row.put(forge(random, row.value, garbage))
  } while (random() < 0.3)

  let end = 'goes on'
  try {
    for (let round = 0; round < 4; round++) {
      jump(20_000)
      await consumer.drain(() => undefined, { concurrency: 5 })
    }
    await queue.stats()
    await queue.list({ group: 'g' })
    await queue.lanes({ group: 'g' })
    await queue.deadLetters('g').list()
    await queue.deadLetters('g').redrive()
    for (const lane of ['b', 'c', 'e']) await queue.release({ lane })
    await queue.release({ group: 'g', lane: 'b' })
    await queue.resume(['20', 'four'])
    await queue.retryNow(undefined, { group: 'g' })
    await queue.cancel(['eight', '21', 'late'])
    await queue.result('done', { group: 'g' })
    await consumer.drain(() => undefined, { concurrency: 5 })
    await producer.send('after')
    let after = false
    await consumer.drain(({ payload }) => void (after ||= payload === 'after'))
    if (!after) end = `stands still, ${row.name}`
  } catch (error) {
    end = error instanceof QuaysideError ? error.code : `throws ${String(error)}, ${row.name}`
  }
  try {
    await queue.purge()
    await consumer.join()
    await producer.send('anew')
    const seen: unknown[] = []
    await consumer.drain(({ payload }) => void seen.push(payload))
    const { messages } = await queue.stats()
    if (seen.join() !== 'anew' || messages !== 0) end = `not repaired, ${row.name} ${seen.join()} ${messages}`
    await queue.delete()
  } catch (error) {
    end = `not repaired, ${row.name}, ${String(error)}`
  }
  const untouched = await other.createConsumer().receive()
  if (untouched?.payload !== 'untouched') end = `other queues are hurt, ${row.name}`
  await queue.close()
  await other.close()
  return end
}
