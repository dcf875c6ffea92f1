/** How long changes that no idle consumer waits for are held back, in ms, so that many of them make one hint. */
const QUIET_MS = 50

/** Tells the other tabs and workers of the origin that a queue has changed. Hints, no more: they may be lost. */
export class Channel {
  readonly #listeners: Map<string, Set<() => void>> = new Map()
  readonly #later: Set<string> = new Set()
  readonly #channel: BroadcastChannel | undefined
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(name: string) {
    // Some workers have none; consumers then look again when something is due, or something changes in their context.
    if (typeof BroadcastChannel === 'undefined') return
    this.#channel = new BroadcastChannel(`quayside:${name}`)
    this.#channel.addEventListener('message', ({ data }) => {
      // Any page of the origin may say anything here.
      if (Array.isArray(data)) for (const queue of data) this.#tell(queue as string)
    })
  }

  listen(queue: string, listener: () => void): () => void {
    const own = (): void => listener()
    const listeners = this.#listeners.get(queue) ?? new Set()
    this.#listeners.set(queue, listeners.add(own))
    return () => {
      listeners.delete(own)
      if (listeners.size === 0 && this.#listeners.get(queue) === listeners) this.#listeners.delete(queue)
    }
  }

  /** Something changed in a queue. */
  changed(queue: string, soon: boolean): void {
    queueMicrotask(() => this.#tell(queue))
    if (this.#channel === undefined) return
    if (soon) {
      this.#later.delete(queue)
      this.#channel.postMessage([queue])
      return
    }
    this.#later.add(queue)
    this.#timer ??= setTimeout(() => this.#flush(), QUIET_MS)
  }

  close(): void {
    this.#flush()
    this.#channel?.close()
  }

  #flush(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#later.size > 0) this.#channel?.postMessage([...this.#later])
    this.#later.clear()
  }

  #tell(queue: string): void {
    for (const listener of this.#listeners.get(queue) ?? []) listener()
  }
}
