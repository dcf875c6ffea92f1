import { QuaysideError } from '../errors.ts'

/**
 * How a {@link FakeDestination} answers: with a status; with a response, each time a copy of it; with what a function makes of the
 * request; `'refuse'`: no connection; `'hang'`: no answer until {@link FakeDestination.release}, or until the request is aborted.
 */
export type Answer =
  | number
  | Response
  | 'refuse'
  | 'hang'
  | ((request: Request) => Response | Promise<Response>)

/** A request, as a {@link FakeDestination} got it. */
export interface FakeRequest {
  readonly method: string
  /** Without its fragment, which no server sees. */
  readonly url: string
  /** By their names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** What it was answered with: a status; `'refuse'`; `'hang'`, as long as it does; `'offline'`: there was no network. */
  readonly answer: number | 'refuse' | 'hang' | 'offline'
}

interface Script {
  readonly pattern: string | RegExp
  readonly answers: readonly Answer[]
  next: number
}

/** Statuses whose responses cannot have a body. */
const EMPTY: ReadonlySet<number> = new Set([101, 204, 205, 304])

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

const NO_NETWORK = 'fetch failed: there is no network'
const REFUSED = 'fetch failed: the connection was refused'

/**
 * A server for an outbox in a test: its `fetch` answers as you say and remembers what it was asked, and there is a network or none.
 * What is not scripted is answered with 200.
 *
 * ```ts
 * import { Queue } from 'quayside'
 * import { Outbox } from 'quayside/outbox'
 * import { FakeDestination, ManualClock, expectSent } from 'quayside/testing'
 *
 * const clock = new ManualClock()
 * const server = new FakeDestination().answer('POST /notes', 503, 201)
 * const { fetch, isOnline } = server
 * const outbox = new Outbox(new Queue('notes', { clock }), { clock, fetch, isOnline })
 *
 * await outbox.store('https://api.example/notes', { method: 'POST', body: 'hello' })
 * await outbox.drain() // 503
 * await clock.advance(60_000)
 * await outbox.drain() // 201
 * expectSent(server.requests, { body: 'hello', answer: 201 }, 1)
 * ```
 */
export class FakeDestination {
  /** All requests, in order, also those that were refused or found no network. `requests.length = 0` forgets them. */
  readonly requests: FakeRequest[] = []
  readonly #scripts: Script[] = []
  readonly #hanging: Set<(answer: Answer) => void> = new Set()
  #online = true

  /** For the option `isOnline` of an outbox. */
  readonly isOnline: () => boolean = () => this.#online

  /** For the option `fetch` of an outbox, or in place of the global one. */
  readonly fetch: (input: Request | string | URL, init?: RequestInit) => Promise<Response> = async (
    input,
    init,
  ) => {
    const request = new Request(input, init)
    request.signal.throwIfAborted()
    const { method, headers } = request
    const seen = { method, url: request.url.replace(/#.*/, ''), headers: Object.fromEntries(headers) }
    const noted: Mutable<FakeRequest> = { ...seen, body: await request.clone().text(), answer: 'hang' }
    this.requests.push(noted)
    if (!this.#online) {
      noted.answer = 'offline'
      throw new TypeError(NO_NETWORK)
    }
    let answer = this.#next(method, seen.url)
    if (answer === 'hang') answer = await this.#released(request.signal)
    if (answer === 'refuse') {
      noted.answer = 'refuse'
      throw new TypeError(REFUSED)
    }
    const response = await responseOf(answer, request)
    noted.answer = response.status
    return response
  }

  /** Whether there is a network. Is told to whoever listens to `online` and `offline` of the page, where there is one. */
  get online(): boolean {
    return this.#online
  }

  set online(online: boolean) {
    if (this.#online === online) return
    this.#online = online
    if (!online) for (const end of this.#hanging) end('refuse')
    const scope = globalThis as Partial<Pick<EventTarget, 'dispatchEvent'>>
    scope.dispatchEvent?.(new Event(online ? 'online' : 'offline'))
  }

  /**
   * Says how requests are answered: with the first answer, the next time with the second one, and with the last one from then on. What was
   * said last of a request holds.
   *
   * @param pattern Which requests: a URL or its path with query, such as `'/notes?draft=1'`; with a method before it, `'POST /notes'`; or a
   * `RegExp` that is tried on `'POST https://api.example/notes'`.
   * @throws {@link QuaysideError} `INVALID_ARGUMENT`: there is no answer, or one that is none; or no request can be meant by the pattern.
   */
  answer(pattern: string | RegExp, ...answers: readonly Answer[]): this {
    checkPattern(pattern)
    if (answers.length === 0)
      throw new QuaysideError('INVALID_ARGUMENT', 'answer: there must be an answer at least, not none')
    for (const answer of answers) checkAnswer(answer)
    this.#scripts.unshift({ pattern, answers, next: 0 })
    return this
  }

  /** Answers what hangs, and says how many those were. @param answer With what. @defaultValue 200 */
  release(answer: Answer = 200): number {
    checkAnswer(answer)
    const hanging = [...this.#hanging]
    for (const end of hanging) end(answer)
    return hanging.length
  }

  #next(method: string, url: string): Answer {
    const script = this.#scripts.find(({ pattern }) => isFor(pattern, method, url))
    if (script === undefined) return 200
    const { answers, next } = script
    script.next = Math.min(next + 1, answers.length - 1)
    return answers[next]!
  }

  #released(signal: AbortSignal): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const end = (answer: Answer): void => {
        this.#hanging.delete(end)
        signal.removeEventListener('abort', abort)
        resolve(answer)
      }
      const abort = (): void => {
        this.#hanging.delete(end)
        reject(signal.reason)
      }
      this.#hanging.add(end)
      signal.addEventListener('abort', abort, { once: true })
    })
  }
}

function isFor(pattern: string | RegExp, method: string, url: string): boolean {
  // Not `test`, which goes on from its last match where the expression is global.
  if (typeof pattern !== 'string') return `${method} ${url}`.search(pattern) >= 0
  const [, only, place] = /^(?:([A-Z]+) )?(.*)$/s.exec(pattern)!
  if (only !== undefined && only !== method) return false
  const parts = ({ origin, pathname, search }: URL): string => origin + pathname + search
  return parts(new URL(place!, url)) === parts(new URL(url))
}

/** What no request would ever look like is a slip of the pen: all of them would be answered with 200. */
function checkPattern(pattern: unknown): void {
  if (pattern instanceof RegExp) return
  const [, place] =
    (typeof pattern === 'string' && /^(?:[A-Z]+ )?((?:\/|https?:\/\/).*)$/s.exec(pattern)) || []
  if (place !== undefined && URL.canParse(place, 'http://a')) return
  const shown = typeof pattern === 'string' ? JSON.stringify(pattern) : String(pattern)
  throw new QuaysideError(
    'INVALID_ARGUMENT',
    `answer: a pattern must be a URL or a path from '/' on, with a method in capitals before it if need be, or a RegExp, not ${shown}`,
  )
}

function checkAnswer(answer: unknown): void {
  if (typeof answer === 'number' && Number.isInteger(answer) && answer >= 200 && answer <= 599) return
  if (answer === 'refuse' || answer === 'hang') return
  if (typeof answer === 'function' || answer instanceof Response) return
  throw new QuaysideError(
    'INVALID_ARGUMENT',
    `answer: an answer must be a status from 200 to 599, a Response, 'refuse', 'hang' or a function, not ${String(answer)}`,
  )
}

async function responseOf(answer: Exclude<Answer, 'refuse'>, request: Request): Promise<Response> {
  if (typeof answer === 'function') return await answer(request)
  if (typeof answer === 'object') return answer.clone()
  // Who releases with it lets it hang no longer.
  const status = answer === 'hang' ? 200 : answer
  return new Response(EMPTY.has(status) ? null : '', { status })
}
