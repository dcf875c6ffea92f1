import { type ErrorCode, QuaysideError } from '../../src/errors.ts'
import { type Packed, pack, unpack } from '../../src/segments/inside.ts'

/** A packed value on its way between a caller and the object. */
export interface Wire {
  readonly text: string | Uint8Array
  readonly bytes?: Uint8Array | undefined
}

/** What became of a call. The runtime carries errors, but not of which class they are. */
export type Outcome = Wire | { readonly code: ErrorCode; readonly message: string }

/** A long text goes as UTF-8: with a character that is not Latin-1, the runtime would send two bytes for each of it. */
const LONG_TEXT = 1024 * 1024

export function toWire(value: unknown): Wire {
  const { text, bytes } = pack(value)
  return { text: text.length > LONG_TEXT ? new TextEncoder().encode(text) : text, bytes }
}

export function fromWire({ text, bytes }: Wire): unknown {
  const packed: Packed = { text: typeof text === 'string' ? text : new TextDecoder().decode(text), bytes }
  return unpack(packed)
}

/** Works, and tells how it ended. */
export async function outcomeOf(work: () => Promise<unknown>): Promise<Outcome> {
  try {
    return toWire(await work())
  } catch (error) {
    if (error instanceof QuaysideError) return { code: error.code, message: error.message }
    return { code: 'STORAGE_FAILED', message: `the Durable Object failed: ${String(error)}` }
  }
}

/** What a call answered with. Throws what it was rejected with. */
export function resultOf(outcome: Outcome): unknown {
  if ('code' in outcome) throw new QuaysideError(outcome.code, outcome.message)
  return fromWire(outcome)
}
