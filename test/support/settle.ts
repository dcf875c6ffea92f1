/** Lets everything run that waits for nothing but promises. */
export { turn as settle } from '../../src/testing/turn.ts'
