import { Buffer } from 'node:buffer'
import { beforeAll, describe, expect, test } from 'vitest'
import {
  decodeFileHeader,
  decodeFrame,
  FILE_HEADER,
  FRAME_HEADER,
  frameLength,
  lengthApart,
} from '../../adapters/fs/format.ts'
import type { FsEvent } from '../../adapters/fs/options.ts'
import { openJournalStore } from '../../adapters/fs/store.ts'
import { type Lost, Wreck } from '../../adapters/fs/wreck.ts'
import { QuaysideError } from '../../src/errors.ts'
import { type Table, TABLES } from '../../src/segments/store.ts'
import { randomFrom } from '../../conformance/scene.ts'
import { History, type Rows, randomStep, rowsOf } from './history.ts'
import { MemoryDisk, systemError } from './memory-disk.ts'

const DIRECTORY = '/data'

interface Frame {
  readonly path: string
  readonly offset: number
  readonly end: number
  readonly lsn: number
}

function journalFiles(disk: MemoryDisk): string[] {
  const names = disk.list(DIRECTORY).filter((name) => name.endsWith('.qsj'))
  return names.sort().map((name) => `${DIRECTORY}/${name}`)
}

function framesOf(disk: MemoryDisk): Frame[] {
  const frames: Frame[] = []
  for (const path of journalFiles(disk)) {
    const bytes = disk.bytesOf(path)
    const { magic } = decodeFileHeader(bytes)!
    for (let offset = FILE_HEADER; offset + FRAME_HEADER <= bytes.length;) {
      const length = frameLength(bytes, offset, magic)
      if (length === undefined) break
      const end = offset + length + lengthApart(bytes, offset)
      frames.push({ path, offset, end, lsn: decodeFrame(bytes, offset).lsn })
      offset = end
    }
  }
  return frames
}

/** The same disk in the hands of a new process. */
function copyOf(disk: MemoryDisk): MemoryDisk {
  const copy = new MemoryDisk()
  for (const path of journalFiles(disk)) copy.place(path, Buffer.from(disk.bytesOf(path)))
  return copy
}

interface Found {
  readonly rows?: Rows
  readonly torn?: FsEvent & { type: 'torn-tail' }
  readonly error?: unknown
}

async function open(disk: MemoryDisk): Promise<Found> {
  const events: FsEvent[] = []
  try {
    const store = await openJournalStore(DIRECTORY, {
      fileSystem: disk,
      onEvent: (event) => events.push(event),
    })
    const rows = await rowsOf(await store.open('queue'))
    await store.close()
    const torn = events.find((event) => event.type === 'torn-tail')
    return torn === undefined ? { rows } : { rows, torn }
  } catch (error) {
    return { error }
  }
}

function expectCorrupt(error: unknown, path: string): QuaysideError {
  expect(error).toBeInstanceOf(QuaysideError)
  const corrupt = error as QuaysideError
  expect(corrupt.code).toBe('CORRUPT')
  expect(corrupt.message).toMatch(/journal-\d{10}\.qsj is damaged at byte \d+: .*Nothing was changed/)
  expect(corrupt.message).toContain(path)
  return corrupt
}

/** What lies apart is another matter: see `bodies.test.ts`. */
const INLINE: readonly Table[] = ['state', 'log', 'side', 'due', 'ids']

/** What the journal held after each of its frames. */
const states: Map<number, Rows> = new Map()
/** As a kill leaves it, and as an orderly end does. */
let killed: MemoryDisk
let closed: MemoryDisk

beforeAll(async () => {
  const random = randomFrom(7)
  const history = new History()
  const disk = new MemoryDisk()
  const store = await openJournalStore(DIRECTORY, { fileSystem: disk, maxFileBytes: 3100 })
  const queue = await store.open('queue')
  const inLastFile = (): number =>
    framesOf(disk).filter((frame) => frame.path === journalFiles(disk).at(-1)).length
  for (let i = 0; i < 60 || journalFiles(disk).length < 4 || inLastFile() < 4; i++) {
    const error = await history.run(queue, randomStep(random, { keys: 40, tables: INLINE }))
    if (error !== undefined) throw error as Error
    // Before the cleaner writes frames of its own, and afterwards.
    states.set(framesOf(disk).at(-1)!.lsn, await rowsOf(queue))
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve))
    states.set(framesOf(disk).at(-1)!.lsn, await rowsOf(queue))
  }
  killed = disk.afterKill()
  await store.close()
  closed = disk.afterKill()
})

/** What was there when this frame was the last one. Frames without ops of the queue change nothing. */
function stateAt(lsn: number): Rows {
  for (let at = lsn; at > 0; at--) {
    const rows = states.get(at)
    if (rows !== undefined) return rows
  }
  return {}
}

describe('a journal that was cut', () => {
  test('at every byte of its last three frames: the last whole frame counts, and the rest is reported', async () => {
    const frames = framesOf(killed)
    const last = frames.slice(-3)
    const { path } = last[0]!
    expect(last.every((frame) => frame.path === path)).toBe(true)
    for (let size = last[0]!.offset; size <= last[2]!.end; size++) {
      const disk = copyOf(killed)
      disk.place(path, disk.bytesOf(path).subarray(0, size))
      const whole = frames.findLast((frame) => frame.path !== path || frame.end <= size)!
      const found = await open(disk)
      expect(found.rows, `cut at ${size}`).toEqual(stateAt(whole.lsn))
      const bytes = nonZero(killed.bytesOf(path).subarray(whole.end, size))
      expect(found.torn).toEqual(
        bytes === 0 ? undefined : { type: 'torn-tail', file: path, offset: whole.end, bytes },
      )
      // And once it was repaired, there is nothing more to report.
      const again = await open(disk.afterKill())
      expect(again.rows).toEqual(found.rows)
      expect(again.torn).toBeUndefined()
    }
  })

  test('in the middle: refused', async () => {
    const frames = framesOf(killed)
    for (const frame of frames.slice(0, -1).filter(({ path }) => path !== frames.at(-1)!.path)) {
      const disk = copyOf(killed)
      disk.place(frame.path, disk.bytesOf(frame.path).subarray(0, frame.offset + 5))
      expectCorrupt((await open(disk)).error, frame.path)
    }
  })
})

/** How many bytes there are in front of the zeros at the end. */
function nonZero(bytes: Buffer): number {
  return bytes.findLastIndex((byte) => byte !== 0) + 1
}

describe('a bit that flipped', () => {
  interface Flip {
    readonly path: string
    readonly at: number
    readonly found: Found
    /** The files, as they were before they were opened, and afterwards. */
    readonly before: MemoryDisk
    readonly disk: MemoryDisk
  }

  /** Flips bits in random places, one at a time. */
  async function flip(original: MemoryDisk, times: number): Promise<Flip[]> {
    const random = randomFrom(11)
    const files = journalFiles(original)
    const total = files.reduce((sum, path) => sum + original.bytesOf(path).length, 0)
    const flips: Flip[] = []
    for (let i = 0; i < times; i++) {
      let at = Math.floor(random() * total)
      let file = 0
      while (at >= original.bytesOf(files[file]!).length) at -= original.bytesOf(files[file++]!).length
      const path = files[file]!
      const disk = copyOf(original)
      disk.bytesOf(path)[at]! ^= 1 << Math.floor(random() * 8)
      const before = copyOf(disk)
      flips.push({ path, at, found: await open(disk), before, disk })
    }
    return flips
  }

  /** The error names a place at or before the bit, and nothing was changed. */
  function expectRefused({ path, at, found, before, disk }: Flip): void {
    const { message } = expectCorrupt(found.error, path)
    expect(Number(/at byte (\d+)/.exec(message)![1])).toBeLessThanOrEqual(at)
    for (const one of journalFiles(before)) expect(disk.bytesOf(one).equals(before.bytesOf(one))).toBe(true)
  }

  test('in 1000 random places of a closed journal: refused with file and offset, except in the closing frame', async () => {
    const closing = framesOf(closed).at(-1)!
    const flips = await flip(closed, 1000)
    const refused = flips.filter(({ found }) => found.error !== undefined)
    for (const one of refused) expectRefused(one)
    expect(refused.length).toBeGreaterThan(950)
    for (const { path, at, found } of flips.filter(({ found }) => found.error === undefined)) {
      expect({ path, at: at >= closing.offset }).toEqual({ path: closing.path, at: true })
      expect(found.torn).toMatchObject({ file: closing.path, offset: closing.offset })
      expect(found.rows).toEqual(stateAt(closing.lsn))
    }
  })

  test('in 1000 random places of a journal that was killed: refused, or reported as a torn tail', async () => {
    // Without the zeros behind the last frame, where most bits would fall.
    const frames = framesOf(killed)
    const last = frames.at(-1)!
    const disk = copyOf(killed)
    disk.place(last.path, disk.bytesOf(last.path).subarray(0, last.end + 100))
    const flips = await flip(disk, 1000)
    const refused = flips.filter(({ found }) => found.error !== undefined)
    for (const one of refused) expectRefused(one)
    for (const { path, at, found } of flips.filter(({ found }) => found.error === undefined)) {
      const { file, offset } = found.torn!
      expect({ file, offset: offset <= at }).toEqual({ file: path, offset: true })
      const whole = frames.findLast((frame) => frame.path !== path || frame.end <= offset)!
      expect(found.rows).toEqual(stateAt(whole.lsn))
      // Only what no later frame vouches for.
      expect(frames.length - frames.indexOf(whole)).toBeLessThanOrEqual(3)
    }
  })

  test('in a header', async () => {
    for (const path of journalFiles(closed)) {
      for (let at = 0; at < FILE_HEADER; at++) {
        const disk = copyOf(closed)
        disk.bytesOf(path)[at]! ^= 0x10
        expectCorrupt((await open(disk)).error, path)
      }
    }
  })
})

describe('files', () => {
  test('that are missing are missed, each by its name', async () => {
    for (const path of journalFiles(closed)) {
      const disk = copyOf(closed)
      disk.lose(path)
      expectCorrupt((await open(disk)).error, path)
    }
  })

  test('of another journal, or in the place of others, are refused', async () => {
    const [first, second] = journalFiles(closed) as [string, string]
    const swapped = copyOf(closed)
    swapped.place(first, closed.bytesOf(second))
    swapped.place(second, closed.bytesOf(first))
    expectCorrupt((await open(swapped)).error, first)
  })

  test('whose creation was interrupted are removed', async () => {
    const last = journalFiles(closed).at(-1)!
    const next = last.replace(/\d{10}/, (number) => String(Number(number) + 1).padStart(10, '0'))
    const header = Buffer.from(closed.bytesOf(last).subarray(0, FILE_HEADER))
    for (const bytes of [Buffer.alloc(0), header.subarray(0, 7), Buffer.alloc(FILE_HEADER), header]) {
      const disk = copyOf(closed)
      disk.place(next, Buffer.from(bytes))
      const found = await open(disk)
      expect(found.error).toBeUndefined()
      expect(found.rows).toEqual(stateAt(framesOf(closed).at(-1)!.lsn))
      expect(disk.list(DIRECTORY)).not.toContain(next.slice(DIRECTORY.length + 1))
    }
  })

  test('that a power cut left empty when the first one was created are no reason to refuse', async () => {
    for (const size of [0, 5, FILE_HEADER]) {
      const disk = new MemoryDisk()
      disk.place(`${DIRECTORY}/journal-0000000001.qsj`, Buffer.alloc(size))
      expect((await open(disk)).rows).toEqual({})
    }
  })
})

describe('a journal that did not wait for the disk', () => {
  async function write(): Promise<MemoryDisk> {
    const disk = new MemoryDisk()
    const store = await openJournalStore(DIRECTORY, { fileSystem: disk, durability: 'os' })
    const queue = await store.open('queue')
    for (let i = 1; i <= 10; i++) await queue.transact('append', (tx) => tx.put('log', i, 'x'.repeat(50)))
    const left = disk.afterKill()
    const third = framesOf(left)[2]!
    left.bytesOf(third.path)[third.offset + 40]! ^= 1
    return left
  }

  test('is damaged where a frame is broken and a later one is not, as long as the machine runs', async () => {
    expectCorrupt((await open(await write())).error, 'journal-0000000001.qsj')
  })

  test('was torn by the power cut there, if the machine was started again since', async () => {
    const disk = await write()
    disk.boot++
    const found = await open(disk)
    expect(found.rows!['log']).toHaveLength(2)
    expect(found.torn!.offset).toBe(framesOf(disk)[1]!.end)
  })
})

describe('a wreck', () => {
  test('has everything but the damaged frame, and says where that was', () => {
    const frames = framesOf(killed)
    // The row is written again by no later frame, and the header of another file is damaged too.
    const disk = copyOf(killed)
    const damaged = frames[Math.floor(frames.length / 2)]!
    disk.bytesOf(damaged.path)[damaged.end - 1]! ^= 1
    const last = journalFiles(disk).at(-1)!
    disk.bytesOf(last)[10]! ^= 1
    const { rows, lost } = wreckOf(disk)
    expect(lost).toEqual([
      { file: damaged.path, offset: damaged.offset, bytes: damaged.end - damaged.offset },
    ])
    const all = stateAt(frames.at(-1)!.lsn)
    // Whatever the later frames wrote is there.
    expect(rows['state']).toEqual(all['state'])
    expect(differences(rows, all)).toBeLessThanOrEqual(4)
  })

  test('of a sound journal has all of it', () => {
    const { rows, lost } = wreckOf(closed)
    expect(lost).toEqual([])
    expect(rows).toEqual(stateAt(framesOf(closed).at(-1)!.lsn))
  })

  test('says which files are missing or cut off', () => {
    const files = journalFiles(closed)
    for (const path of files) {
      const disk = copyOf(closed)
      disk.lose(path)
      expect(wreckOf(disk).lost, path).toEqual([{ file: path, offset: 0, bytes: 0 }])
    }
    for (const path of files.slice(0, -1)) {
      const disk = copyOf(closed)
      const { offset } = framesOf(closed).findLast((frame) => frame.path === path)!
      disk.place(path, disk.bytesOf(path).subarray(0, offset))
      expect(wreckOf(disk).lost, path).toEqual([{ file: path, offset, bytes: 0 }])
    }
  })

  test('loses only the first block of a file that starts with zeros', () => {
    for (const path of journalFiles(closed)) {
      const disk = copyOf(closed)
      disk.bytesOf(path).fill(0, 0, 512)
      const { offset } = framesOf(closed).find((frame) => frame.path === path && frame.offset >= 512)!
      expect(wreckOf(disk).lost).toEqual([{ file: path, offset: FILE_HEADER, bytes: offset - FILE_HEADER }])
    }
  })

  test('loses only the blocks that the disk cannot read', () => {
    class Disk extends MemoryDisk {
      bad: number | undefined
      override read(fd: number, into: Buffer, offset: number, length: number, position: number): number {
        if (this.bad !== undefined && position <= this.bad && this.bad < position + length)
          throw systemError('EIO', 'read')
        return super.read(fd, into, offset, length, position)
      }
    }
    const big = new Disk()
    const frame = framesOf(closed).at(-1)!
    const bytes = closed.bytesOf(frame.path)
    big.place(frame.path, Buffer.concat([bytes, Buffer.alloc(20_000)]))
    big.bad = 10_000
    const { lost } = wreckOf(big)
    expect(lost.at(-1)).toEqual({ file: frame.path, offset: frame.end, bytes: 12_288 - frame.end })
  })
})

/** What can be read of the only queue. */
function wreckOf(disk: MemoryDisk): { rows: Rows; lost: readonly Lost[] } {
  const wreck = Wreck.open(disk, DIRECTORY)
  const [queue] = [...wreck.queues()]
  const rows: Rows = {}
  for (const table of Object.keys(TABLES) as Table[]) {
    const found = queue![1].keys(table, {}).map((key) => [key, queue![1].get(table, key)] as const)
    if (found.length > 0) rows[table] = found
  }
  wreck.close()
  return { rows, lost: wreck.lost }
}

/** How many rows are in one and not in the other. */
function differences(a: Rows, b: Rows): number {
  const list = (rows: Rows): string[] =>
    Object.entries(rows).flatMap(([table, found]) => found.map((row) => JSON.stringify([table, row])))
  const without = (one: string[], other: string[]): string[] => one.filter((row) => !other.includes(row))
  return without(list(a), list(b)).length + without(list(b), list(a)).length
}

test('a message that looks like a journal is a message', async () => {
  const disk = new MemoryDisk()
  const store = await openJournalStore(DIRECTORY, { fileSystem: disk })
  const queue = await store.open('queue')
  await queue.transact('append', (tx) =>
    tx.put('log', 1, new Uint8Array(closed.bytesOf(journalFiles(closed)[0]!))),
  )
  await store.close()
  const path = `${DIRECTORY}/journal-0000000001.qsj`
  const torn = copyOf(disk)
  const bytes = torn.bytesOf(path)
  torn.place(path, bytes.subarray(0, bytes.length - 200))
  const found = await open(torn)
  expect(found.rows).toEqual({})
  expect(found.torn).toMatchObject({ offset: FILE_HEADER })
})
