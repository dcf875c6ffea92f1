import { PgBoss as Boss } from 'pg-boss'

let queues = 0

/** pg-boss as its users have it who work in batches: insert, fetch, complete. */
export class PgBoss<T extends object> {
  readonly #boss: Boss
  readonly #name: string

  private constructor(boss: Boss, name: string) {
    this.#boss = boss
    this.#name = name
  }

  static async open<T extends object>(url: string): Promise<PgBoss<T>> {
    // What it does by the clock would fall into somebody else's turn.
    const boss = new Boss({ connectionString: url, supervise: false, schedule: false })
    boss.on('error', () => undefined)
    await boss.start()
    const name = `bench-${queues++}`
    await boss.createQueue(name)
    return new PgBoss(boss, name)
  }

  async sendBatch(payloads: readonly T[]): Promise<void> {
    await this.#boss.insert(
      this.#name,
      payloads.map((data) => ({ data })),
    )
  }

  async send(payload: T): Promise<void> {
    await this.#boss.send(this.#name, payload)
  }

  /** Takes and completes so many; answers with how many there were. */
  async take(count: number, handler: (payload: T) => void): Promise<number> {
    const jobs = await this.#boss.fetch<T>(this.#name, { batchSize: count })
    for (const { data } of jobs) handler(data)
    await this.#boss.complete(
      this.#name,
      jobs.map(({ id }) => id),
    )
    return jobs.length
  }

  async close(): Promise<void> {
    await this.#boss.deleteQueue(this.#name)
    await this.#boss.stop({ graceful: false })
  }
}
