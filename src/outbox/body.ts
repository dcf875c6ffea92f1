import { isBytes } from '../json.ts'
import { invalid } from '../check.ts'
import { QuaysideError } from '../core/lean/index.ts'

/** So many chunks of a body that is too long are held in memory. */
const CHUNKS = 100

/**
 * Reads a body to its end, in chunks. Where it is over the limit: `whole`, it is a blob of all there is, which may lie on the
 * disk; otherwise this rejects with `TOO_LARGE`, as soon as that is known.
 */
export async function readBody(
  tried: string,
  body: ReadableStream<unknown>,
  maxBytes: number,
  whole: boolean,
): Promise<Uint8Array[] | Blob> {
  let chunks: (Uint8Array<ArrayBuffer> | Blob)[] = []
  let bytes = 0
  const reader = body.getReader()
  try {
    for (;;) {
      const { value } = await reader.read()
      if (value === undefined) return bytes > maxBytes ? new Blob(chunks) : (chunks as Uint8Array[])
      if (!isBytes(value)) throw invalid(tried, 'a stream must yield Uint8Array', value)
      chunks.push(value as Uint8Array<ArrayBuffer>)
      bytes += value.length
      if (bytes <= maxBytes) continue
      if (!whole || typeof Blob === 'undefined') throw tooLarge(tried, bytes, maxBytes)
      if (chunks.length >= CHUNKS) chunks = [new Blob(chunks)]
    }
  } catch (error) {
    reader.releaseLock()
    // Whatever it makes of that, it is over.
    body.cancel(error).catch(() => undefined)
    throw error
  }
}

export function tooLarge(tried: string, bytes: number, maxBytes: number): QuaysideError {
  return new QuaysideError(
    'TOO_LARGE',
    `${tried}: a body may have ${maxBytes} bytes (maxBodyBytes), this one has ${bytes} or more; nothing was stored`,
  )
}
