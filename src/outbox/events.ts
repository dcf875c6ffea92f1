import { soon } from '../clock.ts'
import { errorText, hasCode } from '../errors.ts'

/** Something that happened to a request, or, as `changed` and `failed`, to the queue. */
export interface OutboxEvent {
  /**
   * - `stored`, `sending`, `accepted`, `retrying`, `held`, `parked`, `dead`, `cancelled`: the state that the request `id` has
   *   reached. Of `accepted`, `parked`, `dead` and `cancelled` all contexts of an origin hear, or all threads of a process, of the others
   *   only that in which it happened. Other processes hear that something has `changed`: see {@link Outbox.response}.
   * - `unstored`: the request could not be stored, and is sent once. All contexts hear of it, too.
   * - `changed`: something changed, in this or in another context. A hint to look again.
   * - `failed`: the storage failed while nobody waited for it. Sending goes on when it works again, unless what it failed with is no
   *   passing trouble: see {@link Consumer.run}.
   */
  readonly type:
    | 'stored'
    | 'sending'
    | 'accepted'
    | 'retrying'
    | 'held'
    | 'parked'
    | 'dead'
    | 'cancelled'
    | 'unstored'
    | 'changed'
    | 'failed'
  readonly id?: string | undefined
  /** Of the server's response, if there was one. */
  readonly status?: number | undefined
  /**
   * What went wrong. Not told to other contexts, whose lists have it. Of `sending`: that another app of the origin has stored it (a page
   * in another folder, or a service worker of another scope), which may have another queue in mind.
   */
  readonly reason?: string | undefined
}

type Listener = (event: OutboxEvent) => void

/** Ends, which all contexts hear of. */
const ENDS: readonly unknown[] = [
  'accepted',
  'parked',
  'dead',
  'cancelled',
  'unstored',
] satisfies readonly OutboxEvent['type'][]

/** Tells of events, here and in the other contexts of the origin. */
export class Events {
  readonly #name: string
  readonly #listeners: Set<Listener> = new Set()
  /** While somebody listens. */
  #channel: BroadcastChannel | undefined

  constructor(queue: string) {
    this.#name = `quayside-outbox:${queue}`
  }

  listen(listener: Listener): () => void {
    const own = (event: OutboxEvent): void => listener(event)
    this.#listeners.add(own)
    if (this.#channel === undefined) {
      this.#channel = this.#open()
      this.#channel?.addEventListener('message', ({ data }) => this.#heard(data))
    }
    return () => {
      this.#listeners.delete(own)
      if (this.#listeners.size > 0) return
      this.#channel?.close()
      this.#channel = undefined
    }
  }

  emit(event: OutboxEvent): void {
    this.#tell(event)
    if (!ENDS.includes(event.type)) return
    const { type, id, status } = event
    const channel = this.#channel ?? this.#open()
    channel?.postMessage({ type, id, status })
    if (channel !== this.#channel) channel?.close()
  }

  /** Reports what failed while nobody waited. */
  readonly fail = (error: unknown): void => {
    if (hasCode(error, 'CLOSED')) return
    this.#tell({ type: 'failed', reason: errorText(error) })
  }

  #open(): BroadcastChannel | undefined {
    if (typeof BroadcastChannel === 'undefined') return undefined
    const channel = new BroadcastChannel(this.#name)
    // Node: who listens for events alone does not keep a process alive.
    ;(channel as { unref?: () => void }).unref?.()
    return channel
  }

  #heard(data: unknown): void {
    // Any page of the origin may say anything here.
    const { type, id, status } = (data ?? {}) as OutboxEvent
    if (ENDS.includes(type) && typeof id === 'string') this.#tell({ type, id, status })
  }

  #tell(event: OutboxEvent): void {
    // Apart from what goes on here, which no listener may break.
    for (const listener of this.#listeners) soon(() => listener(event))
  }
}
