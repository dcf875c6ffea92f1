import type { ServerResponse } from 'node:http'

/** Where notes go: each has a weather of its own. */
export type Harbour = 'port' | 'island'

export const HARBOURS: readonly Harbour[] = ['port', 'island']

/**
 * What a harbour does to a note that arrives.
 *
 * - `calm`: takes it.
 * - `squalls`: of three, refuses one for the moment (503), and takes one but loses the answer on the way.
 * - `closed`: refuses it (403).
 * - `crossed`: says that somebody else wrote it first (409), unless it was edited.
 */
export type Weather = 'calm' | 'squalls' | 'closed' | 'crossed'

export const WEATHERS: readonly Weather[] = ['calm', 'squalls', 'closed', 'crossed']

/** What becomes of one request. */
export type Fate = 'taken' | 'busy' | 'answer-lost' | 'forbidden' | 'conflict'

const SQUALLS: readonly Fate[] = ['busy', 'answer-lost', 'taken']

/** The weather in all harbours. */
export class Sky {
  readonly weather: Record<Harbour, Weather> = { port: 'calm', island: 'calm' }
  #squalls = 0

  /** The fate of the next note to a harbour. */
  next(harbour: Harbour, isEdited: boolean): Fate {
    const weather = this.weather[harbour]
    if (weather === 'squalls') return SQUALLS[this.#squalls++ % SQUALLS.length]!
    if (weather === 'closed') return 'forbidden'
    return weather === 'crossed' && !isEdited ? 'conflict' : 'taken'
  }
}

/** Cuts the connection, as a network does that breaks after the request has arrived. */
export function loseAnswer(response: ServerResponse): void {
  response.socket?.destroy()
}
