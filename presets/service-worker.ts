/** All that a service worker needs, in one script: `quayside.sw.js`, for `importScripts`, as the global `quayside`. */
export { IndexedDBAdapter } from '../adapters/indexeddb/index.ts'
export { Queue } from '../src/core/index.ts'
export { Outbox, defaultOutcome, isAttempt } from '../src/outbox/index.ts'
export { registerBackgroundSync } from '../src/service-worker/index.ts'
