import type { CatchUp, Timetable } from './when.ts'

/** With `none`, what is so late was missed, in ms: there is nobody who looks once a minute only that comes later. */
const MISSED_MS = 300_000

/** What a schedule has to do at some time. */
export interface Due {
  /** The instants to fire, in order. */
  readonly instants: readonly number[]
  /** The first instant that is not dealt with then. `undefined`: none comes any more. */
  readonly next: number | undefined
}

/**
 * What is due.
 *
 * @param from The first time that is not dealt with.
 * @param most How many instants may be fired at once, with `all`. Then what is next may be due as well.
 */
export function dueOf(times: Timetable, catchUp: CatchUp, from: number, now: number, most: number): Due {
  let at = times.next(from - 1)
  if (at === undefined || at > now) return { instants: [], next: at }
  const instants: number[] = []
  if (catchUp === 'all') {
    for (; at !== undefined && at <= now && instants.length < most; at = times.next(at)) instants.push(at)
    return { instants, next: at }
  }
  // Looks back further and further, so that not all minutes of a year are walked through.
  for (let back = 1000; ; back *= 8) {
    const start = Math.max(from, now - back)
    let last: number | undefined
    for (at = times.next(start - 1); at !== undefined && at <= now; at = times.next(at)) last = at
    if (last === undefined) continue
    if (catchUp === 'last' || now - last <= MISSED_MS) instants.push(last)
    return { instants, next: at }
  }
}
