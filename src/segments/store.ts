import type { QuaysideError } from '../errors.ts'
import { type Hint, MAX_ANSWER_BYTES } from '../storage.ts'

/**
 * Contract 2: what a transactional storage engine must offer so that the segment engine can run on it.
 *
 * A store offers **strict serializability**: every transaction takes effect at one instant between its start and its
 * end, alone. In plain words: two transactions on one queue never see each other half done, in whatever process, tab or
 * worker they run, and once one has resolved, every later one sees what it wrote.
 *
 * A store knows nothing of messages, leases or groups. It keeps rows: a table, a key, a value. Write it once, about a
 * hundred lines, and the segment engine brings everything else. Where rows are bytes under bytes, {@link ByteStore} asks for less.
 */

/**
 * The tables of one queue. A store that must declare its tables beforehand declares these. The keys of one table are all numbers,
 * all strings, or all tuples, but for `ids`, which has numbers and strings; what stands under them is the engine's own, told in
 * `rows.ts`. The letter says what to expect of the values: `l`, each is one long body, gigabytes in all, read by its key when
 * it is delivered and for no other reason; `b`, they carry message bodies, so keep them out of memory; `s`,
 * they are small, and the rows of `state` are read and written by nearly every transaction.
 */
export const TABLES = {
  /** The log: one row per appended segment, keyed by the number of its last message. */
  log: 'b',
  /** Counters and positions: one row for the queue, one for each group. Next to the end of the log, where most transactions write, too. */
  state: 's',
  /** What has to happen in the queue at a time: delayed messages to deliver, messages to expire, ids to forget. */
  timers: 's',
  /** Delayed messages. */
  delayed: 'b',
  /** Messages of one group that left the fast path: they wait for a retry, or are leased again after one. */
  side: 'b',
  /** When each waiting message of `side`, or the head of a key in `chain`, is due. */
  due: 's',
  /** Messages of one group blocked behind an earlier message of their ordering key. */
  chain: 'b',
  /** Leases of one group that its row has no room for. */
  held: 's',
  /** Dead letters of one group. */
  dead: 'b',
  /** What messages ended with in one group, for as long as their senders have it kept. */
  results: 'b',
  /** Ids to find again: those that callers chose, what earlier messages of them have promised, and the moved positions of delayed messages. */
  ids: 's',
  /** Messages of the log that were cancelled, expired or replaced before every group had reached them. */
  amend: 'b',
  /** Lanes that have something: one row each. */
  lanes: 's',
  /** Lanes that may go, by group. */
  ready: 's',
  /** When to look at lanes that may not go, by group. */
  wake: 's',
  /** What is held. */
  holds: 's',
  /** Long bodies of the messages in the log, and of delayed ones. */
  bodies: 'l',
  /** Those of messages that one group has outside the log. */
  copies: 'l',
} as const

/** The name of a table of the engine. */
export type Table = keyof typeof TABLES

/**
 * The key of a row: a tuple of strings and numbers. A bare string or number is the same key as the tuple that holds only
 * it, so that the hottest keys (the log's) need no array.
 *
 * **Order**: element by element; a number before a string; numbers by value; strings by UTF-16 code unit, which is what
 * `<` does in JavaScript and what IndexedDB does; a tuple before every longer one that starts with it. Numbers are
 * finite, may have fractions, and are never `NaN` or `-0`. Strings may hold any code unit, lone surrogates and U+0000
 * included.
 */
export type Key = number | string | readonly (number | string)[]

/**
 * A stretch of one table, both ends included. No bound means: from the first row, to the last row.
 *
 * `upper` also takes in every key that starts with it: `{ lower: ['billing'], upper: ['billing'] }` is every row whose
 * key begins with `'billing'`, and `upper: ['billing', 5]` ends behind `['billing', 5, 'last']`.
 */
export interface KeyRange {
  readonly lower?: Key
  readonly upper?: Key
}

/** One row as a range returns it. */
export type Row<V> = readonly [key: Key, value: V]

/** One row to be read, or the first ones of a range. */
export type Read = readonly [table: Table, key: Key] | readonly [table: Table, range: KeyRange, limit: number]

/**
 * The view of one running transaction. It sees its own writes. It must not be used after its body ended.
 *
 * Reads answer at once. A store that has to wait for its rows runs its bodies with {@link rehearse}, which makes it look
 * so. Writes answer nothing: a write that fails makes the whole transaction fail. A store may hold writes back until the
 * body has ended.
 *
 * **Values** are structured-clonable plain data: `undefined`, `null`, booleans, finite numbers, strings, `Uint8Array`,
 * arrays, and objects of these. The engine never changes a value after it has put it or got it, so a store may keep and
 * hand out the very same object; nor may the store change it.
 */
export interface Transaction {
  /** The value of a row; `undefined` where there is none. */
  get<V>(table: Table, key: Key): V | undefined
  /** The first `limit` rows of a range in key order. Empty where there are none. */
  range<V>(table: Table, range: KeyRange, limit: number): readonly Row<V>[]
  /** How many rows a range has. The engine only asks it of ranges it knows to be short. */
  count(table: Table, range: KeyRange): number
  /**
   * Says what is going to be read, so that a store that has to wait for it waits once. Means nothing to one that does
   * not.
   */
  expect?(reads: readonly Read[]): void
  /** Writes a row, whether or not it exists. */
  put(table: Table, key: Key, value: unknown): void
  /** Removes a row; nothing happens where there is none. */
  delete(table: Table, key: Key): void
  /** Removes every row of a range. Should cost the same for one row and for a thousand. */
  deleteRange(table: Table, range: KeyRange): void
  /**
   * Says what those who watch are told besides, once the transaction has taken effect. Called once at most. A store that
   * cannot pass it on has no such method, or does nothing.
   */
  tell?(hint: Hint): void
}

/**
 * What a transaction is for, and with it what the store owes its caller.
 *
 * | kind | when `transact` resolves | when there is no room |
 * |---|---|---|
 * | `read` | once it ran; it writes nothing | works |
 * | `append` | once its writes are as durable as the store promises | rejects with `QUOTA_EXCEEDED`, nothing changed |
 * | `consume` | once its writes survive the end of this process; losing them to a power cut costs one more delivery, never a message | must still work, from space the store holds back for it |
 * | `remove` | as `append` | must still work, as `consume` |
 */
export type Kind = 'read' | 'append' | 'consume' | 'remove'

/**
 * How much the engine may put into a row, and into an answer. All are aims: a message alone may be larger. Bytes are counted
 * as those of `StorageStats.bytes`: one for each UTF-16 unit of a string.
 */
export interface StoreLimits {
  /** The most messages in one segment. Claims read whole segments. */
  readonly segmentMessages: number
  /** The most bytes in one segment. */
  readonly segmentBytes: number
  /** The most bytes of a body that stands in its message: a longer one has a row of its own. */
  readonly bodyBytes: number
  /** A claim or a page that has so many bytes takes no more messages. */
  readonly answerBytes: number
  /**
   * How many messages one transaction moves, buries or cleans up besides what it was called for, about; 4 KB count as one
   * more. What it leaves is left to the next, so that none takes long, however much is overdue.
   */
  readonly stepMessages: number
  /**
   * The most leases in the row of a group, which is written by each claim and settle. Others have rows of their own; where there
   * are some, the row has up to an eighth as many of those on one message.
   */
  readonly leases: number
  /**
   * A lease keeps what comes behind it in the log. When the group has moved on by so many messages or bytes, twice, it is
   * given a row of its own, and its message is taken out of the log.
   */
  readonly pinnedMessages: number
  /** As {@link pinnedMessages}, in bytes. */
  readonly pinnedBytes: number
}

/** Small segments, to be read for the sake of a few of their messages. */
export const DEFAULT_LIMITS: StoreLimits = {
  segmentMessages: 256,
  segmentBytes: 256 * 1024,
  bodyBytes: 64 * 1024,
  answerBytes: MAX_ANSWER_BYTES / 2,
  stepMessages: 1000,
  leases: 128,
  pinnedMessages: 1024,
  pinnedBytes: 1024 * 1024,
}

/** The rows of one queue. */
export interface QueueStore {
  /**
   * Runs `body` as one transaction and resolves with what it returned.
   *
   * All of its writes happen or none. Where the body throws or the commit fails, nothing is changed and the promise
   * rejects: with the body's own error, or with a `QuaysideError` of code `QUOTA_EXCEEDED`, `STORAGE_FAILED`,
   * `STORAGE_UNAVAILABLE`, `TIMEOUT` or `CLOSED`. A store may run a body again from its start, as long as the earlier run
   * left nothing behind: bodies do nothing but read and write rows, and do the same for the same rows.
   *
   * Transactions that one context starts take effect in the order of their calls.
   */
  transact<T>(kind: Kind, body: (tx: Transaction) => T): Promise<T>

  /**
   * The store's clock, in ms since 1970. All contexts on the same rows must read the same clock. It may jump: the engine
   * copes.
   */
  now(): number

  /**
   * Whether this context alone has had the rows since it opened them. Where `true`, whoever held a lease before is gone,
   * and the engine gives all leases up on opening instead of waiting for their end.
   */
  readonly soleOwner: boolean

  /**
   * Whether others put rows of `handOver` in transactions of their own: the engine then looks for them in each step, and
   * takes their messages into the queue. @defaultValue `false`
   */
  readonly hasInbox?: boolean | undefined

  /**
   * Whether a crash may undo the last `consume` transactions while those who called them live on, as one of a server may. Their
   * leases then must not be taken for later ones. @defaultValue `false`
   */
  readonly forgets?: boolean | undefined

  /** Where rows are billed one by one, or answers travel. @defaultValue {@link DEFAULT_LIMITS} */
  readonly limits?: StoreLimits | undefined

  /**
   * Calls `listener` after a transaction of this or of another context has changed rows of the queue; returns a function
   * that stops it. A hint: it may be late, spurious or lost; it brings what {@link Transaction.tell} was told, if the store
   * can pass that on. The same listener given twice is two watches. Absent where the store cannot tell.
   */
  watch?(listener: (hint?: Hint) => void): () => void

  /**
   * Nobody uses these rows through this object any more, and its transactions have ended: what is kept for it, other than
   * rows, may go. Whoever needs the queue again opens it again. Absent where nothing is kept.
   */
  close?(): void
}

/** A storage engine: one directory, database or memory that holds many queues. */
export interface TransactionalStore {
  /**
   * Opens the rows of one queue; a queue that does not exist is empty. The name is any string of 1 to 256 bytes of UTF-8.
   * Opening the same name twice gives two views of the same rows.
   */
  open(queue: string): Promise<QueueStore>
  /**
   * The names of the queues that have rows, sorted by UTF-16 code unit. Absent where the store cannot tell; the adapter then
   * declares `listsQueues: false`.
   */
  queues?(): Promise<string[]>
  /**
   * Why nothing can be done with it any more. What was under way rejects with it, and is not done again; with the next verb the
   * adapter opens another store in its place, which goes on with the leases that there are.
   */
  readonly failure?: QuaysideError | undefined
  /** Ends every queue of this store. Verbs under way finish first; later ones reject with `CLOSED`. Twice is once. */
  close(): Promise<void>
}

/**
 * Compares two keys in the order of {@link Key}: negative, zero or positive.
 *
 * @example
 * ```ts
 * rows.sort(([a], [b]) => compareKeys(a, b))
 * ```
 */
export function compareKeys(a: Key, b: Key): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b
  if (a === b) return 0
  if (typeof a === 'string' && typeof b === 'string') return a < b ? -1 : 1
  const left = typeof a === 'object' ? a : [a]
  const right = typeof b === 'object' ? b : [b]
  for (let i = 0; i < left.length && i < right.length; i++) {
    const x = left[i]!
    const y = right[i]!
    if (x === y) continue
    if (typeof x !== typeof y) return typeof x === 'number' ? -1 : 1
    return x < y ? -1 : 1
  }
  return left.length - right.length
}

/**
 * Whether `key` lies behind `upper`, which takes in every key that starts with it (see {@link KeyRange}).
 *
 * @example
 * ```ts
 * isBehind([2, 'b'], [2]) // false
 * isBehind([3], [2]) // true
 * ```
 */
export function isBehind(key: Key, upper: Key): boolean {
  if (typeof key === 'number' && typeof upper === 'number') return key > upper
  const left = typeof key === 'object' ? key : [key]
  const length = typeof upper === 'object' ? upper.length : 1
  return compareKeys(left.length > length ? left.slice(0, length) : left, upper) > 0
}
