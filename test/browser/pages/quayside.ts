import * as indexeddb from '../../../adapters/indexeddb/index.ts'
import * as core from '../../../src/index.ts'

/** The package, for what tests evaluate in pages and workers. */
declare global {
  // oxlint-disable-next-line no-var -- The only way to declare a global.
  var quayside: typeof core & typeof indexeddb
}

Object.assign(globalThis, { quayside: { ...core, ...indexeddb } })
