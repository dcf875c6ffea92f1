import { nextTick } from 'node:process'

/** So many bursts may follow one another before timers and input get their turn. */
const BURSTS = 16

let bursts = 0

/**
 * Calls `then` when all that is ready to run now has run, the promises that this settles included, but before timers and
 * input: so that the verbs which one event sets off share a write.
 *
 * A loop that only ever waits for such writes would go from burst to burst and keep everything else in the process from
 * running. So once in a while the event loop may turn.
 */
export function onBurstEnd(then: () => void): void {
  if (bursts === 0) setImmediate(() => (bursts = 0))
  // A tick that is scheduled by a microtask runs when no microtask is left.
  if (++bursts < BURSTS) queueMicrotask(() => nextTick(then))
  else setImmediate(then)
}

export function afterBurst(): Promise<void> {
  return new Promise((resolve) => onBurstEnd(resolve))
}
