/**
 * Owns a directory and appends to it, one number after the other, and says so: `open` once it owns it, then each number
 * that was acknowledged, then the code of the error that ended it. The first argument is what it is to do, as JSON.
 */
import { writeSync } from 'node:fs'
import { nodeFileSystem } from '../../adapters/fs/file-system.ts'
import { openJournalStore } from '../../adapters/fs/store.ts'
import { fastTime } from './fast-time.ts'

export interface Task {
  readonly directory: string
  /** How many times faster than the clock on the wall heartbeats and patience are. */
  readonly speed: number
  readonly from: number
  /** Another machine, with the same name. */
  readonly boot?: string
  readonly waitForLockMs?: number
  readonly durability?: 'fsync' | 'os'
  /** It ends after so many, and closes nothing. */
  readonly count?: number
}

const task = JSON.parse(process.argv[2]!) as Task
const { boot } = task
const say = (line: string | number): void => void writeSync(1, `${line}\n`)

try {
  const store = await openJournalStore(task.directory, {
    time: fastTime(task.speed),
    waitForLockMs: task.waitForLockMs ?? 60_000,
    durability: task.durability,
    maxFileBytes: 20_000,
    fileSystem: {
      ...nodeFileSystem,
      readText: (path) =>
        boot !== undefined && path.endsWith('boot_id') ? boot : nodeFileSystem.readText(path),
    },
  })
  const queue = await store.open('queue')
  say('open')
  for (let n = task.from; ; n++) {
    await queue.transact('append', (tx) => tx.put('log', n, 'x'.repeat(100)))
    say(n)
    if (n - task.from + 1 === task.count) process.exit()
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
} catch (error) {
  say((error as { code?: string }).code ?? String(error))
}
