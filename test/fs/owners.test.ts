import { type ChildProcess, spawn } from 'node:child_process'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { openJournalStore } from '../../adapters/fs/store.ts'
import { effort } from '../support/effort.ts'
import { WALL_CLOCK } from '../support/wall-clock.ts'
import { fastTime } from './fast-time.ts'
import type { Task } from './owner-child.ts'
import { temporaryDirectory } from './temporary.ts'

// Processes that are killed, stopped and woken, in pid namespaces of their own as containers have them. Heartbeats and
// patience are some times faster than in life, or as they are: `EFFORT=full`.

const SPEED = effort({ quick: 5, full: 1 })
const STALE_MS = 10_000 / SPEED
/** For a process to start, and to do its first work. */
const ROOM_MS = 10_000
const CHILD = fileURLToPath(new URL('owner-child.ts', import.meta.url))
const CONTAINER = [
  'unshare',
  ...(process.getuid?.() === 0 ? [] : ['--map-root-user']),
  '--pid',
  '--fork',
  '--kill-child',
]

/** A process that owns a directory, or wants to. */
class Process {
  readonly child: ChildProcess
  readonly acknowledged: number[] = []
  isOpen = false
  /** The code of what ended it. */
  end: string | undefined
  readonly #namespaced: boolean

  constructor(task: Omit<Task, 'speed'>, within: readonly string[] = []) {
    const [command, ...args] = [...within, process.execPath, CHILD, JSON.stringify({ speed: SPEED, ...task })]
    this.#namespaced = within.length > 0
    this.child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    this.child.on('error', (error) => (this.end = String(error)))
    createInterface({ input: this.child.stdout! }).on('line', (line) => {
      if (line === 'open') this.isOpen = true
      else if (/^\d+$/.test(line)) this.acknowledged.push(Number(line))
      else this.end = line
    })
    onTestFinished(() => this.kill())
  }

  async untilAt(count: number): Promise<void> {
    await until(() => this.end !== undefined || this.acknowledged.length >= count)
    if (this.end !== undefined) throw new Error(`It ended: ${this.end}`)
  }

  /** Sends a signal to the process itself, not to the one that started it in its namespace. */
  signal(signal: NodeJS.Signals): void {
    if (!this.#namespaced) this.child.kill(signal)
    else for (const pid of childrenOf(this.child.pid!)) process.kill(pid, signal)
  }

  kill(): void {
    try {
      this.signal('SIGKILL')
    } catch {
      // It is gone already.
    }
    this.child.kill('SIGKILL')
  }
}

function childrenOf(pid: number): number[] {
  return readdirSync('/proc').flatMap((name) => {
    try {
      return /^PPid:\t(\d+)$/m.exec(readFileSync(`/proc/${name}/status`, 'utf8'))?.[1] === String(pid)
        ? [Number(name)]
        : []
    } catch {
      return []
    }
  })
}

const until = (condition: () => boolean): Promise<void> =>
  vi.waitFor(() => expect(condition()).toBe(true), { timeout: 50_000, interval: 10 })

/** Of processes, whose clocks are their own. */
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** All of what these have acknowledged is there, in a journal that is sound. */
async function expectKept(directory: string, ...owners: readonly Process[]): Promise<void> {
  const store = await openJournalStore(directory, { time: fastTime(SPEED), waitForLockMs: 60_000 })
  const queue = await store.open('queue')
  const there = new Set(
    await queue.transact('read', (tx) => tx.range('log', {}, Infinity).map(([key]) => key)),
  )
  const lost = owners.flatMap(({ acknowledged }) => acknowledged).filter((n) => !there.has(n))
  expect(lost).toEqual([])
  await store.close()
}

describe.runIf(process.platform === 'linux')('an owner in a container', () => {
  test.for(['fsync', 'os'] as const)(
    'that is stopped for longer than its life is taken over, and stops when it wakes (%s)',
    WALL_CLOCK,
    async (durability) => {
      const directory = temporaryDirectory()
      const first = new Process({ directory, from: 1, durability }, CONTAINER)
      await first.untilAt(20)
      first.signal('SIGSTOP')
      const stopped = performance.now()
      const second = new Process({ directory, from: 1_000_000, durability }, CONTAINER)
      await second.untilAt(20)
      expect(performance.now() - stopped).toBeGreaterThan(STALE_MS * 0.9)
      expect(performance.now() - stopped).toBeLessThan(STALE_MS + ROOM_MS)
      const said = first.acknowledged.length
      first.signal('SIGCONT')
      await until(() => first.end !== undefined)
      expect(first.end).toBe('STORAGE_FAILED')
      // What the disk had before it was stopped may be told by it still, nothing else.
      expect(first.acknowledged.length - said).toBeLessThanOrEqual(1)
      await second.untilAt(second.acknowledged.length + 100)
      second.kill()
      await expectKept(directory, first, second)
    },
  )

  test('that was killed is taken over within the time that is promised', WALL_CLOCK, async () => {
    const directory = temporaryDirectory()
    const first = new Process({ directory, from: 1 }, CONTAINER)
    await first.untilAt(20)
    first.kill()
    const killed = performance.now()
    const second = new Process({ directory, from: 1_000_000 }, CONTAINER)
    await second.untilAt(1)
    expect(performance.now() - killed).toBeLessThan(STALE_MS + ROOM_MS)
    second.kill()
    await expectKept(directory, first, second)
  })

  test('that ends without closing its directory frees it at once', async () => {
    const directory = temporaryDirectory()
    const first = new Process({ directory, from: 1, count: 20 }, CONTAINER)
    await new Promise((resolve) => first.child.once('close', resolve))
    expect(first.acknowledged).toHaveLength(20)
    expect(readdirSync(directory).filter((name) => name.startsWith('lock-'))).toEqual([])
    await expectKept(directory, first)
  })

  test('that is alive keeps its directory', async () => {
    const directory = temporaryDirectory()
    const first = new Process({ directory, from: 1 }, CONTAINER)
    await first.untilAt(20)
    const second = new Process({ directory, from: 1_000_000, waitForLockMs: 15_000 }, CONTAINER)
    await until(() => second.end !== undefined)
    expect(second.end).toBe('LOCKED')
    await first.untilAt(first.acknowledged.length + 20)
  })

  test('that shares its namespace but sees the processes of another keeps its directory', async () => {
    const directory = temporaryDirectory()
    // Without a /proc of its own: the numbers in it are those of the host.
    const shell = `'${process.execPath}' '${CHILD}' "$0" & sleep 0.7; exec '${process.execPath}' '${CHILD}' "$1"`
    const task = (from: number, waitForLockMs: number): string =>
      JSON.stringify({ directory, speed: SPEED, from, waitForLockMs } satisfies Task)
    const child = spawn(
      CONTAINER[0]!,
      [...CONTAINER.slice(1), 'sh', '-c', shell, task(1, 0), task(1_000_000, 0)],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    )
    onTestFinished(() => void child.kill('SIGKILL'))
    const lines: string[] = []
    createInterface({ input: child.stdout }).on('line', (line) => void lines.push(line))
    await until(() => lines.includes('LOCKED'))
    expect(lines.filter((line) => line === 'open')).toHaveLength(1)
  })

  test('needs its namespace to be one of its own for any of this to be proved', async () => {
    const child = spawn(CONTAINER[0]!, [...CONTAINER.slice(1), 'readlink', '/proc/self/ns/pid'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let namespace = ''
    child.stdout.on('data', (text) => (namespace += String(text)))
    await new Promise((resolve) => child.once('close', resolve))
    expect(namespace).toMatch(/^pid:\[\d+\]/)
    expect(namespace.trim()).not.toBe(readlinkSync('/proc/self/ns/pid'))
  })
})

test('a machine with the same name and another boot does not take what is alive, and does when it is dead', async () => {
  const directory = temporaryDirectory()
  const first = new Process({ directory, from: 1 })
  await first.untilAt(20)
  const boot = 'deadbeef-dead-beef-dead-beefdeadbeef'
  const second = new Process({ directory, from: 1_000_000, boot })
  // Longer than one that is dead is waited for.
  await pause(STALE_MS * 1.5)
  expect(second.isOpen).toBe(false)
  await first.untilAt(first.acknowledged.length + 20)
  first.signal('SIGSTOP')
  await second.untilAt(20)
  first.signal('SIGCONT')
  await until(() => first.end !== undefined)
  expect(first.end).toBe('STORAGE_FAILED')
  await second.untilAt(second.acknowledged.length + 100)
  second.kill()
  await expectKept(directory, first, second)
})

describe('a process that starts while another one stops', () => {
  test('gets the directory when that one has closed it, or has ended without', async () => {
    const directory = temporaryDirectory()
    const first = new Process({ directory, from: 1 })
    await first.untilAt(5)
    const second = new Process({ directory, from: 1_000_000 })
    // Long enough to open it for one that does not wait.
    await pause(300)
    expect(second.isOpen).toBe(false)
    first.kill()
    await second.untilAt(5)
    second.kill()
    await expectKept(directory, first, second)
  })
})

describe('a worker thread', () => {
  const source = (end: string): string => `
    import { parentPort, workerData } from 'node:worker_threads'
    import { openJournalStore } from '${new URL('../../adapters/fs/store.ts', import.meta.url).href}'
    await openJournalStore(workerData)
    parentPort.postMessage('open')
    parentPort.once('message', () => { ${end} })
  `
  async function open(directory: string, end = ''): Promise<Worker> {
    const url = new URL(`data:text/javascript,${encodeURIComponent(source(end))}`)
    const worker = new Worker(url, { workerData: directory })
    onTestFinished(async () => void (await worker.terminate()))
    await new Promise((resolve, reject) => {
      worker.once('message', resolve)
      worker.once('error', reject)
    })
    return worker
  }

  test('that owns a directory is named by LOCKED, which says what to do', async () => {
    const directory = temporaryDirectory()
    await open(directory)
    await expect(openJournalStore(directory, { waitForLockMs: 0 })).rejects.toMatchObject({
      code: 'LOCKED',
      message: expect.stringMatching(/another thread of this process .*by postMessage/) as string,
    })
  })

  test.for([
    ['terminated', (worker: Worker) => worker.terminate()],
    [
      'ended',
      (worker: Worker) => {
        worker.postMessage('end')
        return new Promise((resolve) => worker.once('exit', resolve))
      },
    ],
  ] as const)('that was %s without closing it frees it at once', async ([, end]) => {
    const directory = temporaryDirectory()
    const worker = await open(directory, 'process.exit()')
    await end(worker)
    const store = await openJournalStore(directory, { waitForLockMs: 0 })
    expect(store.failure).toBeUndefined()
    await store.close()
  })
})
