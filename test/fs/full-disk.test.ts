import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type FileSystem, nodeFileSystem } from '../../adapters/fs/file-system.ts'
import type { FsEvent } from '../../adapters/fs/options.ts'
import { openJournalStore } from '../../adapters/fs/store.ts'
import { MemoryDisk } from './memory-disk.ts'
import { smallDisk } from './small-disk.ts'
import { eventually } from '../support/eventually.ts'

const MB = 1024 * 1024

function expectRefusal(error: unknown, directory: string): void {
  expect(error).toMatchObject({
    code: 'QUOTA_EXCEEDED',
    message: expect.stringContaining(directory) as string,
  })
}

/** Fills a disk with messages, consumes them all while it is full, and fills it again. */
async function expectToBeUsable(directory: string, fileSystem: FileSystem): Promise<void> {
  const events: FsEvent[] = []
  const options = { fileSystem, onEvent: (event: FsEvent) => void events.push(event) }
  let store = await openJournalStore(directory, options)
  let queue = await store.open('queue')
  const body = 'x'.repeat(1000)
  let tail = 0
  const append = (): Promise<void> =>
    queue.transact('append', (tx) => {
      tx.put('log', tail + 1, body)
      tx.put('state', 'queue', { tail: tail + 1 })
    })
  /** Appends until it is refused; answers with how many messages it stored. */
  const fill = async (): Promise<number> => {
    for (let stored = 0; ; stored++) {
      const error = await append().catch((error: unknown) => error)
      if (error !== undefined) {
        expectRefusal(error, directory)
        return stored
      }
      tail++
    }
  }
  let head = 1
  const consume = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) {
      const seq = await queue.transact('consume', (tx) => {
        const [row] = tx.range<string>('log', {}, 1)
        tx.put('state', ['group', 'g'], { cursor: row![0], token: 'x'.repeat(50) })
        expect(row![1]).toBe(body)
        return row![0] as number
      })
      expect(seq).toBe(head++)
      await queue.transact('consume', (tx) => {
        tx.delete('log', seq)
        tx.put('state', ['group', 'g'], { cursor: seq + 1, token: 'x'.repeat(50) })
      })
    }
  }

  const stored = await fill()
  expect(stored).toBeGreaterThan(1500)
  expect(events).toEqual([{ type: 'full', directory }])
  await expect(append()).rejects.toMatchObject({ code: 'QUOTA_EXCEEDED' })
  await consume(Math.floor(stored / 2))
  // It can also be opened while it is full.
  await store.close()
  store = await openJournalStore(directory, options)
  queue = await store.open('queue')
  await consume(tail - head + 1)
  expect(await queue.transact('read', (tx) => tx.count('log', {}))).toBe(0)
  // And now there is room again, without anybody having opened it.
  await eventually(append)
  tail++
  const again = (await fill()) + 1
  expect(again).toBeGreaterThan(1000)
  expect(events.some(({ type }) => type === 'room')).toBe(true)
  await consume(again)
  await store.close()
}

describe('a full disk', () => {
  test('refuses appends, lets everything be consumed, and is then usable again', async () => {
    const disk = new MemoryDisk()
    disk.capacity = 4 * MB
    await expectToBeUsable('/data', disk)
  })

  test('a real one (tmpfs)', async ({ skip }) => {
    const mount = smallDisk(4)
    if (mount === undefined) skip('a tmpfs can only be mounted by root')
    else await expectToBeUsable(join(mount, 'data'), nodeFileSystem)
  })
})
