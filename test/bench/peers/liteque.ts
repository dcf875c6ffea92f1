import { join } from 'node:path'
import { Runner, SqliteQueue, buildDBClient } from 'liteque'

/** As much of a connection of better-sqlite3 as is used. */
interface Client {
  exec(sql: string): unknown
}

function open<T>(folder: string): SqliteQueue<T> {
  const db = buildDBClient(join(folder, 'queue.db'), { runMigrations: true })
  allowPromises((db as unknown as { session: { client: Client } }).session.client)
  return new SqliteQueue<T>('bench', db, { defaultJobArgs: { numRetries: 3 }, keepFailedJobs: false })
}

/**
 * liteque's transactions return promises. Up to version 11, better-sqlite3 committed them when the function returned; since
 * then it refuses, and liteque takes no job any more. Here they are run as version 11 did.
 */
function allowPromises(client: Client): void {
  const transaction = (work: (...args: unknown[]) => unknown) => {
    const run = (...args: unknown[]) => {
      client.exec('BEGIN')
      try {
        const result = work(...args)
        client.exec('COMMIT')
        return result
      } catch (error) {
        client.exec('ROLLBACK')
        throw error
      }
    }
    return Object.assign(run, { deferred: run, immediate: run, exclusive: run })
  }
  Object.assign(client, { transaction })
}

/**
 * liteque through its queue's own methods: its runner does the same two calls for each job, with a schema check and a poll
 * interval on top. It is not durable: it sets synchronous=NORMAL.
 */
export class Liteque<T> {
  readonly #queue: SqliteQueue<T>

  constructor(folder: string) {
    this.#queue = open(folder)
  }

  /** It has no batches: each job is an insert of its own. */
  async sendBatch(payloads: readonly T[]): Promise<void> {
    await Promise.all(payloads.map((payload) => this.#queue.enqueue(payload)))
  }

  async work(limit: number, handler: (payload: T) => void): Promise<number> {
    let done = 0
    while (done < limit) {
      const job = await this.#queue.attemptDequeue({ timeoutSecs: 30 })
      if (!job) break
      handler(JSON.parse(job.payload) as T)
      await this.#queue.finalize(job.id, job.allocationId, 'completed')
      done++
    }
    return done
  }
}

/** With its runner, which polls; the interval is what its README uses. */
export function startLiteque<T>(folder: string, handler: (payload: T) => void) {
  const queue = open<T>(folder)
  const runner = new Runner<T>(
    queue,
    { run: async ({ data }) => handler(data) },
    { pollIntervalMs: 1000, timeoutSecs: 30, concurrency: 100 },
  )
  const running = runner.run()
  return {
    send: (payload: T) => queue.enqueue(payload),
    async close() {
      runner.stop()
      await running
    },
  }
}
