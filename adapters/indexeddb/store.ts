import { QuaysideError, damaged } from '../../src/errors.ts'
import { Ballast } from './ballast.ts'
import { Channel } from './channel.ts'
import { Connection, type Mode } from './connection.ts'
import { type Memory, newMemory } from './engine/memory.ts'
import { isQuota, quotaExceeded } from './faults.ts'
import type { IndexedDBEvent, IndexedDBOptions } from './options.ts'
import { type Schema, FIRST, QUEUE, databaseOf, queueOf } from './schema.ts'

/**
 * How long a claim or an ack waits, in ms, before it is tried again although all that can be given up was. What was given up the browser
 * may count a moment later. Files that it has done with Chromium may keep, and count, until nobody has the database open for 2 s: seen
 * to be 12 MB, on a busy machine one full origin in five. So connections are let go meanwhile.
 */
const ROOM_PAUSES_MS = [50, 250, 4000, 4000]

/** What a verb does: only appends need room that claims and acks may have. Those `take`, and `consume` is what else has messages go. */
export type Kind = 'append' | 'take' | 'consume' | 'manage'

/** What this context remembers of queues, whoever has opened them. */
const memories: Map<string, Memory> = new Map()

/** The databases of an adapter, while anybody uses them. */
export class Store {
  readonly #options: IndexedDBOptions
  readonly #database: string
  readonly #connection: Connection
  readonly #ballast: Ballast
  readonly channel: Channel
  readonly clock: { now(): number }
  readonly #queues: Map<string, { database: Database; views: number }> = new Map()
  #isFull = false

  private constructor(options: IndexedDBOptions) {
    this.#options = options
    this.#database = options.database ?? 'quayside'
    // What happens to it happens to the others as well, which tell of it.
    this.#connection = this.#connect(this.#database, FIRST, ({ type, database }) => {
      if (type === 'damaged') options.onEvent?.({ type, database })
    })
    this.#ballast = new Ballast(this.#connection)
    this.channel = new Channel(this.#database, (queue) => {
      for (const [name, { database }] of this.#queues)
        if (queue === undefined || name === queue) database.memory.undelayed = false
    })
    this.clock = options.clock ?? Date
  }

  #connect(
    name: string,
    schema: Schema,
    onEvent: (event: IndexedDBEvent) => void = this.#options.onEvent ?? (() => undefined),
  ): Connection {
    const { timeoutMs = 10_000 } = this.#options
    return new Connection({ database: this.#database, name, schema, timeoutMs, onEvent })
  }

  static async open(options: IndexedDBOptions): Promise<Store> {
    const store = new Store(options)
    try {
      await store.#ballast.open()
      return store
    } catch (error) {
      await store.close()
      throw isQuota(error) ? await quotaExceeded(error) : error
    }
  }

  /** Takes the database of a queue in use. */
  enter(queue: string): Database {
    const name = databaseOf(this.#database, queue)
    let entry = this.#queues.get(queue)
    if (entry === undefined) {
      const memory: Memory = memories.get(name) ?? newMemory()
      // While it was closed, nobody was told of anything.
      memory.undelayed = false
      memories.set(name, memory)
      entry = { database: new Database(this, this.#connect(name, QUEUE), queue, memory), views: 0 }
      this.#queues.set(queue, entry)
    }
    entry.views++
    return entry.database
  }

  async leave(queue: string): Promise<void> {
    const entry = this.#queues.get(queue)
    if (entry === undefined || --entry.views > 0) return
    this.#queues.delete(queue)
    await entry.database.connection.close()
  }

  /** Queues that have a database. */
  async queues(): Promise<string[]> {
    const all = await indexedDB.databases()
    return all.flatMap(({ name = '' }) => queueOf(this.#database, name) ?? [])
  }

  durabilityOf(kind: Kind): 'strict' | 'relaxed' {
    const { durability = 'strict', strictAcks = false } = this.#options
    const isOfConsumer = kind === 'take' || kind === 'consume'
    return isOfConsumer && !strictAcks ? 'relaxed' : durability
  }

  /** Runs what needs room. Rejects with `QUOTA_EXCEEDED` where there is none, for claims and acks once there is none at all. */
  async withRoom<T>(kind: Kind, run: () => Promise<T>): Promise<T> {
    try {
      return await (kind === 'append' ? this.#append(run) : this.#consume(run))
    } catch (error) {
      if (!isQuota(error)) throw error
      this.#setFull(true)
      throw await quotaExceeded(error)
    }
  }

  async #append<T>(run: () => Promise<T>): Promise<T> {
    // No wait where there is nothing to wait for: transactions take effect in the order of their calls.
    if (!this.#ballast.isThere) await this.#ballast.settle()
    const result = await run()
    this.#setFull(false)
    return result
  }

  async #consume<T>(run: () => Promise<T>): Promise<T> {
    try {
      return await run()
    } catch (error) {
      if (!isQuota(error)) throw error
      this.#setFull(true)
      await this.#ballast.giveUp()
    }
    for (const pauseMs of ROOM_PAUSES_MS) {
      try {
        return await run()
      } catch (error) {
        if (!isQuota(error)) throw error
      }
      for (const connection of this.#connections()) connection.letGo()
      await new Promise((resolve) => setTimeout(resolve, pauseMs))
    }
    return await run()
  }

  #connections(): Connection[] {
    return [...Array.from(this.#queues.values(), ({ database }) => database.connection), this.#connection]
  }

  /** Whether the quota is used up, as the last append or a failure has shown. */
  #setFull(isFull: boolean): void {
    if (isFull && !this.#isFull) this.#options.onEvent?.({ type: 'full', database: this.#database })
    this.#isFull = isFull
  }

  async close(): Promise<void> {
    for (const connection of this.#connections()) await connection.close()
    this.channel.close()
  }
}

/** The database of one queue. */
export class Database {
  readonly store: Store
  readonly connection: Connection
  readonly queue: string
  readonly memory: Memory

  constructor(store: Store, connection: Connection, queue: string, memory: Memory) {
    this.store = store
    this.connection = connection
    this.queue = queue
    this.memory = memory
  }

  read<T>(body: (work: IDBTransaction) => Promise<T>): Promise<T> {
    return this.connection.transact('readonly' satisfies Mode, 'relaxed', this.#trusting(body))
  }

  change<T>(kind: Kind, body: (work: IDBTransaction) => Promise<T>, stores?: readonly string[]): Promise<T> {
    const { store, connection } = this
    return store.withRoom(kind, () =>
      connection.transact('readwrite', store.durabilityOf(kind), this.#trusting(body), stores),
    )
  }

  /**
   * What a verb stumbles over has been written by somebody else: any page of the origin can. What the browser refuses, but for keys
   * that are none, is another matter.
   */
  #trusting<T>(body: (work: IDBTransaction) => Promise<T>): (work: IDBTransaction) => Promise<T> {
    return async (work) => {
      try {
        return await body(work)
      } catch (error) {
        const isOurs =
          error instanceof QuaysideError || (error instanceof DOMException && error.name !== 'DataError')
        throw isOurs ? error : damaged(this.queue, error)
      }
    }
  }
}
