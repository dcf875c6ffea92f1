/**
 * Operations of a namespace as Cloudflare bills them: a bulk read counts once for each of its keys, a read of a key that is
 * not there counts too, and so do operations that are tried again. What expires costs nothing.
 */
export interface KVOperations {
  readonly reads: number
  readonly writes: number
  readonly deletes: number
  readonly lists: number
}

/**
 * US dollars for a million operations on the paid plan, beyond the 10 million reads and 1 million of each other that a month
 * includes.
 *
 * Source: https://developers.cloudflare.com/kv/platform/pricing/ as of 2026-04-21. Storage is besides: $0.50 for a GB and month.
 */
const DOLLARS_PER_MILLION: KVOperations = { reads: 0.5, writes: 5, deletes: 5, lists: 5 }

/**
 * What operations cost, in US dollars, once what a month includes is used up.
 *
 * ```ts
 * priceOf({ reads: 2_000_000, writes: 1_000_000, deletes: 0, lists: 0 }) // 6
 * ```
 */
export function priceOf(operations: KVOperations): number {
  let dollars = 0
  for (const name of ['reads', 'writes', 'deletes', 'lists'] as const) {
    dollars += (operations[name] * DOLLARS_PER_MILLION[name]) / 1_000_000
  }
  return dollars
}
