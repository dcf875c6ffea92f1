import { throwIfAborted } from '../aborts.ts'
import { type ErrorCode, QuaysideError, errorText, hasCode } from '../errors.ts'
import { serversAnswer } from './answer.ts'
import { attempt } from './attempt.ts'
import type { Events } from './events.ts'
import { GROUP } from './lanes.ts'
import type { OutboxRules } from './options.ts'
import { UNSTORED } from './outcome.ts'
import { storedRequest, unpack } from './request.ts'
import type { Waiter } from './waiter.ts'

/** What a request is sent in spite of, once: that it cannot be stored is no reason not to send it. */
const NO_ROOM: readonly ErrorCode[] = [
  'TOO_LARGE',
  'QUOTA_EXCEEDED',
  'STORAGE_FAILED',
  'STORAGE_UNAVAILABLE',
  'TIMEOUT',
]

/**
 * Sends a request once that could not be stored, and answers with the server's response, which says so. Rejects with why it could
 * not be stored if there is no response, or if it could not be sent now anyhow.
 */
export async function passThrough(
  error: unknown,
  { id, packed }: Waiter,
  rules: OutboxRules,
  events: Events,
): Promise<Response> {
  if (packed === undefined || !NO_ROOM.some((code) => hasCode(error, code))) throw error
  const { payload, tooLong, omitted, signal } = packed
  events.emit({ type: UNSTORED, id, reason: errorText(error) })
  const stored = storedRequest(payload)
  const request = unpack(tooLong ? { ...stored, body: tooLong } : stored, id)
  for (const [name, value] of omitted) request.headers.set(name, value)
  const message = {
    id,
    payload,
    headers: {},
    attempt: 1,
    maxAttempts: 1,
    timestamp: rules.clock.now(),
    group: GROUP,
  }
  const once = { ...rules, outcome: () => 'accepted' as const }
  const { response } = await attempt(request, message as never, once, signal)
  throwIfAborted(signal)
  if (response === undefined) throw error
  return serversAnswer(id, UNSTORED, response)
}

export function leadsBack(tried: string): QuaysideError {
  return new QuaysideError(
    'INVALID_ARGUMENT',
    `${tried}: this is an outbox's own attempt; let it go to the network, see isAttempt`,
  )
}
