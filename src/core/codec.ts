import { QuaysideError } from '../errors.ts'
import { findLoss, isBytes } from '../json.ts'
import { type StandardSchema, isThenable, validate } from './schema.ts'
import type { Body, Value } from '../storage.ts'

/**
 * Turns payloads into what is stored, and back.
 *
 * Either may answer with a promise, where compression or WebCrypto need one: messages are sent in the order of the calls all
 * the same, and delivered in the order of the queue. Of handlers that work at the same time each starts once its message is
 * decoded. Until then the message's lease is extended, so it may take longer than that.
 */
export interface Codec<T> {
  /** Throws, or rejects, where it cannot encode the payload; the send then rejects with `UNSERIALIZABLE`. */
  encode(payload: T): Body | PromiseLike<Body>
  /**
   * Throws, or rejects, where it cannot decode the body; the message then becomes a dead letter, `unreadable`. Where it will be
   * able to (the body was written by newer code, a key is not here yet) it says so by an error whose `code` is
   * `NOT_YET_READABLE`, such as `new QuaysideError('NOT_YET_READABLE', 'the key k7 is missing')`: then the message is parked, and
   * {@link Queue.resume} has it read again.
   */
  decode(body: Body): T | PromiseLike<T>
}

/**
 * JSON for everything but bytes, which are stored as they are.
 *
 * What JSON would store as something else without a word is refused: promises, `Map`, `Error`, typed arrays inside of other
 * things, instances of classes without `toJSON`, functions, `NaN` and others. What is `undefined` is dropped, as always.
 */
export const JSON_CODEC: Codec<unknown> = {
  encode(payload) {
    // Not `slice`: that of a Node Buffer shares the bytes.
    if (isBytes(payload)) return new Uint8Array(payload)
    let body: string | undefined
    try {
      body = JSON.stringify(payload)
    } catch (error) {
      refuseLoss(payload, [])
      throw error
    }
    // Afterwards, when there are no cycles to look for.
    refuseLoss(payload)
    if (body === undefined) throw new TypeError(`JSON has no ${typeof payload}`)
    return body
  },
  decode(body) {
    return typeof body === 'string' ? JSON.parse(body) : new Uint8Array(body)
  },
}

function refuseLoss(payload: unknown, above?: readonly unknown[]): void {
  const loss = findLoss(payload, above)
  if (loss !== undefined) throw new TypeError(`payload${loss.path}: ${loss.why}`)
}

/** The body to store. A codec that answers at once is answered for at once. */
export function encode<T>(
  tried: string,
  codec: Codec<T>,
  payload: T,
  what = 'payload',
): Body | Promise<Body> {
  let body: unknown
  try {
    body = codec.encode(payload)
  } catch (error) {
    throw cannotEncode(tried, what, error)
  }
  if (typeof body === 'string') return body
  if (!isThenable(body)) return checkBody(tried, body)
  return Promise.resolve(body).then(
    (late) => checkBody(tried, late),
    (error: unknown) => Promise.reject(cannotEncode(tried, what, error)),
  )
}

function checkBody(tried: string, body: unknown): Body {
  if (typeof body === 'string') return body
  if (isBytes(body)) return body instanceof Uint8Array ? body : new Uint8Array(body)
  throw new QuaysideError(
    'UNSERIALIZABLE',
    `${tried}: a codec must answer with a string or a Uint8Array, not ${typeof body}`,
  )
}

function cannotEncode(tried: string, what: string, cause: unknown): QuaysideError {
  const why = cause instanceof Error ? cause.message : String(cause)
  return new QuaysideError('UNSERIALIZABLE', `${tried}: the ${what} cannot be encoded: ${why}`, { cause })
}

/** The payload of what a storage handed out. Where others can write to it, that may be anything. */
export function decode<T>(codec: Codec<T>, body: unknown): T | Promise<T> {
  // A Node Buffer has a `copy` of its own.
  if (typeof body !== 'string' && !ArrayBuffer.isView(body)) {
    const value = body as Value | null | undefined
    // No other storage could keep a function.
    if (typeof value?.copy === 'function') return value.copy() as T
    throw new TypeError('what is stored as its body is no string and no bytes')
  }
  const payload = codec.decode(body as Body)
  return isThenable(payload) ? Promise.resolve(payload) : payload
}

/** {@link decode}, checked by the schema if there is one. Throws, or rejects, where the payload cannot be read or does not fit. */
export function read<T>(
  codec: Codec<T>,
  schema: StandardSchema<T> | undefined,
  body: unknown,
): T | Promise<T> {
  const payload = decode(codec, body)
  if (schema === undefined) return payload
  if (!(payload instanceof Promise)) return validate('receive', schema, payload)
  return payload.then((decoded) => validate('receive', schema, decoded))
}
