import type { ObjectSocket, ObjectState } from './platform.ts'

/** Changes that follow each other within this time are told together, in ms. */
const QUIET_MS = 50
/** Tells the sockets of watchers from others that a subclass may accept. */
const TAG = 'quayside'

/** Tells those who watch the queue through WebSockets that it has changed. The object may sleep while they are connected. */
export class Hints {
  readonly #state: ObjectState
  #timer: ReturnType<typeof setTimeout> | undefined
  #late = false

  constructor(state: ObjectState) {
    this.#state = state
  }

  accept(socket: ObjectSocket): void {
    this.#state.acceptWebSocket(socket, [TAG])
  }

  /** The first change is told at once; others, soon after, are told once they have had the time to be many. */
  changed(): void {
    if (this.#timer !== undefined) this.#late = true
    else this.#tell()
  }

  #tell(): void {
    this.#late = false
    const sockets = this.#state.getWebSockets(TAG)
    if (sockets.length === 0) return
    for (const socket of sockets) {
      try {
        socket.send('')
      } catch {
        // It is closing.
      }
    }
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      if (this.#late) this.#tell()
    }, QUIET_MS)
  }
}
