import type { Wish } from './wishes.ts'

/** How a server is at a time. */
export type Mood =
  | 'well'
  | 'slow'
  /** Answers 500 to everybody. */
  | 'failing'
  /** Answers 503, and when to come back. */
  | 'busy'
  /** Takes so many in a while, and prolongs its ban for whoever comes within it. */
  | 'limiting'
  /** Takes no connections. */
  | 'refusing'
  /** Takes requests, and never answers. */
  | 'hanging'
  /** Does what is asked for; the answer is lost. */
  | 'lossy'
  /** Sends everybody to a page to log in, as a captive portal does. */
  | 'portal'

/** Those that ask for rest are oftener. */
export const MOODS: readonly Mood[] = [
  'well',
  'slow',
  'failing',
  'busy',
  'busy',
  'busy',
  'limiting',
  'limiting',
  'limiting',
  'refusing',
  'hanging',
  'lossy',
  'portal',
]

export interface Answer {
  readonly status: number
  readonly headers?: Record<string, string>
  readonly body?: string
  /** Where it ended up. */
  readonly redirectedTo?: string
}

const PER_WINDOW = 3
const WINDOW_MS = 10_000
const BAN_MS = 15_000

/** A server with a temper. It asks nobody who they are, unless it is one of those that do. */
export class Server {
  readonly origin: string
  readonly asksWho: boolean
  mood: Mood = 'well'
  /** While it is `busy`. */
  backAt = 0
  readonly #known: Map<string, Answer> = new Map()
  #windowAt = 0
  #inWindow = 0
  #bannedUntil = 0

  constructor(origin: string, asksWho: boolean) {
    this.origin = origin
    this.asksWho = asksWho
  }

  get travelMs(): number {
    return this.mood === 'slow' ? 4000 : 20
  }

  /** Its answer; an `Error`: the connection ends so; `undefined`: none ever. */
  answer(
    now: number,
    wish: Wish,
    { url, isFixed, idempotencyKey, isLoggedIn }: Asked,
    accept: (wish: Wish) => void,
  ): Answer | Error | undefined {
    if (this.mood === 'refusing') return new TypeError('connection refused')
    if (this.mood === 'hanging') return undefined
    if (this.mood === 'failing') return { status: 500 }
    if (this.mood === 'portal')
      return { status: 200, body: '<h1>Log in</h1>', redirectedTo: 'https://portal.test/' }
    if (this.mood === 'busy' && now < this.backAt) return retryAfter(503, this.backAt - now)
    if (this.mood === 'limiting') {
      if (now >= this.#windowAt + WINDOW_MS) [this.#windowAt, this.#inWindow] = [now, 0]
      if (now < this.#bannedUntil || ++this.#inWindow > PER_WINDOW) {
        this.#bannedUntil = now + BAN_MS
        return retryAfter(429, BAN_MS)
      }
    }
    if (this.asksWho && !isLoggedIn) return { status: 401 }
    const known = idempotencyKey === null ? undefined : this.#known.get(idempotencyKey)
    let answer = known
    if (answer === undefined) {
      if (wish.refusedWith !== undefined && !isFixed) return { status: wish.refusedWith, body: 'no' }
      accept(wish)
      answer = { status: 201, body: JSON.stringify({ id: wish.n, path: new URL(url).pathname }) }
      if (idempotencyKey !== null) this.#known.set(idempotencyKey, answer)
    }
    return this.mood === 'lossy' ? new TypeError('connection reset') : answer
  }
}

/** A request, as the server sees it. */
export interface Asked {
  readonly url: string
  readonly isFixed: boolean
  readonly idempotencyKey: string | null
  readonly isLoggedIn: boolean
}

function retryAfter(status: number, ms: number): Answer {
  return { status, headers: { 'retry-after': `${Math.ceil(ms / 1000)}` } }
}
