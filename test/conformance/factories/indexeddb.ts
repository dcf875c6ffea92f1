import { type IndexedDBOptions, IndexedDBAdapter } from '../../../adapters/indexeddb/index.ts'
import type { Steps } from '../../../adapters/indexeddb/engine/steps.ts'
import type { ConformanceFactory } from '../../../conformance/index.ts'

let databases = 0

/** Each storage in a database of its own. */
export function factory(
  { durability }: Pick<IndexedDBOptions, 'durability'>,
  steps?: Steps,
): ConformanceFactory {
  return {
    guarantees: new IndexedDBAdapter({ durability }).guarantees,
    create({ clock }) {
      const database = `conformance-${++databases}`
      const adapters: IndexedDBAdapter[] = []
      const open = (): IndexedDBAdapter => {
        const adapter = new IndexedDBAdapter({ database, durability, clock }, steps)
        adapters.push(adapter)
        return adapter
      }
      const close = (): Promise<unknown> => Promise.all(adapters.splice(0).map((adapter) => adapter.close()))
      return Promise.resolve({
        adapter: open(),
        second: () => Promise.resolve(open()),
        async reopen() {
          await close()
          return open()
        },
        async destroy() {
          await close()
          const all = await indexedDB.databases()
          const own = all.flatMap(({ name = '' }) => (name.split('/')[0] === database ? [name] : []))
          await Promise.all(own.map(deleted))
        },
      })
    },
  }
}

function deleted(database: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.deleteDatabase(database)
    request.addEventListener('success', () => resolve())
    request.addEventListener('error', () => reject(request.error!))
  })
}
