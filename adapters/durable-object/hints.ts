import { joinHints } from '../../src/hints.ts'
import type { Hint } from '../../src/storage.ts'
import { textOfHint } from './hint-text.ts'
import type { ObjectSocket, ObjectState } from './platform.ts'

/** Changes that follow each other within this time are told together, in ms. */
const QUIET_MS = 50
/** Tells the sockets of watchers from others that a subclass may accept. */
const TAG = 'quayside'

/** Tells those who watch the queue through WebSockets that it has changed. The object may sleep while they are connected. */
export class Hints {
  readonly #state: ObjectState
  #timer: ReturnType<typeof setTimeout> | undefined
  /** What is to be told once the timer is over. */
  #late: Hint | undefined

  constructor(state: ObjectState) {
    this.#state = state
  }

  accept(socket: ObjectSocket): void {
    this.#state.acceptWebSocket(socket, [TAG])
  }

  /** The first change is told at once; others, soon after, are told once they have had the time to be many. */
  changed(hint: Hint = {}): void {
    if (this.#timer === undefined) this.#tell(hint)
    else this.#late = joinHints(this.#late, hint)
  }

  #tell(hint: Hint): void {
    this.#late = undefined
    const sockets = this.#state.getWebSockets(TAG)
    if (sockets.length === 0) return
    const text = textOfHint(hint)
    for (const socket of sockets) {
      try {
        socket.send(text)
      } catch {
        // It is closing.
      }
    }
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      if (this.#late !== undefined) this.#tell(this.#late)
    }, QUIET_MS)
  }
}
