import { chmodSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { FileSystem } from '../../adapters/fs/file-system.ts'
import { NodeFsAdapter } from '../../adapters/fs/index.ts'
import { openJournalReader } from '../../adapters/fs/reader.ts'
import { openJournalStore } from '../../adapters/fs/store.ts'
import { Queue } from '../../src/index.ts'
import type { QueueStore, Transaction } from '../../src/segments/store.ts'
import { randomFrom } from '../../conformance/scene.ts'
import { History, randomStep, rowsOf } from './history.ts'
import { MemoryDisk } from './memory-disk.ts'
import { effort } from '../support/effort.ts'
import { temporaryDirectory } from './temporary.ts'

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** A disk that can be read, and fails whoever writes. */
function readable(disk: MemoryDisk): FileSystem & { readonly isOpen: ReadonlySet<number> } {
  const isOpen = new Set<number>()
  const refuse = (): never => {
    throw new Error('it writes')
  }
  return {
    isOpen,
    list: (directory) => disk.list(directory),
    open: (path) => {
      const fd = disk.open(path, false)
      isOpen.add(fd)
      return fd
    },
    close: (fd) => {
      isOpen.delete(fd)
      disk.close(fd)
    },
    size: (fd) => disk.size(fd),
    read: (...args) => disk.read(...args),
    // The owner goes on meanwhile.
    readAhead: async (fd, into, offset, length, position) => {
      await turn()
      return await disk.readAhead(fd, into, offset, Math.min(length, 5000), position)
    },
    readText: (path) => disk.readText(path),
    readLink: () => disk.readLink(),
    modifiedAt: (path) => disk.modifiedAt(path),
    makeDirectory: refuse,
    write: refuse,
    truncate: refuse,
    dataSync: refuse,
    syncDirectory: refuse,
    remove: refuse,
    rename: refuse,
    isAt: (fd, path) => disk.isAt(fd, path),
  }
}

/** The rows of one moment. */
async function frozen(queue: QueueStore): Promise<QueueStore> {
  const rows = await rowsOf(queue)
  const tx = {
    get: (table: keyof typeof rows, wanted: unknown) => rows[table]?.find(([key]) => key === wanted)?.[1],
    range: (table: keyof typeof rows) => rows[table] ?? [],
  } as unknown as Transaction
  return { ...queue, transact: (_, body) => Promise.resolve(body(tx)) }
}

test('a reader sees each step as soon as it is acknowledged, through new files and dropped ones', async () => {
  const random = randomFrom(5)
  const disk = new MemoryDisk()
  const history = new History()
  const store = await openJournalStore('/data', { fileSystem: disk, maxFileBytes: 1000, durability: 'os' })
  const queue = await store.open('queue')
  await history.run(queue, randomStep(random))
  const fileSystem = readable(disk)
  const reader = await openJournalReader('/data', { fileSystem, cacheBytes: 500 })
  const seen = await reader.open('queue')
  for (let i = 0; i < 400; i++) {
    expect(await history.run(queue, randomStep(random, { keys: 30 }))).toBeUndefined()
    expect(await history.check(seen, 'running')).toBeUndefined()
    const there = disk.list('/data').filter((name) => name.endsWith('.qsj'))
    expect(fileSystem.isOpen.size).toBeLessThanOrEqual(there.length + 1)
    await turn()
  }
  expect(disk.list('/data').some((name) => name.endsWith('0000000001.qsj'))).toBe(false)
  expect(await reader.names()).toEqual(['queue'])
  await store.close()
  expect(await history.check(seen, 'running')).toBeUndefined()
  await reader.close()
  expect(fileSystem.isOpen.size).toBe(0)
})

test.for(effort({ quick: [1], full: [1, 2, 3, 4] }))(
  'a reader always sees a moment, while the owner writes without pause (%d)',
  async (seed) => {
    const random = randomFrom(seed)
    const disk = new MemoryDisk()
    const history = new History()
    const store = await openJournalStore('/data', { fileSystem: disk, maxFileBytes: 8000 })
    const queue = await store.open('queue')
    await history.run(queue, randomStep(random))
    const owner = { isOver: false }
    let steps = 0
    const writing = (async () => {
      for (; !owner.isOver; steps++) {
        expect(await history.run(queue, randomStep(random, { keys: 30 }))).toBeUndefined()
        if (steps % 3 === 0) await turn()
      }
    })()
    const follower = await openJournalReader('/data', { fileSystem: readable(disk) })
    try {
      for (let i = 0; i < 60; i++) {
        const newcomer = await openJournalReader('/data', { fileSystem: readable(disk) })
        for (const reader of [follower, newcomer]) {
          const moment = await frozen(await reader.open('queue'))
          // What is acknowledged while it reads may be missing; it is looked for once the owner has stopped.
          expect((await history.check(moment, 'power cut')) ?? '').not.toMatch(/^after step/)
        }
        await newcomer.close()
      }
    } finally {
      owner.isOver = true
      await writing
    }
    expect(await history.check(await follower.open('queue'), 'running')).toBeUndefined()
    expect(steps).toBeGreaterThan(300)
    await Promise.all([store.close(), follower.close()])
  },
)

test('a reader reads files on that its owner adds while it comes, at once', async () => {
  const disk = new MemoryDisk()
  const store = await openJournalStore('/data', { fileSystem: disk, maxFileBytes: 8000 })
  const queue = await store.open('queue')
  let sent = 0
  const send = (): Promise<void> => queue.transact('append', (tx) => tx.put('log', sent++, 'x'.repeat(300)))
  // Files are as long ahead as they were found to become.
  for (let i = 0; i < 100; i++) await send()
  let lists = 0
  const { list, readAhead, ...others } = readable(disk)
  const fileSystem: FileSystem = {
    ...others,
    list: (directory) => {
      lists++
      return list(directory)
    },
    readAhead: async (...args) => {
      if (sent < 300) for (let i = 0; i < 50; i++) await send()
      return await readAhead(...args)
    },
  }
  const reader = await openJournalReader('/data', { fileSystem })
  const seen = await reader.open('queue')
  expect(await seen.transact('read', (tx) => tx.range('log', {}, 1000).length)).toBe(sent)
  expect(sent).toBeGreaterThan(299)
  expect(lists).toBe(1)
  await Promise.all([store.close(), reader.close()])
})

test('damage is told by a reader, too', async () => {
  const disk = new MemoryDisk()
  const store = await openJournalStore('/data', { fileSystem: disk })
  const queue = await store.open('queue')
  for (let i = 0; i < 5; i++) await queue.transact('append', (tx) => tx.put('log', i, 'x'.repeat(100)))
  disk.bytesOf('/data/journal-0000000001.qsj')[300]! ^= 1
  await expect(openJournalReader('/data', { fileSystem: readable(disk) })).rejects.toMatchObject({
    code: 'CORRUPT',
  })
  await store.close()
})

function contentsOf(directory: string): unknown {
  return readdirSync(directory)
    .sort()
    .map((name) => [name, statSync(join(directory, name)).mtimeMs, readFileSync(join(directory, name))])
}

test('readOnly changes nothing, not even a torn tail, and refuses what would', async () => {
  const directory = temporaryDirectory()
  const queue = new Queue<string>('letters', { storage: new NodeFsAdapter(directory) })
  await queue.createProducer().sendBatch([{ payload: 'a' }, { payload: 'b' }])
  await queue.createConsumer('post').receive()

  const before = contentsOf(directory)
  chmodSync(directory, 0o555)
  const storage = new NodeFsAdapter(directory, { readOnly: true })
  const copy = new Queue<string>('letters', { storage })
  const { messages } = await copy.list({ group: 'post' })
  expect(messages.map(({ payload, state }) => [payload, state])).toEqual([
    ['a', 'leased'],
    ['b', 'ready'],
  ])
  expect((await copy.stats()).groups['post']).toMatchObject({ ready: 1, leased: 1 })
  for (const verb of [
    () => copy.createProducer().send('c'),
    () => copy.createConsumer('post').receive(),
    () => copy.purge(),
    () => copy.cancel(['x']),
  ]) {
    await expect(verb()).rejects.toMatchObject({ code: 'UNSUPPORTED', message: /readOnly/ })
  }
  await copy.close()
  expect(contentsOf(directory)).toEqual(before)
  chmodSync(directory, 0o755)
  await queue.createProducer().send('c')
  await queue.close()
})

test('a queue that is not there is empty, and a directory without a journal is an error', async () => {
  const directory = temporaryDirectory()
  const open = (path: string): Queue =>
    new Queue('nothing', { storage: new NodeFsAdapter(path, { readOnly: true }) })
  await expect(open(directory).stats()).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
  await expect(open(join(directory, 'no')).stats()).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
  expect(readdirSync(directory)).toEqual([])
  const queue = new Queue('letters', { storage: new NodeFsAdapter(directory) })
  await queue.createProducer().send('a')
  expect(await open(directory).stats()).toMatchObject({ messages: 0, sent: 0 })
  await queue.close()
})
