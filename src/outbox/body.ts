import { onceAborted, throwIfAborted } from '../aborts.ts'
import { invalid } from '../check.ts'
import { QuaysideError } from '../core/lean/index.ts'
import { errorText } from '../errors.ts'
import { isBytes } from '../json.ts'
import { bytesOf, isStream } from './kinds.ts'

/** So many chunks of a body that is too long are held in memory. */
const CHUNKS = 100

/**
 * A body that is read from here, and not from a request with it: not every browser can make a request of a stream, and of bytes
 * each makes a copy.
 */
export function rawBody(body: BodyInit | null | undefined): ReadableStream | Uint8Array | undefined {
  return isStream(body) ? body : bytesOf(body)
}

/**
 * Reads a body to its end, in chunks. Where it is over the limit: `whole`, it is a blob of all there is, which may lie on the
 * disk; otherwise this rejects with `TOO_LARGE`, as soon as that is known. `undefined`: there is none.
 */
export async function readBody(
  tried: string,
  request: Request,
  raw: ReadableStream | Uint8Array | undefined,
  maxBytes: number,
  whole: boolean,
  signal: AbortSignal,
): Promise<Uint8Array[] | Blob | undefined> {
  let chunks: (Uint8Array<ArrayBuffer> | Blob)[] = []
  let bytes = 0
  const take = (chunk: unknown): void => {
    if (!isBytes(chunk)) throw invalid(tried, 'a stream must yield Uint8Array', chunk)
    chunks.push(chunk as Uint8Array<ArrayBuffer>)
    bytes += chunk.length
    if (bytes <= maxBytes) return
    if (!whole || typeof Blob === 'undefined') throw tooLarge(tried, bytes, maxBytes)
    if (chunks.length >= CHUNKS) chunks = [new Blob(chunks)]
  }
  const body = raw ?? request.body
  if (body === null) return undefined
  try {
    if (isStream(body)) await readStream(body, take, signal)
    // Some browsers do not show the body of a request.
    else take(body ?? new Uint8Array(await request.arrayBuffer()))
  } catch (error) {
    if (raw !== undefined || error instanceof QuaysideError) throw error
    throw new QuaysideError(
      'INVALID_ARGUMENT',
      `${tried}: the body cannot be read (was its file deleted or changed?): ${errorText(error)}`,
      { cause: error },
    )
  } finally {
    throwIfAborted(signal)
  }
  if (bytes > maxBytes) return new Blob(chunks)
  return bytes > 0 || isStream(body) || raw !== undefined ? (chunks as Uint8Array[]) : undefined
}

async function readStream(
  body: ReadableStream<unknown>,
  take: (chunk: unknown) => void,
  signal: AbortSignal,
): Promise<void> {
  const reader = body.getReader()
  // What is read has ended then.
  const unhook = onceAborted(signal, () => void reader.cancel(signal.reason).catch(() => undefined))
  try {
    for (let value: unknown; (value = (await reader.read()).value) !== undefined;) take(value)
  } catch (error) {
    reader.releaseLock()
    // Whatever it makes of that, it is over.
    body.cancel(error).catch(() => undefined)
    throw error
  } finally {
    unhook()
  }
}

export function tooLarge(tried: string, bytes: number, maxBytes: number): QuaysideError {
  return new QuaysideError(
    'TOO_LARGE',
    `${tried}: a body may have ${maxBytes} bytes (maxBodyBytes), this one has ${bytes} or more; nothing was stored`,
  )
}
