import { expect, onTestFinished, test } from 'vitest'
import { NodeFsAdapter } from '../../adapters/fs/index.ts'
import type { Head, Line } from '../../cli/dump.ts'
import { exportQueue } from '../../cli/export-queue.ts'
import { importLines } from '../../cli/import-lines.ts'
import { MemoryAdapter } from '../../adapters/memory.ts'
import { Queue } from '../../src/index.ts'
import type { StorageAdapter } from '../../src/storage.ts'
import { randomFrom } from '../../conformance/scene.ts'
import { temporaryDirectory } from '../fs/temporary.ts'
import { expectCode } from '../support/set-up.ts'
import { startRedis } from '../redis/support/server.ts'
import { jsonLines, quayside, works } from './quayside.ts'

const GROUPS = ['audit', 'billing', '__proto__']
const SILENT = { add: () => {} }

async function exported(adapter: StorageAdapter, name = 'orders'): Promise<(Head | Line)[]> {
  const lines: (Head | Line)[] = []
  const queue = await adapter.open(name)
  await exportQueue(name, queue, SILENT, async (line) => void lines.push(line))
  await queue.close()
  return lines
}

/** The lines as they come from standard input, a few at a time. */
async function* batches(lines: readonly unknown[]): AsyncGenerator<readonly string[]> {
  const texts = lines.map((line) => JSON.stringify(line))
  for (let i = 0; i < texts.length; i += 7) yield texts.slice(i, i + 7)
}

/** What must be the same after a move: by message and group, without what is told to be lost. */
function standings(lines: readonly (Head | Line)[]): Record<string, unknown> {
  const [head, ...messages] = lines as [Head, ...Line[]]
  return {
    groups: head.groups.toSorted(),
    holds: head.holds?.map(({ group, lane, reason, endsInMs, probe, probing }) => ({
      group,
      lane,
      reason,
      probe,
      probing,
      endsInMs: endsInMs === undefined ? undefined : Math.round(endsInMs / 600_000),
    })),
    messages: Object.fromEntries(
      messages.map(({ groups, timestamp: _, headers, ...rest }) => [
        rest.id,
        {
          ...rest,
          headers: headers ?? {},
          groups: Object.entries(groups)
            .map(([group, { state, attempt, nextInMs = 0, lastError = '', reason, parked }]) => ({
              group,
              // A lease is given up, and whether a claim has passed a message behind its key is not kept.
              state: state === 'leased' || state === 'blocked' ? 'ready' : state,
              attempt,
              reason,
              why: parked && [parked.reason, parked.data],
              lastError,
              minutes: state === 'delayed' ? Math.round(nextInMs / 60_000) : 0,
            }))
            .sort((a, b) => (a.group < b.group ? -1 : 1)),
        },
      ]),
    ),
  }
}

/** A queue on which three groups have done all that can be done. */
async function lived(adapter: StorageAdapter, seed: number): Promise<void> {
  const random = randomFrom(seed)
  const queue = new Queue<unknown>('orders', { storage: adapter })
  const producer = queue.createProducer()
  const retry = { maxAttempts: 6, initialMs: 3_600_000, maxMs: 3_600_000 }
  const consumers = GROUPS.map((group) => queue.createConsumer(group, { retry, leaseMs: 3_600_000 }))
  for (const consumer of consumers) await consumer.join()
  const payloads = ['text', { a: [1, null, 'é\u2028'] }, new Uint8Array([0, 255]), 1.5, null]
  for (let i = 0; i < 150; i++) {
    if (random() < 0.6)
      await producer.send(payloads[i % payloads.length], {
        id: `m${i}`,
        ...(random() < 0.3 && { lane: `lane ${Math.floor(random() * 3)}` }),
        ...(random() < 0.3 && { key: `key ${Math.floor(random() * 3)}` }),
        ...(random() < 0.1 && { delayMs: 1_800_000 }),
        ...(random() < 0.3 && { maxAttempts: 4 }),
        ...(random() < 0.3 && { headers: { name: 'wert é' } }),
      })
    const consumer = consumers[Math.floor(random() * 3)]!
    if (random() < 0.5) {
      const message = await consumer.receive()
      const what = random()
      if (message === undefined || what < 0.15) continue
      if (what < 0.4) await message.ack()
      else if (what < 0.6) await message.nack({ delayMs: 0, reason: `again ${i}` })
      else if (what < 0.8) await message.nack({ delayMs: 1_200_000, reason: 'later' })
      else if (what < 0.9) await message.reject({ reason: 'no' })
      else await message.park({ reason: `why ${i}`, data: { field: i } })
    }
  }
  await queue.hold({ reason: 'moving' })
  await queue.hold({ lane: 'lane 1', group: 'billing', forMs: 3_600_000, probe: true })
  await queue.release({ lane: 'lane 2', probe: true })
  await queue.close()
}

test.for([1, 2, 3, 4, 5, 6])(
  'a queue moves from a directory to memory and back as it was (%d)',
  async (seed) => {
    const from = new NodeFsAdapter(temporaryDirectory(), { durability: 'os' })
    const memory = new MemoryAdapter()
    const back = new NodeFsAdapter(temporaryDirectory(), { durability: 'os' })
    await lived(from, seed)

    const first = await exported(from)
    const count = first.length - 1
    expect(count).toBeGreaterThan(40)
    expect(await importLines({ adapter: memory }, batches(first), SILENT)).toEqual({
      stored: count,
      duplicates: 0,
      unreached: 0,
    })
    const second = await exported(memory)
    expect(standings(second)).toEqual(standings(first))

    await importLines({ adapter: back }, batches(second), SILENT)
    expect(standings(await exported(back))).toEqual(standings(first))
    // The same once more stores nothing.
    expect(await importLines({ adapter: back }, batches(second), SILENT)).toMatchObject({
      stored: 0,
      duplicates: count,
    })
    expect(standings(await exported(back))).toEqual(standings(first))
    for (const adapter of [from, memory, back]) await adapter.close()
  },
)

test('messages of a key come in their order after a move', async () => {
  const from = new MemoryAdapter()
  const queue = new Queue<number>('orders', { storage: from })
  const key = 'k'
  for (let n = 0; n < 10; n++) await queue.createProducer().send(n, { key })
  const consumer = queue.createConsumer('billing')
  await (await consumer.receive())!.ack()
  await (await consumer.receive())!.nack({ delayMs: 0 })
  const to = new MemoryAdapter()
  await importLines({ adapter: to }, batches(await exported(from)), SILENT)
  const moved = new Queue<number>('orders', { storage: to }).createConsumer('billing')
  const seen: (readonly [number, number])[] = []
  await moved.drain(({ payload, attempt }) => void seen.push([payload, attempt]), { concurrency: 4 })
  expect(seen).toEqual([[1, 2], ...[2, 3, 4, 5, 6, 7, 8, 9].map((n) => [n, 1])])
})

test('a queue nobody has received from yet, and one under another name', async () => {
  const from = new MemoryAdapter()
  await new Queue('orders', { storage: from }).createProducer().send('a', { id: 'a' })
  const to = new MemoryAdapter()
  await importLines({ adapter: to }, batches(await exported(from)), SILENT, 'again')
  expect(await exported(to, 'again')).toMatchObject([
    { queue: 'again', groups: [] },
    { id: 'a', groups: {} },
  ])
})

test('what export has not written is refused, and so is what no message may be', async () => {
  const to = { adapter: new MemoryAdapter() }
  const head: Head = { quayside: 'queue', version: 1, queue: 'orders', groups: ['g'], exportedAt: 0 }
  const line = { id: 'a', timestamp: 0, payload: 1, groups: { g: { state: 'ready', attempt: 0 } } }
  const run = (...lines: readonly unknown[]): Promise<unknown> => importLines(to, batches(lines), SILENT)
  for (const wrong of [
    1,
    {},
    { ...head, version: 2 },
    { ...line, payload: undefined },
    { ...line, groups: { g: { state: 'ready', attempt: 1e9 } } },
    { ...line, groups: { g: { state: 'gone', attempt: 0 } } },
  ]) {
    await expect(run(head, wrong)).rejects.toThrow('line 2 is not what export writes')
  }
  await expect(run(line)).rejects.toThrow('no line before it names its queue')
  await expectCode(run(head, { ...line, key: 'k'.repeat(300) }), 'TOO_LARGE')
  await expectCode(run({ ...head, groups: ['g'.repeat(300)] }), 'TOO_LARGE')
  expect((await exported(to.adapter)).length).toBe(1)
})

test('through pipes, from directory to directory', async () => {
  const [from, to] = [temporaryDirectory(), temporaryDirectory()]
  const adapter = new NodeFsAdapter(from, { durability: 'os' })
  await lived(adapter, 9)
  await adapter.close()
  const input = await works(['export', from])
  expect(await works(['import', to], { input })).toMatch(/^imported \d+ messages\n$/)
  const there = new NodeFsAdapter(to, { readOnly: true })
  const here = new NodeFsAdapter(from, { readOnly: true })
  expect(standings(await exported(there))).toEqual(standings(await exported(here)))
  await Promise.all([here.close(), there.close()])
  expect(await quayside(['import', to], { input: 'no\n' })).toMatchObject({
    code: 1,
    err: 'quayside: line 1 is not what export writes\n',
  })
})

test('to a Redis server and back, and every command on it', { timeout: 300_000 }, async () => {
  const server = await startRedis()
  onTestFinished(() => server.stop())
  const [from, to] = [temporaryDirectory(), temporaryDirectory()]
  const adapter = new NodeFsAdapter(from, { durability: 'os' })
  await lived(adapter, 11)
  const first = standings(await exported(adapter))
  await adapter.close()

  await works(['import', server.url], { input: await works(['export', from]) })
  await works(['import', to], { input: await works(['export', server.url]) })
  const there = new NodeFsAdapter(to, { readOnly: true })
  expect(standings(await exported(there))).toEqual(first)
  await there.close()

  const odd = 'odd {name} % *'
  const other = `${server.url}#others`
  expect(await works(['send', server.url, odd, '{"a":1}', '--id', 'a'])).toBe('sent 1 message\n')
  expect(await works(['send', other, 'elsewhere', 'x'])).toBe('sent 1 message\n')
  const queues = async (url: string): Promise<unknown> =>
    jsonLines(await works(['stats', url, '--json'])).map(({ queue }) => queue)
  expect(await queues(server.url)).toEqual([odd, 'orders'])
  expect(await queues(other)).toEqual(['elsewhere'])
  expect(await works(['list', server.url, odd])).toMatch(/^ready +a .*\{"a":1\}$/m)
  expect(await works(['peek', server.url, odd])).toContain('"a": 1')
  expect(await works(['purge', server.url, odd, '--yes'])).toBe('deleted 1 message\n')
  const group = ['orders', '--group', 'billing']
  const dead = jsonLines(await works(['dead', server.url, ...group, '--json'])).length
  expect(dead).toBeGreaterThan(0)
  expect(jsonLines(await works(['redrive', server.url, ...group, '--json']))).toEqual([{ redriven: dead }])

  const { code, err } = await quayside(['stats', 'redis://user:secret@127.0.0.1:1'])
  expect(code).toBe(1)
  expect(err).toMatch(/^quayside: no Redis could be reached at redis:\/\/127\.0\.0\.1:1: .*ECONNREFUSED.*\n$/)
})
