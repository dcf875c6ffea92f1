import { QuaysideError } from './errors.ts'
import type { Body } from './storage.ts'

/** Turns payloads into what is stored, and back. */
export interface Codec<T> {
  /** Throws where it cannot encode the payload; the send then rejects with `UNSERIALIZABLE`. */
  encode(payload: T): Body
  /** Throws where it cannot decode the body; the message then becomes a dead letter, `unreadable`. */
  decode(body: Body): T
}

/** JSON for everything but bytes, which are stored as they are. */
export const JSON_CODEC: Codec<unknown> = {
  encode(payload) {
    // Not `slice`: that of a Node Buffer shares the bytes.
    if (payload instanceof Uint8Array) return new Uint8Array(payload)
    if (payload instanceof ArrayBuffer || payload instanceof Map || payload instanceof Set) {
      throw new TypeError(
        'JSON would make an empty object of it; send a Uint8Array, an array or a plain object',
      )
    }
    const body: string | undefined = JSON.stringify(payload)
    if (body === undefined) throw new TypeError(`JSON has no ${typeof payload}`)
    return body
  },
  decode(body) {
    return typeof body === 'string' ? JSON.parse(body) : new Uint8Array(body)
  },
}

/** What a storage handed out. Where others can write to it, that may be anything. */
export function decode<T>(codec: Codec<T>, body: unknown): T {
  if (typeof body === 'string' || ArrayBuffer.isView(body)) return codec.decode(body as Body)
  throw new TypeError('what is stored as its body is no string and no bytes')
}

export function encode<T>(tried: string, codec: Codec<T>, payload: T): Body {
  let body: unknown
  try {
    body = codec.encode(payload)
  } catch (error) {
    throw new QuaysideError(
      'UNSERIALIZABLE',
      `${tried}: the payload cannot be encoded: ${error instanceof Error ? error.message : String(error)}`,
      { cause: error },
    )
  }
  if (typeof body === 'string' || body instanceof Uint8Array) return body
  throw new QuaysideError(
    'UNSERIALIZABLE',
    `${tried}: a codec must answer with a string or a Uint8Array, not ${typeof body}`,
  )
}
