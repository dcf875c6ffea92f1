import { expect } from 'vitest'
import { NodeFsAdapter } from '../../adapters/fs/index.ts'
import { Queue } from '../../src/index.ts'

/** What the killed processes have told, over all generations of a directory. */
export class Ledger {
  readonly stored: Set<number> = new Set()
  readonly acked: Set<number> = new Set()
  /** Told to be about to be acked: whether it was cannot be known. */
  readonly maybeAcked: Set<number> = new Set()
  readonly returned: number[] = []

  /** Takes in what a process has written; its last line may have been cut off by the kill. */
  readAll(text: string): void {
    for (const line of text.split('\n').slice(0, -1)) this.#read(line)
  }

  #read(line: string): void {
    const [step, n = ''] = line.split(' ')
    const number = Number(n)
    if (step === 's') this.stored.add(number)
    else if (step === 'b') this.maybeAcked.add(number)
    else if (step === 'a') this.acked.add(number)
    else if (step === 'd' && this.acked.has(number)) this.returned.push(number)
  }

  /**
   * What was lost, what came back, and what has ended without its result or has one and has not ended, going by what is left
   * in the queue and the results that are there.
   */
  problems({ left, results }: Remaining): { lost: number[]; back: number[]; torn: number[] } {
    const here = new Set(left)
    const kept = new Set(results)
    return {
      torn: [...this.stored].filter((n) => isKept(n) && here.has(n) === kept.has(n)),
      lost: [...this.stored].filter((n) => !here.has(n) && !this.acked.has(n) && !this.maybeAcked.has(n)),
      back: [...left.filter((n) => this.acked.has(n)), ...this.returned],
    }
  }
}

/** Whether it is kept what became of a message. */
export function isKept(n: number): boolean {
  return n % 2 === 0
}

export interface Remaining {
  readonly left: readonly number[]
  readonly results: readonly number[]
}

/** Everything that is still in the queue, and those of the given messages of which a result is there. */
export async function remaining(directory: string, sent: Iterable<number>): Promise<Remaining> {
  const queue = new Queue<number>('crash', { storage: new NodeFsAdapter(directory) })
  const numbers: number[] = []
  const results: number[] = []
  for (const n of sent) {
    const result = isKept(n) ? await queue.result(`id-${n}`, { group: 'workers' }) : undefined
    if (result === undefined) continue
    expect(result).toMatchObject({ status: 'done', value: n })
    results.push(n)
  }
  for (const { group, lane } of (await queue.stats()).holds) await queue.release({ group, lane })
  for (let more = true; more;) {
    const { messages } = await queue.list({ group: 'workers', state: 'parked', limit: 1000 })
    await queue.resume(messages.map(({ id }) => id))
    more = messages.length > 0
  }
  const consumer = queue.createConsumer('workers', { retry: { maxAttempts: 1_000_000 } })
  for (;;) {
    const messages = await consumer.receiveBatch(1000, { waitMs: 50 })
    if (messages.length === 0) break
    numbers.push(...messages.map(({ payload }) => payload))
    await consumer.ackBatch(messages)
  }
  const { groups } = await queue.stats()
  const none = { ready: 0, leased: 0, delayed: 0, blocked: 0, parked: 0, dead: 0 }
  expect(groups['workers']).toMatchObject(none)
  await queue.close()
  return { left: numbers, results }
}
