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
    })
  },

  async 'fs, os'() {
    const clock = new SetClock()
    const folder = newFolder()
    return await place(new NodeFsAdapter(folder, { durability: 'os', clock }), {
      pass: (ms) => clock.pass(ms),
      bytes: () => Promise.resolve(diskBytes(folder)),
      end: () => Promise.resolve(removeFolder(folder)),
    })
  },

  async redis() {
    const { storage, usedBytes, close } = await openRedis()
    return await place(storage, {
      pass: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
      bytes: usedBytes,
      end: close,
    })
  },
}

async function place(
  storage: StorageAdapter,
  { pass, bytes, end }: Pick<Place, 'pass' | 'bytes'> & { end?: () => Promise<void> },
): Promise<Place> {
  const queue = await storage.open('bench')
  return {
    storage,
    queue,
    pass,
    bytes,
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

function heapBytes(): number {
  gc()
  gc()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
