import { Logger, type Runner, type WorkerUtils, makeWorkerUtils, run } from 'graphile-worker'
import { Pool } from 'pg'
import { Finished } from './finished.ts'

const SILENT = new Logger(() => () => undefined)
/** Connections of its pool, as many as it advises for so many jobs at a time on one machine, and more. */
const CONNECTIONS = 20

/**
 * graphile-worker with a handler, and none of the options with which it takes and completes jobs in batches: a process that
 * is killed then has no more jobs locked than it works on.
 */
export class GraphileWorker<T> {
  readonly #pool: Pool
  readonly #utils: WorkerUtils
  readonly #runner: Runner
  readonly #finished: Finished

  private constructor(pool: Pool, utils: WorkerUtils, runner: Runner, finished: Finished) {
    this.#pool = pool
    this.#utils = utils
    this.#runner = runner
    this.#finished = finished
  }

  static async open<T>(
    url: string,
    concurrency: number,
    handler: (payload: T) => void,
  ): Promise<GraphileWorker<T>> {
    const pgPool = new Pool({ connectionString: url, max: CONNECTIONS })
    // It says so where nobody listens.
    pgPool.on('error', () => undefined)
    pgPool.on('connect', (client) => void client.on('error', () => undefined))
    const finished = new Finished()
    const utils = await makeWorkerUtils({ pgPool, logger: SILENT })
    await utils.migrate()
    const runner = await run({
      pgPool,
      concurrency,
      logger: SILENT,
      noHandleSignals: true,
      taskList: { job: (payload) => handler(payload as T) },
    })
    runner.events.on('job:complete', () => finished.one())
    return new GraphileWorker(pgPool, utils, runner, finished)
  }

  /** Sends them, and resolves once each was handled and completed. */
  async work(payloads: readonly T[]): Promise<void> {
    const done = this.#finished.all(payloads.length)
    await this.#utils.addJobs(payloads.map((payload) => ({ identifier: 'job', payload })))
    await done
  }

  async close(): Promise<void> {
    await this.#runner.stop()
    await this.#utils.release()
    await this.#pool.end()
  }
}
