// Quayside as its users get it: the built package, not the sources. main.ts builds it before anything runs.
import type { MemoryAdapter as Memory } from '../../adapters/memory.ts'
import type { SQLiteAdapter as SQLite } from '../../adapters/sqlite/index.ts'
import type { KeyValueAdapter as KeyValue } from '../../adapters/key-value/index.ts'
import type { RedisHttpAdapter as RedisHttp } from '../../adapters/redis-http/index.ts'
import type { PostgresAdapter as Postgres } from '../../adapters/postgres/index.ts'
import type { RedisAdapter as Redis } from '../../adapters/redis/index.ts'
import type { NodeFsAdapter as NodeFs } from '../../adapters/fs/index.ts'
import type { Queue as QueueClass } from '../../src/index.ts'

const dist = new URL('../../dist/', import.meta.url)

export const { Queue } = (await import(new URL('src/index.js', dist).href)) as { Queue: typeof QueueClass }
export const { MemoryAdapter } = (await import(new URL('adapters/memory.js', dist).href)) as {
  MemoryAdapter: typeof Memory
}
export const { NodeFsAdapter } = (await import(new URL('adapters/fs/index.js', dist).href)) as {
  NodeFsAdapter: typeof NodeFs
}
export const { SQLiteAdapter } = (await import(new URL('adapters/sqlite/index.js', dist).href)) as {
  SQLiteAdapter: typeof SQLite
}
export const { RedisAdapter } = (await import(new URL('adapters/redis/index.js', dist).href)) as {
  RedisAdapter: typeof Redis
}
export const { PostgresAdapter } = (await import(new URL('adapters/postgres/index.js', dist).href)) as {
  PostgresAdapter: typeof Postgres
}
export const { KeyValueAdapter } = (await import(new URL('adapters/key-value/index.js', dist).href)) as {
  KeyValueAdapter: typeof KeyValue
}
export const { RedisHttpAdapter } = (await import(new URL('adapters/redis-http/index.js', dist).href)) as {
  RedisHttpAdapter: typeof RedisHttp
}
