import { Pool } from 'pg'
import { PostgresAdapter } from '../../../adapters/postgres/index.ts'
import type { ConformanceFactory } from '../../../conformance/index.ts'
import { Schemas } from '../../postgres/support/schemas.ts'

/** Storages on one server, each in a schema of its own, and on two pools. @param ownClock The server's; else that of the case. */
export function factory(
  { url }: { readonly url: string },
  { ownClock = false }: { readonly ownClock?: boolean } = {},
): ConformanceFactory {
  let pools: readonly [Pool, Pool] | undefined
  const schemas = new Schemas(url)
  return {
    guarantees: new PostgresAdapter(new Pool()).guarantees,
    realClock: ownClock,
    async create({ clock }) {
      pools ??= [new Pool({ connectionString: url }), new Pool({ connectionString: url })]
      const [one, two] = pools
      const schema = schemas.take()
      const adapters: PostgresAdapter[] = []
      const open = (pool: Pool): PostgresAdapter => {
        const adapter = new PostgresAdapter(pool, {
          schema,
          clock: ownClock ? undefined : clock,
        })
        adapters.push(adapter)
        return adapter
      }
      const close = (): Promise<unknown> => Promise.all(adapters.splice(0).map((adapter) => adapter.close()))
      return {
        adapter: open(one),
        second: () => Promise.resolve(open(two)),
        async reopen() {
          await close()
          return open(one)
        },
        async destroy() {
          await close()
          await schemas.give(schema)
        },
      }
    },
  }
}
