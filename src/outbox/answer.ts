import { headerSafe } from './header-safe.ts'
import type { KeptAnswer } from './verdict.ts'

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

/** The answer to a request that the server has not accepted. */
export function storedAnswer(id: string, state: StoredState): Response {
  return new Response(null, { status: 202, headers: named(new Headers(), id, state) })
}

/** The server's answer to a request that it has not accepted, with the message's id. */
export function serversAnswer(id: string, state: StoredState, response: Response): Response {
  // Such a response cannot be made, nor its headers be read.
  if (response.status === 0) return response
  // Where a response shows no stream of its body, it is the one that has it.
  if (response.body === undefined) {
    named(response.headers, id, state)
    return response
  }
  const headers = named(new Headers(response.headers), id, state)
  const { status, statusText } = response
  return new Response(bodyFor(status, response.body), { status: safe(status), statusText, headers })
}

/** A response made of what was kept of it. */
export function keptResponse(
  id: string,
  { status, headers, body }: KeptAnswer,
  state?: StoredState,
): Response {
  const own = new Headers(headers)
  // Of the body as it came; what was kept is text.
  for (const name of ['content-encoding', 'content-length', 'transfer-encoding']) own.delete(name)
  return new Response(bodyFor(status, body), { status: safe(status), headers: named(own, id, state) })
}

function named(headers: Headers, id: string, state: StoredState | undefined): Headers {
  headers.set('quayside-message-id', headerSafe(id))
  if (state !== undefined) headers.set('quayside-state', state)
  return headers
}

/** Servers answer with others as well, of which no response can be made. */
function safe(status: number): number {
  return status >= 200 && status <= 599 ? status : 502
}

function bodyFor<B>(status: number, body: B): B | null {
  return [204, 205, 304].includes(status) ? null : body
}
