import type { QuaysideError } from '../../errors.ts'
import type { Hint } from '../../storage.ts'
import type { Kind, StoreLimits } from '../store.ts'

/**
 * The byte store: the least that a storage must offer, in 40 to 60 lines, to be a storage of queues. It keeps bytes under
 * bytes, in the order of their keys, and has transactions. The package brings the rest: what the keys and values mean, the order
 * of calls, many calls in one transaction, who is told of changes, and what is closed. {@link ByteAdapter} makes a storage of it.
 *
 * It need not know anything of queues, messages or leases.
 */
export interface ByteStore {
  /** Opens the rows of one queue; one that does not exist is empty. The name is any string of 1 to 256 bytes of UTF-8. */
  open(queue: string): Promise<ByteQueue> | ByteQueue
  /** The names of the queues that have rows, in any order. Absent where the store cannot tell. */
  queues?(): Promise<readonly string[]> | readonly string[]
  /**
   * Set once nothing can be done with it any more, with what its verbs reject from then on: see
   * {@link TransactionalStore.failure}. The adapter opens another one.
   */
  readonly failure?: QuaysideError | undefined
  /** Lets go of what it holds. Called once, when no transaction runs and none will come. */
  close(): Promise<void> | void
}

/** The rows of one queue: one space of keys. */
export interface ByteQueue {
  /**
   * Runs `body` in one transaction, alone (serializable) among all that work on the rows of this queue, in whatever process,
   * and resolves when the transaction has ended as its kind asks: see {@link Kind}. Where the body throws or rejects, nothing
   * is changed and this rejects with the very same error; where a read or a
   * write of its own threw, in place of that with what it means. Where the transaction could not begin because others were in the way, it
   * may run the body again, as long as the run before left nothing behind.
   *
   * Nothing else is called on this object meanwhile, and the next transaction begins when this one has ended. `read` bodies write nothing.
   *
   * It rejects with a {@link QuaysideError}: `QUOTA_EXCEEDED` where there is no room and nothing was changed; `STORAGE_UNAVAILABLE`
   * where nothing was changed and a later try may work; `STORAGE_FAILED` where the commit may or may not have happened.
   */
  transact(kind: Kind, body: (rows: ByteRows) => Promise<void> | void): Promise<void> | void
  /** The clock that all who work on these rows share, in ms since 1970. It is read once a verb, inside of its body. It may jump. */
  now(): number
  /** Whether nobody else has had the rows since they were opened: leases of before are given up then. @defaultValue `false` */
  readonly soleOwner?: boolean | undefined
  /** See {@link QueueStore.hasInbox}. @defaultValue `false` */
  readonly hasInbox?: boolean | undefined
  /** See {@link QueueStore.forgets}. @defaultValue `false` */
  readonly forgets?: boolean | undefined
  /**
   * The longest value that it can hold, in bytes, from 100 on: 100,000 in FoundationDB. A longer one is kept in parts, under keys of their own, which
   * are 6 bytes longer and begin with 255; each write then removes a range, too. Rows come back whole, so `scan` and `get` may be called
   * again before a promise of theirs has resolved. @defaultValue values are as long as messages are, and up to 256 KiB of them lie in one
   */
  readonly maxValueBytes?: number | undefined
  /**
   * Whether nobody else has changed rows since this was asked before, which is known at once. Asked at the start of each transaction, in its body:
   * what the one before has read or written need not be read again then. `undefined`, as if it were absent: the store cannot tell.
   */
  isUnchanged?(): boolean | undefined
  /**
   * Whether `put` has its own copy of a value when it returns: what comes next is then written into the same memory.
   * @defaultValue `false`
   */
  readonly copies?: boolean | undefined
  /** Where rows are billed one by one, or answers travel. @defaultValue {@link DEFAULT_LIMITS} */
  readonly limits?: StoreLimits | undefined
  /**
   * Calls `listener` after others, elsewhere, have changed rows; returns a function that stops it. A hint: late, spurious and lost
   * ones do no harm. Called at most once at a time. Absent where the store cannot tell: then idle consumers elsewhere look again
   * within 30 s. Those who work with this very object are told by the package.
   */
  watch?(listener: (hint?: Hint) => void): () => void
  /**
   * Tells those who watch elsewhere that rows have changed. Called after a transaction that wrote, with its kind: somebody may wait for
   * what an `append` or a hint brings.
   */
  tell?(hint: Hint | undefined, kind: Kind): void
  /** Nobody uses the rows through this object any more. */
  close?(): void
}

/** One row. */
export type ByteRow = readonly [key: Uint8Array, value: Uint8Array]

/**
 * The rows, in a transaction, which sees its own writes. Reads answer at once, or all of them with promises. The writes answer nothing: what
 * fails makes the transaction fail. Bytes that are given or answered are never changed by anybody (but see {@link ByteQueue.copies}).
 *
 * Keys are compared byte by byte, as unsigned numbers; one that is the start of another comes before it.
 */
export interface ByteRows {
  /** The value of a key; nothing where there is none. */
  get(key: Uint8Array): Answer<Uint8Array | null | undefined>
  /** The first `limit` rows from `from` on, and before `to`, in the order of their keys. */
  scan(from: Uint8Array, to: Uint8Array, limit: number): Answer<Iterable<ByteRow>>
  /** Writes a row, whether or not it exists. */
  put(key: Uint8Array, value: Uint8Array): void
  /** Removes a row; nothing happens where there is none. */
  delete(key: Uint8Array): void
  /** Removes all rows from `from` on, and before `to`. */
  deleteRange(from: Uint8Array, to: Uint8Array): void
}

/** What is there at once, or comes. */
export type Answer<T> = T | PromiseLike<T>
