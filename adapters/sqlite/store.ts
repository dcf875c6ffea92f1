import { type QuaysideError, hasCode } from '../../src/errors.ts'
import type { ByteQueue, ByteStore, Kind } from '../../src/segments/index.ts'
import type { Hint } from '../../src/storage.ts'
import { Bell } from './bell.ts'
import { type Source, Connection } from './connection.ts'
import { type SQLiteDatabase, prepare } from './driver.ts'
import { full } from './faults.ts'
import type { SQLiteOptions } from './options.ts'
import { QueueRows } from './queue-rows.ts'
import { RESERVE_BYTES, Reserve } from './reserve.ts'
import { SCHEMA } from './schema.ts'
import { Tables } from './tables.ts'

type Listener = (hint?: Hint) => void

/** Before and behind all keys of a queue. */
const FIRST = new Uint8Array()
const LAST = Uint8Array.of(0xff)

/** A byte store in a SQLite file, through one connection. */
export class SQLiteStore implements ByteStore {
  readonly #connection: Connection
  readonly #tables: Tables
  readonly #options: SQLiteOptions
  readonly #bell: Bell
  readonly #reserve: Reserve
  readonly #listeners: Map<number, Set<Listener>> = new Map()
  /** Changes whenever another connection has changed the file. */
  readonly #version: () => number

  private constructor(connection: Connection, tables: Tables, options: SQLiteOptions) {
    const { database } = connection
    this.#connection = connection
    this.#options = options
    this.#reserve = new Reserve(connection.file)
    this.#tables = tables
    const version = prepare(database, 'PRAGMA data_version')
    this.#version = () => (version.get() as { data_version: number }).data_version
    let latest: number | undefined
    this.#bell = new Bell(connection.bell, {
      isNews: () => latest !== (latest = this.#version()),
      hear: (rang, saidOf) => {
        for (const [queue, listeners] of this.#listeners)
          if (rang(queue)) for (const listener of listeners) listener(saidOf(queue))
      },
    })
  }

  static async open(source: Source, options: SQLiteOptions): Promise<SQLiteStore> {
    const { timeoutMs = 30_000 } = options
    let tables: Tables | undefined
    const setUp = (database: SQLiteDatabase): void => {
      database.exec(SCHEMA)
      // Where the program has tables of these names, this fails.
      tables = new Tables(database)
    }
    return new SQLiteStore(await Connection.open(source, setUp, timeoutMs), tables!, options)
  }

  get failure(): QuaysideError | undefined {
    return this.#connection.failure
  }

  async open(name: string): Promise<ByteQueue> {
    const queue =
      (await this.#connection.look(() => this.#tables.find(name))) ??
      (await this.#connection.change(false, () => this.#tables.numberOf(name)))
    const { clock = Date } = this.#options
    const rows = new QueueRows(this.#tables.rows, queue)
    let latest: number | undefined
    return {
      hasInbox: true,
      copies: true,
      now: () => clock.now(),
      transact: (kind, body) => {
        // Nothing in it waits: SQLite answers at once.
        const run = (): void => void body(rows)
        return kind === 'read' ? this.#connection.look(run) : this.#change(kind, run)
      },
      // Nothing tells of what others do on the same connection.
      ...(this.#connection.isOurs && { isUnchanged: () => latest === (latest = this.#version()) }),
      watch: (listener) => this.#watch(queue, listener),
      tell: (hint, kind) => this.#bell.ring(queue, kind === 'append' || hint !== undefined, hint),
    }
  }

  queues(): Promise<string[]> {
    return this.#connection.look(() => {
      const { rows } = this.#tables
      const hasRows = (queue: number): boolean => new QueueRows(rows, queue).scan(FIRST, LAST, 1).length > 0
      const there = this.#tables.queues().filter(({ number }) => hasRows(number))
      return there.map(({ name }) => name).sort()
    })
  }

  close(): void {
    this.#bell.close()
    this.#connection.close()
  }

  async #change(kind: Kind, run: () => void): Promise<void> {
    const connection = this.#connection
    const synced = this.#isSynced(kind)
    if (kind === 'append') {
      // Pages that are free in the file will do as well.
      if (!this.#reserve.hasRoom && connection.freeBytes() < RESERVE_BYTES)
        throw full(connection.file, 'what room is left is kept back for claims and acks')
      return await connection.change(synced, run)
    }
    try {
      await connection.change(synced, run)
    } catch (error) {
      if (!hasCode(error, 'QUOTA_EXCEEDED')) throw error
      this.#reserve.release()
      connection.moveLog()
      await connection.change(synced, run)
    }
  }

  #isSynced(kind: Kind): boolean {
    const { durability, strictAcks = false } = this.#options
    return durability !== 'normal' && (strictAcks || kind !== 'consume')
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
