/**
 * How much the tests do of what is random or repeated: little for `npm test`, much for `npm run test:all`, which sets
 * `EFFORT=full`. Seeds that begin at a fixed number begin there either way, so that the little is a part of the much.
 */
const isFull = process.env['EFFORT'] === 'full'

interface Effort<T> {
  readonly quick: T
  readonly full: T
}

export function effort<T>({ quick, full }: Effort<T>): T {
  return isFull ? full : quick
}

/** As {@link effort}, unless an environment variable says how many. */
export function howMany(variable: string, numbers: Effort<number>): number {
  const said = process.env[variable]
  return said === undefined ? effort(numbers) : Number(said)
}
