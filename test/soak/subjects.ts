import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { serialize } from 'node:v8'
import { createClient } from 'redis'
import { NodeFsAdapter } from '../../adapters/fs/index.ts'
import { openJournalStore } from '../../adapters/fs/store.ts'
import { MemoryAdapter } from '../../adapters/memory.ts'
import { ClientStorage } from '../../adapters/redis/client-storage.ts'
import { startRedis } from '../../demo/redis/server.ts'
import type { StorageAdapter } from '../../src/index.ts'
import { SegmentAdapter } from '../../src/segments/engine.ts'
import type { QueueStore, Table, TransactionalStore } from '../../src/segments/store.ts'
import type { FastClock } from './fast-clock.ts'
import { type Allowance, PINNED } from './flat.ts'

/** A storage, and what can be measured of it besides the heap. */
export interface Subject {
  readonly storage: StorageAdapter
  readonly allowances: Readonly<Record<string, Allowance>>
  measure(): Promise<Readonly<Record<string, number>>>
  close(): Promise<void>
}

export const SUBJECTS: Readonly<Record<string, (clock: FastClock) => Promise<Subject>>> = {
  memory: (clock) =>
    Promise.resolve({
      storage: new MemoryAdapter({ clock }),
      allowances: {},
      measure: () => Promise.resolve({}),
      close: () => Promise.resolve(),
    }),

  async fs(clock) {
    const folder = mkdtempSync(join(tmpdir(), 'quayside-soak-'))
    const rows = new Rows()
    const options = { durability: 'os', clock } as const
    const { guarantees } = new NodeFsAdapter(folder, options)
    const open = async (): Promise<TransactionalStore> =>
      rows.watch(await openJournalStore(folder, { ...options, cacheBytes: 1_000_000 }))
    return {
      storage: new SegmentAdapter(guarantees, open),
      // The journal is cleaned when it is worth while: once 6 MiB of it are over. A busy machine gets through few such rounds.
      allowances: {
        disk: { perMessage: 16, floor: PINNED + 6 * 1024 * 1024 },
        'largest row of state': { perMessage: 0.5, floor: 16_000 },
      },
      measure: () => Promise.resolve({ disk: sizeOf(folder), 'largest row of state': rows.takeLargest() }),
      close: () => Promise.resolve(rmSync(folder, { recursive: true, force: true })),
    }
  },

  async redis(clock) {
    const server = await startRedis()
    const client = createClient({ url: server.url })
    await client.connect()
    const settings = { prefix: 'soak', durability: 'process', clock } as const
    return {
      storage: new ClientStorage(client, settings),
      allowances: {
        'memory of Redis': { perMessage: 8, floor: PINNED },
        'keys of Redis': { perMessage: 0, floor: 3 },
      },
      async measure() {
        let [bytes, keys] = [0, 0]
        for await (const names of client.scanIterator({ COUNT: 1000 })) {
          for (const name of names) {
            bytes += (await client.memoryUsage(name, { SAMPLES: 0 })) ?? 0
            keys++
          }
        }
        return { 'memory of Redis': bytes, 'keys of Redis': keys }
      },
      async close() {
        client.destroy()
        await server.stop()
      },
    }
  },
}

/** The largest row that is written, but for those of the log, which hold the messages. */
class Rows {
  #largest = 0

  takeLargest(): number {
    const largest = this.#largest
    this.#largest = 0
    return largest
  }

  watch(store: TransactionalStore): TransactionalStore {
    return replacing(store, {
      open: async (queue) => {
        const rows = await store.open(queue)
        const transact: QueueStore['transact'] = (kind, body) =>
          rows.transact(kind, (tx) =>
            body(
              replacing(tx, {
                put: (table: Table, key, value) => {
                  if (table !== 'log') this.#largest = Math.max(this.#largest, serialize(value).length)
                  tx.put(table, key, value)
                },
              }),
            ),
          )
        return replacing(rows, { transact })
      },
    })
  }
}

/** An object with some of its methods replaced. The others work on the object itself. */
function replacing<T extends object>(object: T, methods: Partial<T>): T {
  return new Proxy(object, {
    get(target, name) {
      if (name in methods) return methods[name as keyof T]
      const value: unknown = target[name as keyof T]
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

function sizeOf(folder: string): number {
  return readdirSync(folder).reduce((sum, name) => {
    return sum + (statSync(join(folder, name), { throwIfNoEntry: false })?.blocks ?? 0) * 512
  }, 0)
}
