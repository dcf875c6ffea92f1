import { byteLength, checkSize, invalid } from '../check.ts'
import { type Codec, JSON_CODEC, decode, encode } from './codec.ts'
import { measure } from './prepare.ts'
import { type Body, type DeadReason, MAX_DATA_BYTES, MAX_RESULT_BYTES, type Outcome } from '../storage.ts'

/** What became of a message in one group, as long as its `keepMs` says. */
export type Result<R = unknown> =
  /** Somebody works on it, and has told by `message.progress` how far it is. */
  | { readonly status: 'running'; readonly progress: unknown; readonly at: number }
  /** It is done; `value` is what its handler returned, `undefined` where that was nothing or could not be kept. */
  | { readonly status: 'done'; readonly value: R | undefined; readonly at: number }
  /** It is a dead letter, or was one. */
  | {
      readonly status: 'dead'
      readonly reason: DeadReason
      readonly error: string | undefined
      /** When, on the storage's clock, in ms since 1970. */
      readonly at: number
    }

/** What is kept of a result or of progress. Throws, or rejects, where it cannot be. `undefined` is kept as nothing. */
export function encodeResult<T>(
  tried: string,
  codec: Codec<T>,
  value: unknown,
): Body | undefined | Promise<Body> {
  if (value === undefined) return undefined
  const bounded = (body: Body): Body => {
    checkSize(tried, 'a result', 'bytes once encoded', measure(body, byteLength), MAX_RESULT_BYTES)
    return body
  }
  const body = encode(tried, codec, value as T, 'result')
  return body instanceof Promise ? body.then(bounded) : bounded(body)
}

/** Rejects with what the codec fails with. */
export async function decodeOutcome<T, R>(codec: Codec<T>, outcome: Outcome): Promise<Result<R>> {
  const { status, at } = outcome
  const read = async (body: Body | undefined): Promise<R | undefined> =>
    body === undefined ? undefined : ((await decode(codec, body)) as unknown as R)
  if (status === 'running') return { status, progress: await read(outcome.progress), at }
  if (status === 'done') return { status, value: await read(outcome.value), at }
  const { reason, error } = outcome
  return { status, reason, error, at }
}

/** The data of a parked message. */
export function encodeData(tried: string, data: unknown): string | undefined {
  if (data === undefined) return undefined
  const text = encode(tried, JSON_CODEC, data, 'data')
  if (typeof text !== 'string') throw invalid(tried, 'data must be what JSON can carry, and no bytes', data)
  checkSize(tried, 'data', 'bytes of UTF-8 as JSON', byteLength(text), MAX_DATA_BYTES)
  return text
}
