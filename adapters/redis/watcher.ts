import type { Connection, Listening } from './client.ts'

/** News that make nothing deliverable, acks for example, reach listeners at most this often: consumers have no use for them. */
const NEWS_MS = 1000
/** After this long a connection that broke or was refused is tried again, and listeners look by themselves. */
const RETRY_MS = 1000

/**
 * Hears what scripts publish when something has changed, on one connection for all queues of an adapter. It is opened for
 * the first listener and lives until the last queue is closed, because consumers come and go.
 */
export class Watcher {
  readonly #connection: Connection
  readonly #channels: Map<string, Channel> = new Map()
  #listening: Promise<Listening> | undefined

  constructor(connection: Connection) {
    this.#connection = connection
  }

  watch(channel: string, listener: () => void): () => void {
    let known = this.#channels.get(channel)
    if (known === undefined) {
      known = new Channel()
      this.#channels.set(channel, known)
      void this.#subscribe(channel, known)
    }
    const { listeners } = known
    // Each watch ends by itself, also of the same function.
    const own = (): void => listener()
    listeners.add(own)
    return () => void listeners.delete(own)
  }

  /** Lets go of the connection. */
  close(): void {
    for (const channel of this.#channels.values()) channel.stop()
    this.#channels.clear()
    this.#listening?.then(
      (listening) => listening.close(),
      () => undefined,
    )
    this.#listening = undefined
  }

  async #subscribe(name: string, channel: Channel): Promise<void> {
    try {
      const listening = await this.#listen()
      if (!channel.stopped) await listening.subscribe(name)
    } catch {
      channel.later(RETRY_MS, () => void this.#subscribe(name, channel))
    }
    // Whatever was published before was not heard.
    channel.hint()
  }

  #listen(): Promise<Listening> {
    if (this.#listening !== undefined) return this.#listening
    const listening = this.#connection.listen(
      (name, message) => this.#channels.get(name)?.heard(message),
      () => this.#missed(),
    )
    this.#listening = listening
    listening.catch(() => {
      if (this.#listening === listening) this.#listening = undefined
    })
    return listening
  }

  /** The connection is there, perhaps again: what was published meanwhile was not heard, and subscribing takes a moment. */
  #missed(): void {
    for (const channel of this.#channels.values()) {
      channel.hint()
      channel.later(RETRY_MS, () => channel.hint())
    }
  }
}

class Channel {
  readonly listeners: Set<() => void> = new Set()
  stopped = false
  readonly #timers: Set<NodeJS.Timeout> = new Set()
  #quietUntil = 0
  #announced = false

  heard(message: string): void {
    if (message !== 'news') return this.hint()
    const wait = this.#quietUntil - performance.now()
    if (wait <= 0) return this.hint()
    if (this.#announced) return
    this.#announced = true
    this.later(wait, () => this.hint())
  }

  hint(): void {
    this.#announced = false
    this.#quietUntil = performance.now() + NEWS_MS
    for (const listener of this.listeners) listener()
  }

  later(ms: number, run: () => void): void {
    if (this.stopped) return
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      run()
    }, ms)
    timer.unref()
    this.#timers.add(timer)
  }

  stop(): void {
    this.stopped = true
    for (const timer of this.#timers) clearTimeout(timer)
  }
}
