import type { Database } from './database.ts'
import { bytesLiteral, identifier, textLiteral } from './literals.ts'

const encoder = new TextEncoder()

/** The names of what is in the schema. */
export interface Names {
  readonly schema: string
  readonly rows: string
  readonly done: string
  readonly place: string
}

export function namesOf(schema: string): Names {
  const own = identifier(schema)
  return { schema, rows: `${own}.rows`, done: `${own}.done`, place: `${own}.place` }
}

/** What the lock of something is called. */
export function lockOf({ schema }: Names, what: Uint8Array | string = ''): string {
  const bytes = typeof what === 'string' ? encoder.encode(what) : what
  const name = new Uint8Array([...encoder.encode(schema), 0, ...bytes])
  return `pg_advisory_xact_lock(hashtextextended(encode(${bytesLiteral(name)}, 'hex'), 0))`
}

/**
 * The tables.
 *
 * | table | |
 * |---|---|
 * | `rows` | all rows of all queues: the name of the queue in UTF-8, and the key, in the order of bytes. Each step writes rows anew that it wrote before, for which there is room in their pages |
 * | `done` | messages whose effects were committed: see `once.ts` |
 * | `place` | what tells this database from others |
 */
function statements({ rows, done, place }: Names): string[] {
  return [
    `CREATE TABLE IF NOT EXISTS ${rows} (queue bytea, key bytea, value bytea NOT NULL, PRIMARY KEY (queue, key)) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0, toast.autovacuum_vacuum_scale_factor = 0.02, toast.autovacuum_vacuum_cost_delay = 0)`,
    `CREATE TABLE IF NOT EXISTS ${done} (message bytea PRIMARY KEY, until timestamptz NOT NULL)`,
    `CREATE INDEX IF NOT EXISTS done_until ON ${done} (until)`,
    `CREATE TABLE IF NOT EXISTS ${place} (id uuid NOT NULL)`,
    `INSERT INTO ${place} SELECT gen_random_uuid() WHERE NOT EXISTS (SELECT FROM ${place})`,
  ]
}

/** Makes what is not there, and answers with what tells this database from others. Who may not make tables may use them. */
export async function ensureSchema(database: Database, names: Names): Promise<string> {
  const schema = identifier(names.schema)
  const [[found] = []] = await database.run([
    `SELECT to_regclass(${textLiteral(names.place)}), to_regnamespace(${textLiteral(schema)})`,
  ])
  if (found?.[0] === null) {
    // Even where it is there, who may not make one may not say this.
    const making = found[1] === null ? [`CREATE SCHEMA IF NOT EXISTS ${schema}`] : []
    const session = database.begin(false)
    try {
      // Those that make the same tables at once get in each other's way.
      await session.run([`SELECT ${lockOf(names)}`])
      await session.commit([...making, ...statements(names)])
    } catch (error) {
      await session.rollback()
      throw error
    }
  }
  const [[place] = []] = await database.run([`SELECT id::text FROM ${names.place}`])
  return String(place?.[0])
}
