/**
 * Ids that need no index.
 *
 * A batch gets one UUID v7 from the core. Its messages get its first 28 characters and 8 digits of their own: twice the
 * number of the message, plus one if it is delayed and not in the log yet. So an id leads back to its message without a
 * row in storage. What is left of the UUID is the time in ms and 42 random bits for each batch, which with the digits
 * makes ids unique across devices; all bits stay where RFC 9562 wants them (section 6.2 allows counters in `rand_b`).
 */

const BASE_LENGTH = 28
/** Digits of a number start again here. Numbers are then taken to be the nearest one that exists. */
const WRAP = 2 ** 31

const HEX = Array.from({ length: 256 }, (_, byte) => (byte + 256).toString(16).slice(1))

export function baseOf(uuid: string): string {
  return uuid.slice(0, BASE_LENGTH)
}

export function makeId(base: string, number: number, delayed: boolean): string {
  const n = (number % WRAP) * 2 + (delayed ? 1 : 0)
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
  return Number.isNaN(n) ? undefined : ((((n >>> 1) - first) % WRAP) + WRAP) % WRAP
}

/** The number in an id, given the next number of its kind; `undefined` if the id has none. */
export function parseId(
  id: string,
  next: { log: number; delayed: number },
): { number: number; delayed: boolean } | undefined {
  const digits = id.slice(BASE_LENGTH)
  if (!/^[0-9a-f]{8}$/.test(digits)) return undefined
  const n = Number.parseInt(digits, 16)
  const delayed = n % 2 === 1
  const newest = (delayed ? next.delayed : next.log) - 1
  const back = (((newest - Math.floor(n / 2)) % WRAP) + WRAP) % WRAP
  const number = newest - back
  return number >= 1 ? { number, delayed } : undefined
}
