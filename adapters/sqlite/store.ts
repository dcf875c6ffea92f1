import type { Kind, QueueStore, Transaction, TransactionalStore } from '../../src/segments/store.ts'
import type { Hint } from '../../src/storage.ts'
import { Bell } from './bell.ts'
import { type Source, type Synchronous, Connection } from './connection.ts'
import type { SQLiteOptions } from './options.ts'
import { SCHEMA } from './schema.ts'
import { Tables } from './tables.ts'
import { QueueTransaction } from './transaction.ts'

type Listener = (hint?: Hint) => void

/** A transaction that was asked for. */
interface Job {
  readonly queue: number
  readonly kind: Kind
  readonly body: (tx: Transaction) => unknown
  readonly resolve: (result: never) => void
  readonly reject: (error: unknown) => void
}

/** Contract 2 on a SQLite file, through one connection. */
export class SQLiteStore implements TransactionalStore {
  readonly #connection: Connection
  readonly #tables: Tables
  readonly #options: SQLiteOptions
  readonly #bell: Bell
  readonly #listeners: Map<number, Set<Listener>> = new Map()
  #waiting: Job[] = []
  #working: Promise<void> | undefined

  private constructor(connection: Connection, options: SQLiteOptions) {
    const { database } = connection
    this.#connection = connection
    this.#options = options
    this.#tables = new Tables(database)
    const version = database.prepare('PRAGMA data_version')
    let latest: number | undefined
    this.#bell = new Bell(connection.bell, {
      isNews: () => latest !== (latest = (version.get() as { data_version: number }).data_version),
      hear: (rang) => {
        for (const [queue, listeners] of this.#listeners)
          // Which messages have finished elsewhere is not known.
          if (rang(queue)) for (const listener of listeners) listener({ finished: 'many' })
      },
    })
  }

  static async open(source: Source, options: SQLiteOptions): Promise<SQLiteStore> {
    const { timeoutMs = 30_000 } = options
    return new SQLiteStore(await Connection.open(source, SCHEMA, timeoutMs), options)
  }

  async open(name: string): Promise<QueueStore> {
    const queue =
      (await this.#connection.look(() => this.#tables.find(name))) ??
      (await this.#connection.change('NORMAL', () => this.#tables.numberOf(name)))
    const { clock = Date } = this.#options
    return {
      soleOwner: false,
      hasInbox: true,
      now: () => clock.now(),
      transact: (kind, body) => this.#transact(queue, kind, body),
      watch: (listener) => this.#watch(queue, listener),
    }
  }

  queues(): Promise<string[]> {
    return this.#connection.look(() => {
      const { rows } = this.#tables
      const hasRows = (queue: number): boolean =>
        new QueueTransaction(rows, queue).range('state', {}, 1).length > 0
      const there = this.#tables.queues().filter(({ number }) => hasRows(number))
      return there.map(({ name }) => name).sort()
    })
  }

  async close(): Promise<void> {
    await this.#working
    this.#bell.close()
    this.#connection.close()
  }

  #transact<T>(queue: number, kind: Kind, body: (tx: Transaction) => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ queue, kind, body, resolve, reject })
      // What is asked for in one turn shares one commit.
      this.#working ??= Promise.resolve().then(() => this.#work())
    })
  }

  async #work(): Promise<void> {
    while (this.#waiting.length > 0) {
      const jobs = this.#waiting
      this.#waiting = []
      // Where one of them fails, each is on its own.
      if (jobs.length > 1 && (await this.#together(jobs))) continue
      for (const job of jobs)
        await this.#run([job]).then(([result]) => job.resolve(result as never), job.reject)
    }
    this.#working = undefined
  }

  async #together(jobs: readonly Job[]): Promise<boolean> {
    try {
      const results = await this.#run(jobs)
      for (const [i, { resolve }] of jobs.entries()) resolve(results[i] as never)
      return true
    } catch {
      return false
    }
  }

  async #run(jobs: readonly Job[]): Promise<unknown[]> {
    let transactions: readonly QueueTransaction[] = []
    const bodies = (): unknown[] => {
      transactions = jobs.map(({ queue }) => new QueueTransaction(this.#tables.rows, queue))
      return jobs.map(({ body }, i) => body(transactions[i]!))
    }
    if (jobs.every(({ kind }) => kind === 'read')) return await this.#connection.look(bodies)
    const results = await this.#connection.change(this.#synchronous(jobs), bodies)
    for (const [i, { queue, kind }] of jobs.entries()) this.#changed(queue, kind, transactions[i]!)
    return results
  }

  #synchronous(jobs: readonly Job[]): Synchronous {
    const { durability, strictAcks } = this.#options
    const waits =
      durability !== 'normal' &&
      (strictAcks || jobs.some(({ kind }) => kind === 'append' || kind === 'remove'))
    return waits ? 'FULL' : 'NORMAL'
  }

  #changed(queue: number, kind: Kind, { wrote, hint }: QueueTransaction): void {
    if (!wrote) return
    this.#bell.ring(queue, kind === 'append' || hint !== undefined)
    for (const listener of this.#listeners.get(queue) ?? []) queueMicrotask(() => listener(hint))
  }

  #watch(queue: number, listener: Listener): () => void {
    const own: Listener = (hint) => listener(hint)
    const listeners = this.#listeners.get(queue) ?? new Set()
    this.#listeners.set(queue, listeners.add(own))
    this.#bell.listen()
    return () => {
      listeners.delete(own)
      if (listeners.size > 0 || this.#listeners.get(queue) !== listeners) return
      this.#listeners.delete(queue)
      if (this.#listeners.size === 0) this.#bell.rest()
    }
  }
}
