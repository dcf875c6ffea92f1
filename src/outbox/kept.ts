import { byteLength } from '../check.ts'
import type { Clock } from '../clock.ts'
import type { KeptAnswer } from './verdict.ts'

/** How long what is kept of a response that was accepted is waited for, in ms. */
const WITHIN_MS = 5000

/** Of the body as it came, and what is nobody's business later. */
const NOT_KEPT = /^(set-cookie|content-encoding|content-length|transfer-encoding)$/
/** Headers that say the most, where there is no room for all. */
const FIRST = /^(content-type|etag|location|retry-after)$/

/** A copy of a response. Of what `fetch` of somebody else's has read there is none. */
export function copyOf(response: Response): Response {
  return response.bodyUsed ? response : response.clone()
}

/**
 * What is kept of an answer: status, headers and the first bytes of its body, which stays readable. Rejects where the body
 * breaks off before. With a clock it has what has come by then, or in a while.
 */
export async function keep(response: Response, mostBytes: number, clock?: Clock): Promise<KeptAnswer> {
  const { status } = response
  let body = ''
  const decoder = new TextDecoder()
  let left = mostBytes
  // What `fetch` of somebody else's has read is not there any more.
  const copy = response.bodyUsed ? undefined : response.clone()
  const reader = copy?.body?.getReader()
  const cancel = (): void => void reader?.cancel().catch(() => undefined)
  const timer = clock?.setTimeout(cancel, WITHIN_MS)
  try {
    // Engines of apps show no stream of it.
    if (copy?.body === undefined) body = ((await copy?.text()) ?? '').slice(0, mostBytes)
    while (left > 0) {
      const value = (await reader?.read())?.value
      if (value === undefined) break
      body += decoder.decode(value.subarray(0, left), { stream: true })
      left -= value.length
    }
  } catch (error) {
    if (clock === undefined) throw error
  }
  clock?.clearTimeout(timer)
  cancel()
  const headers = Object.fromEntries([...response.headers].filter(([name]) => !NOT_KEPT.test(name)))
  return { status, headers, body }
}

/** What a parked message can show, and what a result can hold, in bytes of JSON; with room for what a codec adds. */
export const MOST_OF_DATA = 4096
export const MOST_OF_RESULT = 100_000

/** As much of an answer as there is room for. */
export function bounded({ status, headers, body }: KeptAnswer, most: number): KeptAnswer {
  const sizeOf = (value: object): number => byteLength(JSON.stringify(value))
  if (sizeOf(headers) > most / 2) {
    const first = Object.entries(headers).filter(
      ([name, value]) => FIRST.test(name) && value.length < most / 16,
    )
    headers = Object.fromEntries(first)
  }
  for (let over: number; (over = sizeOf({ status, headers, body }) - most) > 0 && body !== '';)
    // What is escaped takes several bytes for one.
    body = body.slice(0, -Math.ceil(over / 6))
  return { status, headers, body }
}

/**
 * Reads to its end what nobody wants to have: a server that is cut off in the middle of its answer may think that it failed. What has no
 * end has as long as an attempt: browsers have six connections to an origin.
 */
export async function letGo(response: Response | undefined, cut?: () => () => void): Promise<void> {
  let stop: (() => void) | undefined
  try {
    const reader = response?.body?.getReader()
    if (reader === undefined) return
    stop = cut?.()
    while (!(await reader.read()).done);
  } catch {
    // It has ended in its own way.
  }
  stop?.()
}
