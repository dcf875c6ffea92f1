import { QuaysideError } from '../../src/errors.ts'
import { joinHints } from '../../src/hints.ts'
import type { Kind, QueueStore, Transaction, TransactionalStore } from '../../src/segments/index.ts'
import type { Hint } from '../../src/storage.ts'
import { NoRoom, failed, quotaExceeded } from './faults.ts'
import { type Opened, openItems } from './opening.ts'
import { oneByOne } from './owner.ts'
import { QueueRows, undo } from './rows.ts'
import type { KeyValueStorage } from './storage.ts'

/** So many transactions are written together at most. */
const MOST = 64

interface Call {
  readonly kind: Kind
  readonly rows: QueueRows
  readonly body: (tx: Transaction) => unknown
  readonly resolve: (result: unknown) => void
  readonly reject: (error: unknown) => void
  result?: unknown
  wrote?: boolean
  hint?: Hint | undefined
}

/**
 * Contract 2 on items: all rows are in memory, and each commit is an item or more. Transactions run in the order of their calls;
 * those that are called while an item is written are written together in the next.
 */
export class KeyValueStore implements TransactionalStore {
  readonly #opened: Opened
  readonly #clock: { now(): number }
  #calls: Call[] = []
  /** Settled when no call is left. */
  #running: Promise<void> | undefined
  #failure: QuaysideError | undefined
  #closed: Promise<void> | undefined

  static async open(
    name: string,
    storage: KeyValueStorage,
    clock: { now(): number },
  ): Promise<KeyValueStore> {
    return new KeyValueStore(await oneByOne(name, () => openItems(name, storage)), clock)
  }

  private constructor(opened: Opened, clock: { now(): number }) {
    this.#opened = opened
    this.#clock = clock
  }

  get failure(): QuaysideError | undefined {
    return this.#failure
  }

  async open(queue: string): Promise<QueueStore> {
    if (this.#closed !== undefined) throw closed()
    const { queues, changes } = this.#opened
    const rows = queues.get(queue) ?? new QueueRows(queue, changes)
    queues.set(queue, rows)
    return {
      transact: <T>(kind: Kind, body: (tx: Transaction) => T) =>
        new Promise<T>((resolve, reject) => {
          const error = this.#closed === undefined ? this.#failure : closed()
          if (error !== undefined) return reject(error)
          this.#calls.push({ kind, rows, body, resolve: resolve as Call['resolve'], reject })
          this.#running ??= this.#run()
        }),
      now: () => this.#clock.now(),
      soleOwner: true,
      watch: (listener) => {
        // A function of its own, so that the same listener can watch twice.
        const own = (hint?: Hint): void => listener(hint)
        rows.listeners.add(own)
        return () => void rows.listeners.delete(own)
      },
      close: () => {
        if (rows.isEmpty) queues.delete(queue)
      },
    }
  }

  async queues(): Promise<string[]> {
    if (this.#closed !== undefined) throw closed()
    await this.#running
    return Array.from(this.#opened.queues.values())
      .flatMap(({ name, isEmpty }) => (isEmpty ? [] : [name]))
      .sort()
  }

  close(): Promise<void> {
    return (this.#closed ??= Promise.resolve(this.#running))
  }

  async #run(): Promise<void> {
    // Whoever calls at the same time is written together already.
    await Promise.resolve()
    while (this.#calls.length > 0) await this.#together(this.#calls.splice(0, MOST))
    this.#running = undefined
  }

  /** Runs calls, and writes what they have changed. Never rejects. */
  async #together(calls: readonly Call[]): Promise<void> {
    const { changes, log, reserve } = this.#opened
    try {
      if (this.#failure !== undefined) throw this.#failure
      const done = (await this.#admitted(calls)).filter((call) => this.#perform(call))
      if (changes.length > 0) {
        try {
          await log.write(changes, !reserve.isThere)
        } catch (error) {
          if (error instanceof NoRoom) return await this.#withoutRoom(done, error)
          throw error
        }
        changes.length = 0
        tell(done)
      }
      for (const { resolve, result } of done) resolve(result)
      await log.clean(!reserve.isThere)
    } catch (error) {
      this.#fail(error, calls)
    }
  }

  /** All of the calls; but without appends, which are refused, where the reserve cannot be put back. */
  async #admitted(calls: readonly Call[]): Promise<readonly Call[]> {
    const { reserve } = this.#opened
    if (reserve.isThere || !calls.some(({ kind }) => kind === 'append')) return calls
    if (await reserve.restore()) return calls
    for (const { kind, reject } of calls)
      if (kind === 'append') reject(quotaExceeded('the reserve is used up'))
    return calls.filter(({ kind }) => kind !== 'append')
  }

  /** Runs the body of a call. Answers whether it has not failed. */
  #perform(call: Call): boolean {
    const { changes } = this.#opened
    const before = changes.length
    call.rows.hint = undefined
    try {
      call.result = call.body(call.rows)
      call.wrote = changes.length > before
      if (call.wrote && call.kind === 'read') throw new TypeError('A read must not write')
      call.hint = call.rows.hint
      return true
    } catch (error) {
      undo(changes, before)
      call.reject(error)
      return false
    }
  }

  /** Nothing of these was written, and it is as if they had not run. What has no room must not keep others from theirs. */
  async #withoutRoom(calls: readonly Call[], { cause }: NoRoom): Promise<void> {
    const { changes, reserve } = this.#opened
    undo(changes, 0)
    const [first] = calls
    if (calls.length > 1) for (const call of calls) await this.#together([call])
    else if (first!.kind === 'append' || !reserve.isThere) first!.reject(quotaExceeded(cause))
    else {
      await reserve.release()
      await this.#together(calls)
    }
  }

  /** Nothing can be done with it any more. Those that were answered already are not told. */
  #fail(error: unknown, calls: readonly Call[]): void {
    const known = error instanceof QuaysideError ? error : failed('using the storage', error)
    // Whoever took over may have read what these have written.
    const unknown = this.#failure === undefined && known.code === 'LOCKED' ? failed('writing', known) : known
    this.#failure ??= known
    for (const { reject } of calls) reject(unknown)
  }
}

/** Tells those who watch the queues that were changed. */
function tell(calls: readonly Call[]): void {
  const hints = new Map<QueueRows, Hint | undefined>()
  for (const { rows, wrote, hint } of calls) if (wrote) hints.set(rows, joinHints(hints.get(rows), hint))
  for (const [{ listeners }, hint] of hints)
    for (const listener of listeners) void Promise.resolve().then(() => listener(hint))
}

function closed(): QuaysideError {
  return new QuaysideError('CLOSED', 'the storage was closed: open it again')
}
