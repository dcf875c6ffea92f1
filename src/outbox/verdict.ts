import type { Outcome } from './outcome.ts'

/** What is kept of a server's answer with a message: shown where it is parked or dead, and what `outbox.response` is made of. */
export interface KeptAnswer {
  readonly status: number
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  /** The beginning of the body, as text. */
  readonly body: string
}

/** What an attempt came to: the seam between sending one request, and what becomes of its message. */
export interface Verdict {
  readonly outcome: Outcome
  /** What was sent in the end: `before` may have put another in place of the stored one. */
  readonly request: Request
  /**
   * The server's answer, its body not read: where it is `accepted`, the server may still be writing it. Who has no use for it
   * lets go of it with `letGo`, or the connection stays busy. `undefined`: there was none.
   */
  readonly response: Response | undefined
  /** Gives the rest of the response up after as long as the attempt might take. Answers with a function that stops that. */
  readonly cut: () => () => void
  /** What happened, in words: `HTTP 403: …`, `no answer: …`, `redirected to …`. */
  readonly reason: string
  /** Of every answer that was not accepted. What is to be kept of one that was is read by `keep`. */
  readonly answer?: KeptAnswer | undefined
  /** How long the server asked not to be asked again, in ms. */
  readonly retryAfterMs?: number | undefined
}

/** The answer that is kept as this, if it is one. */
export function answerIn(data: unknown): KeptAnswer | undefined {
  const answer = data as KeptAnswer | null | undefined
  return typeof answer?.status === 'number' ? answer : undefined
}

/** What the server said, as far as the error of an attempt tells it. */
export function answerOfError(error: string | undefined): KeptAnswer | undefined {
  const [, status, body] = /^HTTP (\d+): (.*)$/s.exec(error ?? '') ?? []
  return body === undefined ? undefined : { status: Number(status), headers: {}, body }
}
