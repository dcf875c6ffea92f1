import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type SQLiteOptions, SQLiteAdapter } from '../../../adapters/sqlite/index.ts'
import type { ConformanceFactory } from '../../../conformance/index.ts'

/** Each storage in a file of its own, with a connection for each instance. */
export function factory({ durability }: Pick<SQLiteOptions, 'durability'>): ConformanceFactory {
  return {
    guarantees: new SQLiteAdapter('unused', { durability }).guarantees,
    async create({ clock }) {
      const directory = await mkdtemp(join(tmpdir(), 'quayside-conformance-'))
      const adapters: SQLiteAdapter[] = []
      const open = (): SQLiteAdapter => {
        const adapter = new SQLiteAdapter(join(directory, 'queues.db'), { durability, clock })
        adapters.push(adapter)
        return adapter
      }
      const close = (): Promise<unknown> => Promise.all(adapters.splice(0).map((adapter) => adapter.close()))
      return {
        adapter: open(),
        second: () => Promise.resolve(open()),
        async reopen() {
          await close()
          return open()
        },
        async destroy() {
          await close()
          await rm(directory, { recursive: true, force: true })
        },
      }
    },
  }
}
