/** Numbers from `first` to `last`, both included. */
export interface Stretch {
  readonly first: number
  readonly last: number
}

/** A set of numbers as stretches: in order, and none touches the next. */
export type Stretches = readonly Stretch[]

/** Any stretches, put in order and joined where they touch. */
export function joined(stretches: Iterable<Stretch>): Stretches {
  const all: Stretch[] = []
  for (const { first, last } of [...stretches].sort((a, b) => a.first - b.first)) {
    const before = all.at(-1)
    if (first > last) continue
    if (before === undefined || first > before.last + 1) all.push({ first, last })
    else if (last > before.last) all[all.length - 1] = { first: before.first, last }
  }
  return all
}

/** Single numbers as stretches. */
export function stretchesOf(numbers: Iterable<number>): Stretches {
  return joined(Array.from(numbers, (number) => ({ first: number, last: number })))
}

/** What is in `a` and not in `b`. */
export function without(a: Stretches, b: Stretches): Stretches {
  return a.flatMap(({ first, last }) => {
    const left: Stretch[] = []
    let from = first
    for (const hole of between(b, first, last)) {
      if (hole.first > from) left.push({ first: from, last: hole.first - 1 })
      from = hole.last + 1
    }
    if (from <= last) left.push({ first: from, last })
    return left
  })
}

/** What of a set lies between `first` and `last`, both included. */
export function between(stretches: Stretches, first: number, last: number): Stretch[] {
  const found: Stretch[] = []
  if (first > last) return found
  for (let at = indexAt(stretches, first); at < stretches.length && stretches[at]!.first <= last; at++) {
    const stretch = stretches[at]!
    found.push({ first: Math.max(stretch.first, first), last: Math.min(stretch.last, last) })
  }
  return found
}

export function includes(stretches: Stretches, number: number): boolean {
  const stretch = stretches[indexAt(stretches, number)]
  return stretch !== undefined && stretch.first <= number
}

/** How many numbers a set has. */
export function sizeOfAll(stretches: Stretches): number {
  return stretches.reduce((size, { first, last }) => size + last - first + 1, 0)
}

/** The index of the first stretch that does not end before `number`. */
function indexAt(stretches: Stretches, number: number): number {
  let low = 0
  let high = stretches.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (stretches[middle]!.last < number) low = middle + 1
    else high = middle
  }
  return low
}
