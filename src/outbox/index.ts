/**
 * **quayside/outbox**: HTTP requests that are stored first and sent until the server has accepted them.
 *
 * ```ts
 * import { Queue } from 'quayside'
 * import { Outbox } from 'quayside/outbox'
 *
 * const outbox = new Outbox(new Queue('outbox', { storage }))
 * outbox.start()
 * const response = await outbox.fetch('/api/notes', { method: 'POST', body: 'hello' })
 * ```
 *
 * @module
 */
export type { StoredState } from './answer.ts'
export type { OutboxEvent } from './events.ts'
export { isAttempt } from './mark.ts'
export type { BeforeHook, OutboxOptions, ParkedHook } from './options.ts'
export type {
  OutboxListOptions,
  OutboxRequestInit,
  Resolution,
  ResponseOptions,
  SettledOptions,
} from './init.ts'
export { Outbox } from './outbox.ts'
export { type Outcome, type OutcomePolicy, defaultOutcome } from './outcome.ts'
export { type OutboxPayload, type StoredRequest, storedRequest } from './request.ts'
export type { HeldDestination } from './rests.ts'
export type { AskOwner } from './session.ts'
export type { KeptAnswer } from './verdict.ts'
