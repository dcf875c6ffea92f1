import { openChannel } from '../channel.ts'
import { type Clock, soon } from '../clock.ts'
import type { Queue } from '../core/lean/index.ts'
import { errorText, hasCode } from '../errors.ts'
import type { Elsewhere } from './elsewhere.ts'
import { hasOrigins } from './origins.ts'
import { givenId } from './places.ts'
import type { OutboxPayload } from './request.ts'

/** Something that happened to a request, or, as `changed` and `failed`, to the queue. */
export interface OutboxEvent {
  /**
   * - `stored`, `sending`, `accepted`, `retrying`, `held`, `parked`, `dead`, `cancelled`: the state that the request `id` has
   *   reached. Of `accepted`, `parked`, `dead` and `cancelled` all contexts of an origin hear, or all threads of a process. So do other
   *   processes of the first three, where the storage can watch and keeps results, and responses are kept (`keepResponse`). Of the
   *   others only the context in which it happened.
   * - `unstored`: the request could not be stored, and is sent once. All contexts hear of it, too.
   * - `progress`: `sent` of `total` bytes of its body have gone, where the option `fetch` tells so. In this context only.
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
    | 'progress'
    | 'changed'
    | 'failed'
  readonly id?: string | undefined
  /** Of the server's response, if there was one. */
  readonly status?: number | undefined
  /** Of `progress`: bytes. */
  readonly sent?: number | undefined
  readonly total?: number | undefined
  /**
   * What went wrong. Of `sending`: that another app of the origin has stored it (a page
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

/** Tells of events, here and in the other contexts. */
export class Events {
  readonly #queue: Queue<OutboxPayload>
  readonly #clock: Clock
  readonly #listeners: Set<Listener> = new Set()
  /** While somebody listens. */
  #channel: BroadcastChannel | undefined
  /** For what is told in one turn while nobody does: to open one costs a browser some ms. */
  #brief: BroadcastChannel | undefined
  #elsewhere: Elsewhere | undefined

  constructor(queue: Queue<OutboxPayload>, clock: Clock) {
    this.#queue = queue
    this.#clock = clock
  }

  listen(listener: Listener): () => void {
    const own = (event: OutboxEvent): void => listener(event)
    if (this.#listeners.size === 0) this.#enter()
    this.#listeners.add(own)
    return () => {
      if (!this.#listeners.delete(own) || this.#listeners.size > 0) return
      this.#elsewhere?.leave()
      this.#channel?.close()
      this.#elsewhere = this.#channel = undefined
    }
  }

  #enter(): void {
    const channel = (this.#channel = this.#open())
    channel?.addEventListener('message', ({ data }) => {
      // Any page of the origin may say anything here.
      const { type, id, status, reason } = (data ?? {}) as OutboxEvent
      if (ENDS.includes(type) && typeof id === 'string') this.#hear({ type, id, status, reason })
    })
    // All of an origin are on the channel: no page loads what the others need.
    if (!hasOrigins()) void this.#listenElsewhere().catch(this.fail)
  }

  async #listenElsewhere(): Promise<void> {
    const { Elsewhere } = await import('./elsewhere.ts')
    if (this.#listeners.size > 0)
      this.#elsewhere ??= new Elsewhere(this.#queue, this.#clock, this.#tell, this.fail)
  }

  emit(event: OutboxEvent): void {
    this.#hear(event)
    if (!ENDS.includes(event.type)) return
    const channel = this.#channel ?? this.#brief ?? this.#openBriefly()
    channel?.postMessage(event)
  }

  #openBriefly(): BroadcastChannel | undefined {
    const channel = (this.#brief = this.#open())
    soon(() => {
      this.#brief = undefined
      channel?.close()
    })
    return channel
  }

  /** Reports what failed while nobody waited. */
  readonly fail = (error: unknown): void => {
    if (!hasCode(error, 'CLOSED')) this.#tell({ type: 'failed', reason: errorText(error) })
  }

  #open(): BroadcastChannel | undefined {
    const channel = openChannel(`quayside-outbox:${this.#queue.name}`)
    // Node: who listens for events alone does not keep a process alive.
    ;(channel as { unref?: () => void } | undefined)?.unref?.()
    return channel
  }

  /** Whoever did it tells of it. */
  #hear(event: OutboxEvent): void {
    if (this.#elsewhere?.wasTold(event) !== true) this.#tell(event)
  }

  readonly #tell = (event: OutboxEvent): void => {
    const { id } = event
    if (id) event = { ...event, id: givenId(id) }
    // Apart from what goes on here, which no listener may break.
    for (const listener of this.#listeners) soon(() => listener(event))
  }
}
