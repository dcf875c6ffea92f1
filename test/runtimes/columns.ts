import type { Facility, Runtime } from './runtime.ts'

/** A storage, as the suite runs on it in every runtime that has what it needs. */
export interface Column {
  /** As the folder or file in `adapters/` is called, and the module in `test/conformance/factories`. */
  readonly adapter: string
  /** What it cannot do without. */
  readonly needs?: Facility
  /** What its factory is given, as JSON. */
  readonly options?: (runtime: Runtime) => object
  /** What a Worker is configured with: `env` with its bindings, `exports` with its Durable Objects. */
  readonly worker?: object
}

export const COLUMNS: readonly Column[] = [
  { adapter: 'memory' },
  {
    adapter: 'fs',
    needs: 'files',
    // The disk is the same everywhere, and waiting for it takes its time.
    options: ({ name }) => ({ durability: name === 'Node 24' ? 'fsync' : 'os' }),
  },
  { adapter: 'indexeddb', needs: 'indexedDB', options: () => ({ durability: 'relaxed' }) },
]
