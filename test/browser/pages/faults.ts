import { runFaults } from '../../faults/support/driver.ts'
import { INDEXEDDB } from '../../faults/support/indexeddb.ts'

// Random histories with faults, on the IndexedDB of this browser.

Object.assign(globalThis, {
  faults: (options: Parameters<typeof runFaults>[1]) => runFaults(INDEXEDDB, options),
})
