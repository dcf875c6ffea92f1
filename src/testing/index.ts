/**
 * **quayside/testing**: time that you move, waiting until a queue is idle, what was sent, and a server for an outbox. For any test
 * runner; nothing else in quayside imports it.
 *
 * ```ts
 * import { Queue } from 'quayside'
 * import { ManualClock, expectSent, idle, recordSent } from 'quayside/testing'
 *
 * const clock = new ManualClock()
 * const queue = new Queue<string>('mails', { clock })
 * const sent = recordSent(queue)
 * await queue.createProducer().send('hello')
 * expectSent(sent, { payload: 'hello' })
 * await queue.createConsumer().drain(async () => undefined)
 * await idle(queue)
 * ```
 *
 * @module
 */
export { type Answer, FakeDestination, type FakeRequest } from './destination.ts'
export { type IdleOptions, idle } from './idle.ts'
export { ManualClock } from './manual-clock.ts'
export type { Pattern } from './pattern.ts'
export { type SentMessage, expectSent, recordSent } from './sent.ts'
