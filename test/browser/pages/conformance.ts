import { type IndexedDBOptions, IndexedDBAdapter } from '../../../adapters/indexeddb/index.ts'
import { type ConformanceFactory, conformanceCases } from '../../../src/conformance/index.ts'
import { checkHistories } from '../../conformance/check.ts'
import type { RemoteSuite } from '../../conformance/register.ts'

// What the tests of the conformance suite call, in a page or a worker.

let databases = 0

function factory(durability: NonNullable<IndexedDBOptions['durability']>): ConformanceFactory {
  return {
    guarantees: new IndexedDBAdapter({ durability }).guarantees,
    create({ clock }) {
      const database = `conformance-${++databases}`
      const adapters: IndexedDBAdapter[] = []
      const open = (): IndexedDBAdapter => {
        const adapter = new IndexedDBAdapter({ database, durability, clock })
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
          await new Promise<void>((resolve, reject) => {
            const request = indexedDB.deleteDatabase(database)
            request.addEventListener('success', () => resolve())
            request.addEventListener('error', () => reject(request.error!))
          })
        },
      })
    },
  }
}

const all = factory('relaxed')
const cases = conformanceCases(all)

const suite: RemoteSuite = {
  cases: () => Promise.resolve(cases.map(({ name, skip }) => ({ name, skip: skip ?? null }))),
  run: (index) =>
    cases[index]!.run().then(
      () => null,
      (error: unknown) => (error instanceof Error ? `${error.message}\n${error.stack}` : String(error)),
    ),
  histories: async (options) => (await checkHistories('indexeddb', all, options)) ?? null,
}

Object.assign(globalThis, { suite })
