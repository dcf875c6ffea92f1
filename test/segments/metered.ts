import { MemoryAdapter } from '../../src/records/memory.ts'
import { memoryStore } from '../support/memory-store.ts'
import { SegmentAdapter } from '../../src/segments/engine.ts'
import type { StoreLimits, Table, Transaction, TransactionalStore } from '../../src/segments/store.ts'
import type { QueueStorage } from '../../src/storage.ts'

/** What a step costs. */
export interface Cost {
  /** Rows that were asked for one by one. */
  gets: number
  ranges: number
  /** Rows that ranges had. */
  read: number
  /** Rows that were written or deleted, and ranges that were deleted. */
  writes: number
  /** About those of the rows that were read or written. */
  bytes: number
}

/** Of the dearest of several steps: the rows that one reads and writes, and their bytes. */
export interface Dearest {
  readonly rows: number
  readonly bytes: number
}

export interface MeteredOptions {
  readonly soleOwner?: boolean | undefined
  readonly limits?: StoreLimits | undefined
}

/** A queue in memory, each step of which is counted. */
export class Metered {
  now = 1_000_000
  readonly steps: Cost[] = []
  #tx: Transaction | undefined

  /** Of the last step. */
  get cost(): Cost {
    return this.steps.at(-1)!
  }

  async open({ soleOwner = false, limits }: MeteredOptions = {}): Promise<QueueStorage> {
    const inner = await memoryStore({ now: () => this.now })()
    const store: TransactionalStore = {
      open: async (name) => {
        const rows = await inner.open(name)
        return {
          now: () => this.now,
          soleOwner,
          limits,
          transact: (kind, body) =>
            rows.transact(kind, (tx) => {
              const cost = { gets: 0, ranges: 0, read: 0, writes: 0, bytes: 0 }
              this.steps.push(cost)
              this.#tx = tx
              return body(spy(tx, cost))
            }),
        }
      },
      close: () => inner.close(),
    }
    return new SegmentAdapter(new MemoryAdapter().guarantees, async () => store).open('q')
  }

  /** How many rows tables have. */
  left(...tables: Table[]): number[] {
    return tables.map((table) => this.#tx!.count(table, {}))
  }

  /** What something costs whose steps are several. */
  async dearest(what: () => Promise<unknown>): Promise<Dearest> {
    this.steps.length = 0
    await what()
    return {
      rows: Math.max(...this.steps.map(({ gets, read, writes }) => gets + read + writes)),
      bytes: Math.max(...this.steps.map(({ bytes }) => bytes)),
    }
  }
}

function spy(tx: Transaction, cost: Cost): Transaction {
  const weigh = (value: unknown): void => {
    if (value !== undefined) cost.bytes += JSON.stringify(value).length
  }
  return {
    get: <V>(table: Table, key: never) => {
      const value = tx.get<V>(table, key)
      cost.gets++
      weigh(value)
      return value
    },
    range: <V>(table: Table, range: never, limit: number) => {
      const rows = tx.range<V>(table, range, limit)
      cost.ranges++
      cost.read += rows.length
      for (const [, value] of rows) weigh(value)
      return rows
    },
    count: (table, range) => tx.count(table, range),
    put: (table, key, value) => {
      cost.writes++
      weigh(value)
      tx.put(table, key, value)
    },
    delete: (table, key) => {
      cost.writes++
      tx.delete(table, key)
    },
    deleteRange: (table, range) => {
      cost.writes++
      tx.deleteRange(table, range)
    },
  }
}
