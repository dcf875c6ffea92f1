import { expect, test } from 'vitest'
import { Channel } from '../../adapters/indexeddb/channel.ts'
import { openJournalStore } from '../../adapters/fs/store.ts'
import { MemoryAdapter } from '../../src/records/memory.ts'
import { memoryStore } from '../support/memory-store.ts'
import { SegmentAdapter } from '../../src/segments/engine.ts'
import { hintOf, joinHints } from '../../src/hints.ts'
import type { TransactionalStore } from '../../src/segments/store.ts'
import type { Hint, QueueStorage } from '../../src/storage.ts'
import { MemoryDisk } from '../fs/memory-disk.ts'

const batchId = '019343f0-0000-7000-8000-000000000000'

async function openOn(store: TransactionalStore): Promise<QueueStorage> {
  return await new SegmentAdapter(new MemoryAdapter().guarantees, async () => store).open('q')
}

const openDisk = (): Promise<TransactionalStore> =>
  openJournalStore('/hints', { fileSystem: new MemoryDisk() })

/** What watchers hear of one verb. */
async function heard(q: QueueStorage, verb: () => Promise<unknown>): Promise<(Hint | undefined)[]> {
  const hints: (Hint | undefined)[] = []
  const stop = q.watch!((hint) => hints.push(hint))
  await verb()
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve))
  stop()
  return hints
}

test.each([
  ['memory', memoryStore(Date)],
  ['fs', openDisk],
])('those who watch hear whose outcomes came to be: %s', async (_, open) => {
  const q = await openOn(await open())
  const take = async (limit: number): Promise<{ receipt: string; kind: 'ack' }[]> => {
    const { deliveries } = await q.claim({ group: 'g', limit, leaseMs: 1000, maxAttempts: 1 })
    return deliveries.map(({ receipt }) => ({ receipt, kind: 'ack' }))
  }
  const send = async (count: number, keepMs?: number): Promise<string[]> => {
    const messages = Array.from({ length: count }, () => ({ body: 'x', keepMs }))
    return (await q.append(messages, { batchId })).map(({ id }) => id)
  }
  const ids = await send(64, 1000)
  const acks = await take(64)
  expect(await heard(q, () => q.settle('g', acks))).toEqual([{ finished: ids }])
  const [dead] = await send(1, 1000)
  const { receipt } = (await take(1))[0]!
  const died = await heard(q, () => q.settle('g', [{ receipt, kind: 'dead', reason: 'rejected' }]))
  expect(died).toEqual([{ finished: [dead] }])
  await send(65, 1000)
  const many = await take(65)
  expect(await heard(q, () => q.settle('g', many))).toEqual([{ finished: 'many' }])
  await send(2)
  const others = await take(2)
  expect(await heard(q, () => q.settle('g', others))).toEqual([undefined])
})

test('a store that passes nothing on is told nothing', async () => {
  const inner = await memoryStore(Date)()
  const q = await openOn({
    close: () => inner.close(),
    async open(name) {
      const rows = await inner.open(name)
      return {
        now: () => rows.now(),
        soleOwner: false,
        transact: (kind, body) =>
          rows.transact(kind, (tx) =>
            body({
              get: (table, key) => tx.get(table, key),
              range: (table, range, limit) => tx.range(table, range, limit),
              count: (table, range) => tx.count(table, range),
              put: (table, key, value) => tx.put(table, key, value),
              delete: (table, key) => tx.delete(table, key),
              deleteRange: (table, range) => tx.deleteRange(table, range),
            }),
          ),
      }
    },
  })
  const [sent] = await q.append([{ body: 'x', keepMs: 1000 }], { batchId })
  const { deliveries } = await q.claim({ group: 'g', limit: 1, leaseMs: 1000, maxAttempts: 1 })
  await q.settle('g', [{ receipt: deliveries[0]!.receipt, kind: 'ack', value: 'v' }])
  expect(await q.results('g', [sent!.id])).toMatchObject([{ status: 'done', value: 'v' }])
})

test('a hint has 64 ids at most, and says so of more', () => {
  const ids = Array.from({ length: 64 }, (_, i) => `${i}`)
  expect(hintOf([...ids, '0'])).toEqual({ finished: ids })
  expect(hintOf([...ids, 'more'])).toEqual({ finished: 'many' })
  expect(joinHints(undefined, { finished: ['a'] })).toEqual({ finished: ['a'] })
  expect(joinHints({ finished: ['a'] }, undefined)).toEqual({ finished: ['a'] })
  expect(joinHints({ finished: ['a'] }, { finished: ['b'] })).toEqual({ finished: ['a', 'b'] })
  expect(joinHints({ finished: ids }, { finished: ['b'] })).toEqual({ finished: 'many' })
  expect(joinHints({ finished: 'many' }, { finished: ['b'] })).toEqual({ finished: 'many' })
  expect(joinHints(undefined, undefined)).toBeUndefined()
})

const MET: Hint = { finished: 'many' }

/** What a channel hears of a queue that another channel tells once they have met, in which anything may have changed. */
async function heardFrom(
  tell: (channel: Channel, raw: BroadcastChannel) => void,
  count: number,
): Promise<unknown[]> {
  const name = `hints ${crypto.randomUUID()}`
  const [here, there] = [new Channel(name), new Channel(name)]
  const raw = new BroadcastChannel(`quayside:${name}`)
  const hints: (Hint | undefined)[] = []
  try {
    await new Promise<void>((resolve) => void there.listen('met', () => resolve()))
    await new Promise<void>((resolve) => {
      here.listen('q', (hint) => {
        hints.push(hint)
        if (hints.length === count) resolve()
      })
      tell(there, raw)
    })
  } finally {
    for (const one of [here, there, raw]) one.close()
  }
  return hints
}

test('tabs tell each other at once what is finished, with what they held back', async () => {
  const hints = await heardFrom((channel) => {
    channel.changed('q', false)
    channel.changed('q', true, { finished: ['a'] })
    channel.changed('q', true, { finished: 'many' })
    channel.changed('q', true)
  }, 4)
  expect(hints).toEqual([MET, { finished: ['a'] }, { finished: 'many' }, undefined])
})

test('what another page says that is no hint is taken for a plain one', async () => {
  const hints = await heardFrom((channel, raw) => {
    for (const data of ['q', ['q'], [['other']], [['q', 5]], [['q', [5]]], [['q', null]]])
      raw.postMessage(data)
    channel.changed('q', true, { finished: ['last'] })
  }, 5)
  expect(hints).toEqual([MET, undefined, undefined, undefined, { finished: ['last'] }])
})

test('what nobody was told while a channel was alone, whoever comes is told by its answer', async () => {
  const name = `hints ${crypto.randomUUID()}`
  const said: unknown[] = []
  const raw = new BroadcastChannel(`quayside:${name}`)
  const alone = new Channel(name)
  try {
    const told = new Promise<void>((resolve) => {
      raw.addEventListener('message', ({ data }) => {
        said.push(data)
        if (said.length === 3) resolve()
      })
    })
    alone.changed('q', true)
    const met = new Promise((resolve) => void alone.listen('any', resolve))
    raw.postMessage([])
    expect(await met).toEqual(MET)
    alone.changed('q', true)
    await told
  } finally {
    alone.close()
    raw.close()
  }
  // It came, it heard of another one, and tells it what changes from now on.
  expect(said).toEqual([[], [], [['q']]])
})
