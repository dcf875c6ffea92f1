/**
 * **quayside/view**: what a queue or an outbox has, as plain state for user interfaces.
 *
 * ```ts
 * import { Queue } from 'quayside'
 * import { queueView } from 'quayside/view'
 *
 * const view = queueView(new Queue('orders'))
 * const stop = view.subscribe(() => console.log(view.getSnapshot().messages))
 * stop()
 * ```
 *
 * @module
 */
export type { Loaded, View } from './live.ts'
export { type OutboxItem, type OutboxState, type OutboxView, outboxView } from './outbox.ts'
export { type QueueState, type QueueView, queueView } from './queue.ts'
