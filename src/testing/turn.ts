import { nextTurn } from '../clock.ts'

/** Lets everything run that waits for nothing but promises, and for turns of the event loop that began before, or begin in the next one. */
export async function turn(): Promise<void> {
  await nextTurn()
  await nextTurn()
}
