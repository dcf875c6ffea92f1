import { expect, onTestFinished, test } from 'vitest'
import { NodeFsAdapter } from '../../adapters/fs/index.ts'
import { Queues } from '../../adapters/fs/queues.ts'
import { temporaryDirectory } from '../fs/temporary.ts'
import { Queue } from '../../src/index.ts'
import { MemoryAdapter } from '../../src/records/memory.ts'
import { memoryStore } from '../support/memory-store.ts'
import { SEGMENT_GUARANTEES, SegmentAdapter } from '../../src/segments/engine.ts'

const { guarantees } = new MemoryAdapter()

/** An engine on rows in memory that tells which queues it opens and lets go of. */
function telling(): { adapter: SegmentAdapter; told: string[] } {
  const told: string[] = []
  const open = memoryStore(Date)
  const adapter = new SegmentAdapter({ ...guarantees, ...SEGMENT_GUARANTEES }, async () => {
    const store = await open()
    return {
      ...store,
      open: async (queue) => {
        told.push(`open ${queue}`)
        const rows = await store.open(queue)
        return {
          soleOwner: false,
          now: () => rows.now(),
          transact: (kind, body) => rows.transact(kind, body),
          close: () => void told.push(`close ${queue}`),
        }
      },
    }
  })
  return { adapter, told }
}

test('a queue that nobody has open is let go of, once its last verb is done', async () => {
  const { adapter, told } = telling()
  const stays = await adapter.open('stays')
  const [one, other] = [await adapter.open('a'), await adapter.open('a')]
  await one.close()
  await other.stats()
  expect(told).toEqual(['open stays', 'open a'])
  const under = other.append([{ body: 'x' }], { batchId: '01890000-0000-7000-8000-000000000000' })
  await other.close()
  await under
  await stays.stats()
  expect(told).toEqual(['open stays', 'open a', 'close a'])
  const again = await adapter.open('a')
  expect(await again.stats()).toMatchObject({ messages: 1 })
  expect(told.at(-1)).toBe('open a')
  await adapter.close()
})

test('a queue that is opened again while it is let go of stays', async () => {
  const { adapter, told } = telling()
  await adapter.open('stays')
  const first = await adapter.open('a')
  const closing = first.close()
  const second = await adapter.open('a')
  await closing
  await second.stats()
  expect(told.filter((line) => line === 'open a').length).toBe(
    told.filter((line) => line === 'close a').length + 1,
  )
})

test('files keep nothing of queues that came and went, and all of those that have messages', async () => {
  const folder = temporaryDirectory()
  const known: Queues[] = []
  const forget = Queues.prototype.forget
  Queues.prototype.forget = function (queue) {
    known.push(this)
    forget.call(this, queue)
  }
  onTestFinished(() => void (Queues.prototype.forget = forget))
  const [storage, beside] = [new NodeFsAdapter(folder), new NodeFsAdapter(folder)]
  const kept = new Queue<number>('kept', { storage })
  await kept.createProducer().send(1)
  for (let i = 0; i < 50; i++) {
    const queue = new Queue<number>(`visitor-${i}`, { storage: i % 2 === 0 ? storage : beside })
    await queue.createProducer().send(i)
    await queue.delete()
    await queue.close()
  }
  await kept.stats()
  expect(
    known
      .at(-1)!
      .all()
      .map(({ name }) => name),
  ).toEqual(['kept'])
  await kept.close()
  expect(await storage.queues()).toEqual(['kept'])
  const again = new Queue<number>('kept', { storage })
  expect((await again.createConsumer('g').receive())?.payload).toBe(1)
  await again.close()
  await Promise.all([storage.close(), beside.close()])
})
