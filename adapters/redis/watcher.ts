import type { Hint } from '../../src/storage.ts'
import type { Listening, Sockets } from './sockets.ts'

/** News that make nothing deliverable, acks for example, reach listeners at most this often: consumers have no use for them. */
const NEWS_MS = 1000
/** Who waits for what becomes of a message hears of it sooner, but not of each by itself. */
const FINISHED_MS = 20
/** Ids that one hint names at most. */
const MAX_FINISHED = 64
/** After this long a connection that broke or was refused is tried again, and listeners look by themselves. */
const RETRY_MS = 1000
/**
 * Who only listens does not notice that nobody is there any more. A connection that has not answered when it is asked again,
 * after so long, is replaced.
 */
const PING_MS = 30_000

/**
 * Hears what scripts publish when something has changed, on one connection for all queues of an adapter. It is opened for
 * the first listener and lives until the last queue is closed, because consumers come and go.
 */
export class Watcher {
  readonly #connection: Sockets
  readonly #pingMs: number
  readonly #channels: Map<string, Channel> = new Map()
  #listening: Promise<Listening> | undefined
  #pings: ReturnType<typeof setInterval> | undefined

  constructor(connection: Sockets, pingMs: number = PING_MS) {
    this.#connection = connection
    this.#pingMs = pingMs
  }

  watch(channel: string, listener: (hint: Hint) => void): () => void {
    let known = this.#channels.get(channel)
    if (known === undefined) {
      known = new Channel()
      this.#channels.set(channel, known)
      void this.#subscribe(channel, known)
    }
    const { listeners } = known
    // Each watch ends by itself, also of the same function.
    const own = (hint: Hint): void => listener(hint)
    listeners.add(own)
    return () => void listeners.delete(own)
  }

  /** Lets go of the connection. */
  close(): void {
    for (const channel of this.#channels.values()) channel.stop()
    this.#channels.clear()
    this.#letGo()
  }

  async #subscribe(name: string, channel: Channel): Promise<void> {
    try {
      const listening = await this.#listen()
      if (!channel.stopped) await listening.subscribe(name)
    } catch {
      this.#again(name, channel)
    }
    // Whatever was published before was not heard.
    channel.missed()
  }

  #again(name: string, channel: Channel): void {
    channel.retry(() => void this.#subscribe(name, channel))
  }

  #listen(): Promise<Listening> {
    if (this.#listening !== undefined) return this.#listening
    const listening = this.#connection.listen({
      heard: (name, message) => this.#channels.get(name)?.heard(message),
      ready: () => this.#missed(),
      lost: () => this.#lost(listening),
    })
    this.#listening = listening
    listening.then(
      (opened) => this.#keepAlive(listening, opened),
      () => this.#lost(listening),
    )
    return listening
  }

  #keepAlive(listening: Promise<Listening>, opened: Listening): void {
    if (this.#listening !== listening) return
    let isAsked = false
    this.#pings = setInterval(() => {
      if (isAsked) return this.#lost(listening)
      isAsked = true
      const answered = (): boolean => (isAsked = false)
      opened.ping().then(answered, () => this.#lost(listening))
    }, this.#pingMs)
    this.#pings.unref()
  }

  /** The connection is there, perhaps again: what was published meanwhile was not heard, and subscribing takes a moment. */
  #missed(): void {
    for (const channel of this.#channels.values()) {
      channel.missed()
      channel.later(RETRY_MS, () => channel.missed())
    }
  }

  /** The connection is gone for good: another one takes its place. */
  #lost(listening: Promise<Listening>): void {
    if (this.#listening !== listening) return
    this.#letGo()
    for (const [name, channel] of this.#channels) this.#again(name, channel)
  }

  #letGo(): void {
    clearInterval(this.#pings)
    this.#listening?.then(
      (listening) => listening.close(),
      () => undefined,
    )
    this.#listening = undefined
  }
}

/** Whatever else somebody publishes means that nobody knows. */
function finishedOf(json: string): readonly string[] | 'many' {
  try {
    const ids: unknown = JSON.parse(json)
    if (Array.isArray(ids)) return ids.map(String)
  } catch {
    // No JSON.
  }
  return 'many'
}

class Channel {
  readonly listeners: Set<(hint: Hint) => void> = new Set()
  stopped = false
  readonly #timers: Set<NodeJS.Timeout> = new Set()
  #hintedAt = -Infinity
  /** When a hint comes that was put off. */
  #due = Infinity
  /** What the next hint tells. */
  #finished: Hint['finished']
  #retries = false

  /** What scripts publish: `wake` or `news`, and the ids of messages that have an outcome, as JSON. */
  heard(message: string): void {
    const ids = message.slice(4)
    if (ids !== '') this.#note(finishedOf(ids))
    if (!message.startsWith('news')) return this.#hint()
    const now = performance.now()
    const due = this.#hintedAt + (this.#finished === undefined ? NEWS_MS : FINISHED_MS)
    if (due <= now) return this.#hint()
    if (due >= this.#due) return
    this.#due = due
    this.later(due - now, () => {
      if (this.#due === due) this.#hint()
    })
  }

  /** Nobody knows what was published. */
  missed(): void {
    this.#finished = 'many'
    this.#hint()
  }

  #note(ids: readonly string[] | 'many'): void {
    const known = this.#finished ?? []
    const isMany = ids === 'many' || known === 'many' || known.length + ids.length > MAX_FINISHED
    this.#finished = isMany ? 'many' : [...known, ...ids]
  }

  #hint(): void {
    const finished = this.#finished
    this.#finished = undefined
    this.#due = Infinity
    this.#hintedAt = performance.now()
    for (const listener of this.listeners) listener({ finished })
  }

  /** Once, however often it is asked for meanwhile. */
  retry(run: () => void): void {
    if (this.#retries) return
    this.#retries = true
    this.later(RETRY_MS, () => {
      this.#retries = false
      run()
    })
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
