import { headerSafe } from './header-safe.ts'
import { givenId } from './places.ts'

/**
 * What became of a request whose answer bears `Quayside-State`: it is a 202 in place of the server's, or the server's own where
 * the server refused it.
 *
 * - `stored`: it waits for its turn, for the network, or for `resume()`.
 * - `sending`: it is under way, and takes longer than `answerWithinMs`.
 * - `retrying`: an attempt failed, and it will be tried again.
 * - `waiting`: the request that it comes {@link OutboxRequestInit.after} is not accepted yet.
 * - `accepted`: another tab, worker or process has sent it: see {@link Outbox.response}.
 * - `held`: the server wants somebody to log in first.
 * - `parked`: the server refused this request; a person or a fix decides on it.
 * - `dead`: its last attempt got no answer.
 * - `expired`: nobody wanted it any more before it was sent.
 * - `cancelled`: somebody took it back.
 * - `purged`: it is not there any more, and nothing is kept of it.
 * - `unstored`: it could not be stored, and was sent once. The response is the server's own.
 * - `duplicate`: a request of this id was stored before, and this one was not.
 */
export type StoredState =
  | 'stored'
  | 'sending'
  | 'retrying'
  | 'waiting'
  | 'accepted'
  | 'held'
  | 'parked'
  | 'dead'
  | 'expired'
  | 'cancelled'
  | 'purged'
  | 'unstored'
  | 'duplicate'

/** What an answer is made of. */
interface Parts {
  readonly status: number
  readonly statusText?: string
  readonly headers?: HeadersInit
  readonly body?: BodyInit | null
  readonly bodyUsed?: boolean
}

/** An answer to a request, with the message's id: it is made of another one, of what was kept of one, or of nothing. */
export function answerOf(
  id: string,
  state: StoredState | undefined,
  { status, statusText = '', headers, body, bodyUsed }: Parts = { status: 202 },
): Response {
  return new Response(bodyUsed || [204, 205, 304].includes(status) ? null : body, {
    // Servers answer with others as well, of which no response can be made.
    status: status >= 200 && status <= 599 ? status : 502,
    statusText,
    headers: named(new Headers(headers), id, state),
  })
}

/** The server's answer to a request that it has not accepted, with the message's id. */
export function serversAnswer(id: string, state: StoredState, response: Response): Response {
  // Such a response cannot be made, nor its headers be read.
  if (response.status === 0) return response
  if (response.body !== undefined) return answerOf(id, state, response)
  // Where a response shows no stream of its body, it is the one that has it.
  named(response.headers, id, state)
  return response
}

function named(headers: Headers, id: string, state: StoredState | undefined): Headers {
  headers.set('quayside-message-id', headerSafe(givenId(id)))
  if (state !== undefined) headers.set('quayside-state', state)
  return headers
}
