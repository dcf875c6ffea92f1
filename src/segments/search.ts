/** The first index whose item is not before `key`. Looks at the end first, where most additions go. */
export function search<T, K>(items: readonly T[], key: K, isBefore: (item: T, key: K) => boolean): number {
  let low = 0
  let high = items.length
  if (high > 0 && isBefore(items[high - 1]!, key)) return high
  while (low < high) {
    const middle = (low + high) >> 1
    if (isBefore(items[middle]!, key)) low = middle + 1
    else high = middle
  }
  return low
}
