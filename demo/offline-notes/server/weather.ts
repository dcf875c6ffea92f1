import type { ServerResponse } from 'node:http'

/**
 * What the server does to a note that arrives.
 *
 * - `calm`: takes it.
 * - `squalls`: of three, refuses one for the moment (503), and takes one but loses the answer on the way.
 * - `closed`: refuses it for good (422).
 */
export type Weather = 'calm' | 'squalls' | 'closed'

export const WEATHERS: readonly Weather[] = ['calm', 'squalls', 'closed']

/** What becomes of one request. */
export type Fate = 'taken' | 'busy' | 'answer-lost' | 'refused'

const SQUALLS: readonly Fate[] = ['busy', 'answer-lost', 'taken']

export class Harbour {
  weather: Weather = 'calm'
  #requests = 0

  /** The fate of the next request. */
  next(): Fate {
    if (this.weather === 'closed') return 'refused'
    return this.weather === 'calm' ? 'taken' : SQUALLS[this.#requests++ % SQUALLS.length]!
  }
}

/** Cuts the connection, as a network does that breaks after the request has arrived. */
export function loseAnswer(response: ServerResponse): void {
  response.socket?.destroy()
}
