/**
 * What became of a request when `fetch` answers 202 in place of the server.
 *
 * - `stored`: it waits for its turn, for the network, or for `resume()`.
 * - `sending`: it is under way, and takes longer than `answerWithinMs`.
 * - `retrying`: an attempt failed, and it will be tried again.
 * - `accepted`: another tab, worker or process has sent it. The response is known there.
 * - `held`: the server wants somebody to log in first.
 * - `parked`: the server refused this request; a person or a fix decides on it.
 * - `dead`: its last attempt got no answer.
 * - `duplicate`: a request of this id was stored before, and this one was not.
 */
export type StoredState =
  | 'stored'
  | 'sending'
  | 'retrying'
  | 'accepted'
  | 'held'
  | 'parked'
  | 'dead'
  | 'duplicate'

/** The answer to a request that the server has not accepted. */
export function storedAnswer(id: string, state: StoredState): Response {
  return new Response(null, { status: 202, headers: named(id, state) })
}

/** The server's answer to a request that is dead, with the message's id. */
export function deadAnswer(id: string, response: Response): Response {
  // Such a response cannot be made.
  if (response.status < 200 || response.status > 599) return response
  const headers = new Headers(response.headers)
  named(id, 'dead').forEach((value, name) => headers.set(name, value))
  return new Response(response.body, { status: response.status, statusText: response.statusText, headers })
}

function named(id: string, state: StoredState): Headers {
  return new Headers({ 'quayside-message-id': headerSafe(id), 'quayside-state': state })
}

/** An id as a header can carry it: percent-encoded where it is not ASCII. */
export function headerSafe(id: string): string {
  return encodeURI(id)
}
