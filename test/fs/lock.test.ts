import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, readdirSync, truncateSync, utimesSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { NodeFsAdapter } from '../../adapters/fs/index.ts'
import { type JournalStore, openJournalStore } from '../../adapters/fs/store.ts'
import { MemoryDisk } from './memory-disk.ts'
import { ManualTime } from './manual-time.ts'
import { temporaryDirectory } from './temporary.ts'
import { WALL_CLOCK } from '../support/wall-clock.ts'
import { eventually } from '../support/eventually.ts'

const CHILD = fileURLToPath(new URL('lock-child.ts', import.meta.url))

interface Answer {
  readonly open?: number
  readonly pid?: number
  readonly code?: string
  readonly message?: string
}

async function firstLine(child: ChildProcess): Promise<Answer> {
  for await (const line of createInterface({ input: child.stdout! })) return JSON.parse(line) as Answer
  throw new Error('The child said nothing')
}

/** Starts a process that opens a directory. */
async function start(directory: string, ...args: string[]): Promise<{ child: ChildProcess; answer: Answer }> {
  const child = spawn(process.execPath, [CHILD, directory, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  return { child, answer: await firstLine(child) }
}

/** Resolves when the system knows that it is dead. */
async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGKILL')
  await exit
}

function locksIn(directory: string): string[] {
  return readdirSync(directory).filter((name) => name.startsWith('lock-'))
}

describe('a directory that another process owns', () => {
  test('is LOCKED, with its pid and host', async () => {
    const directory = temporaryDirectory()
    const { child } = await start(directory)
    await expect(openJournalStore(directory, { waitForLockMs: 0 })).rejects.toMatchObject({
      code: 'LOCKED',
      message: expect.stringContaining(`process ${child.pid} on ${hostname()}`) as string,
    })
    expect(locksIn(directory)).toHaveLength(1)
  })

  test('can be taken over at once when that process was killed', WALL_CLOCK, async () => {
    const directory = temporaryDirectory()
    const { child } = await start(directory)
    await kill(child)
    expect(locksIn(directory)).toHaveLength(1)
    const started = performance.now()
    const store = await openJournalStore(directory)
    // Who has to watch it for a heartbeat waits for 10 s.
    expect(performance.now() - started).toBeLessThan(9000)
    const queue = await store.open('queue')
    expect(await queue.transact('read', (tx) => tx.get('state', 'opened'))).toBe(1)
    expect(locksIn(directory)).toHaveLength(1)
    await store.close()
    expect(locksIn(directory)).toHaveLength(0)
  })

  test.skipIf(process.platform !== 'linux')('also while nobody has taken note of its end', async () => {
    const directory = temporaryDirectory()
    // The shell becomes a program that does not wait for its children: the killed one stays as a zombie.
    const shell = spawn('sh', ['-c', '"$0" "$1" "$2" & exec sleep 60', process.execPath, CHILD, directory], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    onTestFinished(() => void shell.kill('SIGKILL'))
    const { pid } = await firstLine(shell)
    process.kill(pid!, 'SIGKILL')
    const open = async (): Promise<JournalStore> => openJournalStore(directory)
    const store = await eventually(open)
    expect(locksIn(directory)).toHaveLength(1)
    await store.close()
  })
})

test('a second opening in the same process is LOCKED too', async () => {
  const directory = temporaryDirectory()
  const store = await openJournalStore(directory)
  await expect(openJournalStore(directory, { waitForLockMs: 0 })).rejects.toMatchObject({
    code: 'LOCKED',
    message: expect.stringContaining(`process ${process.pid}`) as string,
  })
  await store.close()
  await (await openJournalStore(directory)).close()
})

describe('a lock that was left behind', () => {
  /** Leaves a lock that differs from what this process would make in some parts of its name. */
  async function leave(directory: string, change: (parts: string[]) => void): Promise<string> {
    const store = await openJournalStore(directory)
    const parts = locksIn(directory)[0]!.split('-')
    await store.close()
    change(parts)
    const name = parts.join('-')
    writeFileSync(join(directory, name), '')
    return name
  }
  const [PID, THREAD, START, MACHINE, NAMESPACE, HOST] = [1, 2, 3, 4, 5, 7] as const

  test.runIf(process.platform === 'linux').for([
    ['whose pid belongs to a later process now', (parts: string[]): void => void (parts[START] = '17')],
    ['whose process is gone', (parts: string[]): void => void (parts[PID] = '4194305')],
    ['whose thread is gone', (parts: string[]): void => void (parts[THREAD] = '4194305')],
    [
      'on another name of this host, whose process is gone',
      (parts: string[]): void => void ((parts[PID] = '4194305'), (parts[HOST] = 'elsewhere')),
    ],
  ] as const)('%s, is taken over at once', async ([, change]) => {
    const directory = temporaryDirectory()
    const left = await leave(directory, change)
    const store = await openJournalStore(directory, { waitForLockMs: 0 })
    expect(locksIn(directory)).not.toContain(left)
    await store.close()
  })

  const OUT_OF_SIGHT = [
    ['of another boot or machine, with the same name', (parts) => void (parts[MACHINE] = '0badc0de0badc0de')],
    [
      'of another machine, with the pid of nobody here',
      (parts) => void ((parts[MACHINE] = '0badc0de0badc0de'), (parts[PID] = '4194305')),
    ],
    ['of another container on this host', (parts) => void (parts[NAMESPACE] = '1234')],
    ['whose thread nobody knows', (parts) => void ((parts[THREAD] = '0'), (parts[START] = '0'))],
    ['of who knows whom', (parts) => void parts.splice(1, 7, 'what')],
  ] satisfies [string, (parts: string[]) => void][]

  test.for(OUT_OF_SIGHT)('%s, counts until its heart has not beaten for ten seconds', async ([, change]) => {
    const directory = temporaryDirectory()
    await leave(directory, change)
    const time = new ManualTime()
    await expect(openJournalStore(directory, { time, waitForLockMs: 9000 })).rejects.toMatchObject({
      code: 'LOCKED',
      message: expect.stringContaining('after 9000 ms (waitForLockMs)') as string,
    })
    // Who tries again goes on watching.
    await (await openJournalStore(directory, { time, waitForLockMs: 2000 })).close()
    expect(time.now()).toBeGreaterThanOrEqual(10_000)
    expect(time.now()).toBeLessThan(10_500)
    expect(readdirSync(directory).filter((name) => /^(lock|ghost)/.test(name))).toEqual([])
  })

  test.for(OUT_OF_SIGHT)(
    '%s, counts as long as its heart beats, whatever its clock says',
    async ([, change]) => {
      const directory = temporaryDirectory()
      const left = join(directory, await leave(directory, change))
      const time = new ManualTime()
      let beats = 0
      time.repeat(2000, () => {
        truncateSync(left, ++beats)
        // An hour ago, or in an hour.
        const then = Date.now() / 1000 + (beats % 2 ? 3600 : -3600)
        utimesSync(left, then, then)
      })
      await expect(openJournalStore(directory, { time, waitForLockMs: 60_000 })).rejects.toMatchObject({
        code: 'LOCKED',
      })
      expect(beats).toBeGreaterThan(28)
    },
  )

  test.for([3600, -3600])('whose clock is %d s off, is found dead as any other', async (seconds) => {
    const directory = temporaryDirectory()
    const left = join(directory, await leave(directory, (parts) => void (parts[MACHINE] = 'abcd')))
    const then = Date.now() / 1000 + seconds
    utimesSync(left, then, then)
    const time = new ManualTime()
    await (await openJournalStore(directory, { time })).close()
    expect(time.now()).toBeLessThan(10_500)
  })
})

test('a directory that becomes free while somebody waits is handed over', async () => {
  const directory = temporaryDirectory()
  const before = await openJournalStore(directory)
  const time = new ManualTime()
  const after = openJournalStore(directory, { time, waitForLockMs: 1_000_000 })
  await eventually(() => expect(time.now()).toBeGreaterThan(1000))
  await before.close()
  await (await after).close()
})

test('an adapter that is closed while it waits does not wait on', async () => {
  const directory = temporaryDirectory()
  await start(directory)
  const adapter = new NodeFsAdapter(directory, { waitForLockMs: 600_000 })
  const opening = adapter.open('queue').catch((error: unknown) => error)
  await adapter.close()
  expect(await opening).toMatchObject({ code: 'CLOSED' })
})

test('of eight processes that come at once, one gets the directory, and later ones follow it', async () => {
  const directory = temporaryDirectory()
  for (let round = 1; round <= 3; round++) {
    const all = await Promise.all(Array.from({ length: 8 }, () => start(directory)))
    const owners = all.filter(({ answer }) => answer.open !== undefined)
    // Each opening counts itself, so a second owner at the same time would also have lost a count.
    expect(owners.map(({ answer }) => answer.open)).toEqual([round])
    const others = all.filter(({ answer }) => answer.open === undefined)
    expect(others.map(({ answer }) => answer.code)).toEqual(Array.from({ length: 7 }, () => 'LOCKED'))
    // Its lock is left for the next round.
    await Promise.all(all.map(({ child }) => kill(child)))
    expect(locksIn(directory)).toHaveLength(1)
  }
})

describe('an owner', () => {
  afterEach(() => void vi.useRealTimers())

  test('shows every two seconds that it is alive', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    const disk = new MemoryDisk()
    const store = await openJournalStore('/data', { fileSystem: disk })
    const lock = `/data/${disk.list('/data').find((name) => name.startsWith('lock-'))}`
    for (let beat = 0; beat < 5; beat++) {
      const before = disk.modifiedAt(lock)
      vi.advanceTimersByTime(2000)
      expect(disk.modifiedAt(lock)).toBeGreaterThan(before)
    }
    await store.close()
    vi.advanceTimersByTime(10_000)
  })

  test('stops when it finds that it was taken for dead', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    const disk = new MemoryDisk()
    const store = await openJournalStore('/data', { fileSystem: disk })
    const queue = await store.open('queue')
    await queue.transact('append', (tx) => tx.put('log', 1, 1))
    disk.remove(`/data/${disk.list('/data').find((name) => name.startsWith('lock-'))}`)
    vi.advanceTimersByTime(2000)
    await expect(queue.transact('append', (tx) => tx.put('log', 2, 2))).rejects.toMatchObject({
      code: 'STORAGE_FAILED',
      message: expect.stringContaining('taken over') as string,
    })
    await store.close()
  })
})

describe('a directory that cannot be used', () => {
  test('is STORAGE_UNAVAILABLE, with its path', async () => {
    const directory = temporaryDirectory()
    writeFileSync(join(directory, 'file'), '')
    for (const path of [join(directory, 'file', 'data'), join(directory, 'file'), '/proc/quayside/data']) {
      await expect(openJournalStore(path)).rejects.toMatchObject({
        code: 'STORAGE_UNAVAILABLE',
        message: expect.stringContaining(path) as string,
        cause: expect.any(Error) as Error,
      })
    }
  })

  test('keeps no lock of a failed opening', async () => {
    const directory = temporaryDirectory()
    mkdirSync(join(directory, 'journal-0000000001.qsj'))
    await expect(openJournalStore(directory)).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
    expect(locksIn(directory)).toHaveLength(0)
  })

  test('directories that do not exist are made', async () => {
    const directory = join(temporaryDirectory(), 'a', 'b', 'c')
    await (await openJournalStore(directory)).close()
    expect(readdirSync(directory)).toContain('journal-0000000001.qsj')
  })
})
