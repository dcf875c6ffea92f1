import { Buffer } from 'node:buffer'
import { statSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { expect, test } from 'vitest'
import { MAX_BYTES, Writer } from '../../adapters/fs/codec.ts'
import { nodeFileSystem } from '../../adapters/fs/file-system.ts'
import { createFile } from '../../adapters/fs/files.ts'
import { FRAME_HEADER } from '../../adapters/fs/format.ts'
import { NodeFsAdapter } from '../../adapters/fs/index.ts'
import { Journal, NoRoom } from '../../adapters/fs/journal.ts'
import { openJournalStore } from '../../adapters/fs/store.ts'
import { Queue } from '../../src/index.ts'
import { expectCode } from '../support/set-up.ts'
import { temporaryDirectory } from './temporary.ts'

const GB = 2 ** 30

function frame(text: string): Writer {
  const writer = new Writer(1024)
  writer.at = FRAME_HEADER
  writer.value(text)
  return writer
}

/** A journal whose file has grown to a size, most of which is a hole. */
function grown(directory: string, size: number): Journal {
  const file = createFile(nodeFileSystem, directory, 1, true)
  truncateSync(file.path, size)
  file.size = file.prepared = size
  const options = { directory, fileSystem: nodeFileSystem, fsync: true, boot: 0, maxFileBytes: GB }
  return new Journal(options, [file], 0)
}

test('a batch of more than 1 GiB is refused by the limit, and nothing of it is stored', async () => {
  const queue = new Queue<Uint8Array>('q', { storage: new NodeFsAdapter(temporaryDirectory()) })
  const payload = new Uint8Array(60 * 1024 * 1024)
  await expectCode(
    queue.createProducer().sendBatch(Array.from({ length: 18 }, () => ({ payload }))),
    'TOO_LARGE',
    'a batch',
    String(GB),
  )
  expect((await queue.stats()).messages).toBe(0)
  await queue.close()
})

test('a transaction that would write more than 2 GiB is refused, and taken back', async () => {
  const store = await openJournalStore(temporaryDirectory())
  const queue = await store.open('q')
  const error = queue.transact('append', (tx) => {
    tx.put('log', 1, 'first')
    // What follows says only how long it is.
    const huge = new Uint8Array(0)
    Object.defineProperty(huge, 'length', { value: MAX_BYTES })
    tx.put('log', 2, huge)
  })
  await expectCode(error, 'TOO_LARGE', String(MAX_BYTES), 'Nothing of it was stored')
  expect(await queue.transact('read', (tx) => tx.get('log', 1))).toBeUndefined()
  await queue.transact('append', (tx) => tx.put('log', 3, 'third'))
  expect(await queue.transact('read', (tx) => tx.get('log', 3))).toBe('third')
  await store.close()
})

test('a buffer may grow to the limit and not beyond', () => {
  const writer = new Writer(16)
  writer.at = MAX_BYTES - 10
  expect(() => writer.need(11)).toThrow(expect.objectContaining({ code: 'TOO_LARGE' }) as Error)
})

test('a file works beyond 2^31 bytes, and takes no further frame there', async () => {
  const directory = temporaryDirectory()
  const journal = grown(directory, 2 ** 31 - 10)
  const start = journal.active.size
  journal.write(frame('across'))
  await journal.untilOnDisk()
  const into = Buffer.alloc(7)
  journal.read(1, into, 7, start + FRAME_HEADER)
  expect(into.toString('latin1', 1)).toBe('across')
  expect(() => journal.write(frame('behind'))).toThrow(NoRoom)
  expect(journal.failure).toBeUndefined()
  await journal.close()
})

test('zeros are written ahead however much is alive', async () => {
  const MB = 2 ** 20
  // What a file may become is a quarter of what is alive, which is no whole number of bytes then; near its end the zeros are fewer.
  for (const more of [1, 2, 3, 1021]) {
    const journal = grown(temporaryDirectory(), 8 * MB - MB / 2)
    const { active } = journal
    active.live = journal.live = 32 * MB + more
    journal.write(frame('small'))
    await journal.untilOnDisk()
    expect(active.prepared - active.size).toBeGreaterThan(MB / 4)
    expect(active.prepared - active.size).toBeLessThanOrEqual(MB / 2 + more)
    await journal.close()
  }
})

test.skipIf(process.platform === 'win32')(
  'files and directories are for this user alone, or as asked',
  async () => {
    const modes = async (options: { mode?: number }): Promise<string[]> => {
      const parent = join(temporaryDirectory(), 'parent')
      const directory = join(parent, 'data')
      const storage = new NodeFsAdapter(directory, options)
      const queue = await storage.open('q')
      await queue.append([{ id: 'a', body: 'x', headers: {}, timestamp: 0 } as never], { batchId: 'b' })
      const names = nodeFileSystem.list(directory)
      expect(names.some((name) => name.startsWith('lock-'))).toBe(true)
      const files = names.map((name) => (statSync(join(directory, name)).mode & 0o777).toString(8))
      await storage.close()
      const made = [parent, directory].map((path) => (statSync(path).mode & 0o777).toString(8))
      return [...new Set([...made, ...files])]
    }
    const umask = process.umask(0o007)
    try {
      expect(await modes({})).toEqual(['700', '600'])
      expect(await modes({ mode: 0o640 })).toEqual(['750', '640'])
      expect(await modes({ mode: 0o660 })).toEqual(['770', '660'])
      expect(await modes({ mode: 0o666 })).toEqual(['770', '660'])
    } finally {
      process.umask(umask)
    }
  },
)

test.for([0o400, 0o1600, -1, 0.5, Number.NaN, '600', null])('mode %s is refused', (mode) => {
  expect(() => new NodeFsAdapter('data', { mode: mode as number })).toThrow(
    expect.objectContaining({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining('mode') as string,
    }) as Error,
  )
})

test.for([-1, Number.NaN, '1', Infinity, null])('waitForLockMs %s is refused', (waitForLockMs) => {
  expect(() => new NodeFsAdapter('data', { waitForLockMs: waitForLockMs as number })).toThrow(
    expect.objectContaining({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining('waitForLockMs') as string,
    }) as Error,
  )
})
