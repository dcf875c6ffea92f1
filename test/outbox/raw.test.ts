import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { NodeFsAdapter } from '../../adapters/fs/index.ts'
import { shareJournal } from '../../adapters/fs/shared.ts'
import { Queue, type StorageAdapter } from '../../src/index.ts'
import { memoryStore } from '../support/memory-store.ts'
import { Outbox, type OutboxPayload } from '../../src/outbox/index.ts'
import { SEGMENT_GUARANTEES, SegmentAdapter, type Table, type Transaction } from '../../src/segments/index.ts'
import { TABLES, type TransactionalStore } from '../../src/segments/store.ts'

const NAME = 'diarist'

type OpenStore = () => Promise<TransactionalStore>

function onMemory(): readonly [StorageAdapter, OpenStore] {
  const store = memoryStore(Date)
  const guarantees = {
    ...SEGMENT_GUARANTEES,
    name: 'rows',
    durability: 'none',
    sharedBy: 'instance',
    leasesSurviveReopen: false,
    maxBodyBytes: 1e6,
    maxHeaderBytes: 1e5,
    maxBatch: 1000,
    maxBatchBytes: Infinity,
  } as const
  return [new SegmentAdapter(guarantees, store), store]
}

async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'quayside-raw-'))
  onTestFinished(() => rm(directory, { recursive: true }))
  return directory
}

async function onDisk(): Promise<readonly [StorageAdapter, OpenStore]> {
  const directory = await temporaryDirectory()
  return [new NodeFsAdapter(directory), () => shareJournal(directory)]
}

test.each([
  ['memory', onMemory],
  ['a disk', onDisk],
])('signOut drops every row of an owner on %s, whatever had become of a request', async (_, open) => {
  let user = NAME
  const [storage, store] = await open()
  const rows = async (): Promise<string> => {
    const found: string[] = []
    const queue = await (await store()).open('outbox')
    await queue.transact('read', (tx: Transaction) => {
      for (const table of Object.keys(TABLES) as Table[])
        for (const row of tx.range(table, {}, 10_000)) found.push(textOf(row))
    })
    return found.join('\n')
  }
  const queue = new Queue<OutboxPayload>('outbox', { storage })
  const statuses: Record<string, number> = { refused: 422, dead: 500, session: 401 }
  const outbox = new Outbox(queue, {
    owner: () => user,
    fetch: async (request) => {
      const { pathname, hostname } = new URL(request.url)
      // What is opaque is of no origin that may be read.
      if (pathname === '/opaque') return shownAs({ type: 'opaque', status: 0, ok: false })
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
    await send('http://a.example/known', { dedupeMs: 600_000, id: 'known' })
    await send('http://a.example/opaque', { id: 'opaque' })
    const { headers } = await send('http://a.example/dead', { maxAttempts: 1 })
    await outbox.resolve(headers.get('quayside-message-id')!, 'drop')
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
  await hide(queue, NAME)
  expect(await rows()).toContain(`${NAME} hides`)
  user = NAME
  await outbox.signOut('drop')
  const left = (await rows()).split('\n').filter((row) => row.includes(NAME))
  expect(left).toEqual([])
  expect(await rows()).toContain('other writes')
  await queue.close()
})

function shownAs(parts: object): Response {
  const values = Object.entries(parts).map(([name, value]) => [name, { value: value as unknown }])
  return Object.defineProperties(new Response(), Object.fromEntries(values) as PropertyDescriptorMap)
}

/** Bytes as the text that they may be. */
function textOf(row: unknown): string {
  return JSON.stringify(row, (_, value: unknown) =>
    value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : value,
  )
}

/** A parked request of which a newer one has the id: no id finds it any more. */
async function hide(queue: Queue<OutboxPayload>, user: string): Promise<void> {
  const lane = `${user} http://d.example`
  const options = { id: `${user} hidden`, key: 'hidden', lane, headers: { 'quayside-owner': user } }
  const payload = { method: 'POST', url: lane.slice(user.length + 1), headers: {}, body: `${user} hides` }
  const producer = queue.createProducer()
  await producer.send(payload, options)
  const message = await queue.createConsumer('default', { only: lane }).receive()
  await producer.send(payload, { ...options, replace: true })
  await message!.park({ reason: 'hidden' })
}
