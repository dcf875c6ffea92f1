import type { Hint } from '../../src/storage.ts'

/**
 * A hint as the message of a WebSocket: empty, or JSON with what has finished. Who knows nothing of that may take any message
 * for the news that the queue has changed.
 */
export function textOfHint({ finished }: Hint = {}): string {
  return finished === undefined ? '' : JSON.stringify({ finished })
}

/** `undefined`: something has changed, and nobody says what. */
export function hintOfText(text: unknown): Hint | undefined {
  if (text === '') return {}
  try {
    const { finished } = JSON.parse(text as string) as Hint
    const isKnown =
      finished === 'many' || (Array.isArray(finished) && finished.every((id) => typeof id === 'string'))
    return isKnown ? { finished } : undefined
  } catch {
    return undefined
  }
}
