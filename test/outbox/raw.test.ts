import { expect, test } from 'vitest'
import { Queue } from '../../src/index.ts'
import { memoryStore } from '../../src/memory.ts'
import { Outbox, type OutboxPayload } from '../../src/outbox/index.ts'
import { SEGMENT_GUARANTEES, SegmentAdapter, type Table, type Transaction } from '../../src/segments/index.ts'
import { TABLES } from '../../src/segments/store.ts'

const NAME = 'diarist'

test('signOut drops every row of an owner: what waits in all states, dead letters, and what was kept', async () => {
  let user = NAME
  const store = memoryStore(Date)
  const storage = new SegmentAdapter(
    {
      ...SEGMENT_GUARANTEES,
      name: 'rows',
      durability: 'none',
      sharedBy: 'instance',
      leasesSurviveReopen: false,
      maxBodyBytes: 1e6,
      maxHeaderBytes: 1e5,
      maxBatch: 1000,
      maxBatchBytes: Infinity,
    },
    store,
  )
  const rows = async (): Promise<string> => {
    const found: string[] = []
    const queue = await (await store()).open('outbox')
    await queue.transact('read', (tx: Transaction) => {
      for (const table of Object.keys(TABLES) as Table[])
        for (const row of tx.range(table, {}, 10_000)) found.push(JSON.stringify(row))
    })
    return found.join('\n')
  }
  const queue = new Queue<OutboxPayload>('outbox', { storage })
  const statuses: Record<string, number> = { refused: 422, dead: 500, session: 401 }
  const outbox = new Outbox(queue, {
    owner: () => user,
    fetch: async (request) => {
      const { pathname, hostname } = new URL(request.url)
      return new Response(`echo ${await request.text()}`, {
        status: statuses[hostname] ?? statuses[pathname.slice(1)] ?? 201,
      })
    },
  })
  const send = (url: string, init: object = {}): Promise<Response> =>
    outbox.fetch(url, { method: 'POST', body: `${user} writes`, ...init })
  const life = async (): Promise<void> => {
    for (let i = 0; i < 5; i++) await send('http://a.example/accepted', i % 2 ? { key: 'k' } : {})
    await send('http://a.example/accepted', { id: `${user.length} 1` })
    await send('http://a.example/refused', { key: 'r' })
    await send('http://a.example/behind', { key: 'r', delayMs: 1 })
    await send('http://a.example/dead', { maxAttempts: 1 })
    await send('http://b.example/dead')
    await send('http://session/')
    outbox.pause()
    for (let i = 0; i < 5; i++) await send('http://c.example/', i % 2 ? { id: `${user.length} c${i}` } : {})
    await send('http://a.example/later', { delayMs: 60_000 })
    await send('http://a.example/later', {
      delayMs: 60_000,
      expiresInMs: 120_000,
      id: `${user.length} later`,
    })
    await outbox.resume()
  }
  await life()
  user = 'other'
  await life()
  expect(await rows()).toContain(NAME)
  user = NAME
  await outbox.signOut('drop')
  const left = (await rows()).split('\n').filter((row) => row.includes(NAME))
  expect(left).toEqual([])
  expect(await rows()).toContain('other writes')
  await queue.close()
})
