import { Cron } from 'croner'
import { checkObject, checkOptions, checkText, inRange, invalid, mustBeOneOf } from '../check.ts'
import { QuaysideError, errorText } from '../errors.ts'
import { MAX_DURATION_MS } from '../storage.ts'

/** What becomes of instants that nobody was there for. */
export type CatchUp = 'none' | 'last' | 'all'

interface Times {
  /**
   * Instants by a cron pattern of five fields (minute, hour, day of the month, month, day of the week), or six with seconds
   * before them; also `@hourly`, `@daily`, `L` and `#`, as Croner reads them. One of `cron` and `everyMs`.
   */
  readonly cron?: string | undefined
  /** Instants so many ms apart: the multiples of it since 1970 in UTC, whoever asks and whenever they began. 1,000 at least. */
  readonly everyMs?: number | undefined
  /**
   * The IANA time zone of the pattern, such as `Europe/Berlin`. Where clocks go forward, a pattern of one time a day that
   * falls into the gap fires right behind it; where they go back, it fires once, the first time. Patterns of more than one time
   * follow the clock: `0 * * * *` fires each hour that passes. @defaultValue 'UTC'
   */
  readonly timeZone?: string | undefined
  /**
   * What becomes of instants that have passed while nobody fired schedules. `last`: the last of them is fired. `all`: each of
   * them, in order. `none`: none that is more than 5 minutes late. @defaultValue 'last'
   */
  readonly catchUp?: CatchUp | undefined
}

/** When a schedule fires. */
export type When = Times &
  (
    | { readonly cron: string; readonly everyMs?: undefined }
    | { readonly everyMs: number; readonly cron?: undefined; readonly timeZone?: undefined }
  )

const WHEN = {
  cron: checkText,
  everyMs: inRange('a number of ms, 1000 or more', 1000, MAX_DURATION_MS),
  timeZone: checkText,
  catchUp: mustBeOneOf('none', 'last', 'all'),
}

/** A schedule's times with nothing left open, always in the same order. */
export function wholeOf(when: When): When {
  const { cron, everyMs, timeZone = cron && 'UTC', catchUp = 'last' } = when as Times
  return { cron, everyMs, timeZone, catchUp } as When
}

/** The instants of a schedule, in ms since 1970. */
export interface Timetable {
  /** The first instant after a time. `undefined`: there is none. */
  next(after: number): number | undefined
}

/** @throws {@link QuaysideError} `INVALID_ARGUMENT` */
export function timetable(tried: string, when: When): Timetable {
  checkObject(tried, 'when, such as { cron } or { everyMs },', when)
  checkOptions(tried, when, WHEN)
  const { cron, everyMs, timeZone } = when as Times
  if ((cron === undefined) === (everyMs === undefined))
    throw invalid(tried, 'a schedule has either cron or everyMs', cron ?? everyMs)
  if (everyMs !== undefined) {
    if (timeZone !== undefined) throw invalid(tried, 'timeZone is for cron', timeZone)
    const next = (after: number): number => (Math.floor(after / everyMs) + 1) * everyMs
    return { next }
  }
  // The parser would take the time zone of this process for it.
  if (timeZone === '') throw invalid(tried, 'timeZone must be an IANA name', timeZone)
  try {
    const pattern = new Cron(cron!, {
      timezone: timeZone ?? 'UTC',
      paused: true,
      mode: '5-or-6-parts',
    })
    const next = (after: number): number | undefined => pattern.nextRun(new Date(after))?.getTime()
    // Croner looks at the time zone when it is first asked.
    next(0)
    return { next }
  } catch (error) {
    throw new QuaysideError(
      'INVALID_ARGUMENT',
      `${tried}: cron ${JSON.stringify(cron)} in ${timeZone ?? 'UTC'}: ${errorText(error)}`,
      { cause: error },
    )
  }
}
