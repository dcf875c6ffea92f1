import { rehearse, type Write } from '../../src/segments/rehearsal.ts'
import type { Kind, QueueStore, Transaction, TransactionalStore } from '../../src/segments/store.ts'
import { Ballast } from './ballast.ts'
import { Channel } from './channel.ts'
import { Connection } from './connection.ts'
import { isQuota, quotaExceeded } from './faults.ts'
import type { IndexedDBOptions } from './options.ts'
import { Rows } from './rows.ts'
import type { Hint } from '../../src/storage.ts'

/** The browser may count what was given up a moment later: how often, and how many ms apart, a claim or an ack is tried then. */
const ROOM_TRIES = 20
const ROOM_MS = 50

/** Contract 2 on one IndexedDB database. */
export class IndexedDBStore implements TransactionalStore {
  readonly connection: Connection
  readonly ballast: Ballast
  readonly channel: Channel
  readonly clock: { now(): number }
  readonly #durability: 'strict' | 'relaxed'
  readonly #strictAcks: boolean
  readonly #onFull: () => void
  #isFull = false

  private constructor(options: IndexedDBOptions) {
    const { database = 'quayside', durability = 'strict', strictAcks = false } = options
    const { timeoutMs = 10_000, clock = Date, onEvent = () => undefined } = options
    this.connection = new Connection({ database, timeoutMs, onEvent })
    this.ballast = new Ballast(this.connection)
    this.#onFull = () => onEvent({ type: 'full', database })
    this.channel = new Channel(database)
    this.clock = clock
    this.#durability = durability
    this.#strictAcks = strictAcks
  }

  static async open(options: IndexedDBOptions): Promise<IndexedDBStore> {
    const store = new IndexedDBStore(options)
    try {
      await store.ballast.open()
      return store
    } catch (error) {
      await store.close()
      throw isQuota(error) ? await quotaExceeded(error) : error
    }
  }

  open(queue: string): Promise<QueueStore> {
    return Promise.resolve(new IndexedDBQueue(this, queue))
  }

  async queues(): Promise<string[]> {
    const keys = await this.connection.transact('readonly', 'relaxed', (work) =>
      work.objectStore('state').getAllKeys(),
    )
    return [...new Set(keys.map(([name]) => name as string))].sort()
  }

  durabilityOf(kind: Kind): 'strict' | 'relaxed' {
    return kind === 'consume' && !this.#strictAcks ? 'relaxed' : this.#durability
  }

  /** Whether the quota is used up, as the last append or a failure has shown. */
  set isFull(isFull: boolean) {
    if (isFull && !this.#isFull) this.#onFull()
    this.#isFull = isFull
  }

  async close(): Promise<void> {
    await this.connection.close()
    this.channel.close()
  }
}

class IndexedDBQueue implements QueueStore {
  readonly soleOwner = false
  readonly #store: IndexedDBStore
  readonly #queue: string

  constructor(store: IndexedDBStore, queue: string) {
    this.#store = store
    this.#queue = queue
  }

  async transact<T>(kind: Kind, body: (tx: Transaction) => T): Promise<T> {
    if (kind === 'read') {
      const { connection } = this.#store
      return await connection.transact('readonly', 'relaxed', async (work) => {
        return (await rehearse(new Rows(work, this.#queue), body)).result
      })
    }
    try {
      return await (kind === 'append' ? this.#append(body) : this.#consume(kind, body))
    } catch (error) {
      if (!isQuota(error)) throw error
      this.#store.isFull = true
      throw await quotaExceeded(error)
    }
  }

  async #append<T>(body: (tx: Transaction) => T): Promise<T> {
    const { ballast } = this.#store
    // No wait where there is nothing to wait for: transactions take effect in the order of their calls.
    if (!ballast.isThere) await ballast.settle()
    const result = await this.#change('append', body)
    this.#store.isFull = false
    return result
  }

  async #consume<T>(kind: Kind, body: (tx: Transaction) => T): Promise<T> {
    try {
      return await this.#change(kind, body)
    } catch (error) {
      if (!isQuota(error)) throw error
      this.#store.isFull = true
      await this.#store.ballast.giveUp()
    }
    for (let tries = 1; ; tries++) {
      try {
        return await this.#change(kind, body)
      } catch (error) {
        if (!isQuota(error) || tries === ROOM_TRIES) throw error
        await new Promise((resolve) => setTimeout(resolve, ROOM_MS))
      }
    }
  }

  async #change<T>(kind: Kind, body: (tx: Transaction) => T): Promise<T> {
    const { connection, channel } = this.#store
    let last: Awaited<ReturnType<typeof rehearse<T>>> | undefined
    await connection.transact('readwrite', this.#store.durabilityOf(kind), async (work, writing) => {
      const rows = new Rows(work, this.#queue)
      // The try before this one may have been stored, and only its answer lost with the connection.
      if (kind === 'append' && last !== undefined && (await isStored(rows, last.writes))) return
      last = await rehearse(rows, body)
      for (const write of last.writes) writing.push(rows.write(write))
    })
    const { result, writes, hint } = last!
    if (writes.length > 0) channel.changed(this.#queue, kind === 'append' || hint !== undefined, hint)

    return result
  }

  now(): number {
    return this.#store.clock.now()
  }

  watch(listener: (hint?: Hint) => void): () => void {
    return this.#store.channel.listen(this.#queue, listener)
  }
}

/**
 * Whether the messages that an append wrote are there. One row is not enough: an append also moves delayed messages that
 * are due, and so does the next one if the first came to nothing.
 */
async function isStored(rows: Rows<'readwrite'>, writes: readonly Write[]): Promise<boolean> {
  let stored = false
  for (const write of writes) {
    if (write.kind !== 'put' || (write.table !== 'log' && write.table !== 'delayed')) continue
    stored = JSON.stringify(await rows.get(write.table, write.key)) === JSON.stringify(write.value)
    if (!stored) return false
  }
  return stored
}
