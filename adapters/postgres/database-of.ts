import { type EmbeddedPostgres, type PostgresPool, isEmbedded } from './client.ts'
import type { Database } from './database.ts'
import { EmbeddedDatabase } from './embedded.ts'
import { PoolDatabase } from './pool.ts'

export function databaseOf(given: PostgresPool | EmbeddedPostgres, timeoutMs: number): Database {
  return isEmbedded(given) ? new EmbeddedDatabase(given) : new PoolDatabase(given, timeoutMs)
}
