import { type Clock, soon } from '../clock.ts'
import type { Queue } from '../core/lean/index.ts'
import { errorText, hasCode } from '../errors.ts'
import { type Found, lookElsewhere } from './elsewhere.ts'
import { hasOrigins } from './origins.ts'
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

/** Of so many requests it is known what was told last. */
const MOST_TOLD = 1000

/** What was told of a request last. */
interface Told {
  readonly type: OutboxEvent['type']
  /** When that came to be, once the storage has said so. */
  at?: number
  /** It was found in the storage before who did it has told of it. */
  early: boolean
}

/** Tells of events, here and in the other contexts. */
export class Events {
  readonly #queue: Queue<OutboxPayload>
  readonly #clock: Clock
  readonly #listeners: Set<Listener> = new Set()
  /** While somebody listens. */
  #channel: BroadcastChannel | undefined
  #leave: (() => void) | undefined
  readonly #told: Map<string, Told> = new Map()

  constructor(queue: Queue<OutboxPayload>, clock: Clock) {
    this.#queue = queue
    this.#clock = clock
  }

  /** @throws {@link QuaysideError} `CLOSED`. */
  listen(listener: Listener): () => void {
    const own = (event: OutboxEvent): void => listener(event)
    this.#leave ??= this.#enter()
    this.#listeners.add(own)
    return () => {
      if (!this.#listeners.delete(own) || this.#listeners.size > 0) return
      this.#leave?.()
      this.#leave = undefined
    }
  }

  #enter(): () => void {
    // All of an origin are on the channel.
    const leave = hasOrigins() ? undefined : lookElsewhere(this.#queue, this.#clock, this.#found, this.fail)
    this.#channel = this.#open()
    this.#channel?.addEventListener('message', ({ data }) => this.#heard(data))
    return () => {
      leave?.()
      this.#channel?.close()
      this.#channel = undefined
      this.#told.clear()
    }
  }

  emit(event: OutboxEvent): void {
    this.#hear(event)
    if (!ENDS.includes(event.type)) return
    const channel = this.#channel ?? this.#open()
    channel?.postMessage(event)
    if (channel !== this.#channel) channel?.close()
  }

  /** Reports what failed while nobody waited. */
  readonly fail = (error: unknown): void => {
    if (hasCode(error, 'CLOSED')) return
    this.#tell({ type: 'failed', reason: errorText(error) })
  }

  #open(): BroadcastChannel | undefined {
    if (typeof BroadcastChannel === 'undefined') return undefined
    const channel = new BroadcastChannel(`quayside-outbox:${this.#queue.name}`)
    // Node: who listens for events alone does not keep a process alive.
    ;(channel as { unref?: () => void }).unref?.()
    return channel
  }

  #heard(data: unknown): void {
    // Any page of the origin may say anything here.
    const { type, id, status, reason } = (data ?? {}) as OutboxEvent
    if (ENDS.includes(type) && typeof id === 'string') this.#hear({ type, id, status, reason })
  }

  /** Whoever did it tells of it. */
  #hear(event: OutboxEvent): void {
    const { type, id } = event
    const told = this.#told.get(id!)
    if (told?.early && told.type === type) told.early = false
    else {
      if (id !== undefined) this.#note(id, { type, early: false })
      this.#tell(event)
    }
  }

  /** The storage has it. */
  readonly #found: Found = (event, at) => {
    const { type, id } = event
    const told = this.#told.get(id)
    if (told?.type === type && (told.at ??= at) === at) return
    this.#note(id, { type, at, early: true })
    this.#tell(event)
  }

  #note(id: string, told: Told): void {
    if (this.#leave === undefined || hasOrigins()) return
    this.#told.delete(id)
    this.#told.set(id, told)
    const [first] = this.#told.keys()
    if (this.#told.size > MOST_TOLD) this.#told.delete(first!)
  }

  #tell(event: OutboxEvent): void {
    // Apart from what goes on here, which no listener may break.
    for (const listener of this.#listeners) soon(() => listener(event))
  }
}
