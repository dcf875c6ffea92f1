import { type Context, listParts, STEP } from '../core/inside.ts'
import type { ListedMessage, NewMessage } from '../storage.ts'
import type { When } from './when.ts'

/**
 * A schedule, as it is stored: one message, delayed until its next instant, with the schedule's name as its id. Who takes it
 * fires what is due, and then hands it back until the next instant, in one step that is refused if it was taken by somebody
 * else meanwhile, or cancelled. What that retry says it failed with is the instant it waits for.
 */
export interface Tick {
  /** `undefined`: the schedule is removed, where a storage cannot cancel. */
  readonly when?: When | undefined
  /** What is sent at each instant. */
  readonly message?: StoredMessage | undefined
  /** The first time that it fires for, in ms since 1970. Absent: it begins behind the time when it was stored. */
  readonly from?: number | undefined
}

/** A message as it is appended, in JSON. */
export interface StoredMessage extends Omit<NewMessage, 'body'> {
  readonly text?: string | undefined
  readonly base64?: string | undefined
}

/** Its value tells which of two ticks of one name is newer: the one with the greater text. */
export const REVISION = 'schedule-revision'

/** Its value tells what a schedule waits for, as {@link waitText}: by the message that has it, not by its retry. */
export const MARK = 'schedule-mark'

/** The id of the message that has the {@link MARK} of a schedule. */
export function markOf(name: string): string {
  return `${name}\nmark`
}

export function revisionAfter(before: string | undefined, unique: string): string {
  const number = Number(before?.split('-')[0] ?? 0) + 1
  return `${String(number).padStart(10, '0')}-${unique}`
}

/** That of a schedule which has not changed, but has come further. */
export function revisionFurther(revision: string): string {
  const [number, ...unique] = revision.split('/')
  return `${number}/${String(Number(unique[0] ?? 0) + 1).padStart(10, '0')}`
}

export function isNewer(a: ListedMessage, b: ListedMessage | undefined): boolean {
  return b === undefined || a.headers![REVISION]! > b.headers![REVISION]!
}

/** An instant in ids and headers. */
export function instantText(at: number): string {
  return new Date(at).toISOString()
}

/**
 * What a tick that is handed back says that it waits for. A change of the schedule may leave that of the one before.
 *
 * @param until What it waited for when the clock was set back by years.
 */
export function waitText(at: number, revision: string, until?: number): string {
  return `waits for ${instantText(at)} (${revision})${until === undefined ? '' : ` until ${instantText(until)}`}`
}

/**
 * `undefined`: whoever had it last did not hand it back.
 *
 * @param part 3: until when, as {@link waitText}.
 */
export function waitedFor(
  lastError: string | undefined,
  revision: string,
  part: 1 | 3 = 1,
): number | undefined {
  const found = /^waits for (\S+) \((.*)\)(?: until (\S+))?$/.exec(lastError ?? '')
  return found?.[2] === revision && found[part] ? Date.parse(found[part]) : undefined
}

export function pack({ body, ...rest }: NewMessage): StoredMessage {
  if (typeof body === 'string') return { ...rest, text: body }
  return { ...rest, base64: btoa(Array.from(body, (byte) => String.fromCharCode(byte)).join('')) }
}

export function unpack({ text, base64, ...rest }: StoredMessage): NewMessage {
  const body = text ?? Uint8Array.from(atob(base64!), (letter) => letter.charCodeAt(0))
  return { ...rest, body }
}

/** All that is stored under these ids. */
export async function ticksOf<T>(
  context: Context<T>,
  group: string,
  ids: readonly string[],
  bodies: boolean,
): Promise<readonly ListedMessage[]> {
  return await context.use('schedule', async (view) => {
    const found: ListedMessage[] = []
    let cursor: string | undefined
    do {
      const page = await listParts(view, { group, ids, limit: STEP, bodies, cursor })
      found.push(...page.messages)
      cursor = page.cursor
    } while (cursor !== undefined)
    return found
  })
}
