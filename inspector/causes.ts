import type { InspectedQueue } from './inspected-queue.ts'

/** Dead letters that died of the same. */
export interface Cause {
  /** What they died of, without what differs from one to the next. */
  readonly error: string
  readonly ids: readonly string[]
  /** When the last one died, in ms since 1970. */
  readonly lastAt: number
}

/** Nobody reads more of an error in a line. */
const SHOWN = 500
/** What differs from one message to the next: ids with digits in them, and numbers, but for the status of an answer. */
const PARTICULAR =
  /\b[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}\b|\b(?=[\w-]*\d)[\da-f-]{8,}\b|(?<!\bHTTP |\d)\d+/gi

/** The first line of what a message died of, with `#` for whatever differs. */
export function causeOf(letter: {
  readonly lastError?: string | undefined
  readonly reason?: string | undefined
}): string {
  const [line = ''] = (letter.lastError ?? letter.reason ?? '').split(/\r?\n/, 1)
  return line.slice(0, SHOWN).replaceAll(PARTICULAR, '#')
}

const PAGE = 256

/** The causes of all dead letters of a group, the most frequent first. */
export async function causesOf(queue: InspectedQueue, group: string): Promise<Cause[]> {
  const causes = new Map<string, { ids: string[]; lastAt: number }>()
  let cursor: string | undefined
  do {
    const page = await queue.deadLetters(group).list({ bodies: false, limit: PAGE, cursor })
    for (const letter of page.messages) {
      const error = causeOf(letter)
      const cause = causes.get(error) ?? { ids: [], lastAt: 0 }
      cause.ids.push(letter.id)
      cause.lastAt = Math.max(cause.lastAt, letter.deadAt)
      causes.set(error, cause)
    }
    cursor = page.cursor
  } while (cursor !== undefined)
  return Array.from(causes, ([error, cause]) => ({ error, ...cause })).sort(
    (a, b) => b.ids.length - a.ids.length || b.lastAt - a.lastAt,
  )
}
