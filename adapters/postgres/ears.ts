import type { Hint } from '../../src/storage.ts'
import type { Database, Listening } from './database.ts'
import { heardOf } from './news.ts'

/** After so long, in ms, a connection that broke or was refused is tried again: the first time, and at most. */
const RETRY_MS = 250
const MAX_RETRY_MS = 30_000
/** Who only listens does not notice that nobody is there any more: so he asks, each so many ms. */
const PING_MS = 30_000

export type Listener = (hint?: Hint) => void

/** Hears what others tell of queues, on one connection, as long as somebody listens. */
export class Ears {
  readonly #database: Database
  readonly #channel: string
  /** Who we are, whose own news need not be heard. */
  readonly #self: string
  readonly #pingMs: number
  readonly #listeners: Map<string, Set<Listener>> = new Map()
  /** The connection that is being listened on; another object for each one. */
  #attempt: object | undefined
  #listening: Listening | undefined
  #retryMs = RETRY_MS
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(database: Database, channel: string, self: string, pingMs: number = PING_MS) {
    this.#database = database
    this.#channel = channel
    this.#self = self
    this.#pingMs = pingMs
  }

  watch(queue: string, listener: Listener): () => void {
    const own: Listener = (hint) => listener(hint)
    const listeners = this.#listeners.get(queue) ?? new Set()
    this.#listeners.set(queue, listeners.add(own))
    if (this.#attempt === undefined) void this.#open()
    return () => {
      listeners.delete(own)
      if (listeners.size > 0 || this.#listeners.get(queue) !== listeners) return
      this.#listeners.delete(queue)
      if (this.#listeners.size === 0) this.close()
    }
  }

  close(): void {
    clearTimeout(this.#timer)
    this.#attempt = undefined
    this.#listening?.close()
    this.#listening = undefined
  }

  async #open(): Promise<void> {
    const attempt = (this.#attempt = {})
    const heard = (payload: string): void => {
      const told = heardOf(payload)
      if (told !== undefined && told.by !== this.#self) this.#tell(told.queue, told.hint)
    }
    let listening: Listening
    try {
      listening = await this.#database.listen!(this.#channel, heard, () => this.#lost(attempt))
    } catch {
      this.#lost(attempt)
      return
    }
    if (this.#attempt !== attempt) {
      listening.close()
      return
    }
    this.#listening = listening
    this.#retryMs = RETRY_MS
    this.#keepAlive(attempt, listening)
    // Whatever was told before was not heard.
    for (const queue of this.#listeners.keys()) this.#tell(queue, { finished: 'many' })
  }

  #keepAlive(attempt: object, listening: Listening): void {
    this.#timer = unref(
      setTimeout(() => {
        const again = (): void => {
          if (this.#attempt === attempt) this.#keepAlive(attempt, listening)
        }
        listening.ping().then(again, () => this.#lost(attempt))
      }, this.#pingMs),
    )
  }

  /** The connection is gone: another one takes its place. */
  #lost(attempt: object): void {
    if (this.#attempt !== attempt) return
    this.close()
    const waiting = (this.#attempt = {})
    this.#timer = unref(
      setTimeout(() => {
        if (this.#attempt === waiting) void this.#open()
      }, this.#retryMs),
    )
    this.#retryMs = Math.min(this.#retryMs * 2, MAX_RETRY_MS)
  }

  #tell(queue: string, hint: Hint | undefined): void {
    for (const listener of this.#listeners.get(queue) ?? []) listener(hint)
  }
}

/** Timers keep no process running for the sake of hints. */
function unref<T extends object>(timer: T): T {
  ;(timer as { unref?(): void }).unref?.()
  return timer
}
