import type { Result } from '../src/index.ts'
import type { Shown } from './inspected-queue.ts'

const TITLE_LENGTH = 90
const DETAIL_LENGTH = 4000
const LINE_FEED = 10

/** `POST /orders` of a stored request; the payload of any other message. */
export function titleOf({ id, state, payload }: Shown): string {
  // Of what is done, the payload is not kept.
  if (state === 'done') return cut(id, TITLE_LENGTH)
  return cut(requestLine(payload) ?? scheduleLine(id, payload) ?? textOf(payload), TITLE_LENGTH)
}

/** `tidy: 0 3 * * * Europe/Berlin`, where the payload is a schedule. */
function scheduleLine(id: string, payload: unknown): string | undefined {
  const { when } = (payload ?? {}) as { when?: Record<string, unknown> | null }
  const { cron, everyMs, timeZone = '' } = when ?? {}
  if (typeof everyMs === 'number') return `${id}: every ${duration(everyMs)}`
  return typeof cron === 'string' ? `${id}: ${cron} ${String(timeZone)}`.trim() : undefined
}

/** Where the payload is a request, as an outbox stores it: an object, or a line of JSON in front of the bytes of its body. */
function requestLine(payload: unknown): string | undefined {
  try {
    const head: unknown =
      payload instanceof Uint8Array
        ? JSON.parse(new TextDecoder().decode(payload.subarray(0, payload.indexOf(LINE_FEED))))
        : payload
    const { method, url } = head as Record<string, unknown>
    if (typeof method === 'string' && typeof url === 'string') return `${method} ${shortUrl(url)}`
  } catch {
    // It is none.
  }
  return undefined
}

/** All there is to see of a message, cut to what a page can show. */
export function detailOf(message: Shown): string {
  const { id, state, lane, key, headers, payload, parked, outcome } = message
  const lines = [`id: ${id}`]
  if (lane !== undefined) lines.push(`lane: ${lane}`)
  if (key !== undefined) lines.push(`key: ${key}`)
  for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`)
  if (parked !== undefined) lines.push(`parked: ${parked.reason}`)
  const parts = [lines.join('\n')]
  if (parked?.data !== undefined) parts.push(cut(textOf(parked.data, 2), DETAIL_LENGTH))
  if (state !== 'done') parts.push(cut(textOf(payload, 2), DETAIL_LENGTH))
  if (outcome !== undefined) parts.push(`${outcome.status}: ${cut(outcomeText(outcome, 2), DETAIL_LENGTH)}`)
  return parts.join('\n\n')
}

/** What became of a message, or how far its handler is. */
export function outcomeText(outcome: Result, indent?: number): string {
  if (outcome.status === 'dead') return [outcome.reason, outcome.error].filter(Boolean).join(': ')
  const value = outcome.status === 'done' ? outcome.value : outcome.progress
  return value === undefined ? '' : textOf(value, indent)
}

function textOf(payload: unknown, indent?: number): string {
  if (payload === undefined) return '(cannot be decoded)'
  if (payload === null) return '(empty)'
  if (payload instanceof Uint8Array) return `(${bytes(payload.length)} of binary data)`
  if (typeof payload === 'string') return payload
  let json: string | undefined
  try {
    json = JSON.stringify(payload, undefined, indent)
  } catch {
    // A codec may bring cycles or BigInts.
  }
  return json ?? '(cannot be shown as JSON)'
}

function shortUrl(url: string): string {
  if (!URL.canParse(url)) return url
  const { host, pathname, search } = new URL(url)
  return (host === location.host ? '' : host) + pathname + search
}

export function cut(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length)}…` : text
}

/** A duration in ms, in one unit. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000))
  if (seconds < 60) return `${seconds} s`
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)} h`
  return `${Math.floor(seconds / 86_400)} d`
}

export function bytes(count: number): string {
  if (count < 1000) return `${count} B`
  return count < 1e6 ? `${(count / 1e3).toFixed(1)} kB` : `${(count / 1e6).toFixed(1)} MB`
}

export function plural(count: number, one: string): string {
  return `${count.toLocaleString()} ${one}${count === 1 ? '' : 's'}`
}

export function errorText(error: unknown): string {
  return error instanceof Error ? error.message || error.name : String(error)
}
