import { QuaysideError, errorText, hasCode } from '../../src/errors.ts'
import type { Body, NewMessage } from '../../src/storage.ts'

/**
 * Bodies from this length on, in bytes or letters, are stored as blobs. A browser keeps those beside its rows, so that who reads a
 * row gets a reference: a thousand photos that wait are not read to know that they do.
 */
const LONG = 256 * 1024

/** The type of texts. */
const TEXT = 'text/plain'
/** UTF-8 has no bytes for it. */
const HALF_A_PAIR = /\p{Surrogate}/u

/** Not every browser stores blobs in every window. */
let areRefused = false

/**
 * Stores messages, those with long bodies as `store` gets them: with blobs, which the engine takes for bodies as it does all that it
 * never looks into. Where the browser refuses blobs, as they are.
 */
export async function storeApart<R>(
  messages: readonly NewMessage[],
  store: (messages: readonly NewMessage[]) => Promise<R>,
): Promise<R> {
  if (areRefused || !messages.some(({ body }) => body.length >= LONG)) return await store(messages)
  try {
    return await store(messages.map(withBlob))
  } catch (error) {
    if (!hasCode(error, 'STORAGE_FAILED')) throw error
    const result = await store(messages)
    areRefused = true
    return result
  }
}

function withBlob(message: NewMessage): NewMessage {
  const { body } = message
  const isText = typeof body === 'string'
  if (body.length < LONG || (isText && HALF_A_PAIR.test(body))) return message
  const blob: unknown = new Blob([body as BlobPart], isText ? { type: TEXT } : {})
  return { ...message, body: blob as Body }
}

/** Reads the bodies that are blobs. Rejects with `STORAGE_FAILED`. */
export async function fetchBodies<M extends { readonly body: Body }>(all: readonly M[]): Promise<M[]> {
  return await Promise.all(
    all.map(async (one) => {
      const blob: unknown = one.body
      return blob instanceof Blob ? { ...one, body: await bodyOf(blob) } : one
    }),
  )
}

async function bodyOf(blob: Blob): Promise<Body> {
  try {
    const bytes = new Uint8Array(await blob.arrayBuffer())
    return blob.type === TEXT ? new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes) : bytes
  } catch (cause) {
    throw new QuaysideError(
      'STORAGE_FAILED',
      `reading a body of ${blob.size} bytes from IndexedDB failed (${errorText(cause)}); try again`,
      { cause },
    )
  }
}
