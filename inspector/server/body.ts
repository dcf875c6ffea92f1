/** The longest that a page sends: an edited payload, most often. */
const MOST_BYTES = 8 * 1024 * 1024

/** The JSON that a request carries. `undefined`: it carries none, or too much. */
export async function jsonOf(request: Request): Promise<unknown> {
  if (request.body === null) return undefined
  const chunks: Uint8Array[] = []
  let size = 0
  for (const reader = request.body.getReader(); ;) {
    const { value, done } = await reader.read()
    if (done) break
    size += value.length
    if (size > MOST_BYTES) {
      // Who tees a request waits for the other half.
      void reader.cancel().catch(() => undefined)
      return undefined
    }
    chunks.push(value)
  }
  try {
    return JSON.parse(await new Blob(chunks as Uint8Array<ArrayBuffer>[]).text())
  } catch {
    return undefined
  }
}
