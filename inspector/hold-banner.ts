import type { Hold, HoldPlace } from '../src/index.ts'
import { h, setText } from './dom.ts'
import type { InspectedQueue } from './inspected-queue.ts'
import { duration } from './text.ts'
import { type Act, verbButton } from './verbs.ts'

/** Says that a place is held, and why, and ends it. Hidden while it is not. */
export class HoldBanner {
  readonly element: HTMLElement
  /** Holds the place. Hidden while it is held. */
  readonly button: HTMLButtonElement
  readonly #text: HTMLSpanElement = h('span')
  readonly #what: string
  #hold: Hold | undefined
  #readAt = 0

  /** @param what How the place is called: `The queue`. */
  constructor(queue: InspectedQueue, place: HoldPlace, what: string, act: Act) {
    this.#what = what
    const about = what[0]!.toLowerCase() + what.slice(1)
    this.button = verbButton(act, {
      label: 'Hold',
      about,
      run: async () => {
        await queue.hold(place)
        return `${what} is held.`
      },
    })
    const release = verbButton(act, {
      label: 'Release',
      about,
      run: async () => ((await queue.release(place)) ? `${what} goes on.` : `${what} was not held.`),
    })
    this.element = h('p', { className: 'held', hidden: true }, this.#text, release)
  }

  show(hold: Hold | undefined): void {
    const isNew = (hold === undefined) !== (this.#hold === undefined)
    const { activeElement } = this.element.getRootNode() as ShadowRoot
    const had = isNew && (activeElement === this.button || this.element.contains(activeElement))
    this.#hold = hold
    this.#readAt = Date.now()
    this.element.hidden = hold === undefined
    this.button.hidden = hold !== undefined
    this.tick()
    if (had) (hold === undefined ? this.button : this.element.querySelector('button'))?.focus()
  }

  /** Lets the time go on. Answers whether the hold is over. */
  tick(): boolean {
    if (this.#hold === undefined) return false
    const { endsInMs } = this.#hold
    const left = endsInMs === undefined ? undefined : endsInMs - (Date.now() - this.#readAt)
    setText(this.#text, `${this.#what} ${holdText(this.#hold, left)}`)
    return left !== undefined && left <= 0 && !this.#hold.probing
  }
}

/** What a hold does, and why. */
export function holdText({ reason, probing, probe }: Hold, left: number | undefined): string {
  const why = reason === undefined ? '' : `: ${reason}`
  if (probing) return `lets one message at a time go, until one is acked${why}`
  const until = left === undefined ? '' : ` for ${duration(left)}${probe ? ', then one goes first' : ''}`
  return `is held${until}${why}`
}
