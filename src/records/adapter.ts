import type { Guarantees, Part, QueueStorage, StorageAdapter } from '../storage.ts'
import { type Steps, Book, STEPS } from './book.ts'
import { type Shared, closedError, viewOf } from './view.ts'

/** Queues that are kept as records in memory, and shared by whoever shares this object. */
export class RecordAdapter implements StorageAdapter {
  readonly guarantees: Guarantees
  readonly #clock: { now(): number }
  readonly #askedBy: Part
  readonly #steps: Steps
  readonly #queues: Map<string, Shared> = new Map()
  #closed = false

  /**
   * @param askedBy See {@link VerbsAtOnce}.
   * @param steps How much one step does: less in tests.
   */
  constructor(guarantees: Guarantees, clock: { now(): number }, askedBy: Part, steps: Steps = STEPS) {
    this.guarantees = guarantees
    this.#askedBy = askedBy
    this.#clock = clock
    this.#steps = steps
  }

  async open(name: string): Promise<QueueStorage> {
    if (this.#closed) throw closedError('open a queue', 'storage')
    const shared = this.#queues.get(name) ?? {
      clock: this.#clock,
      listeners: new Map(),
      book: new Book(name, this.#steps),
      views: 0,
    }
    this.#queues.set(name, shared)
    shared.views++
    const leave = (): void => {
      // Nothing is kept of a queue that nobody has and that is as new.
      if (--shared.views === 0 && shared.book.isEmpty && shared.book.sent === 0) this.#queues.delete(name)
    }
    return viewOf(shared, this.#askedBy, () => (this.#closed ? 'storage' : undefined), leave)
  }

  async queues(): Promise<string[]> {
    if (this.#closed) throw closedError('list queues', 'storage')
    return [...this.#queues].flatMap(([name, { book }]) => (book.isEmpty ? [] : [name])).sort()
  }

  async close(): Promise<void> {
    this.#closed = true
  }
}
