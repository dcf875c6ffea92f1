import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { join } from 'node:path'

/**
 * The obvious alternative: a queue in one SQLite file, written with care.
 *
 * WAL with synchronous=FULL, exclusive locking, prepared statements; calls made while a flush is due share one transaction
 * and so one fsync. Messages that were never claimed need no index, a cursor finds them; the partial index is only for
 * leases that ran out. One consumer group, leases that fence by a number, attempts counted at claim.
 *
 * With `relaxed`, transactions without a send in them commit with synchronous=NORMAL: claims and acks are then as durable
 * as quayside's by default (a power cut may deliver a message once more), and sends stay synced.
 *
 * With `shared`, other processes may read and write the file, too; this queue still believes that nobody else sends or claims.
 */
export class SqliteQueue<T> {
  readonly #db: DatabaseSync
  readonly #relaxed: boolean
  readonly #begin: StatementSync
  readonly #commit: StatementSync
  readonly #insert: StatementSync
  readonly #expired: StatementSync
  readonly #claim: StatementSync
  readonly #ack: StatementSync
  #synced = true
  #tail: number
  #cursor: number
  #lease = 0
  #pending: (() => () => void)[] = []
  #rejects: ((error: unknown) => void)[] = []
  #sends = false

  constructor(folder: string, { relaxed = false, shared = false } = {}) {
    this.#relaxed = relaxed
    const db = new DatabaseSync(join(folder, 'queue.db'))
    this.#db = db
    db.exec(`
      PRAGMA locking_mode = ${shared ? 'NORMAL' : 'EXCLUSIVE'};
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = FULL;
      PRAGMA cache_size = -65536;
      PRAGMA temp_store = MEMORY;
      CREATE TABLE IF NOT EXISTS messages (
        seq INTEGER PRIMARY KEY, body TEXT NOT NULL, attempt INTEGER NOT NULL DEFAULT 0, lease INTEGER, until INTEGER);
      CREATE INDEX IF NOT EXISTS leased ON messages (until) WHERE until IS NOT NULL;
    `)
    const { tail, cursor } = db
      .prepare(
        `SELECT coalesce(max(seq), 0) AS tail,
                coalesce((SELECT max(seq) FROM messages WHERE until IS NOT NULL), 0) AS cursor FROM messages`,
      )
      .get() as { tail: number; cursor: number }
    this.#tail = tail
    this.#cursor = cursor
    this.#begin = db.prepare('BEGIN IMMEDIATE')
    this.#commit = db.prepare('COMMIT')
    this.#insert = db.prepare('INSERT INTO messages (seq, body) VALUES (?, ?)')
    this.#expired = db.prepare(
      `UPDATE messages SET lease = ?, until = ?, attempt = attempt + 1
       WHERE seq IN (SELECT seq FROM messages WHERE until <= ? ORDER BY until LIMIT ?) RETURNING seq, body, attempt`,
    )
    this.#claim = db.prepare(
      `UPDATE messages SET lease = ?, until = ?, attempt = 1
       WHERE seq > ? AND seq <= ? RETURNING seq, body, attempt`,
    )
    this.#ack = db.prepare('DELETE FROM messages WHERE seq BETWEEN ? AND ? AND lease = ?')
  }

  send(payload: T): Promise<number> {
    this.#sends = true
    return this.#run(() => {
      this.#insert.run(++this.#tail, JSON.stringify(payload))
      return this.#tail
    })
  }

  sendBatch(payloads: readonly T[]): Promise<number[]> {
    this.#sends = true
    return this.#run(() =>
      payloads.map((payload) => {
        this.#insert.run(++this.#tail, JSON.stringify(payload))
        return this.#tail
      }),
    )
  }

  receiveBatch(limit: number, leaseMs = 30_000): Promise<SqliteMessage<T>[]> {
    return this.#run(() => {
      const lease = ++this.#lease
      const now = Date.now()
      const rows = this.#expired.all(lease, now + leaseMs, now, limit) as unknown as Row[]
      if (rows.length < limit) {
        const last = Math.min(this.#cursor + limit - rows.length, this.#tail)
        rows.push(...(this.#claim.all(lease, now + leaseMs, this.#cursor, last) as unknown as Row[]))
        this.#cursor = last
      }
      return rows.map(({ seq, body, attempt }) => ({ seq, lease, attempt, payload: JSON.parse(body) as T }))
    })
  }

  /** Answers how many of them were still leased. */
  ackBatch(messages: readonly SqliteMessage<T>[]): Promise<number> {
    return this.#run(() => {
      let done = 0
      for (let first = 0; first < messages.length;) {
        const { seq, lease } = messages[first]!
        let next = first + 1
        while (messages[next]?.seq === seq + next - first && messages[next]?.lease === lease) next++
        done += Number(this.#ack.run(seq, seq + next - first - 1, lease).changes)
        first = next
      }
      return done
    })
  }

  close(): void {
    this.#db.close()
  }

  /** Does the work in the next transaction and answers when that is committed. */
  #run<R>(work: () => R): Promise<R> {
    if (this.#pending.length === 0) setImmediate(() => this.#flush())
    return new Promise((resolve, reject) => {
      this.#pending.push(() => {
        const result = work()
        return () => resolve(result)
      })
      this.#rejects.push(reject)
    })
  }

  #flush(): void {
    const works = this.#pending
    const rejects = this.#rejects
    const synced = this.#sends || !this.#relaxed
    this.#pending = []
    this.#rejects = []
    this.#sends = false
    if (synced !== this.#synced) {
      this.#db.exec(`PRAGMA synchronous = ${synced ? 'FULL' : 'NORMAL'}`)
      this.#synced = synced
    }
    try {
      this.#begin.run()
      const done = works.map((work) => work())
      this.#commit.run()
      for (const resolve of done) resolve()
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK')
      for (const reject of rejects) reject(error)
    }
  }
}

export interface SqliteMessage<T> {
  seq: number
  lease: number
  attempt: number
  payload: T
}

interface Row {
  seq: number
  body: string
  attempt: number
}
