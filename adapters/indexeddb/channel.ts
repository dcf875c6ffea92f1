import { openChannel } from '../../src/channel.ts'
import { joinHints } from '../../src/hints.ts'
import type { Hint } from '../../src/storage.ts'

/**
 * How long changes that no idle consumer waits for are held back, in ms, so that many of them make one hint: whoever claims would
 * else be told of each of its own claims, and look again.
 */
const QUIET_MS = 50

/** What a context says when it comes, and when it hears of others for the first time: anything may have changed before. */
const HELLO: readonly never[] = []

type Listener = (hint?: Hint) => void

/** What is held back of a queue, and by whom all of it was done. */
interface Later {
  readonly hint: Hint | undefined
  readonly by: object | undefined
}

/** What the pages of an origin tell each other: queues that have changed, and the messages that are finished there. */
type Change = readonly [queue: string, finished?: Hint['finished']]

/**
 * Tells the other tabs and workers of the origin that a queue has changed. Hints, no more: they may be lost.
 *
 * Whoever has not heard of others yet tells nothing, which would cost as much as half a send does. Whoever comes says hello, and
 * whoever hears of others for the first time says so, too: that stands for all that was not told until then.
 */
export class Channel {
  readonly #listeners: Map<string, Set<(later: Later) => void>> = new Map()
  readonly #later: Map<string, Later> = new Map()
  readonly #channel: BroadcastChannel | undefined
  #timer: ReturnType<typeof setTimeout> | undefined
  #isAlone = true

  /** @param heard Told of queues that others have changed; without a name: any may be. */
  constructor(name: string, heard: (queue?: string) => void = () => undefined) {
    // Some workers have none; consumers then look again when something is due, or something changes in their context.
    this.#channel = openChannel(`quayside:${name}`)
    this.#channel?.addEventListener('message', ({ data }) => {
      // Any page of the origin may say anything here.
      if (!Array.isArray(data)) return
      if (this.#isAlone) {
        this.#isAlone = false
        this.#say(HELLO)
      }
      if (data.length === 0) {
        heard()
        for (const queue of this.#listeners.keys()) this.#heard([queue, 'many'])
      }
      for (const change of data)
        if (Array.isArray(change)) {
          heard(change[0] as string)
          this.#heard(change as never)
        }
    })
    this.#channel?.postMessage(HELLO)
  }

  #say(changes: readonly Change[]): void {
    if (!this.#isAlone) this.#channel?.postMessage(changes)
  }

  /** Whether it hears of others. */
  get isDeaf(): boolean {
    return this.#channel === undefined
  }

  /** @param who Whose own changes it is told of as such. */
  listen(queue: string, listener: Listener, who: object = {}): () => void {
    const own = ({ hint, by }: Later): void => listener(by === who ? { ...hint, own: true } : hint)
    const listeners = this.#listeners.get(queue) ?? new Set()
    this.#listeners.set(queue, listeners.add(own))
    return () => {
      listeners.delete(own)
      if (listeners.size === 0 && this.#listeners.get(queue) === listeners) this.#listeners.delete(queue)
    }
  }

  /** Something changed in a queue. @param by Who has claimed or settled, and nothing else. */
  changed(queue: string, soon: boolean, hint?: Hint, by?: object): void {
    const before = this.#later.get(queue)
    const isTheirs = before === undefined || before.by === by
    const all: Later = { hint: joinHints(before?.hint, hint), by: isTheirs ? by : undefined }
    this.#later.set(queue, all)
    if (!soon) {
      this.#timer ??= setTimeout(() => this.#flush(), QUIET_MS)
      return
    }
    this.#later.delete(queue)
    queueMicrotask(() => this.#tell(queue, all))
    this.#say([changeOf(queue, all)])
  }

  close(): void {
    this.#flush()
    this.#channel?.close()
  }

  #flush(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const all = [...this.#later]
    this.#later.clear()
    for (const [queue, later] of all) this.#tell(queue, later)
    if (all.length > 0) this.#say(all.map(([queue, later]) => changeOf(queue, later)))
  }

  #heard([queue, finished]: Change): void {
    const isKnown =
      finished === 'many' || (Array.isArray(finished) && finished.every((id) => typeof id === 'string'))
    this.#tell(queue, { hint: isKnown ? { finished } : undefined, by: undefined })
  }

  #tell(queue: string, later: Later): void {
    for (const listener of this.#listeners.get(queue) ?? []) listener(later)
  }
}

function changeOf(queue: string, { hint }: Later): Change {
  return hint === undefined ? [queue] : [queue, hint.finished]
}
