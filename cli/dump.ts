import { type DeadReason, MAX_DURATION_MS, type MessageState, type Parked } from '../src/storage.ts'
import type { Hold } from '../src/lanes.ts'
import type { Carried } from './body.ts'

/** What `export` writes and `import` reads: JSON lines, a head for each queue, and behind it a line for each message. */

export const VERSION = 1

export interface Head {
  readonly quayside: 'queue'
  readonly version: number
  readonly queue: string
  readonly groups: readonly string[]
  /** What is held. */
  readonly holds?: readonly Hold[] | undefined
  /** When it was written, in ms since 1970. */
  readonly exportedAt: number
}

/** Where a message stands in a group. */
export interface Standing {
  /** Its place on the group's list: messages of one key stand there in their order. */
  readonly place?: number | undefined
  readonly state: MessageState
  /** Deliveries so far that count. */
  readonly attempt: number
  readonly nextInMs?: number | undefined
  readonly lastError?: string | undefined
  readonly reason?: DeadReason | undefined
  readonly deadAt?: number | undefined
  readonly parked?: Parked | undefined
}

export type Line = Carried & {
  readonly id: string
  readonly key?: string | undefined
  readonly lane?: string | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly timestamp: number
  readonly maxAttempts?: number | undefined
  /** Groups that are done with it are not there. */
  readonly groups: Readonly<Record<string, Standing>>
}

/** Whether nothing has happened to a message yet, in any of these groups. */
export function isUntouched({ groups }: Line, all: readonly string[]): boolean {
  const standings = all.map((group) => (Object.hasOwn(groups, group) ? groups[group] : undefined))
  const isDelayed = standings[0]?.state === 'delayed'
  return standings.every(
    (standing) =>
      standing !== undefined &&
      standing.attempt === 0 &&
      (isDelayed ? standing.state === 'delayed' : standing.state === 'ready' || standing.state === 'blocked'),
  )
}

/** A line of a dump as what it is, or nothing. */
export function parse(text: string): Head | Line | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  if (typeof value !== 'object' || value === null) return undefined
  if (isHead(value) || isLine(value)) return value as Head | Line
  return undefined
}

export function isHead(value: Partial<Head> | Line): value is Head {
  const { quayside, version, queue, groups, holds = [] } = value as Partial<Head>
  return (
    quayside === 'queue' &&
    version === VERSION &&
    typeof queue === 'string' &&
    Array.isArray(groups) &&
    groups.every((group) => typeof group === 'string') &&
    Array.isArray(holds) &&
    holds.every((hold) => typeof hold === 'object' && hold !== null)
  )
}

function isLine(value: object): boolean {
  const { id, groups, timestamp, text, base64 } = value as Record<string, unknown>
  const hasBody = 'payload' in value || typeof text === 'string' || typeof base64 === 'string'
  const isPlain = typeof id === 'string' && typeof timestamp === 'number' && hasBody
  return isPlain && typeof groups === 'object' && groups !== null && Object.values(groups).every(isStanding)
}

const STATES: readonly unknown[] = [
  'ready',
  'leased',
  'delayed',
  'blocked',
  'parked',
  'dead',
] satisfies MessageState[]
const REASONS: readonly unknown[] = ['exhausted', 'expired', 'rejected', 'unreadable', undefined] satisfies (
  | DeadReason
  | undefined
)[]

/** Attempts are restored by making them: nobody should have us make a billion. */
const MOST_ATTEMPTS = 10_000

function isStanding(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  const {
    state,
    attempt,
    nextInMs = 0,
    lastError = '',
    reason,
    place = 0,
    parked,
  } = value as Record<string, unknown>
  return (
    STATES.includes(state) &&
    (state === 'parked') === isParked(parked) &&
    REASONS.includes(reason) &&
    typeof lastError === 'string' &&
    typeof nextInMs === 'number' &&
    nextInMs >= 0 &&
    nextInMs <= MAX_DURATION_MS &&
    typeof place === 'number' &&
    Number.isSafeInteger(attempt) &&
    (attempt as number) >= 0 &&
    (attempt as number) <= MOST_ATTEMPTS
  )
}

function isParked(value: unknown): boolean {
  const { reason, data = '' } = Object(value) as Partial<Record<keyof Parked, unknown>>
  return typeof reason === 'string' && typeof data === 'string'
}
