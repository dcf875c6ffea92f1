import { Queue, Worker } from 'bullmq'

/** Whose jobs they are that are taken by hand. */
const TOKEN = 'bench'

/** bullmq as its users have it: a queue to add to, and a worker with so many jobs in flight. */
export class BullMq<T> {
  readonly #queue: Queue
  readonly #connection: { host: string; port: number }
  #worker: Worker | undefined
  #done = 0
  #wanted = Infinity
  #reached: (() => void) | undefined

  constructor(port: number, name: string = `bench-${crypto.randomUUID()}`) {
    this.#connection = { host: '127.0.0.1', port }
    this.#queue = new Queue(name, {
      connection: this.#connection,
      defaultJobOptions: { removeOnComplete: true },
    })
  }

  async send(payload: T): Promise<void> {
    await this.#queue.add('job', payload)
  }

  async sendBatch(payloads: readonly T[]): Promise<void> {
    await this.#queue.addBulk(payloads.map((data) => ({ name: 'job', data })))
  }

  async work(concurrency: number, handler: (payload: T) => void): Promise<void> {
    const process = async ({ data }: { data: T }): Promise<void> => handler(data)
    this.#worker = new Worker(this.#queue.name, process, { connection: this.#connection, concurrency })
    this.#worker.on('completed', () => {
      if (++this.#done >= this.#wanted) this.#reached?.()
    })
    await this.#worker.waitUntilReady()
  }

  /** Takes and completes so many jobs that wait, without a handler: as it documents for those who pace it by hand. */
  async take(count: number, handler: (payload: T) => void): Promise<void> {
    this.#worker ??= new Worker(this.#queue.name, null, { connection: this.#connection })
    const worker = this.#worker
    await Promise.all(
      Array.from({ length: count }, async () => {
        const job = await worker.getNextJob(TOKEN, { block: false })
        if (!job) throw new Error('bullmq: nothing there')
        handler(job.data as T)
        await job.moveToCompleted(null, TOKEN, false)
      }),
    )
  }

  /** Resolves when so many more jobs are completed. */
  completes(count: number): Promise<void> {
    this.#wanted = this.#done + count
    return new Promise((resolve) => (this.#reached = resolve))
  }

  async close(): Promise<void> {
    await this.#worker?.close()
    await this.#queue.close()
  }
}
