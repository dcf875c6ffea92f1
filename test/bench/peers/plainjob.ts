import { join } from 'node:path'
import Database from 'better-sqlite3'
import { better, defineQueue, type Queue } from 'plainjob'

const quiet = { error() {}, warn() {}, info() {}, debug() {} }

/**
 * plainjob through its queue's own methods: a worker would do the same three calls for each job, log lines and a poll
 * interval on top. It is not durable: it sets synchronous=NORMAL.
 */
export class PlainJob<T> {
  readonly #queue: Queue
  #done = 0

  constructor(folder: string) {
    this.#queue = defineQueue({ connection: better(new Database(join(folder, 'jobs.db'))), logger: quiet })
  }

  sendBatch(payloads: T[]): void {
    this.#queue.addMany('bench', payloads)
  }

  /** Takes, hands over and finishes up to `limit` jobs one after the other: it has no batches on this side. */
  work(limit: number, handler: (payload: T) => void): number {
    let done = 0
    while (done < limit) {
      const next = this.#queue.getAndMarkJobAsProcessing('bench')
      if (!next) break
      const job = this.#queue.getJobById(next.id)!
      handler(JSON.parse(job.data) as T)
      this.#queue.markJobAsDone(job.id)
      done++
    }
    this.#done += done
    if (this.#done >= 10_000) {
      this.#queue.removeDoneJobs(0) // its maintenance would leave them for a week
      this.#done = 0
    }
    return done
  }

  close(): void {
    this.#queue.close()
  }
}
