import type { Clock } from '../clock.ts'
import { type Message, type Queue, hold, release } from '../core/lean/index.ts'
import { GROUP, freeLane, has, holdOf, lanesOf } from './lanes.ts'
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
  readonly #ask: AskOwner
  /** Whether there are owners to be told apart. */
  readonly isAsked: boolean
  /** Is told from which lanes to take. */
  readonly #select: (only: string | readonly string[]) => void
  /** `undefined`: nobody has said yet. */
  #owner: string | undefined
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
    this.isAsked = ask !== undefined
    this.#ask = ask ?? (() => '')
    this.#select = select
    if (!this.isAsked) this.#owner = ''
    this.#bar(false)
  }

  /** The empty text is nobody. */
  get owner(): string {
    return this.#owner ?? ''
  }

  /** How the names of the owner's lanes start. */
  get prefix(): string {
    return prefixOf(this.owner)
  }

  /** Asks who it is now. Answers whether it is somebody else than before, or the first to be known. */
  async look(): Promise<boolean> {
    if (!this.isAsked) return false
    const turn = ++this.#asked
    const owner = (await this.#ask()) ?? ''
    if (turn < this.#heard) return false
    this.#heard = turn
    if (owner !== this.#owner) {
      prefixOf(owner)
      this.#owner = owner
      await this.unbar()
    } else if (this.#barred && !(await this.isBarred())) {
      // Somebody has ended it elsewhere.
      this.#bar(false)
    } else return false
    return true
  }

  /** The owner is back. */
  async unbar(): Promise<void> {
    if (this.isAsked) await freeLane(this.#queue, this.prefix)
    else if (has(this.#queue, 'lanes')) await release(this.#queue, { group: GROUP })
    this.#bar(false)
  }

  /** Whether the owner has signed out, in whatever context. */
  async isBarred(): Promise<boolean> {
    const { prefix } = this
    const isBarred = (await holdOf(this.#queue, prefix)) !== undefined
    // Where it is over is found out by `look`: this answer may be older than what was done here meanwhile.
    if (isBarred && prefix === this.prefix) this.#bar(true)
    return isBarred
  }

  #bar(barred: boolean): void {
    this.#barred = barred
    // Of the lane that bars nothing ever comes.
    if (has(this.#queue, 'lanes'))
      this.#select(barred || this.#owner === undefined ? [this.prefix] : this.prefix)
  }

  /** Whether a message that was taken may be sent now. */
  async owns(message: Message<OutboxPayload>): Promise<boolean> {
    await this.look()
    if (ownerOf(message) !== this.owner) return false
    // Whoever drops all that an owner has lifts the bar in the end: what was taken meanwhile is not there any more.
    return !this.isAsked || (!(await this.isBarred()) && (await find(this.#queue, message.id)) !== undefined)
  }

  /** Whether it still is this owner, asked as shortly before sending as can be. */
  async isStill(owner: string): Promise<boolean> {
    return ((await this.#ask()) ?? '') === owner
  }

  /** Has nothing of the owner begin any more, in whatever context. Where there are no owners to be told apart, it is all. */
  async bar(): Promise<void> {
    await hold(this.#queue, {
      group: GROUP,
      reason: 'signed out',
      ...(this.isAsked && { lane: this.prefix }),
    })
    if (this.isAsked) this.#bar(true)
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
