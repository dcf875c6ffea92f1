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

  /** What was lost, and what came back, going by what is left in the queue. */
  problems(left: readonly number[]): { lost: number[]; back: number[] } {
    const here = new Set(left)
    return {
      lost: [...this.stored].filter((n) => !here.has(n) && !this.acked.has(n) && !this.maybeAcked.has(n)),
      back: [...left.filter((n) => this.acked.has(n)), ...this.returned],
    }
  }
}

/** Everything that is still in the queue. */
export async function remaining(directory: string): Promise<number[]> {
  const queue = new Queue<number>('crash', { storage: new NodeFsAdapter(directory) })
  const numbers: number[] = []
  const consumer = queue.createConsumer('workers', { retry: { maxAttempts: 1_000_000 } })
  for (;;) {
    const messages = await consumer.receiveBatch(1000, { waitMs: 50 })
    if (messages.length === 0) break
    numbers.push(...messages.map(({ payload }) => payload))
    await consumer.ackBatch(messages)
  }
  const { groups } = await queue.stats()
  expect(groups['workers']).toMatchObject({ ready: 0, leased: 0, delayed: 0, blocked: 0, dead: 0 })
  await queue.close()
  return numbers
}
