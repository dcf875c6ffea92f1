import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, readdirSync, utimesSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { type JournalStore, openJournalStore } from '../../adapters/fs/store.ts'
import { MemoryDisk } from './memory-disk.ts'
import { temporaryDirectory } from './temporary.ts'
import { WALL_CLOCK } from '../support/wall-clock.ts'

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
    await expect(openJournalStore(directory)).rejects.toMatchObject({
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
    expect(performance.now() - started).toBeLessThan(1000)
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
    const store = await vi.waitFor(open)
    expect(locksIn(directory)).toHaveLength(1)
    await store.close()
  })
})

test('a second opening in the same process is LOCKED too', async () => {
  const directory = temporaryDirectory()
  const store = await openJournalStore(directory)
  await expect(openJournalStore(directory)).rejects.toMatchObject({
    code: 'LOCKED',
    message: expect.stringContaining(`process ${process.pid} `) as string,
  })
  await store.close()
  await (await openJournalStore(directory)).close()
})

describe('a lock that was left behind', () => {
  /** Leaves a lock that differs from what this process would make in some parts of its name; `age` is in seconds. */
  async function leave(directory: string, change: (parts: string[]) => void, age: number): Promise<string> {
    const store = await openJournalStore(directory)
    const parts = locksIn(directory)[0]!.split('-')
    await store.close()
    change(parts)
    const name = parts.join('-')
    writeFileSync(join(directory, name), '')
    const then = Date.now() / 1000 - age
    utimesSync(join(directory, name), then, then)
    return name
  }
  const [PID, START, BOOT, NAMESPACE, HOST] = [1, 2, 3, 4, 6] as const

  test.runIf(process.platform === 'linux').for([
    ['whose pid belongs to a later process now', (parts: string[]): void => void (parts[START] = '17')],
    ['from before the machine was started', (parts: string[]): void => void (parts[BOOT] = '0badc0de')],
    ['whose process is gone', (parts: string[]): void => void (parts[PID] = '4194305')],
  ] as const)('%s, is taken over at once', async ([, change]) => {
    const directory = temporaryDirectory()
    const left = await leave(directory, change, 0)
    const store = await openJournalStore(directory)
    expect(locksIn(directory)).not.toContain(left)
    await store.close()
  })

  test.for([
    ['by another host', (parts: string[]): void => void (parts[HOST] = 'elsewhere')],
    ['by another container on this host', (parts: string[]): void => void (parts[NAMESPACE] = '1234')],
    ['by who knows whom', (parts: string[]): void => void parts.splice(1, 6, 'what')],
  ] as const)('%s, counts until it shows no sign of life for ten seconds', async ([, change]) => {
    const directory = temporaryDirectory()
    await leave(directory, change, 8)
    await expect(openJournalStore(directory)).rejects.toMatchObject({ code: 'LOCKED' })
    const other = temporaryDirectory()
    await leave(other, change, 12)
    await (await openJournalStore(other)).close()
    expect(locksIn(other)).toHaveLength(0)
  })
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
