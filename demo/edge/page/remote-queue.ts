import type { InspectedQueue } from 'quayside/inspector'

/** How often to look at a storage that tells of nothing, in ms. */
const LOOK_MS = 5000

/** A queue of the Worker, for the inspector: each call is a request to the status API. */
export class RemoteQueue implements InspectedQueue {
  readonly name: string
  readonly #path: string
  readonly #isLive: boolean

  /**
   * @param storage Which of the Worker's queues, by where it is kept.
   * @param isLive Whether the storage tells of changes, over a WebSocket.
   */
  constructor(storage: string, isLive: boolean) {
    this.name = `forms in ${storage}`
    this.#path = `/status/${storage}`
    this.#isLive = isLive
  }

  stats: InspectedQueue['stats'] = () => this.#call('stats')
  list: InspectedQueue['list'] = (options) => this.#call('list', options)
  cancel: InspectedQueue['cancel'] = (ids) => this.#call('cancel', ids)
  resume: InspectedQueue['resume'] = (ids, options) => this.#call('resume', ids, options)
  hold: InspectedQueue['hold'] = (place) => this.#call('hold', place)
  release: InspectedQueue['release'] = (place) => this.#call('release', place)
  lanes: InspectedQueue['lanes'] = (options) => this.#call('lanes', options)
  retryNow: InspectedQueue['retryNow'] = (ids, options) => this.#call('retryNow', ids ?? null, options)
  edit: InspectedQueue['edit'] = (id, payload, options) => this.#call('edit', id, payload, options)

  deadLetters(group: string): ReturnType<InspectedQueue['deadLetters']> {
    return {
      list: (options) => this.#call('deadLetters.list', group, options),
      redrive: (ids) => this.#call('deadLetters.redrive', group, ids ?? null),
      delete: (ids) => this.#call('deadLetters.delete', group, ids ?? null),
    }
  }

  watch(listener: () => void): () => void {
    if (!this.#isLive) {
      const timer = setInterval(listener, LOOK_MS)
      return () => clearInterval(timer)
    }
    const socket = new WebSocket(new URL(`${this.#path}/watch`, location.href.replace(/^http/, 'ws')))
    socket.addEventListener('message', listener)
    return () => socket.close()
  }

  async #call<R>(verb: string, ...args: unknown[]): Promise<R> {
    const response = await fetch(this.#path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ verb, args }),
    })
    if (response.status === 500) {
      const { code, message } = await response.json()
      throw Object.assign(new Error(message), { code })
    }
    if (!response.ok) throw new Error(await response.text())
    return (await response.json()) as R
  }
}
