import { tagOf } from '../json.ts'

// What kind of thing a value is: also where it is of another realm, as in jsdom, and where the runtime has no such kind.

export function isRequest(value: unknown): value is Request {
  return isOf('Request', value)
}

export function isStream(value: unknown): value is ReadableStream {
  return isOf('ReadableStream', value)
}

export function isBlob(value: unknown): value is Blob {
  return isOf('Blob', value) || isOf('File', value)
}

/** Bytes, whatever they are seen through; `undefined` for all else. */
export function bytesOf(value: unknown): Uint8Array | undefined {
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
  return isOf('ArrayBuffer', value) ? new Uint8Array(value as ArrayBuffer) : undefined
}

function isOf(kind: string, value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  if (tagOf(value) === kind) return true
  const own = (globalThis as Readonly<Record<string, unknown>>)[kind]
  return typeof own === 'function' && value instanceof own
}

/** Bodies of these kinds are sent as such by requests that know them; others take them for texts. */
const TAGS = ['FormData', 'Blob', 'File', 'URLSearchParams']

/** Whether `Request` would send this body as the text `[object FormData]`: that of Node does with those of jsdom. */
export function isUnknownBody(body: unknown): boolean {
  if (!TAGS.some((kind) => isOf(kind, body))) return false
  const { headers } = new Request('http://localhost', { method: 'POST', body: body as BodyInit })
  return headers.get('content-type') === 'text/plain;charset=UTF-8'
}

/** Whether `Request` would send this body as the text `[object Object]`, or an array as one with commas. */
export function isForJson(body: unknown): boolean {
  if (typeof body !== 'object' || body === null || Symbol.asyncIterator in body) return false
  // In engines of apps these have no tag.
  if (TAGS.some((kind) => isOf(kind, body))) return false
  return Array.isArray(body) || (body as { toString?: () => string }).toString?.() === '[object Object]'
}

/** Whether `Request` takes this signal: that of Node takes none of jsdom's. */
export function takes(signal: AbortSignal): boolean {
  try {
    void new Request('http://localhost', { signal })
    return true
  } catch {
    return false
  }
}
