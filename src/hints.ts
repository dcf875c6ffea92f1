import type { Hint } from './storage.ts'

/** The most ids of messages that a hint brings. */
const MOST = 64

/** Two hints in one. */
export function joinHints(a: Hint | undefined, b: Hint | undefined): Hint | undefined {
  if (a?.finished === undefined || b?.finished === undefined) return a?.finished === undefined ? b : a
  if (a.finished === 'many' || b.finished === 'many') return { finished: 'many' }
  return hintOf([...a.finished, ...b.finished])
}

/** What those who watch are told of messages whose outcomes came to be. */
export function hintOf(ids: readonly string[]): Hint {
  const all = [...new Set(ids)]
  return { finished: all.length > MOST ? 'many' : all }
}
