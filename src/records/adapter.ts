import type { Guarantees, QueueStorage, StorageAdapter } from '../storage.ts'
import { type Steps, Book, STEPS } from './book.ts'
import { type Shared, View, closedError } from './view.ts'

/** Queues that are kept as records in memory, and shared by whoever shares this object. */
export class RecordAdapter implements StorageAdapter {
  readonly guarantees: Guarantees
  readonly #clock: { now(): number }
  readonly #steps: Steps
  readonly #queues: Map<string, Shared> = new Map()
  #closed = false

  /** @param steps How much one step does: less in tests. */
  constructor(guarantees: Guarantees, clock: { now(): number }, steps: Steps = STEPS) {
    this.guarantees = guarantees
    this.#clock = clock
    this.#steps = steps
  }

  async open(name: string): Promise<QueueStorage> {
    if (this.#closed) throw closedError('open a queue', 'storage')
    const shared = this.#queues.get(name) ?? {
      name,
      clock: this.#clock,
      listeners: new Set(),
      book: new Book(this.#steps),
      views: 0,
    }
    this.#queues.set(name, shared)
    shared.views++
    const leave = (): void => {
      // Nothing is kept of a queue that nobody has and that is as new.
      if (--shared.views === 0 && shared.book.isEmpty && shared.book.sent === 0) this.#queues.delete(name)
    }
    return new View(shared, () => (this.#closed ? 'storage' : undefined), leave)
  }

  async queues(): Promise<string[]> {
    if (this.#closed) throw closedError('list queues', 'storage')
    return [...this.#queues].flatMap(([name, { book }]) => (book.isEmpty ? [] : [name])).sort()
  }

  async close(): Promise<void> {
    this.#closed = true
  }
}
