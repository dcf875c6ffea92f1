import { QuaysideError } from '../core.ts'

/** Reads a body to its end. @throws `TOO_LARGE` as soon as it is over the limit. */
export async function readBody(
  tried: string,
  body: ReadableStream<unknown>,
  maxBytes: number,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  const reader = body.getReader()
  try {
    for (;;) {
      const { value } = await reader.read()
      if (value === undefined) break
      if (!(value instanceof Uint8Array)) {
        throw new QuaysideError(
          'INVALID_ARGUMENT',
          `${tried}: a stream must yield Uint8Array, not ${typeof value}`,
        )
      }
      bytes += value.length
      checkSize(tried, bytes, maxBytes)
      chunks.push(value)
    }
  } catch (error) {
    // Whatever it makes of that, it is over.
    reader.cancel(error).catch(() => undefined)
    throw error
  }
  const whole = new Uint8Array(bytes)
  for (const chunk of chunks.reverse()) whole.set(chunk, (bytes -= chunk.length))
  return whole
}

export function checkSize(tried: string, bytes: number, maxBytes: number): void {
  if (bytes <= maxBytes) return
  throw new QuaysideError(
    'TOO_LARGE',
    `${tried}: a body may have ${maxBytes} bytes (maxBodyBytes), this one has ${bytes} or more; nothing was stored`,
  )
}
