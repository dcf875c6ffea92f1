import type { Message, RetryPolicy } from 'quayside/core'
import type { Form } from './form.ts'

/** Nobody waits for an answer any more, so there is time: some ten minutes of tries. */
export const RETRY: RetryPolicy = { maxAttempts: 20, initialMs: 500, maxMs: 60_000 }

/** Hands one form to the downstream API. To throw is to try again later. */
export async function deliver(
  message: Message<Form>,
  downstream: string,
  signal?: AbortSignal,
): Promise<void> {
  const response = await fetch(downstream, {
    method: 'POST',
    // The same key on each attempt: a message may arrive twice, and the API can tell.
    headers: { 'content-type': 'application/json', 'idempotency-key': message.id },
    body: JSON.stringify(message.payload),
    ...(signal && { signal }),
  })
  await response.body?.cancel()
  if (response.ok) return
  const error = `${downstream} answered ${response.status}`
  if (response.status >= 400 && response.status < 500 && response.status !== 429)
    await message.reject({ reason: error })
  else throw new Error(error)
}
