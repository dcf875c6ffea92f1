import { invalid } from '../check.ts'
import {
  type ListedMessage,
  type MessageOptions,
  type MessageState,
  type Queue,
  edit as editMessage,
  hold,
  release,
} from '../core/lean/index.ts'
import type { OutboxRequestInit } from './init.ts'
import type { OutboxRules } from './options.ts'
import { isRequest } from './kinds.ts'
import { find } from './owned.ts'
import { type OutboxPayload, pack } from './request.ts'

/** An edit holds a lane this long at most, in ms. */
const HOLD_MS = 10_000

const NOBODY_HAS: readonly MessageState[] = ['ready', 'delayed', 'blocked']

/**
 * Has a message carry another request. Answers with the state in which it was found, `undefined` where nothing was changed.
 *
 * @param onlyParked Whether it must be parked.
 */
export async function edit(
  queue: Queue<OutboxPayload>,
  rules: OutboxRules,
  tried: string,
  id: string,
  input: Request,
  onlyParked: boolean,
): Promise<MessageState | undefined> {
  if (!isRequest(input)) throw invalid(tried, 'request must be a Request', input)
  const { payload } = await pack(tried, input, { replace: true }, rules, false)
  const found = await find(queue, id)
  if (found?.state === 'parked') {
    const { headers, maxAttempts } = found
    return (await editMessage(queue, id, payload, { headers, maxAttempts })) ? 'parked' : undefined
  }
  if (onlyParked || found === undefined) return undefined
  // With nothing of its lane handed out, it stays as it is until it is replaced.
  const { lane } = found
  await hold(queue, { lane, forMs: HOLD_MS, reason: 'an edit' })
  try {
    const message = await find(queue, id)
    if (message === undefined || !NOBODY_HAS.includes(message.state)) return undefined
    const options = optionsOf(message, rules)
    // Nobody wants it any more.
    if (options.expiresInMs! <= 0) return undefined
    await queue.createProducer().send(payload, options)
    return message.state
  } finally {
    await release(queue, { lane })
  }
}

/** Under which name a message says what no list tells of how it was stored. */
export const TERMS = 'quayside-terms'

interface Terms {
  /** In ms since 1970. */
  readonly expiresAt?: number | undefined
  readonly dedupeMs?: number | undefined
  readonly keepMs?: number | undefined
}

/** As text, for who edits a request: until when it may be sent, how long its id is known, and its response kept. */
export function termsOf(
  { expiresInMs, dedupeMs, keepResponse }: OutboxRequestInit,
  now: number,
): string | undefined {
  // What is no number is refused when it is sent.
  const terms = { expiresAt: expiresInMs && now + expiresInMs, dedupeMs, keepMs: keepResponse }
  const text = JSON.stringify(terms satisfies Terms)
  return text === '{}' ? undefined : text
}

function optionsOf(
  { id, key, lane, headers, maxAttempts, attempt, nextInMs, lastError }: ListedMessage<OutboxPayload>,
  { clock, keepResponse }: OutboxRules,
): MessageOptions & { readonly replace: true } {
  // One that was given back (it waits for its parent, or there was no network) has its place already.
  const delayMs = attempt === 0 && lastError === undefined ? nextInMs : undefined
  const { expiresAt, dedupeMs, keepMs = keepResponse } = JSON.parse(headers[TERMS] ?? '{}') as Terms
  const expiresInMs = expiresAt && expiresAt - clock.now()
  return { id, key, lane, headers, maxAttempts, delayMs, expiresInMs, dedupeMs, keepMs, replace: true }
}
