import { QuaysideError, hasCode } from '../../errors.ts'
import type { Hint } from '../../storage.ts'
import { joinHints } from '../../hints.ts'
import { rehearseTogether } from '../rehearsal.ts'
import type { Kind, QueueStore, StoreLimits, Transaction } from '../store.ts'
import { KnownRows } from './known.ts'
import { PartedRows } from './parts.ts'
import { LaterRows, SyncRows, WAITS } from './rows.ts'
import type { ByteQueue, ByteRows } from './store.ts'

/** Shorter parts are more keys than values. */
const LEAST_MAX = 100

/** So many calls share a transaction at most. */
const MOST = 64

/** What asks for more comes first: calls that share a transaction end as that which asks for most. */
const STRENGTH: readonly Kind[] = ['append', 'remove', 'consume', 'read']

/** One call that waits for its transaction. */
interface Call {
  readonly kind: Kind
  readonly body: (tx: Transaction) => unknown
  readonly resolve: (result: unknown) => void
  readonly reject: (error: unknown) => void
  result?: unknown
}

/** Why a transaction was undone: a body of it has failed, or its reads have to be waited for. */
type Stop = { readonly call: Call; readonly error: unknown } | typeof WAITS

/** What a transaction has done. */
interface Told {
  readonly wrote: boolean
  readonly hint: Hint | undefined
}

/** The store that has the queue. */
interface Within {
  isClosed(): boolean
  onClose(): void
}

/**
 * Contract 2 on the rows of a {@link ByteQueue}. Transactions follow each other in the order of their calls; those that are
 * called while one is under way share the next one, so that many calls wait for one commit.
 */
export class ByteQueueStore implements QueueStore {
  readonly soleOwner: boolean
  readonly limits: StoreLimits | undefined
  readonly hasInbox: boolean
  readonly forgets: boolean
  readonly #queue: ByteQueue
  readonly #within: Within
  readonly #known: KnownRows = new KnownRows()
  /** One for all transactions: while it is there, what the engine was compiled for stays, too. */
  readonly #tx: SyncRows
  /** Reads answer with promises, as one of them has shown. */
  #waits = false
  #calls: Call[] = []
  /** Settled when no call is left. */
  #running: Promise<void> | undefined
  readonly #listeners: Set<(hint?: Hint) => void> = new Set()
  #unwatch: (() => void) | undefined

  constructor(queue: ByteQueue, within: Within) {
    const { maxValueBytes: max = LEAST_MAX } = queue
    if (!(max >= LEAST_MAX && Number.isInteger(max)))
      throw new QuaysideError(
        'INVALID_ARGUMENT',
        `maxValueBytes of a byte store is a whole number of bytes from ${LEAST_MAX} on, not ${max}`,
      )
    this.#queue = queue
    this.soleOwner = queue.soleOwner ?? false
    this.limits = queue.limits
    this.hasInbox = queue.hasInbox ?? false
    this.forgets = queue.forgets ?? false
    this.#tx = new SyncRows(queue.copies ?? false)
    this.#within = within
  }

  transact<T>(kind: Kind, body: (tx: Transaction) => T): Promise<T> {
    if (this.#within.isClosed()) {
      const text = `the storage was closed, and begins no transaction of kind ${kind}: open it again`
      return Promise.reject(new QuaysideError('CLOSED', text))
    }
    return new Promise((resolve, reject) => {
      this.#calls.push({ kind, body, resolve: resolve as Call['resolve'], reject })
      this.#running ??= this.#run()
    })
  }

  /** Resolves when all that was called has ended. */
  async idle(): Promise<void> {
    await this.#running
  }

  async #run(): Promise<void> {
    // Whoever calls at the same time shares the first transaction already.
    await Promise.resolve()
    while (this.#calls.length > 0) await this.#together(this.#calls.splice(0, MOST))
    this.#running = undefined
  }

  /** Runs calls in one transaction, and again without whichever cannot be in it. Never rejects. */
  async #together(calls: Call[]): Promise<void> {
    const kind = STRENGTH.find((one) => calls.some((call) => call.kind === one))
    if (kind === undefined) return
    const max = this.#queue.maxValueBytes
    let told: Told | undefined
    let stop: Stop | undefined
    try {
      await this.#queue.transact(kind, (bytes) => {
        const rows = max === undefined ? bytes : new PartedRows(bytes, max)
        stop = undefined
        const stopped = (one: Stop): void => void (stop = one)
        if (this.#waits) return this.#later(calls, rows, stopped).then((all) => void (told = all))
        told = this.#atOnce(calls, rows, stopped)
        return undefined
      })
    } catch (error) {
      return await this.#again(calls, stop, error)
    }
    if (told === undefined) return await this.#again(calls, undefined, neverRan(kind))
    this.#known.commit()
    for (const { resolve, result } of calls) resolve(result)
    if (!told.wrote) return
    this.#changed(told.hint)
    try {
      this.#queue.tell?.(told.hint, kind)
    } catch {
      // A hint that cannot be given is one that was lost.
    }
  }

  /** The transaction was undone. */
  async #again(calls: Call[], stop: Stop | undefined, error: unknown): Promise<void> {
    if (stop === WAITS) {
      this.#waits = true
      return await this.#together(calls)
    }
    // Else it is the store that has failed, while a body was reading or writing.
    if (stop !== undefined && stop.error === error) {
      stop.call.reject(stop.error)
      return await this.#together(calls.filter((call) => call !== stop.call))
    }
    // What has no room must not keep others from theirs.
    if (calls.length > 1 && hasCode(error, 'QUOTA_EXCEEDED'))
      for (const call of calls) await this.#together([call])
    else for (const { reject } of calls) reject(error)
  }

  #atOnce(calls: readonly Call[], rows: ByteRows, stopped: (stop: Stop) => void): Told {
    const isUnchanged = this.#queue.isUnchanged?.()
    this.#known.begin(isUnchanged ?? false)
    const tx = this.#tx
    tx.begin(rows, isUnchanged === undefined ? undefined : this.#known)
    let hint: Hint | undefined
    for (const call of calls) {
      tx.hint = undefined
      try {
        call.result = call.body(tx)
      } catch (error) {
        stopped(error === WAITS ? WAITS : { call, error })
        throw error
      }
      hint = joinHints(hint, tx.hint)
    }
    return { wrote: tx.wrote, hint }
  }

  async #later(calls: readonly Call[], rows: ByteRows, stopped: (stop: Stop) => void): Promise<Told> {
    const reads = new LaterRows(rows)
    let running = calls[0]!
    const bodies = calls.map((call) => (tx: Transaction) => {
      running = call
      return call.body(tx)
    })
    try {
      const { results, writes, hint } = await rehearseTogether(reads, bodies)
      for (const [i, call] of calls.entries()) call.result = results[i]
      for (const write of writes) reads.write(write)
      return { wrote: writes.length > 0, hint }
    } catch (error) {
      stopped({ call: running, error })
      throw error
    }
  }

  now(): number {
    return this.#queue.now()
  }

  close(): void {
    this.#within.onClose()
    this.#queue.close?.()
  }

  watch(listener: (hint?: Hint) => void): () => void {
    const own = (hint?: Hint): void => listener(hint)
    this.#listeners.add(own)
    this.#unwatch ??= this.#queue.watch?.((hint) => this.#changed(hint))
    return () => {
      this.#listeners.delete(own)
      if (this.#listeners.size > 0) return
      this.#unwatch?.()
      this.#unwatch = undefined
    }
  }

  #changed(hint: Hint | undefined): void {
    for (const listener of this.#listeners) void Promise.resolve().then(() => listener(hint))
  }
}

/** A store that resolves without having run its body, or before that has ended, has stored nothing that anybody knows of. */
function neverRan(kind: Kind): QuaysideError {
  return new QuaysideError(
    'STORAGE_FAILED',
    `transact: the byte store resolved a transaction of kind ${kind} whose body has not run to its end. It must run the body, await what that returns, and commit`,
  )
}
