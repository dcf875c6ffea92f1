import { IndexedDBAdapter } from '../../../adapters/indexeddb/index.ts'
import { pick } from '../../fs/history.ts'
import { Failures, type FaultyStorage } from './backend.ts'

/**
 * IndexedDB, where this runs in a browser. What fails is what browsers do: calls throw because the connection is gone
 * or the disk is broken, the quota is used up, transactions are aborted, or are stored and said to be aborted.
 */
export const INDEXEDDB: FaultyStorage = {
  name: 'indexeddb',
  repeats: true,
  create(clock, random) {
    const failures = new Failures()
    const restore = watch(failures, random)
    const database = `faults-${crypto.randomUUID()}`
    let adapter: IndexedDBAdapter | undefined
    return Promise.resolve({
      async open() {
        await adapter?.close()
        return (adapter = new IndexedDBAdapter({ database, durability: 'relaxed', clock }))
      },
      fail: (every) => failures.fail(every),
      get faults() {
        return failures.faults
      },
      async destroy() {
        restore()
        await adapter?.close()
        indexedDB.deleteDatabase(database)
      },
    })
  },
}

/** Between two tries of the adapter. */
const MOST_PAUSE_MS = 500

type Call = (this: unknown, ...args: unknown[]) => unknown

/** Makes calls of IndexedDB fail; answers with what puts the real ones back. */
function watch(failures: Failures, random: () => number): () => void {
  const undo: (() => void)[] = []
  const replace = (prototype: object, name: string, make: (real: Call) => Call): void => {
    const methods = prototype as Record<string, Call>
    const real = methods[name]
    if (real === undefined) return
    methods[name] = make(real)
    undo.push(() => void (methods[name] = real))
  }
  // Pauses between tries pass at once, and count as if they had not.
  let skippedMs = 0
  replace(performance, 'now', (real) => () => (real.call(performance) as number) + skippedMs)
  replace(globalThis, 'setTimeout', (real) => (run, ms) => {
    const isPause = (ms as number) <= MOST_PAUSE_MS
    if (isPause) skippedMs += ms as number
    return real.call(globalThis, run, isPause ? 0 : ms)
  })
  const broken = (name: string): DOMException => new DOMException('injected', name)
  for (const name of ['get', 'getAll', 'getAllKeys', 'getAllRecords', 'count', 'put', 'delete']) {
    replace(IDBObjectStore.prototype, name, (real) => {
      return function (...args) {
        if (!failures.next()) return real.apply(this, args)
        const kinds = ['UnknownError', 'InvalidStateError', 'abort', 'QuotaExceededError']
        const kind = pick(random, name === 'put' ? kinds : kinds.slice(0, 3))
        if (kind !== 'abort') throw broken(kind)
        const request = real.apply(this, args)
        ;(this as IDBObjectStore).transaction.abort()
        return request
      }
    })
  }
  replace(IDBTransaction.prototype, 'commit', (real) => {
    return function () {
      real.apply(this)
      // Stored, but that is not what is told.
      if (failures.next()) (this as IDBTransaction).dispatchEvent(new Event('abort'))
    }
  })
  replace(IDBDatabase.prototype, 'transaction', (real) => {
    return function (...args) {
      if (failures.next()) throw broken('InvalidStateError')
      return real.apply(this, args)
    }
  })
  replace(IDBFactory.prototype, 'open', (real) => {
    return function (...args) {
      if (failures.next()) throw broken('UnknownError')
      return real.apply(this, args)
    }
  })
  return () => {
    for (const step of undo) step()
  }
}
