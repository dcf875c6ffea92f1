import type { QueueStorage } from '../../../src/storage.ts'

/** What a queue has promised, as far as anybody was told: kept while servers and clients are killed, and checked then. */
export class Ledger {
  /** Ids whose append resolved. */
  readonly sent: Set<string> = new Set()
  /** Ids whose ack resolved as settled. */
  readonly acked: Set<string> = new Set()
  readonly #problems: string[] = []

  /** Notes a delivery. A message that was acked must never come again. */
  delivered(id: string): void {
    if (this.acked.has(id)) this.#problems.push(`${id} came again after its ack`)
  }

  /** Compares all this with what is left in the queue. Answers with what was lost or is there twice. */
  async problems(queue: QueueStorage, group: string): Promise<readonly string[]> {
    const left: string[] = []
    let cursor: string | undefined
    do {
      const page = await queue.list({
        group,
        limit: 1000,
        cursor,
        states: ['ready', 'leased', 'delayed', 'blocked', 'dead'],
      })
      left.push(...page.messages.map(({ id }) => id))
      cursor = page.cursor
    } while (cursor !== undefined)
    const there = new Set<string>()
    for (const id of left) {
      this.delivered(id)
      if (there.has(id)) this.#problems.push(`${id} is there twice`)
      there.add(id)
    }
    for (const id of this.sent) {
      if (!there.has(id) && !this.acked.has(id)) {
        this.#problems.push(`${id} was sent, and is gone without an ack`)
      }
    }
    return this.#problems
  }
}
