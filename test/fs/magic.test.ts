import type { Buffer } from 'node:buffer'
import { expect, test } from 'vitest'
import { decodeFileHeader, FILE_HEADER } from '../../adapters/fs/format.ts'
import { findFrames } from '../../adapters/fs/frames.ts'
import { openJournalStore } from '../../adapters/fs/store.ts'
import { Wreck } from '../../adapters/fs/wreck.ts'
import { MemoryDisk } from './memory-disk.ts'

const FILE = '/data/journal-0000000001.qsj'

/** A journal of frames that put these values. */
async function journalOf(values: readonly unknown[]): Promise<MemoryDisk> {
  const disk = new MemoryDisk()
  const store = await openJournalStore('/data', { fileSystem: disk })
  const queue = await store.open('queue')
  for (const [i, value] of values.entries()) await queue.transact('append', (tx) => tx.put('log', i, value))
  await store.close()
  return disk
}

function damage(disk: MemoryDisk, frames: readonly number[]): Buffer {
  const bytes = disk.bytesOf(FILE)
  const { magic } = decodeFileHeader(bytes)!
  const places = [...findFrames(bytes, magic, FILE_HEADER)]
  bytes[4]! ^= 1
  for (const frame of frames) bytes[places[frame]!.at + 4]! ^= 1
  return bytes
}

/** The keys of the messages that a wreck has. */
function salvaged(disk: MemoryDisk): unknown[] {
  const wreck = Wreck.open(disk, '/data')
  const keys = [...wreck.queues()].flatMap(([, remains]) => remains.keys('log', {}))
  wreck.close()
  return keys
}

const VALUES = ['a', 'b', 'c', 'd', 'e'].map((letter) => letter.repeat(300))

test.for([
  { damaged: [] },
  { damaged: [0] },
  { damaged: [0, 1] },
  { damaged: [0, 1, 2, 3] },
  { damaged: [4] },
])(
  'the frames of a file whose header is lost are found beside damaged ones: $damaged',
  async ({ damaged }: { readonly damaged: readonly number[] }) => {
    const disk = await journalOf(VALUES)
    damage(disk, damaged)
    expect(salvaged(disk)).toEqual([0, 1, 2, 3, 4].filter((key) => !damaged.includes(key)))
  },
)

test('a journal that was sent as a message is not taken for the one that it lies in', async () => {
  const sent = await journalOf(['x', 'y'])
  const disk = await journalOf([new Uint8Array(sent.bytesOf(FILE)), ...VALUES])
  damage(disk, [0])
  expect(salvaged(disk)).toEqual([1, 2, 3, 4, 5])
})
