import type { QueueStorage, StorageAdapter } from '../../src/index.ts'
import { diskBytes, newFolder, removeFolder } from './folders.ts'
import { gc } from './harness.ts'
import { openRedis } from './redis.ts'
import { MemoryAdapter, NodeFsAdapter } from './quayside.ts'

/** One storage with a queue on it, as contract 1 shows it: a call is a step, whose time nobody else has a part in. */
export interface Place {
  readonly storage: StorageAdapter
  readonly queue: QueueStorage
  /** Lets so many ms pass, at once where the clock can be set. */
  pass(ms: number): Promise<void>
  /**
   * The CPU that this thread and the server of the storage have had, in ms. Where others want the machine, too, a clock tells
   * how much they did; this does not. It may go on in ticks of some ms: what counts is what many steps take.
   */
  cpuMs(): Promise<number>
  /** The most CPU that a verb takes in a row, in ms: for that long nobody else has a turn. */
  longestMs(verb: () => Promise<unknown>): Promise<number>
  /** What it takes of the place that this storage keeps messages in. */
  bytes(): Promise<number>
  close(): Promise<void>
}

export const PLACES: Readonly<Record<string, () => Promise<Place>>> = {
  async memory() {
    const clock = new SetClock()
    return await place(new MemoryAdapter({ clock }), {
      pass: (ms) => clock.pass(ms),
      bytes: () => Promise.resolve(heapBytes()),
      longestMs: betweenTurns,
    })
  },

  async 'fs, os'() {
    const clock = new SetClock()
    const folder = newFolder()
    return await place(new NodeFsAdapter(folder, { durability: 'os', clock }), {
      pass: (ms) => clock.pass(ms),
      bytes: () => Promise.resolve(diskBytes(folder)),
      longestMs: betweenTurns,
      end: () => Promise.resolve(removeFolder(folder)),
    })
  },

  async redis() {
    const { storage, usedBytes, cpuMs: server, close } = await openRedis()
    return await place(storage, {
      pass: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
      bytes: usedBytes,
      cpuMs: async () => (await server()) + threadMs(),
      // All that the server did for it, be it in several scripts.
      async longestMs(verb) {
        const before = await server()
        await verb()
        return (await server()) - before
      },
      end: close,
    })
  },
}

async function place(
  storage: StorageAdapter,
  {
    pass,
    bytes,
    longestMs,
    cpuMs = () => Promise.resolve(threadMs()),
    end,
  }: Pick<Place, 'pass' | 'bytes' | 'longestMs'> &
    Partial<Pick<Place, 'cpuMs'>> & { end?: () => Promise<void> },
): Promise<Place> {
  const queue = await storage.open('bench')
  return {
    storage,
    queue,
    pass,
    bytes,
    cpuMs,
    longestMs,
    async close() {
      await storage.close()
      await end?.()
    },
  }
}

/** The machine's clock, which can be set ahead. */
class SetClock {
  #ahead = 0

  now(): number {
    return Date.now() + this.#ahead
  }

  pass(ms: number): Promise<void> {
    this.#ahead += ms
    return Promise.resolve()
  }
}

function threadMs(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1000
}

async function betweenTurns(verb: () => Promise<unknown>): Promise<number> {
  let most = 0
  let last = threadMs()
  const look = (): void => {
    const now = threadMs()
    most = Math.max(most, now - last)
    last = now
  }
  const turns = setInterval(look)
  await verb()
  clearInterval(turns)
  look()
  return most
}

function heapBytes(): number {
  gc()
  gc()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
