import { expect, test } from 'vitest'
import type { FsEvent } from '../../adapters/fs/options.ts'
import { type JournalStore, openJournalStore } from '../../adapters/fs/store.ts'
import { type Fault, FaultyFileSystem } from './faulty.ts'
import { randomFrom } from '../../conformance/scene.ts'
import { History, pick, type Random, randomStep } from './history.ts'
import { MemoryDisk } from './memory-disk.ts'
import { howMany } from '../support/effort.ts'

/** More on request: `CRASHES=10000 npx vitest run test/fs/crash.test.ts`. A seed that fails is in the message. */
const CRASHES = howMany('CRASHES', { quick: 400, full: 1500 })
const GENERATIONS = 6
const FIRST_SEED = Number(process.env['SEED'] ?? 1)

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/**
 * One directory that is opened, written to, and left by a crash, again and again: the process is killed or the power is
 * cut, while it works, opens, cleans or closes, after a failed fsync or without one.
 */
async function lives(seed: number, durability: 'fsync' | 'os', events: FsEvent[]): Promise<void> {
  const random = randomFrom(seed)
  const history = new History()
  let disk = new MemoryDisk()
  let after: 'running' | 'kill' | 'power cut' = 'running'
  const crash = (): void => {
    history.crash()
    const killed = random() < 0.5
    disk = killed ? disk.afterKill() : disk.afterPowerCut(random)
    // What a power cut took stays away, however often the process is killed before somebody looks.
    if (after !== 'power cut') after = killed ? 'kill' : 'power cut'
  }
  for (let generation = 0; generation < GENERATIONS; generation++) {
    disk.syncTurns = Math.floor(random() * 3)
    const doomed = random() < 0.3 ? new FaultyFileSystem(disk, fault(random)) : undefined
    const options = {
      fileSystem: doomed?.fileSystem ?? disk,
      maxFileBytes: pick(random, [500, 2000, 20_000]),
      cacheBytes: pick(random, [0, 1000, 100_000]),
      durability,
      strictAcks: random() < 0.3,
      onEvent: (event: FsEvent) => void events.push(event),
    }
    let store: JournalStore
    try {
      store = await openJournalStore('/data', options)
    } catch (error) {
      if (doomed?.hit === undefined) throw error
      // It died, or was refused by its disk, while it opened.
      if (random() < 0.5) crash()
      else disk = disk.afterKill()
      continue
    }
    const queue = await store.open('queue')
    try {
      const wrong = await history.check(queue, after)
      if (wrong !== undefined) throw new Error(wrong)
      await history.goOn(queue)
      after = 'running'
    } catch (error) {
      if (doomed?.hit === undefined) throw error
    }
    const running: Promise<unknown>[] = []
    const steps = after === 'running' ? Math.floor(random() * 40) : 0
    for (let i = 0; i < steps; i++) {
      const step = history.run(queue, randomStep(random), durability === 'fsync' ? undefined : false)
      running.push(step)
      if (random() < 0.4) await step
      if (random() < 0.1) await turn()
    }
    if (random() < 0.5) await Promise.all(running)
    if (random() < 0.3) await store.close().catch(() => {})
    crash()
    store.close().catch(() => {})
  }
}

function fault(random: Random): Fault {
  return { call: 1 + Math.floor(random() ** 2 * 200), kind: pick(random, ['lost', 'dead', 'EIO']) }
}

for (const durability of ['fsync', 'os'] as const) {
  test(`${durability}: nothing acknowledged is lost, whatever dies when`, async () => {
    const events: FsEvent[] = []
    for (let seed = FIRST_SEED; seed < FIRST_SEED + CRASHES / GENERATIONS; seed++) {
      await lives(seed, durability, events).catch((error: unknown) => {
        throw new Error(`SEED=${seed} CRASHES=1: ${String(error)}`, { cause: error })
      })
    }
    expect(events.filter(({ type }) => type === 'torn-tail').length).toBeGreaterThan(CRASHES / 100)
  })
}
