import { Buffer } from 'node:buffer'
import { describe, expect, test } from 'vitest'
import { NodeFsAdapter } from '../../adapters/fs/index.ts'
import { decodeFileHeader, FILE_HEADER } from '../../adapters/fs/format.ts'
import { findFrames } from '../../adapters/fs/frames.ts'
import { openJournalReader } from '../../adapters/fs/reader.ts'
import { salvageOn } from '../../adapters/fs/salvage.ts'
import { openJournalStore } from '../../adapters/fs/store.ts'
import type { FsEvent, JournalStoreOptions } from '../../adapters/fs/options.ts'
import { SegmentAdapter } from '../../src/segments/engine.ts'
import type { TransactionalStore } from '../../src/segments/store.ts'
import type { QueueStorage } from '../../src/storage.ts'
import { randomFrom } from '../../conformance/scene.ts'
import { howMany } from '../support/effort.ts'
import { expectCode } from '../support/set-up.ts'
import { pick } from './history.ts'
import { MemoryDisk } from './memory-disk.ts'

// Long bodies lie apart from what tells of them, and are not read to open a journal.

const BODY_BYTES = 100_000
const FIRST = '/data/journal-0000000001.qsj'

/** Counts what is read. */
class CountingDisk extends MemoryDisk {
  bytesRead = 0

  override read(fd: number, into: Buffer, offset: number, length: number, position: number): number {
    const bytes = super.read(fd, into, offset, length, position)
    this.bytesRead += bytes
    return bytes
  }

  override async readAhead(
    fd: number,
    into: Buffer,
    offset: number,
    length: number,
    position: number,
  ): Promise<number> {
    const bytes = await super.readAhead(fd, into, offset, length, position)
    this.bytesRead += bytes
    return bytes
  }
}

/** Keeps those waiting who wait for the disk. */
class SlowDisk extends MemoryDisk {
  isSlow = false
  readonly waiting: (() => void)[] = []

  override async dataSync(fd: number): Promise<void> {
    if (this.isSlow) await new Promise<void>((resolve) => this.waiting.push(resolve))
    await super.dataSync(fd)
  }
}

function copyOf(disk: MemoryDisk, directory = '/data'): CountingDisk {
  const copy = new CountingDisk()
  copy.boot = disk.boot
  for (const name of disk.list(directory).filter((one) => one.endsWith('.qsj')))
    copy.place(`${directory}/${name}`, Buffer.from(disk.bytesOf(`${directory}/${name}`)))
  return copy
}

interface Bench {
  readonly adapter: SegmentAdapter
  readonly queue: QueueStorage
  readonly events: FsEvent[]
}

async function open(
  disk: MemoryDisk,
  options: Pick<JournalStoreOptions, 'durability' | 'maxFileBytes' | 'readOnly'> = {},
  directory = '/data',
): Promise<Bench> {
  const events: FsEvent[] = []
  const how = {
    fileSystem: disk,
    cacheBytes: 0,
    ...options,
    onEvent: (event: FsEvent) => void events.push(event),
  }
  const openStore = (): Promise<TransactionalStore> =>
    options.readOnly ? openJournalReader(directory, how) : openJournalStore(directory, how)
  const adapter = new SegmentAdapter(new NodeFsAdapter('unused').guarantees, openStore)
  return { adapter, queue: await adapter.open('q'), events }
}

function bodyOf(name: string): string {
  return name.repeat(BODY_BYTES)
}

/** Sends messages, a letter each. */
async function send(queue: QueueStorage, names: string): Promise<void> {
  for (const [i, name] of names.split('').entries())
    await queue.append([{ body: bodyOf(name) }], { batchId: `${name}-${i}`.padStart(28, '0') })
}

async function listed(queue: QueueStorage): Promise<string> {
  const { messages } = await queue.list({ group: 'g', limit: 100, bodies: false })
  return messages.map(({ id }) => id.replaceAll('0', '')[0]!).join('')
}

/** All that a group has, each with its body, as letters in order. */
async function all(queue: QueueStorage): Promise<string> {
  const found: string[] = []
  const states = ['ready', 'leased', 'delayed', 'blocked', 'dead'] as const
  for (let cursor: string | undefined; ;) {
    const page = await queue.list({ group: 'g', states, limit: 5, cursor })
    for (const { body } of page.messages) {
      expect(body).toBe(bodyOf((body as string)[0]!))
      found.push((body as string)[0]!)
    }
    cursor = page.cursor
    if (cursor === undefined) return found.toSorted().join('')
  }
}

async function claimed(queue: QueueStorage): Promise<string> {
  const { deliveries } = await queue.claim({ group: 'g', limit: 100, leaseMs: 1e6, maxAttempts: 3 })
  for (const { body } of deliveries) expect(body).toBe(bodyOf((body as string)[0]!))
  return deliveries.map(({ body }) => (body as string)[0]!).join('')
}

/** Where each frame that has something apart starts, where that starts, and where it ends. */
function framesOf(disk: MemoryDisk, path = FIRST): { at: number; apart: number; end: number }[] {
  const bytes = disk.bytesOf(path)
  const { magic } = decodeFileHeader(bytes)!
  return Array.from(findFrames(bytes, magic, FILE_HEADER), ({ at, length, apart }) => ({
    at,
    apart: at + length,
    end: at + length + apart,
  })).filter(({ apart, end }) => end > apart)
}

/** What a process that was killed leaves after it has sent messages. */
async function killedAfter(
  names: string,
  options: Pick<JournalStoreOptions, 'durability' | 'maxFileBytes'> = {},
): Promise<MemoryDisk> {
  const disk = new MemoryDisk()
  const { queue } = await open(disk, options)
  await send(queue, names)
  return disk.afterKill()
}

describe('long bodies', () => {
  test('are not read for opening, counting and listing, but each when it is delivered', async () => {
    const disk = new MemoryDisk()
    const { adapter, queue } = await open(disk, { maxFileBytes: 250_000 })
    await send(queue, 'abcdefghijkl')
    await adapter.close()
    const copy = copyOf(disk)
    const again = await open(copy)
    expect((await again.queue.stats()).messages).toBe(12)
    expect(await listed(again.queue)).toBe('abcdefghijkl')
    expect(copy.bytesRead).toBeLessThan(5 * BODY_BYTES)
    const { deliveries } = await again.queue.claim({ group: 'g', limit: 1, leaseMs: 1e6, maxAttempts: 3 })
    expect(deliveries.map(({ body }) => body)).toEqual([bodyOf('a')])
    expect(await claimed(again.queue)).toBe('bcdefghijkl')
    await again.adapter.close()
  })

  test('go with their messages: acknowledged, cancelled, deleted and purged', async () => {
    const store = await openJournalStore('/data', { fileSystem: new MemoryDisk() })
    const rows = await store.open('q')
    const left = (): Promise<number[]> =>
      rows.transact('read', (tx) => [tx.count('bodies', {}), tx.count('copies', {})])
    const { guarantees } = new NodeFsAdapter('unused')
    const adapter = new SegmentAdapter(guarantees, async () => store)
    const queue = await adapter.open('q')
    await send(queue, 'abcdef')
    const take = async (settle: 'ack' | 'retry' | 'dead'): Promise<void> => {
      const { deliveries } = await queue.claim({ group: 'g', limit: 1, leaseMs: 1e6, maxAttempts: 9 })
      const { receipt } = deliveries[0]!
      const settlement =
        settle === 'retry'
          ? ({ receipt, kind: 'retry', delayMs: 1e6 } as const)
          : settle === 'dead'
            ? ({ receipt, kind: 'dead', reason: 'rejected' } as const)
            : ({ receipt, kind: 'ack' } as const)
      await queue.settle('g', [settlement])
    }
    for (const how of ['ack', 'retry', 'dead', 'ack'] as const) await take(how)
    // Of the log e and f, and what the group has outside of it.
    expect(await left()).toEqual([2, 2])
    const { messages } = await queue.list({ group: 'g', states: ['ready', 'delayed', 'dead'], limit: 9 })
    const found = messages.map(({ body, state }) => `${state} ${(body as string)[0]}`)
    expect(found.toSorted()).toEqual(['dead c', 'delayed b', 'ready e', 'ready f'])
    await queue.cancel(messages.filter(({ state }) => state !== 'dead').map(({ id }) => id))
    const dead = messages.find(({ state }) => state === 'dead')!
    await queue.settle('g', [{ receipt: dead.receipt!, kind: 'ack' }])
    expect(await left()).toEqual([0, 0])
    const later = (name: string): Promise<unknown> =>
      queue.append([{ body: bodyOf(name), delayMs: 1e6 }], { batchId: name.padStart(28, '0') })
    await later('y')
    await send(queue, 'x')
    expect(await left()).toEqual([2, 0])
    await take('retry')
    expect(await left()).toEqual([1, 1])
    await queue.purge()
    expect(await left()).toEqual([0, 0])
    await later('z')
    await send(queue, 'w')
    await take('dead')
    await queue.deleteGroup('g')
    expect(await left()).toEqual([0, 0])
    await adapter.close()
  })

  test('that were torn at the end take their message along, and nothing else', async () => {
    const whole = await killedAfter('abc')
    const frame = framesOf(whole).at(-1)!
    const zeroed = copyOf(whole)
    zeroed.bytesOf(FIRST).fill(0, frame.apart + 1000, frame.end)
    const cut = copyOf(whole)
    cut.place(FIRST, cut.bytesOf(FIRST).subarray(0, frame.apart + 1000))
    const headless = copyOf(whole)
    headless.bytesOf(FIRST).fill(0, frame.at, frame.apart)
    for (const disk of [zeroed, cut, headless]) {
      const { adapter, queue, events } = await open(disk)
      expect(events).toMatchObject([{ type: 'torn-tail', file: FIRST, offset: frame.at }])
      expect(await listed(queue)).toBe('ab')
      expect(await claimed(queue)).toBe('ab')
      await adapter.close()
    }
  })

  test('that were torn are not there for somebody who only looks, either', async () => {
    const disk = copyOf(await killedAfter('abc'))
    const { apart, end } = framesOf(disk).at(-1)!
    disk.bytesOf(FIRST).fill(0, apart + 1000, end)
    const { adapter, queue } = await open(disk, { readOnly: true })
    expect(await listed(queue)).toBe('ab')
    await adapter.close()
  })

  test('that a power cut took where nobody waited for the disk end the journal there', async () => {
    const disk = copyOf(await killedAfter('abcdef', { durability: 'os' }))
    const frame = framesOf(disk)[2]!
    disk.bytesOf(FIRST)[frame.apart + 1000]! ^= 1
    const running = copyOf(disk)
    disk.boot++
    const { adapter, queue, events } = await open(disk, { durability: 'os' })
    expect(events).toMatchObject([{ type: 'torn-tail', offset: frame.at }])
    expect(await listed(queue)).toBe('ab')
    await adapter.close()
    // As long as the machine runs, what was written is there: then it is damage.
    const other = await open(running, { durability: 'os' })
    expect(await listed(other.queue)).toBe('abcdef')
    await expectCode(claimed(other.queue), 'CORRUPT', FIRST, 'not the body that was written there')
    await other.adapter.close()
  })

  test('that are damaged are found when they are read, and salvage loses their messages only', async () => {
    const disk = copyOf(await killedAfter('abcd'))
    const { apart, end } = framesOf(disk)[1]!
    disk.bytesOf(FIRST)[apart + 1000]! ^= 1
    const { adapter, queue } = await open(copyOf(disk))
    expect(await listed(queue)).toBe('abcd')
    await expectCode(claimed(queue), 'CORRUPT', FIRST, 'not the body that was written there')
    await adapter.close()
    expect(await salvageOn(disk, '/data', '/salvaged')).toEqual([
      { file: FIRST, offset: apart, bytes: end - apart },
    ])
    const salvaged = await open(disk, {}, '/salvaged')
    expect(await listed(salvaged.queue)).toBe('acd')
    expect(await claimed(salvaged.queue)).toBe('acd')
    await salvaged.adapter.close()
  })

  test('come out of a journal with a bit that flipped whole or not at all, and all others with them', async () => {
    const disk = new MemoryDisk()
    const { adapter, queue } = await open(disk, { maxFileBytes: 400_000 })
    for (const [i, name] of 'abcdefghijkl'.split('').entries()) {
      const key = i % 3 === 0 ? 'key' : undefined
      const delayMs = i === 11 ? 1e9 : undefined
      await queue.append([{ body: bodyOf(name), key, delayMs }], { batchId: name.padStart(28, '0') })
    }
    const { deliveries } = await queue.claim({ group: 'g', limit: 100, leaseMs: 1e6, maxAttempts: 3 })
    const [retried, dead, acked] = deliveries.map(({ receipt }) => receipt)
    await queue.settle('g', [
      { receipt: retried!, kind: 'retry', delayMs: 1e6 },
      { receipt: dead!, kind: 'dead', reason: 'rejected' },
      { receipt: acked!, kind: 'ack' },
    ])
    const before = await all(queue)
    expect(before).toHaveLength(11)
    await adapter.close()
    const random = randomFrom(5)
    const files = disk
      .list('/data')
      .filter((name) => name.endsWith('.qsj') && framesOf(disk, `/data/${name}`).length > 0)
    for (let i = 0; i < howMany('RUNS', { quick: 20, full: 1000 }); i++) {
      const damaged = copyOf(disk)
      const path = `/data/${pick(random, files)}`
      const at = FILE_HEADER + Math.floor(random() * (damaged.bytesOf(path).length - FILE_HEADER))
      damaged.bytesOf(path)[at]! ^= 1
      const lost = await salvageOn(damaged, '/data', '/salvaged')
      expect(lost, `${path} ${at}`).toHaveLength(1)
      const salvaged = await open(damaged, {}, '/salvaged')
      const after = await all(salvaged.queue)
      const isBody = framesOf(disk, path).some(({ apart, end }) => at >= apart && at < end)
      // One that was acknowledged may come again.
      const missing = before.split('').filter((name) => !after.includes(name))
      expect(isBody && missing.length > 1, `${path} ${at}`).toBe(false)
      await salvaged.adapter.close()
    }
  }, 120_000)

  test('wait for the next file where one would grow without end', async () => {
    const disk = new SlowDisk()
    const { adapter, queue } = await open(disk, { maxFileBytes: 200_000, durability: 'os' })
    disk.isSlow = true
    const progress = { sent: 0 }
    const sending = (async () => {
      for (; progress.sent < 50; progress.sent++) await send(queue, 'x')
    })()
    while (disk.waiting.length === 0 || progress.sent < 5)
      await new Promise((resolve) => setImmediate(resolve))
    for (let turn = 0; turn < 100; turn++) await new Promise((resolve) => setImmediate(resolve))
    expect(progress.sent).toBeLessThan(10)
    disk.isSlow = false
    for (const go of disk.waiting.splice(0)) go()
    await sending
    await adapter.close()
    for (const name of disk.list('/data').filter((one) => one.endsWith('.qsj')))
      expect(disk.bytesOf(`/data/${name}`).length).toBeLessThan(10 * BODY_BYTES)
  })

  test('are moved by the cleaner one by one, and come out of it whole', async () => {
    const disk = new CountingDisk()
    const { adapter, queue } = await open(disk, { maxFileBytes: 300_000 })
    await send(queue, 'k')
    const { deliveries } = await queue.claim({ group: 'g', limit: 1, leaseMs: 1e6, maxAttempts: 3 })
    // The first stays, and lots go by.
    for (let i = 0; i < 30; i++) {
      await send(queue, 'x')
      const { deliveries } = await queue.claim({ group: 'g', limit: 1, leaseMs: 1e6, maxAttempts: 3 })
      await queue.settle('g', [{ receipt: deliveries[0]!.receipt, kind: 'ack' }])
    }
    await queue.settle('g', [{ receipt: deliveries[0]!.receipt, kind: 'retry', delayMs: 0 }])
    await adapter.close()
    expect(disk.list('/data')).not.toContain('journal-0000000001.qsj')
    const again = await open(copyOf(disk))
    expect(await claimed(again.queue)).toBe('k')
    await again.adapter.close()
  })
})
