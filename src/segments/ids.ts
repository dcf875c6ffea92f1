/**
 * Ids that need no index.
 *
 * A batch gets one UUID v7 from the core. Its messages get its first 28 characters and 8 digits of their own: four times
 * the number of the message, plus one if it is delayed and not in the log yet, or two if it is in a lane. So an id leads back to its message without a
 * row in storage. What is left of the UUID is the time in ms and 42 random bits for each batch, which with the digits
 * makes ids unique across devices; all bits stay where RFC 9562 wants them (section 6.2 allows counters in `rand_b`).
 */

const BASE_LENGTH = 28
/** Digits of a number start again here. Numbers are then taken to be the nearest one that exists. */
const WRAP = 2 ** 30

/** The numbers of messages in lanes begin here, those of other messages stay below. */
export const LANE_BASE: number = 2 ** 48

/** The two lowest bits of the digits. */
const LOG = 0
const DELAYED = 1
const LANE = 2

const HEX = /* @__PURE__ */ Array.from({ length: 256 }, (_, byte) => (byte + 256).toString(16).slice(1))

export function baseOf(uuid: string): string {
  return uuid.slice(0, BASE_LENGTH)
}

export function makeId(base: string, number: number, delayed: boolean): string {
  const n = (number % WRAP) * 4 + (delayed ? DELAYED : number < LANE_BASE ? LOG : LANE)
  const digits =
    HEX[Math.floor(n / 0x1000000)]! + HEX[(n >>> 16) & 255]! + HEX[(n >>> 8) & 255]! + HEX[n & 255]!
  return base + digits
}

/** Whether an id was made for a delayed message, so that its number is not that of the log. */
export function isOfDelayed(id: string): boolean {
  return Number.parseInt(id.slice(-1), 16) % 2 === 1
}

/** Where a message of the log is, by its id, behind one that has a number, if it is there at all. */
export function indexInSegment(id: string, first: number): number | undefined {
  const n = Number.parseInt(id.slice(BASE_LENGTH), 16)
  return Number.isNaN(n) ? undefined : ((((n >>> 2) - first) % WRAP) + WRAP) % WRAP
}

/** The number in an id, given the next number of its kind; `undefined` if the id has none. */
export function parseId(
  id: string,
  next: { log: number; delayed: number; lane: number },
): { number: number; delayed: boolean } | undefined {
  const digits = id.slice(BASE_LENGTH)
  if (!/^[0-9a-f]{8}$/.test(digits)) return undefined
  const n = Number.parseInt(digits, 16)
  const kind = n % 4
  const delayed = kind === DELAYED
  const newest = (delayed ? next.delayed : kind === LANE ? next.lane : next.log) - 1
  const back = (((newest - (n >>> 2)) % WRAP) + WRAP) % WRAP
  const number = newest - back
  return number >= (kind === LANE ? LANE_BASE : 1) ? { number, delayed } : undefined
}
