import { type Check, mustHave } from './check.ts'

/**
 * Where a queue reads the time and sets its timers. Tests inject one that they move by hand.
 *
 * It rules waiting, lease renewal and deadlines on this side only: when a lease ends or a delay is over is decided by the
 * storage, which has a clock of its own.
 */
export interface Clock {
  /** The time in ms since 1970. */
  now(): number
  /** Calls `callback` once after `ms`, and answers with what `clearTimeout` takes. */
  setTimeout(callback: () => void, ms: number): unknown
  clearTimeout(timer: unknown): void
}

/** The runtime's own clock; its globals are looked up at each call, so that fake timers work. */
export const SYSTEM_CLOCK: Clock = {
  now: () => Date.now(),
  setTimeout: (callback, ms) => globalThis.setTimeout(callback, ms),
  clearTimeout: (timer) => globalThis.clearTimeout(timer as number),
}

export const checkClock: Check = mustHave('now', 'setTimeout', 'clearTimeout')

/** Runtimes call a timer that is set for longer than this at once. */
export const MAX_TIMEOUT_MS: number = 2 ** 31 - 1

/** Calls it when what runs now has ended. */
export function soon(callback: () => void): void {
  if (typeof queueMicrotask === 'function') queueMicrotask(callback)
  // What it throws is nobody's to handle, as above.
  else void Promise.resolve().then(callback)
}

const READY = Promise.resolve()

/** As {@link soon}, for what throws nothing: cheaper where a runtime notes of each microtask who asked for it. */
export function next(callback: () => void): void {
  void READY.then(callback)
}

// As the runtime has it, also where a test puts one in its place that stands still.
const { setImmediate } = globalThis as { setImmediate?: (callback: () => void) => unknown }

/** Resolves in the next turn of the event loop, sooner than any timer could where the runtime has a way. */
export function nextTurn(): Promise<void> {
  const { scheduler } = globalThis as { scheduler?: { postTask?(task: () => void): unknown } }
  return new Promise((resolve) => {
    // A channel is a pipe between processes, which costs a browser as much as half of what is sent to a storage.
    if (typeof scheduler?.postTask === 'function') {
      scheduler.postTask(resolve)
      return
    }
    // Engines of apps have no channels, and what they call an immediate is no turn.
    if (!('MessageChannel' in globalThis)) {
      globalThis.setTimeout(resolve, 0)
      return
    }
    // For a channel Node loads streams and an HTTP client of its own, which takes it 30 ms.
    if (setImmediate !== undefined) {
      setImmediate(resolve)
      return
    }
    const { port1, port2 } = new MessageChannel()
    // oxlint-disable-next-line unicorn/prefer-add-event-listener -- It starts the port, too.
    port1.onmessage = () => {
      port1.close()
      resolve()
    }
    port2.postMessage(undefined)
  })
}
