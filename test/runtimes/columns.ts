import { startPostgres } from '../postgres/support/server.ts'
import { startRedis } from '../redis/support/server.ts'
import { startFront } from '../redis-http/support/front.ts'
import type { Facility, Runtime } from './runtime.ts'

/** A storage, as the suite runs on it in every runtime that has what it needs. */
export interface Column {
  /** As the folder or file in `adapters/` is called, and the module in `test/conformance/factories`. */
  readonly adapter: string
  /** What it cannot do without. */
  readonly needs?: Facility
  /** What its factory is given, as JSON. */
  readonly options?: (runtime: Runtime) => object
  /** Starts what it needs besides, and says with which options that is found. */
  readonly start?: () => Promise<{ readonly options: object; stop(): Promise<void> }>
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
    async start() {
      const server = await startPostgres({ fsync: false })
      return { options: { url: server.url }, stop: () => server.stop() }
    },
  },
  {
    adapter: 'redis',
    needs: 'sockets',
    async start() {
      const server = await startRedis()
      return { options: { url: server.url }, stop: () => server.stop() }
    },
  },
  {
    adapter: 'redis-http',
    needs: 'requests',
    async start() {
      const server = await startRedis()
      const { url, token, stop } = await startFront(server.url)
      return {
        options: { url, token },
        async stop() {
          await stop()
          await server.stop()
        },
      }
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
