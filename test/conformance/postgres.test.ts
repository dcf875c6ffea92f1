import { PGlite } from '@electric-sql/pglite'
import { Pool } from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { PostgresAdapter } from '../../adapters/postgres/index.ts'
import { databaseOf } from '../../adapters/postgres/database-of.ts'
import { namesOf } from '../../adapters/postgres/schema.ts'
import { PostgresStore } from '../../adapters/postgres/store.ts'
import {
  type ConformanceFactory,
  type StoreFactory,
  conformanceCases,
  runHistory,
  storeCases,
} from '../../conformance/index.ts'
import { type TransactionalStore, transactional } from '../../src/segments/index.ts'
import { Schemas } from '../postgres/support/schemas.ts'
import { type PostgresServer, startPostgres } from '../postgres/support/server.ts'
import { WALL_CLOCK } from '../support/wall-clock.ts'
import { factory } from './factories/postgres.ts'
import { registerCases, registerConformance, registerHistories } from './register.ts'

let server: PostgresServer
let onServer: ConformanceFactory
let onItsClock: ConformanceFactory
let schemas: Schemas
beforeAll(async () => {
  // What a kill leaves is tested elsewhere.
  server = await startPostgres({ fsync: false })
  schemas = new Schemas(server.url)
  onServer = factory(server)
  onItsClock = factory(server, { ownClock: true })
})
afterAll(() => server.stop())

/** The server is there once a case runs. */
const later = (which: () => ConformanceFactory, realClock = false): ConformanceFactory => ({
  guarantees: new PostgresAdapter(new Pool()).guarantees,
  realClock,
  create: (context) => which().create(context),
})

// The engine is that of files, whose cases all run; histories find what is not.
registerConformance(
  'postgres',
  later(() => onServer),
  { quick: 'core' },
)
registerHistories(
  'postgres',
  later(() => onServer),
  { runs: { quick: 10, full: 2000 }, lanes: 5 },
)
registerCases(
  "postgres on the server's own clock",
  conformanceCases(later(() => onItsClock, true)).filter(({ name }) => /^(backend|leases|retry):/.test(name)),
  WALL_CLOCK,
)

// Of each ms eight seconds: a busy machine has time for a step in an eighth of that.
test("a history on the server's own clock is as the model permits", WALL_CLOCK, async () => {
  const claim = {
    verb: 'claim',
    view: 0,
    group: 0,
    limit: 20,
    leaseMs: 2,
    from: 'earliest',
    settle: [],
  } as const
  const messages = [{ delayMs: 1 }, { expiresInMs: 3 }, {}]
  const steps = [
    { verb: 'append', view: 1, messages },
    claim,
    { verb: 'advance', ms: 1 },
    claim,
    { verb: 'advance', ms: 1 },
    { ...claim, view: 1, settle: [{ receipt: 0, kind: 'ack', ms: 0 }] },
    { verb: 'advance', ms: 1 },
    claim,
  ] as const
  await expect(runHistory(onItsClock, steps, { scale: 8000 })).resolves.toBeUndefined()
})

const stores: StoreFactory = {
  async create() {
    const pool = new Pool({ connectionString: server.url })
    const schema = schemas.take()
    const open = async (): Promise<TransactionalStore> =>
      transactional(
        await PostgresStore.open(databaseOf(pool, 30_000), namesOf(schema), { timeoutMs: 30_000 }),
      )
    let store = await open()
    let other: TransactionalStore | undefined
    return {
      store,
      second: async () => (other = await open()),
      async reopen() {
        await store.close()
        return (store = await open())
      },
      async destroy() {
        await other?.close()
        await store.close()
        await pool.end()
        await schemas.give(schema)
      },
    }
  },
}

describe('PostgreSQL keeps contract 2', () => {
  // oxlint-disable-next-line vitest/expect-expect, vitest/valid-title -- Cases throw, and bring their names.
  for (const { name, run } of storeCases(stores)) test(name, run)
})

/** One database in this process for all: each takes longer to start than a case. */
let embedded: PGlite | undefined
let count = 0
const onPGlite: ConformanceFactory = {
  guarantees: new PostgresAdapter({
    exec: () => Promise.reject(new Error('it is not there')),
    transaction: () => Promise.reject(new Error('it is not there')),
    listen: () => Promise.reject(new Error('it is not there')),
  }).guarantees,
  async create({ clock }) {
    embedded ??= await PGlite.create()
    const postgres = embedded
    const schema = `case ${++count}`
    const adapters: PostgresAdapter[] = []
    const open = (): PostgresAdapter => {
      const adapter = new PostgresAdapter(postgres, { schema, clock })
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
        await postgres.exec(`DROP SCHEMA IF EXISTS "${schema}" CASCADE`)
      },
    }
  },
}
afterAll(() => embedded?.close())

registerConformance('postgres in this process, PGlite', onPGlite, { quick: 'first' })
