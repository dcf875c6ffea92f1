import { QuaysideError } from '../../src/errors.ts'
import {
  type Key,
  type KeyRange,
  type Kind,
  type QueueStore,
  type Transaction,
  type TransactionalStore,
  compareKeys,
  isBehind,
} from '../../src/segments/index.ts'
import type { Hint } from '../../src/storage.ts'

/** How a store may break contract 2. */
export interface Flaw {
  /** Keys as it keeps them. */
  readonly kept?: (key: Key) => Key
  readonly compare?: (a: Key, b: Key) => number
  readonly behind?: (key: Key, upper: Key) => boolean
  readonly value?: (value: unknown) => unknown
  readonly commitsFailed?: boolean
  readonly wrapsErrors?: boolean
  /** Undoes what was called with one that fails. */
  readonly spoils?: boolean
  readonly readsFirst?: boolean
  readonly reversed?: boolean
  readonly blind?: 'get' | 'range' | 'count'
  readonly oneTable?: boolean
  readonly oneQueue?: boolean
  readonly caseless?: boolean
  readonly ignoresLimit?: boolean
  /** So many rows it answers with at most, whatever it is asked for. */
  readonly page?: number
  /** Deletes the row behind one that is not there. */
  readonly deletesNext?: boolean
  readonly stale?: boolean
  readonly tellsOnce?: boolean
  readonly tellsFor?: 'ever'
  readonly closes?: 'never' | 'hard'
  readonly unsorted?: boolean
}

type Rows = Map<string, readonly [key: Key, value: unknown]>

/** A plain store of contract 2: rows in a map, copied by each transaction, sorted by each range. With a flaw, if one is given. */
export function flawedStore(flaw: Flaw = {}): TransactionalStore {
  const {
    kept = (key) => key,
    compare = compareKeys,
    behind = isBehind,
    value: valueOf = (one) => one,
  } = flaw
  const queues = new Map<string, Rows>()
  const listeners = new Map<string, Set<(hint?: Hint) => void>>()
  let closed = false
  let calls: (() => void)[] = []
  let isBusy = false

  const nameOf = (queue: string): string =>
    flaw.oneQueue === true ? '' : flaw.caseless === true ? queue.toLowerCase() : queue

  function over(rows: Rows, before: Rows): Transaction {
    const id = (table: string, key: Key): string => {
      const one = kept(key)
      return JSON.stringify([flaw.oneTable === true ? '' : table, typeof one === 'object' ? one : [one]])
    }
    const seenBy = (verb: 'get' | 'range' | 'count'): Rows => (flaw.blind === verb ? before : rows)
    const matching = (of: Rows, table: string, { lower, upper }: KeyRange): Key[] =>
      [...of]
        .filter(([name]) => flaw.oneTable === true || name.startsWith(`["${table}"`))
        .map(([, [key]]) => key)
        .filter(
          (key) =>
            (lower === undefined || compare(key, kept(lower)) >= 0) &&
            (upper === undefined || !behind(key, kept(upper))),
        )
        .sort(compare)
    return {
      get: <V>(table: string, key: Key) => seenBy('get').get(id(table, key))?.[1] as V | undefined,
      range: <V>(table: string, range: KeyRange, limit: number) =>
        matching(seenBy('range'), table, range)
          .slice(0, flaw.ignoresLimit === true ? undefined : Math.min(limit, flaw.page ?? limit))
          .map((key) => [key, seenBy('range').get(id(table, key))![1] as V] as const),
      count: (table, range) => matching(seenBy('count'), table, range).length,
      put: (table, key, value) => {
        const one = kept(key)
        const bare = typeof one === 'object' && one.length === 1 ? one[0]! : one
        rows.set(id(table, key), [bare, valueOf(value)])
      },
      delete: (table, key) => {
        const [next] = flaw.deletesNext === true ? matching(rows, table, { lower: key }) : [key]
        if (next !== undefined) rows.delete(id(table, next))
      },
      deleteRange: (table, range) => {
        for (const key of matching(rows, table, range)) rows.delete(id(table, key))
      },
    }
  }

  const work = (): void => {
    isBusy = false
    const now = flaw.reversed === true ? calls.toReversed() : calls
    calls = []
    for (const call of now) call()
  }

  return {
    async open(queue): Promise<QueueStore> {
      const name = nameOf(queue)
      const own: Set<(hint?: Hint) => void> = listeners.get(name) ?? new Set()
      listeners.set(name, own)
      if (!queues.has(name)) queues.set(name, new Map())
      let old: Rows | undefined
      return {
        soleOwner: false,
        now: () => Date.now(),
        transact: <T>(kind: Kind, body: (tx: Transaction) => T) =>
          new Promise<T>((resolve, reject) => {
            const run = (): void => {
              if (closed && flaw.closes !== 'never') return reject(new QuaysideError('CLOSED', 'closed'))
              const before = queues.get(name)!
              old ??= before
              const rows: Rows = new Map(flaw.stale === true ? old : before)
              try {
                const result = body(over(rows, before))
                if (kind !== 'read') {
                  queues.set(name, rows)
                  const told = flaw.tellsOnce === true ? [...own].slice(0, 1) : [...own]
                  for (const listener of told) queueMicrotask(() => listener())
                }
                resolve(result)
              } catch (error) {
                if (flaw.commitsFailed === true) queues.set(name, rows)
                if (flaw.spoils === true) queues.set(name, new Map([...before].slice(0, -1)))
                reject(flaw.wrapsErrors === true ? new Error('failed', { cause: error }) : error)
              }
            }
            if (closed && flaw.closes !== 'never') return reject(new QuaysideError('CLOSED', 'closed'))
            if (flaw.readsFirst === true && kind === 'read') return run()
            calls.push(run)
            if (!isBusy) queueMicrotask(work)
            isBusy = true
          }),
        watch: (listener) => {
          const mine = flaw.tellsOnce === true ? listener : (hint?: Hint) => listener(hint)
          own.add(mine)
          return () => void (flaw.tellsFor === 'ever' || own.delete(mine))
        },
      }
    },
    async queues() {
      const names = [...queues].flatMap(([name, rows]) => (rows.size === 0 ? [] : [name]))
      return flaw.unsorted === true ? names.sort().reverse() : names.sort()
    },
    async close() {
      if (flaw.closes !== 'hard') work()
      closed = true
    },
  }
}
