import { describe, expect, test } from 'vitest'
import type { FileSystem } from '../../adapters/fs/file-system.ts'
import type { FsEvent, JournalStoreOptions } from '../../adapters/fs/options.ts'
import { type JournalStore, openJournalStore } from '../../adapters/fs/store.ts'
import type { QueueStore } from '../../src/segments/store.ts'
import { rowsOf } from './history.ts'
import { MemoryDisk, systemError } from './memory-disk.ts'
import { temporaryDirectory } from './temporary.ts'

/** A disk whose syncs wait until the test lets them go, and which can be told to fail. */
class HeldDisk extends MemoryDisk {
  writes = 0
  /** Syncs that wait. */
  readonly syncs: ((error?: Error) => void)[] = []
  holding = false
  /** Thrown by the next write. */
  failNext: Error | undefined

  override write(...args: Parameters<FileSystem['write']>): number {
    this.writes++
    const error = this.failNext
    this.failNext = undefined
    if (error !== undefined) throw error
    return super.write(...args)
  }

  override async dataSync(fd: number): Promise<void> {
    if (this.holding) {
      await new Promise<void>((resolve, reject) =>
        this.syncs.push((error) => (error ? reject(error) : resolve())),
      )
    }
    return super.dataSync(fd)
  }
}

interface Opened {
  readonly disk: HeldDisk
  readonly store: JournalStore
  readonly queue: QueueStore
  readonly events: FsEvent[]
}

async function open(options: JournalStoreOptions = {}, disk: HeldDisk = new HeldDisk()): Promise<Opened> {
  const events: FsEvent[] = []
  const store = await openJournalStore('/data', {
    fileSystem: disk,
    onEvent: (event) => events.push(event),
    ...options,
  })
  const queue = await store.open('queue')
  disk.writes = 0
  return { disk, store, queue, events }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** What became of a promise by now. */
async function stateOf(promise: Promise<unknown>): Promise<string> {
  await turn()
  return Promise.race([
    promise.then(
      () => 'resolved',
      (error: { code: string }) => error.code,
    ),
    turn().then(() => 'waiting'),
  ])
}

const put =
  (key: number, value: unknown = key) =>
  (tx: { put(table: 'log', key: number, value: unknown): void }): unknown => {
    tx.put('log', key, value)
    return value
  }

describe('a commit', () => {
  test('shares its write and its sync with all that are called in the same burst', async () => {
    const { disk, queue } = await open({ durability: 'fsync' })
    disk.holding = true
    const all = Array.from({ length: 100 }, (_, i) => queue.transact('append', put(i)))
    // Also those that a promise sets off.
    all.push(Promise.resolve().then(() => queue.transact('consume', put(100))))
    all.push(
      Promise.resolve()
        .then(() => {})
        .then(() => queue.transact('remove', put(101))),
    )
    await turn()
    // One for the frame, one for the space behind it.
    expect(disk.writes).toBe(2)
    expect(disk.syncs).toHaveLength(1)
    disk.syncs[0]!()
    expect(await Promise.all(all)).toEqual(Array.from({ length: 102 }, (_, i) => i))
  })

  test('rides in the next sync while one is under way', async () => {
    const { disk, queue } = await open()
    disk.holding = true
    const first = queue.transact('append', put(1))
    await turn()
    const more = [queue.transact('append', put(2)), queue.transact('append', put(3))]
    await turn()
    expect(disk.syncs).toHaveLength(1)
    disk.syncs[0]!()
    expect(await stateOf(first)).toBe('resolved')
    expect(await stateOf(more[0]!)).toBe('waiting')
    expect(disk.syncs).toHaveLength(2)
    disk.syncs[1]!()
    await Promise.all(more)
  })

  test.for([
    ['append', {}, 'waiting'],
    ['remove', {}, 'waiting'],
    ['consume', {}, 'resolved'],
    ['consume', { strictAcks: true }, 'waiting'],
    ['append', { durability: 'os' }, 'resolved'],
    ['consume', { durability: 'os', strictAcks: true }, 'resolved'],
  ] as const)('%s with %o before the disk has it: %s', async ([kind, options, state]) => {
    const { disk, queue } = await open(options)
    disk.holding = true
    const commit = queue.transact(kind, put(1))
    expect(await stateOf(commit)).toBe(state)
    expect(disk.syncs).toHaveLength(state === 'waiting' ? 1 : 0)
    disk.syncs[0]?.()
    expect(await commit).toBe(1)
  })

  test('that wrote nothing waits for what it saw, if it is an append', async () => {
    const { disk, queue } = await open()
    disk.holding = true
    const first = queue.transact('append', put(1))
    // A duplicate: telling so promises that the first one is stored.
    const seen = queue.transact('append', (tx) => tx.get('log', 1))
    await turn()
    const later = queue.transact('append', (tx) => tx.get('log', 1))
    const read = queue.transact('read', (tx) => tx.get('log', 1))
    expect(await read).toBe(1)
    expect(await Promise.all([first, seen, later].map(stateOf))).toEqual(['waiting', 'waiting', 'waiting'])
    disk.syncs[0]!()
    expect(await Promise.all([first, seen, later])).toEqual([1, 1, 1])
  })

  test('takes effect in the order of the calls, and sees what it and those before it wrote', async () => {
    const { queue } = await open()
    const seen = [1, 2, 3].map((i) =>
      queue.transact('append', (tx) => {
        const before = tx.range<number>('log', {}, 10).map(([, value]) => value)
        tx.put('log', i, i)
        tx.delete('log', i - 1)
        return [before, tx.get('log', i), tx.count('log', {})]
      }),
    )
    expect(await Promise.all(seen)).toEqual([
      [[], 1, 1],
      [[1], 2, 1],
      [[2], 3, 1],
    ])
  })

  test('whose body throws changes nothing, and rejects with what it threw', async () => {
    const { queue } = await open()
    await queue.transact('append', (tx) => {
      tx.put('log', 1, 'kept')
      tx.put('due', ['g', 1], 'kept')
    })
    const error = new Error('mine')
    const fine = queue.transact('append', put(5))
    const broken = queue.transact('append', (tx) => {
      tx.put('log', 1, 'gone')
      tx.put('log', 2, 'gone')
      tx.deleteRange('due', {})
      throw error
    })
    await expect(broken).rejects.toBe(error)
    await expect(queue.transact('append', (tx) => tx.put('log', 9, () => {}))).rejects.toThrow(TypeError)
    await expect(queue.transact('read', put(3))).rejects.toThrow('A read must not write')
    await fine
    expect(await rowsOf(queue)).toEqual({
      log: [
        [1, 'kept'],
        [5, 5],
      ],
      due: [[['g', 1], 'kept']],
    })
  })

  test('tells those who watch its queue, once, and nobody else', async () => {
    const { store, queue } = await open()
    const other = await store.open('other')
    const told: string[] = []
    const stop = queue.watch!(() => told.push('queue'))
    other.watch!(() => told.push('other'))
    await Promise.all([queue.transact('append', put(1)), queue.transact('append', put(2))])
    await queue.transact('read', (tx) => tx.get('log', 1))
    expect(told).toEqual(['queue'])
    stop()
    await queue.transact('append', put(3))
    await other.transact('append', put(3))
    expect(told).toEqual(['queue', 'other'])
  })

  test('leaves timers and input their turn, however many follow one another', async () => {
    const { queue } = await open({ durability: 'os' })
    let turns = 0
    let running = true
    const count = (): void => {
      turns++
      if (running) setImmediate(count)
    }
    count()
    for (let i = 0; i < 1000; i++) await queue.transact('append', put(i))
    running = false
    expect(turns).toBeGreaterThan(50)
  })
})

describe('a sync that fails', () => {
  test('fails all that waited for it and all that comes later, and is not tried again', async () => {
    const { disk, store, queue } = await open()
    await queue.transact('append', put(1))
    disk.holding = true
    const waiting = [queue.transact('append', put(2)), queue.transact('remove', put(3))]
    await turn()
    const next = queue.transact('append', put(4))
    await turn()
    const doubtful = Promise.allSettled([...waiting, next])
    disk.syncs[0]!(systemError('EIO', 'fdatasync'))
    await turn()
    const later = Promise.allSettled([queue.transact('append', put(5)), queue.transact('read', () => 1)])
    for (const outcome of [...(await doubtful), ...(await later)]) {
      expect(outcome).toMatchObject({
        reason: {
          code: 'STORAGE_FAILED',
          message: expect.stringMatching(/outcome.*unknown; open the directory again/) as string,
          cause: { code: 'EIO' },
        },
      })
    }
    expect(disk.syncs).toHaveLength(1)
    await store.close()
    await expect(queue.transact('append', put(6))).rejects.toMatchObject({ code: 'CLOSED' })
    const again = await openJournalStore('/data', { fileSystem: disk.afterKill() })
    expect(await (await again.open('queue')).transact('read', (tx) => tx.get('log', 1))).toBe(1)
  })
})

describe('a write that fails', () => {
  test('for another reason than room fails its commits and all that comes later', async () => {
    const { disk, store, queue } = await open()
    disk.failNext = systemError('EIO', 'write')
    await expect(queue.transact('consume', put(1))).rejects.toMatchObject({ code: 'STORAGE_FAILED' })
    await expect(queue.transact('append', put(2))).rejects.toMatchObject({ code: 'STORAGE_FAILED' })
    await store.close()
  })

  test('for want of room refuses the appends, and runs the others again without them', async () => {
    const { disk, queue, events } = await open()
    await queue.transact('append', put(1))
    let runs = 0
    disk.failNext = systemError('ENOSPC', 'write')
    const append = queue.transact('append', put(2))
    const claim = queue.transact('consume', (tx) => {
      runs++
      const rows = tx.range('log', {}, 10)
      tx.put('state', 'claimed', rows.length)
      return rows.length
    })
    const lateAppend = queue.transact('append', put(3))
    const remove = queue.transact('remove', (tx) => tx.deleteRange('log', {}))
    await expect(append).rejects.toMatchObject({
      code: 'QUOTA_EXCEEDED',
      message: expect.stringContaining('nothing was stored') as string,
      cause: { code: 'ENOSPC' },
    })
    await expect(lateAppend).rejects.toMatchObject({ code: 'QUOTA_EXCEEDED' })
    expect(await claim).toBe(1)
    await remove
    expect(runs).toBe(2)
    expect(await rowsOf(queue)).toEqual({ state: [['claimed', 1]] })
    expect(events).toEqual([{ type: 'full', directory: '/data' }])
    expect(disk.list('/data')).not.toContain('reserve')
    // There is room again, as it seems.
    await queue.transact('append', put(4))
    expect(events).toEqual([
      { type: 'full', directory: '/data' },
      { type: 'room', directory: '/data' },
    ])
    expect(disk.list('/data')).toContain('reserve')
  })
})

describe('a store', () => {
  test('keeps queues of any name apart, and touches no file for them', async () => {
    const disk = new HeldDisk()
    const names = [
      'a',
      'A',
      '../../etc/passwd',
      '.',
      '',
      'x'.repeat(256),
      '\0',
      '\u{1f6a2}',
      '\ud83d',
      '__proto__',
      'lock-1',
    ]
    const { store } = await open({}, disk)
    for (const name of names) {
      const queue = await store.open(name)
      await queue.transact('append', (tx) => tx.put('log', 1, name))
    }
    expect(
      disk
        .list('/data')
        .filter((name) => !name.startsWith('lock-'))
        .sort(),
    ).toEqual(['journal-0000000001.qsj', 'reserve'])
    await store.close()
    const again = await openJournalStore('/data', { fileSystem: disk })
    for (const name of names.toReversed()) {
      expect(await rowsOf(await again.open(name))).toEqual({ log: [[1, name]] })
    }
    expect(await rowsOf(await again.open('another'))).toEqual({})
  })

  test('gives two views of one queue the same rows', async () => {
    const { store, queue } = await open()
    const twin = await store.open('queue')
    await Promise.all([
      queue.transact('append', put(1)),
      twin.transact('append', (tx) => tx.put('log', 2, tx.get('log', 1))),
    ])
    expect(await rowsOf(queue)).toEqual(await rowsOf(twin))
  })

  test('finishes what is under way when it is closed, and refuses the rest', async () => {
    const { disk, store, queue } = await open()
    const commit = queue.transact('append', put(1))
    const closing = store.close()
    expect(store.close()).toBe(closing)
    await expect(queue.transact('append', put(2))).rejects.toMatchObject({ code: 'CLOSED' })
    await expect(store.open('queue')).rejects.toMatchObject({ code: 'CLOSED' })
    expect(await commit).toBe(1)
    await closing
    const again = await open({}, disk)
    expect(await rowsOf(again.queue)).toEqual({ log: [[1, 1]] })
    await again.store.close()
  })

  test('reads its clock when it is asked, and is the only owner', async () => {
    let now = 5
    const { queue } = await open({ clock: { now: () => now } })
    expect(queue.now()).toBe(5)
    now = 7
    expect(queue.now()).toBe(7)
    expect(queue.soleOwner).toBe(true)
    const real = await open()
    expect(Math.abs(real.queue.now() - Date.now())).toBeLessThan(1000)
  })

  test('reads back what no longer fits the cache, in any direction, from the file or the frame', async () => {
    const store = await openJournalStore(temporaryDirectory(), { cacheBytes: 1000 })
    const queue = await store.open('queue')
    const body = (i: number): string => `${i} `.repeat(1 + ((i * 7919) % 300))
    for (let i = 0; i < 500; i += 10) {
      await Promise.all(
        Array.from({ length: 10 }, (_, k) =>
          queue.transact('append', (tx) => {
            tx.put('log', i + k, body(i + k))
            tx.put('side', ['g', i + k], new Uint8Array(i + k))
            // Not written yet, and not in the cache any more.
            const before = Math.max(i + k - 5, 0)
            expect(tx.get('log', before)).toBe(body(before))
          }),
        ),
      )
    }
    await queue.transact('read', (tx) => {
      const all = tx.range<string>('log', {}, 1000)
      expect(all).toEqual(Array.from({ length: 500 }, (_, i) => [i, body(i)]))
      expect(tx.range('log', { lower: 100, upper: 104 }, 3)).toEqual(all.slice(100, 103))
      expect(tx.get('side', ['g', 77])).toEqual(new Uint8Array(77))
    })
    await store.close()
  })

  test('keeps values of many megabytes, through openings and moves', async () => {
    const directory = temporaryDirectory()
    const body = (i: number): Uint8Array => new Uint8Array(6_000_000).fill(i)
    let store = await openJournalStore(directory, { cacheBytes: 0 })
    let queue = await store.open('queue')
    await queue.transact('append', (tx) => {
      tx.put('log', 0, body(0))
      tx.put('log', 1, body(1))
    })
    for (let i = 2; i < 12; i++) {
      await queue.transact('append', (tx) => {
        tx.put('log', i, body(i))
        if (i > 2) tx.delete('log', i - 1)
      })
    }
    for (let round = 0; round < 2; round++) {
      for (const i of [0, 1, 11]) {
        expect(
          Buffer.compare(await queue.transact('read', (tx) => tx.get<Uint8Array>('log', i)!), body(i)),
        ).toBe(0)
      }
      expect(await queue.transact('read', (tx) => tx.count('log', {}))).toBe(3)
      await store.close()
      store = await openJournalStore(directory, { cacheBytes: 0 })
      queue = await store.open('queue')
    }
    await store.close()
  })
})
