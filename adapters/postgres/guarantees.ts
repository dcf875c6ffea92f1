import type { ByteGuarantees } from '../../src/segments/index.ts'
import { type EmbeddedPostgres, type PostgresPool, isEmbedded } from './client.ts'

/** What is stored together is one text on its way, twice as long as its bytes. */
const LIMITS = { maxBodyBytes: 64 * 1024 * 1024, maxBatchBytes: 128 * 1024 * 1024 }

export function guaranteesOf(database: PostgresPool | EmbeddedPostgres): ByteGuarantees {
  if (!isEmbedded(database)) return { name: 'postgres', durability: 'disk', sharedBy: 'network', ...LIMITS }
  const isInMemory = database.dataDir === undefined || database.dataDir.startsWith('memory:')
  return { name: 'pglite', durability: isInMemory ? 'none' : 'process', sharedBy: 'process', ...LIMITS }
}
