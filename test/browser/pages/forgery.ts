import { IndexedDBAdapter } from '../../../adapters/indexeddb/index.ts'
import { type ForgedRow, GARBAGE, meetForgery } from '../../security/forgery.ts'

function answer<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.addEventListener('success', () => resolve(request.result))
    request.addEventListener('error', () => reject(request.error!))
  })
}

/** The rows of a queue in IndexedDB, as another page finds them. */
async function rowsIn(name: string): Promise<ForgedRow[]> {
  const database = await answer(indexedDB.open(name))
  const found: ForgedRow[] = []
  for (const [store, key] of [
    ['messages', 'n'],
    ['rows', 'k'],
    ['queue', undefined],
  ] as const) {
    const all = await answer(database.transaction(store).objectStore(store).getAll())
    for (const row of all as Record<string, unknown>[]) {
      found.push({
        name: `${store} ${JSON.stringify(row)}`,
        value: row,
        async put(value) {
          const again = await answer(indexedDB.open(name))
          try {
            const table = again.transaction(store, 'readwrite').objectStore(store)
            const forged = key === undefined ? value : { ...(value as object), [key]: row[key] }
            await answer(key === undefined ? table.put(forged, 0) : table.put(forged))
          } catch {
            // The browser takes no such row.
          }
          again.close()
        },
      })
    }
  }
  database.close()
  return found
}

const forgery = {
  meet(seed: number): Promise<string> {
    const database = `forged-${seed}`
    let ahead = 0
    return meetForgery(seed, {
      storage: new IndexedDBAdapter({
        database,
        durability: 'relaxed',
        clock: { now: () => Date.now() + ahead },
      }),
      garbage: [...GARBAGE, Number.NaN, undefined],
      jump: (ms) => void (ahead += ms),
      rows: () => rowsIn(`${database}/q`),
    })
  },
}

Object.assign(globalThis, { forgery })
