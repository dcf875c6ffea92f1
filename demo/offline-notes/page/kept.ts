// What the page and the service worker both have to know. The Cache API keeps it, because both reach that.

const CACHE = 'kept'

/** A value that outlives reloads, the same in all tabs and in the service worker. */
export class Kept<T> {
  readonly #path: string
  readonly #otherwise: T
  readonly #channel: BroadcastChannel

  constructor(name: string, otherwise: T) {
    this.#path = `/${name}`
    this.#otherwise = otherwise
    this.#channel = new BroadcastChannel(name)
  }

  async get(): Promise<T> {
    const kept = await caches.match(this.#path, { cacheName: CACHE })
    return kept === undefined ? this.#otherwise : ((await kept.json()) as T)
  }

  async set(value: T): Promise<void> {
    const cache = await caches.open(CACHE)
    await cache.put(this.#path, Response.json(value))
    this.#channel.postMessage(null)
  }

  /** Calls `listener` when another tab has set it. */
  onSet(listener: (value: T) => void): void {
    this.#channel.addEventListener('message', () => void this.get().then(listener))
  }
}
