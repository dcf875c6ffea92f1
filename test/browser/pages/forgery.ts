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
  ] as const) {
    const all = await answer(database.transaction(store).objectStore(store).getAll())
    for (const row of all as Record<string, unknown>[]) {
      found.push({
        name: `${store} ${JSON.stringify(row)}`,
        value: row,
        async put(value) {
          const again = await answer(indexedDB.open(name))
          try {
            const forged = { ...(value as object), [key]: row[key] }
            await answer(again.transaction(store, 'readwrite').objectStore(store).put(forged))
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
      async populate(queue, consumer) {
        const producer = queue.createProducer()
        await producer.sendBatch(
          [1, 2, 3, 4, 5, 6].map((payload) => ({
            payload,
            ...(payload % 2 === 1 && { key: 'k', headers: { a: 'b' } }),
            ...(payload === 4 && { id: 'four', keepMs: 60_000 }),
            ...(payload === 6 && { lane: 'a' }),
          })),
        )
        await producer.send('delayed', { delayMs: 1000, expiresInMs: 5000 })
        const [retried, rejected, parked] = await consumer.receiveBatch(4)
        await retried!.nack({ delayMs: 500 })
        await rejected!.reject()
        await parked!.park({ reason: 'looked at' })
        await queue.hold({ group: 'g', lane: 'b', forMs: 15_000 })
        await producer.sendBatch(
          [7, 8, 9].map((payload) => ({ payload, ...(payload === 9 && { lane: 'b' }) })),
        )
      },
      rows: () => rowsIn(`${database}/q`),
    })
  },
}

Object.assign(globalThis, { forgery })
