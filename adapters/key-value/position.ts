import type { Items } from './items.ts'

/**
 * From where on a run reads. Written to two items in turn, so that one is whole when the other is torn; they have the numbers
 * 0 and 1, and those of commits begin with {@link FIRST}.
 */
export interface Position {
  /** Counts what the run has written of these. */
  readonly turn: number
  /** Whose items hold the commits, and from which number on: the first is where reading begins, the last is the run itself. */
  readonly runs: readonly (readonly [run: string, from: number])[]
  /** The sum of the item before the first. */
  readonly sum: string
  /** The last item that there was at the time. */
  readonly last: number
  /** Items that nobody needs, and that may still be there. */
  readonly waste: readonly Waste[]
}

/** Items of a run, both ends included. */
export type Waste = readonly [run: string, from: number, to: number]

export const FIRST = 2

export function positionKey(items: Items, run: string, turn: number): string {
  return items.key(run, turn % 2)
}

export async function readPosition(items: Items, run: string): Promise<Position | undefined> {
  const [a, b] = (await Promise.all([0, 1].map((slot) => items.read(positionKey(items, run, slot))))) as (
    | Position
    | undefined
  )[]
  return a === undefined || (b !== undefined && b.turn > a.turn) ? b : a
}
