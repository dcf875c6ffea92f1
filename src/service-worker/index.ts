/**
 * **quayside/service-worker**: the outbox is emptied in the background, also when no page is open any more.
 *
 * @module
 */
export { type BackgroundSyncOptions, type SyncedOutbox, registerBackgroundSync } from './background-sync.ts'
export { isAttempt } from '../outbox/index.ts'
export { type RequestSyncOptions, requestSync } from './sync.ts'
