/**
 * A part has so many UTF-16 units at most, three bytes each in the worst case: Android's AsyncStorage cannot read rows of more
 * than 2 MB, which it writes all the same.
 */
export const PART_UNITS = 500_000

/** A sum is so long. */
const SUM = 14

/** What comes behind the sum: whether the commit goes on with the next item. */
const MORE = '+'
const END = '.'

export interface Sealed {
  readonly text: string
  readonly sum: string
}

/**
 * The text of an item: a sum over it and over the sum of the item before it, so that a torn one and one of another past are
 * found out.
 */
export function seal(before: string, part: string, isLast = true): Sealed {
  const rest = (isLast ? END : MORE) + part
  const sum = sumOf(before, rest)
  return { text: sum + rest, sum }
}

export interface Unsealed {
  readonly part: string
  readonly sum: string
  readonly isLast: boolean
}

/** What is in an item; `undefined` where it is torn, or does not come behind that one. */
export function unseal(before: string, text: string): Unsealed | undefined {
  const sum = text.slice(0, SUM)
  const rest = text.slice(SUM)
  if (rest === '' || sumOf(before, rest) !== sum) return undefined
  return { part: rest.slice(1), sum, isLast: rest[0] === END }
}

/** Cuts a text into parts, and never a pair of surrogates in two: storages that write UTF-8 keep no half of one. */
export function partsOf(text: string): string[] {
  const parts: string[] = []
  let at = 0
  while (text.length - at > PART_UNITS) {
    let end = at + PART_UNITS
    const unit = text.charCodeAt(end - 1)
    if (unit >= 0xd800 && unit < 0xdc00) end--
    parts.push(text.slice(at, end))
    at = end
  }
  parts.push(text.slice(at))
  return parts
}

/** 64 bits in base 36: no secret, but what no accident makes twice. */
function sumOf(before: string, text: string): string {
  let a = 0xdeadbeef
  let b = 0x41c6ce57
  for (const one of [before, text]) {
    for (let i = 0; i < one.length; i++) {
      const unit = one.charCodeAt(i)
      a = Math.imul(a ^ unit, 2654435761)
      b = Math.imul(b ^ unit, 1597334677)
    }
    a = Math.imul(a ^ (a >>> 16), 2246822507) ^ one.length
    b = Math.imul(b ^ (b >>> 13), 3266489909) ^ a
  }
  return [a, b].map((half) => (half >>> 0).toString(36).padStart(SUM / 2, '0')).join('')
}
