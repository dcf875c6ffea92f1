import type { Clock } from '../clock.ts'
import { type HoldPlace, type Message, type Queue, hold, release } from '../core/lean/index.ts'
import { GROUP, has, laneNamed, lanesOf } from './lanes.ts'
import { find } from './owned.ts'
import { OWNER, prefixOf } from './places.ts'
import type { OutboxPayload } from './request.ts'
import { until } from './until.ts'

/** Answers who uses the program now: an id of their account, or nothing while nobody is logged in. */
export type AskOwner = () => string | undefined | null | Promise<string | undefined | null>

/**
 * Whose requests may be sent. Those of others lie in other lanes, which are not claimed.
 *
 * An owner who has **signed out** is barred by a hold of a lane in which nothing waits. Whoever is about to send has a lease
 * already when it looks for the bar, and whoever bars looks for leases afterwards: so one of the two sees the other.
 */
export class Session {
  readonly #queue: Queue<OutboxPayload>
  readonly #clock: Clock
  readonly #ask: AskOwner | undefined
  /** Is told from which lanes to take. */
  readonly #select: (only: string | readonly string[]) => void
  #owner = ''
  #known = false
  #barred = false
  /** Answers may come late, and out of order. */
  #asked = 0
  #heard = 0

  constructor(
    queue: Queue<OutboxPayload>,
    clock: Clock,
    ask: AskOwner | undefined,
    select: (only: string | readonly string[]) => void,
  ) {
    this.#queue = queue
    this.#clock = clock
    this.#ask = ask
    this.#select = select
    this.#known = ask === undefined
    this.#tell()
  }

  get owner(): string {
    return this.#owner
  }

  /** How the names of the owner's lanes start. */
  get prefix(): string {
    return prefixOf(this.#owner)
  }

  /** Whether there are owners to be told apart. */
  get isAsked(): boolean {
    return this.#ask !== undefined
  }

  /** Asks who it is now. Answers whether it is somebody else than before, or the first to be known. */
  async look(): Promise<boolean> {
    if (this.#ask === undefined) return false
    const turn = ++this.#asked
    const owner = (await this.#ask()) ?? ''
    if (turn < this.#heard) return false
    this.#heard = turn
    if (this.#known && owner === this.#owner) {
      if (!this.#barred || (await this.isBarred())) return false
      // Somebody has ended it elsewhere.
      this.#barred = false
      this.#tell()
      return true
    }
    prefixOf(owner)
    this.#owner = owner
    this.#known = true
    await this.unbar()
    return true
  }

  /** The owner is back. */
  async unbar(): Promise<void> {
    if (!this.#hasLanes) return
    await release(this.#queue, this.#bar)
    this.#barred = false
    this.#tell()
  }

  /** Whether the owner has signed out, in whatever context. */
  async isBarred(): Promise<boolean> {
    const { prefix } = this
    const barred = ((await laneNamed(this.#queue, prefix))?.holds.length ?? 0) > 0
    // Where it is over is found out by `look`: this answer may be older than what was done here meanwhile.
    if (barred && prefix === this.prefix) this.#close()
    return barred
  }

  /** Where there are no owners to be told apart, it is all. */
  get #bar(): HoldPlace {
    return this.#ask === undefined ? { group: GROUP } : { group: GROUP, lane: this.prefix }
  }

  get #hasLanes(): boolean {
    return has(this.#queue, 'lanes')
  }

  #close(): void {
    this.#barred = true
    this.#tell()
  }

  /** Whether a message that was taken may be sent now. */
  async owns(message: Message<OutboxPayload>): Promise<boolean> {
    if (this.#ask === undefined) return ownerOf(message) === this.#owner
    await this.look()
    if (ownerOf(message) !== this.#owner || (await this.isBarred())) return false
    // Whoever drops all that an owner has lifts the bar in the end: what was taken meanwhile is not there any more.
    return (await find(this.#queue, message.id)) !== undefined
  }

  /** Whether it still is this owner, asked as shortly before sending as can be. */
  async isStill(owner: string): Promise<boolean> {
    return this.#ask === undefined || ((await this.#ask()) ?? '') === owner
  }

  #tell(): void {
    if (!this.#hasLanes) return
    // Of the lane that bars nothing ever comes.
    this.#select(this.#barred || !this.#known ? [this.prefix] : this.prefix)
  }

  /** Has nothing of the owner begin any more, in whatever context. */
  async bar(): Promise<void> {
    await hold(this.#queue, { ...this.#bar, reason: 'signed out' })
    if (this.#ask !== undefined) this.#close()
  }

  /** Resolves when no context has anything of an owner any more. */
  async allEnded(prefix: string): Promise<void> {
    await until(this.#queue, this.#clock, async () =>
      (await lanesOf(this.#queue, prefix)).every(({ leased }) => leased === 0),
    )
  }
}

/** Whose request a message is; the empty text is nobody's. */
export function ownerOf({ headers }: Pick<Message<OutboxPayload>, 'headers'>): string {
  return headers[OWNER] ?? ''
}
