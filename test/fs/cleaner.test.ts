import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { FsEvent } from '../../adapters/fs/options.ts'
import { openJournalStore } from '../../adapters/fs/store.ts'
import { randomFrom } from '../../conformance/scene.ts'
import { History, pick, randomStep, rowsOf } from './history.ts'
import { MemoryDisk } from './memory-disk.ts'
import { temporaryDirectory } from './temporary.ts'

const MB = 1024 * 1024
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

function bytesOnDisk(directory: string): number {
  const files = readdirSync(directory).filter((name) => name.endsWith('.qsj'))
  return files.reduce((sum, name) => sum + statSync(join(directory, name)).size, 0)
}

test.for([0, 0.01, 0.1, 0.5])(
  'the disk holds at most 3 times what is alive, and 12 MB; of each batch stays %d',
  async (share) => {
    const directory = temporaryDirectory()
    const store = await openJournalStore(directory, { durability: 'os' })
    const queue = await store.open('queue')
    const random = randomFrom(3)
    const body = 'x'.repeat(20_000)
    let live = 0
    let worst = 0
    for (let i = 0; i < 6000; i++) {
      const stays = random() < share
      await queue.transact('append', (tx) => tx.put('log', i, body))
      if (stays) live += body.length
      else await queue.transact('consume', (tx) => tx.delete('log', i))
      if (live > 30 * MB) {
        await queue.transact('consume', (tx) => tx.deleteRange('log', {}))
        live = 0
      }
      if (i % 50 === 0) {
        await turn()
        worst = Math.max(worst, bytesOnDisk(directory) - 3 * live)
      }
    }
    expect(worst).toBeLessThan(12 * MB)
    const rows = await queue.transact('read', (tx) => tx.range('log', {}, 10_000))
    expect(rows.length).toBe(live / body.length)
    await store.close()
  },
)

test('a queue that is consumed in order is neither copied nor read again', async () => {
  // No disk of this machine: where one is slow, a file may be empty later than the next one is full.
  const disk = new MemoryDisk()
  let written = 0
  let scanned = 0
  const { readAhead, write } = disk
  disk.readAhead = (...args) => {
    scanned++
    return readAhead.apply(disk, args)
  }
  disk.write = (...args) => {
    const bytes = write.apply(disk, args)
    written += bytes
    return bytes
  }
  const store = await openJournalStore('/journal', { durability: 'os', fileSystem: disk })
  const queue = await store.open('queue')
  const body = 'x'.repeat(20_000)
  written = scanned = 0
  for (let i = 0; i < 3000; i++) {
    await queue.transact('append', (tx) => tx.put('log', i, body))
    if (i >= 20) await queue.transact('consume', (tx) => tx.delete('log', i - 20))
    await turn()
  }
  expect(scanned).toBe(0)
  expect(written / (3000 * body.length)).toBeLessThan(1.02)
  const files = disk.list('/journal').filter((name) => name.endsWith('.qsj'))
  expect(files.length).toBeLessThan(4)
  await store.close()
})

test('rows survive any number of moves, in all tables, also when the journal is opened in between', async () => {
  const random = randomFrom(17)
  let drops = 0
  class Disk extends MemoryDisk {
    override remove(path: string): void {
      if (path.endsWith('.qsj')) drops++
      super.remove(path)
    }
  }
  const disk = new Disk()
  const history = new History()
  for (let round = 0; round < 10; round++) {
    const options = { fileSystem: disk, maxFileBytes: 1000, cacheBytes: pick(random, [0, 500, 1e6]) }
    const store = await openJournalStore('/data', options)
    const queue = await store.open('queue')
    expect(await history.check(queue, 'kill')).toBeUndefined()
    await history.goOn(queue)
    for (let i = 0; i < 100; i++) {
      expect(await history.run(queue, randomStep(random, { keys: 30 }))).toBeUndefined()
      if (i % 3 === 0) await turn()
    }
    expect(await history.check(queue, 'running')).toBeUndefined()
    await store.close()
  }
  expect(drops).toBeGreaterThan(100)
})

test('damage that the cleaner meets stops it, is told, and stops nothing else', async () => {
  const disk = new MemoryDisk()
  const events: FsEvent[] = []
  const options = {
    fileSystem: disk,
    maxFileBytes: 2000,
    onEvent: (event: FsEvent) => void events.push(event),
  }
  const store = await openJournalStore('/data', options)
  const queue = await store.open('queue')
  await queue.transact('append', (tx) => tx.put('log', 1, 'stays'.repeat(100)))
  disk.bytesOf('/data/journal-0000000001.qsj')[300]! ^= 1
  for (let i = 2; i < 100; i++) {
    await queue.transact('append', (tx) => {
      tx.put('log', i, 'x'.repeat(200))
      tx.delete('log', i - 1 > 1 ? i - 1 : -1)
    })
    await turn()
  }
  expect(events).toEqual([
    { type: 'cleaning-failed', error: expect.objectContaining({ code: 'CORRUPT' }) as Error },
  ])
  expect(Object.keys(await rowsOf(queue))).toEqual(['log'])
  expect(await queue.transact('read', (tx) => tx.count('log', {}))).toBe(2)
  await store.close()
  await expect(openJournalStore('/data', options)).rejects.toMatchObject({ code: 'CORRUPT' })
})
