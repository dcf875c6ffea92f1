import type { Buffer } from 'node:buffer'
import { expect, test } from 'vitest'
import type { FileSystem } from '../../adapters/fs/file-system.ts'
import { openJournalReader } from '../../adapters/fs/reader.ts'
import { type JournalStore, openJournalStore } from '../../adapters/fs/store.ts'
import { ManualTime } from './manual-time.ts'
import { MemoryDisk } from './memory-disk.ts'

/** What somebody does to a disk who is stopped in the middle of it, and goes on later. */
class Sleeper {
  readonly fileSystem: FileSystem
  /** Whose heart beats only if it is told to. */
  readonly time: ManualTime = new ManualTime()
  #late: (() => void)[] = []
  #isAsleep = false
  #awake: Promise<void> = Promise.resolve()
  #wake: () => void = () => {}

  constructor(disk: MemoryDisk) {
    this.fileSystem = new Proxy(disk, {
      get: (_, name: keyof FileSystem) => {
        const call = disk[name].bind(disk) as (...args: unknown[]) => unknown
        if (name === 'write') {
          return (fd: number, from: Buffer, offset: number, length: number, position: number): number => {
            if (!this.#isAsleep) return disk.write(fd, from, offset, length, position)
            const bytes = from.subarray(offset, offset + length).slice()
            this.#late.push(() => void disk.write(fd, bytes, 0, length, position))
            return length
          }
        }
        if (name === 'dataSync') return (fd: number) => this.#awake.then(() => disk.dataSync(fd))
        return call
      },
    })
  }

  sleep(): void {
    this.#isAsleep = true
    this.#awake = new Promise((resolve) => (this.#wake = resolve))
  }

  wake(): void {
    for (const write of this.#late.splice(0)) write()
    this.#isAsleep = false
    this.#wake()
  }
}

async function append(store: JournalStore, key: number): Promise<void> {
  const queue = await store.open('queue')
  await queue.transact('append', (tx) => tx.put('log', key, `message ${key}`))
}

async function keysIn(disk: MemoryDisk): Promise<unknown[]> {
  const store = await openJournalStore('/data', { fileSystem: disk })
  const queue = await store.open('queue')
  const rows = await queue.transact('read', (tx) => tx.range('log', {}, Infinity))
  await store.close()
  return rows.map(([key]) => key)
}

test('a write that lands after somebody else has taken over harms nothing, and is not told', async () => {
  const disk = new MemoryDisk()
  const sleeper = new Sleeper(disk)
  const first = await openJournalStore('/data', sleeper)
  await append(first, 1)
  sleeper.sleep()
  const late = append(first, 2).catch((error: unknown) => error)
  const time = new ManualTime()
  const second = await openJournalStore('/data', { fileSystem: disk, time })
  expect(time.now()).toBeGreaterThanOrEqual(10_000)
  await append(second, 3)
  sleeper.wake()
  expect(await late).toMatchObject({ code: 'STORAGE_FAILED' })
  await expect(append(first, 4)).rejects.toMatchObject({ code: 'STORAGE_FAILED' })
  await append(second, 5)
  await first.close().catch(() => undefined)
  await second.close()
  expect(disk.list('/data').filter((name) => !/^journal-\d+\.qsj$|^reserve$/.test(name))).toEqual([])
  expect(await keysIn(disk)).toEqual([1, 3, 5])
})

test('an owner that wakes at the last moment keeps what it tells, for the next one waits until it knows', async () => {
  const disk = new MemoryDisk()
  const sleeper = new Sleeper(disk)
  const first = await openJournalStore('/data', sleeper)
  await append(first, 1)
  const time = new ManualTime()
  let told = 0
  const rename = disk.rename.bind(disk)
  // It beats when the next one has looked for the last time, before that takes the lock away.
  disk.rename = (from, to) => {
    if (told++ === 0) sleeper.time.advance(4000)
    rename(from, to)
  }
  const before = time.now()
  const second = await openJournalStore('/data', { fileSystem: disk, time })
  expect(time.now() - before).toBeGreaterThanOrEqual(15_000)
  sleeper.time.advance(5000)
  await expect(append(first, 2)).rejects.toMatchObject({ code: 'STORAGE_FAILED' })
  await append(second, 3)
  await first.close().catch(() => undefined)
  await second.close()
  expect(await keysIn(disk)).toEqual([1, 3])
})

test('an owner whose heart has not beaten for five seconds looks before it writes', async () => {
  const disk = new MemoryDisk()
  const sleeper = new Sleeper(disk)
  const store = await openJournalStore('/data', {
    fileSystem: sleeper.fileSystem,
    time: sleeper.time,
    durability: 'os',
  })
  await append(store, 1)
  const lock = `/data/${disk.list('/data').find((name) => name.startsWith('lock-'))}`
  const beats = disk.bytesOf(lock).length
  // As if the event loop had been busy.
  sleeper.time.now = () => 5001
  await append(store, 2)
  expect(disk.bytesOf(lock)).toHaveLength(beats + 1)
  disk.remove(lock)
  await append(store, 3)
  sleeper.time.now = () => 10_002
  const { length } = disk.bytesOf('/data/journal-0000000001.qsj')
  await expect(append(store, 4)).rejects.toMatchObject({ code: 'STORAGE_FAILED' })
  expect(disk.bytesOf('/data/journal-0000000001.qsj')).toHaveLength(length)
  await store.close().catch(() => undefined)
})

test('a reader follows from the owner that was taken for dead to the next one', async () => {
  const disk = new MemoryDisk()
  const { fileSystem, time } = new Sleeper(disk)
  const first = await openJournalStore('/data', { fileSystem, time, maxFileBytes: 200 })
  const written: number[] = []
  while (disk.list('/data').filter((name) => name.endsWith('.qsj')).length < 4) {
    written.push(written.length + 1)
    await append(first, written.length)
    await new Promise((resolve) => setImmediate(resolve))
  }
  const reader = await openJournalReader('/data', { fileSystem: disk })
  const queue = await reader.open('queue')
  const keys = async (): Promise<unknown[]> =>
    (await queue.transact('read', (tx) => tx.range('log', {}, Infinity))).map(([key]) => key)
  expect(await keys()).toEqual(written)
  const second = await openJournalStore('/data', { fileSystem: disk, time: new ManualTime() })
  await append(second, 1000)
  expect(await keys()).toEqual([...written, 1000])
  await second.close()
  await reader.close()
})

test('a full disk can be taken over, too', async () => {
  const disk = new MemoryDisk()
  await append(await openJournalStore('/data', new Sleeper(disk)), 1)
  disk.capacity = disk.used() + 100
  const second = await openJournalStore('/data', { fileSystem: disk, time: new ManualTime() })
  const queue = await second.open('queue')
  await queue.transact('consume', (tx) => tx.delete('log', 1))
  await second.close()
  expect(disk.list('/data').filter((name) => /ghost|copy/.test(name))).toEqual([])
})
