import { expect, onTestFinished, test } from 'vitest'
import { MemoryAdapter } from '../../adapters/memory.ts'
import { Queue } from '../../src/index.ts'
import { Outbox, type OutboxOptions, type OutboxPayload } from '../../src/outbox/index.ts'
import { ManualClock } from '../../src/testing/index.ts'
import { expectCode } from '../support/set-up.ts'
import { serve, statuses } from './server.ts'
import { stateOf } from './set-up.ts'

// A storage that has neither lanes nor parked messages nor results, such as Workers KV.

const POST = { method: 'POST', body: 'x' }

function setUpPlain(options: OutboxOptions = {}): {
  outbox: Outbox
  queue: Queue<OutboxPayload>
  clock: ManualClock
  failed: unknown[]
} {
  const clock = new ManualClock()
  const memory = new MemoryAdapter({ clock })
  const guarantees = { ...memory.guarantees, name: 'plain', lanes: false, parking: false, results: false }
  const storage = Object.create(memory, {
    guarantees: { value: guarantees },
    open: { value: memory.open.bind(memory) },
  }) as MemoryAdapter
  const queue = new Queue<OutboxPayload>('outbox', { storage, clock, random: () => 0.5 })
  const outbox = new Outbox(queue, { clock, ...options })
  const failed: unknown[] = []
  outbox.watch((event) => event.type === 'failed' && failed.push(event.reason))
  onTestFinished(() => queue.close())
  return { outbox, queue, clock, failed }
}

test('delivers, retries, and tells who waits', async () => {
  const { origin, arrived } = await serve(statuses(201, 503, 503, 503, 503, 200))
  const { outbox, failed } = setUpPlain()
  expect((await outbox.fetch(origin, POST)).status).toBe(201)
  expect(stateOf(await outbox.fetch(origin, POST))).toBe('retrying')
  for (let i = 0; i < 4; i++) {
    await outbox.retryNow()
    await outbox.drain()
  }
  await expect.poll(() => arrived.length).toBe(6)
  await outbox.settled()
  expect(failed).toEqual([])
})

test('what is held waits a minute, or for resume; what would be parked is dead', async () => {
  const { origin, arrived } = await serve(statuses(401, 401, 200, 422))
  const { outbox, queue, clock, failed } = setUpPlain()
  expect(stateOf(await outbox.fetch(origin, POST))).toBe('held')
  await outbox.resume()
  await expect.poll(() => arrived.length).toBe(2)
  await expect.poll(async () => (await queue.list()).messages[0]!.state).toBe('delayed')
  clock.jump(60_000)
  await outbox.drain()
  expect(arrived.length).toBe(3)
  const answer = await outbox.fetch(origin, POST)
  expect([answer.status, stateOf(answer)]).toEqual([422, 'dead'])
  expect(await outbox.held()).toEqual([])
  expect(await outbox.due()).toBe(0)
  expect(failed).toEqual([])
})

test('says what it cannot do', async () => {
  const { outbox } = setUpPlain()
  await expectCode(() => setUpPlain({ owner: () => 'A' }), 'UNSUPPORTED', 'owner', 'plain has no lanes')
  await expectCode(
    outbox.store('http://127.0.0.1:9', { ...POST, after: 'x' }),
    'UNSUPPORTED',
    'after',
    'has no results',
  )
  await expectCode(outbox.response('x'), 'UNSUPPORTED')
  await expectCode(outbox.signOut('keep'), 'UNSUPPORTED')
  const { id } = await outbox.store('http://127.0.0.1:9', { ...POST, delayMs: 1000 })
  await expectCode(outbox.edit(id, new Request('http://127.0.0.1:9')), 'UNSUPPORTED')
})
