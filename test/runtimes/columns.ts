import type { Facility, Runtime } from './runtime.ts'
import type { Servers } from '../support/servers.ts'

/** A storage, as the suite runs on it in every runtime that has what it needs. */
export interface Column {
  /** As the folder or file in `adapters/` is called, and the module in `test/conformance/factories`. */
  readonly adapter: string
  /** What it cannot do without. */
  readonly needs?: Facility
  /** What its factory is given, as JSON. */
  readonly options?: (runtime: Runtime) => object
  /** Which of the servers it needs, and with which options a cell finds its place there. */
  readonly place?: (servers: Servers) => Promise<object>
  /** What a Worker is configured with: `env` with its bindings, `exports` with its Durable Objects. */
  readonly worker?: object
}

export const COLUMNS: readonly Column[] = [
  { adapter: 'memory' },
  { adapter: 'key-value' },
  {
    adapter: 'fs',
    needs: 'files',
    // The disk is the same everywhere, and waiting for it takes its time.
    options: ({ name }) => ({ durability: name === 'Node 24' ? 'fsync' : 'os' }),
  },
  { adapter: 'sqlite', needs: 'sqlite', options: () => ({ durability: 'normal' }) },
  {
    adapter: 'postgres',
    needs: 'sockets',
    async place(servers) {
      const { createDatabase } = await servers.postgres()
      return { url: await createDatabase(crypto.randomUUID()) }
    },
  },
  {
    adapter: 'redis',
    needs: 'sockets',
    // Each storage has a prefix of its own.
    place: async (servers) => ({ url: (await servers.redis()).url }),
  },
  {
    adapter: 'redis-http',
    needs: 'requests',
    async place(servers) {
      const { url, token } = await servers.front()
      return { url, token }
    },
  },
  { adapter: 'cloudflare-kv', needs: 'bindings', worker: { env: { KV: { type: 'kv', id: 'KV' } } } },
  {
    adapter: 'durable-object',
    needs: 'bindings',
    worker: {
      env: { QUEUE: { type: 'durable-object', worker: 'conformance', exportName: 'SuiteObject' } },
      exports: { SuiteObject: { type: 'durable-object', storage: 'sqlite' } },
    },
  },
  { adapter: 'indexeddb', needs: 'indexedDB', options: () => ({ durability: 'relaxed' }) },
]
