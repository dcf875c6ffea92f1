import { byteLength, checkSize, checkText, invalid } from '../check.ts'
import { encode } from './codec.ts'
import type { Context } from './context.ts'
import type { MessageOptions } from './message-options.ts'
import { validate } from './schema.ts'
import type { Body, Held, NewMessage, VerbsAtOnce } from '../storage.ts'

/** A message that is about to be stored. */
export type Draft = NewMessage<Held>

/** What {@link prepare} takes. */
type Given<T> = readonly [
  context: Context<T>,
  tried: string,
  payload: T,
  options: MessageOptions | undefined,
  headers: MessageOptions['headers'],
]

/**
 * Checks and encodes a message, before anything of it is stored.
 *
 * @param values Takes it, if it need not be encoded.
 */
export function prepare<T>(...given: Given<T>): NewMessage | Promise<NewMessage>
export function prepare<T>(
  ...given: readonly [...Given<T>, values: VerbsAtOnce['copyOf'] | undefined]
): Draft | Promise<Draft>
export function prepare<T>(
  context: Context<T>,
  tried: string,
  payload: T,
  options: MessageOptions | undefined,
  headers: MessageOptions['headers'],
  values?: VerbsAtOnce['copyOf'],
): Draft | Promise<Draft> {
  const { schema, keepMs: usually } = context.options
  if (options !== undefined) checkTogether(context, tried, options)
  if (headers !== undefined) checkHeaders(context, tried, headers)
  const keepMs = (options?.keepMs ?? usually) || undefined
  // Now, since its sender may change it later.
  const kept = headers && Object.freeze({ ...headers })
  if (schema === undefined) return encoded(context, tried, payload, options, kept, keepMs, values)
  // What is stored is the payload as it was given: the schema makes of it what it does when it is received.
  const checked = validate(tried, schema, payload)
  const start = (): Draft | Promise<Draft> => encoded(context, tried, payload, options, kept, keepMs, values)
  if (!(checked instanceof Promise)) return start()
  // Encoded before the schema has answered: until then its sender may change it.
  const message = new Promise<Draft>((resolve) => resolve(start()))
  // If the schema refuses it, nobody asks.
  message.catch(() => undefined)
  return checked.then(() => message)
}

function encoded<T>(
  context: Context<T>,
  tried: string,
  payload: T,
  options: MessageOptions | undefined,
  headers: MessageOptions['headers'],
  keepMs: number | undefined,
  values: VerbsAtOnce['copyOf'] | undefined,
): Draft | Promise<Draft> {
  const value = values?.(payload)
  if (value !== undefined) return messageOf(value, options, headers, keepMs)
  const body = encode(tried, context.options.codec, payload)
  const finish = (ready: Body): NewMessage => {
    checkBody(context, tried, ready)
    return messageOf(ready, options, headers, keepMs)
  }
  return body instanceof Promise ? body.then(finish) : finish(body)
}

function messageOf<B>(
  body: B,
  options: MessageOptions = {},
  headers: MessageOptions['headers'],
  keepMs: number | undefined,
): NewMessage<B> {
  const { id, key, lane, delayMs, expiresInMs, maxAttempts, replace, maxDelayMs, dedupeMs } = options
  // All of them have all fields, so that engines know them as one kind.
  return {
    body,
    id,
    key,
    lane,
    headers,
    delayMs,
    expiresInMs,
    maxAttempts,
    replace,
    maxDelayMs,
    keepMs,
    dedupeMs,
  }
}

/** What the options must be together, and what the storage can do. */
function checkTogether<T>(context: Context<T>, tried: string, options: MessageOptions): void {
  const {
    id,
    key,
    lane,
    delayMs = 0,
    expiresInMs = Infinity,
    replace,
    maxDelayMs,
    keepMs,
    dedupeMs,
  } = options
  if (lane !== undefined) context.require(tried, 'lanes')
  if (keepMs) context.require(tried, 'results')
  if (key !== undefined) context.require(tried, 'orderingKeys')
  if (id !== undefined && (key ?? lane) !== undefined) context.require(tried, 'idsWithKeys')
  if (expiresInMs <= delayMs)
    throw invalid(tried, `expiresInMs must be more than delayMs (${delayMs})`, expiresInMs)
  if (replace || dedupeMs !== undefined) {
    if (id === undefined) throw invalid(tried, 'replace and dedupeMs need an id', id)
    context.require(tried, 'deduplication')
  }
  if (maxDelayMs === undefined) return
  if (!replace || delayMs === 0) throw invalid(tried, 'maxDelayMs needs replace and delayMs', maxDelayMs)
  if (maxDelayMs < delayMs)
    throw invalid(tried, `maxDelayMs must not be less than delayMs (${delayMs})`, maxDelayMs)
}

function checkHeaders<T>(
  context: Context<T>,
  tried: string,
  headers: Readonly<Record<string, string>>,
): void {
  let bytes = 0
  for (const [name, value] of Object.entries(headers)) {
    checkText(tried, `the header ${JSON.stringify(name)}`, value)
    bytes += byteLength(name) + byteLength(value)
  }
  checkSize(tried, 'headers', 'bytes together', bytes, context.guarantees.maxHeaderBytes)
}

function checkBody<T>(context: Context<T>, tried: string, body: Body): void {
  const { maxBodyBytes } = context.guarantees
  // A UTF-16 unit is three bytes of UTF-8 at most, so most bodies need no exact count.
  if (body.length * 3 <= maxBodyBytes) return
  checkSize(tried, 'a payload', 'bytes once encoded', measure(body, byteLength), maxBodyBytes)
}

export function measure(body: Body, ofText: (text: string) => number): number {
  return typeof body === 'string' ? ofText(body) : body.length
}

/** A UTF-16 unit is three bytes of UTF-8 at most: quicker than an exact count. */
export function atMost(text: string): number {
  return text.length * 3
}

/** The bytes of all messages together: bodies, ids, keys, lanes and headers. */
export function weigh(messages: readonly Draft[], ofText: (text: string) => number): number {
  let bytes = 0
  for (const { body, id = '', key = '', lane = '', headers } of messages) {
    bytes += measure(body as Body, ofText) + ofText(id) + ofText(key) + ofText(lane)
    for (const name in headers) bytes += ofText(name) + ofText(headers[name]!)
  }
  return bytes
}
