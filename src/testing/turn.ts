import { nextTurn } from '../clock.ts'

// As the runtime has it, also where a test puts a fake one in its place later.
const { setImmediate } = globalThis as { setImmediate?: (callback: () => void) => unknown }

/** Lets everything run that waits for nothing but promises, and for turns of the event loop that began before. */
export function turn(): Promise<void> {
  // Node delivers what ports have got in no order, but before this.
  return setImmediate === undefined ? nextTurn() : new Promise((resolve) => setImmediate(resolve))
}
