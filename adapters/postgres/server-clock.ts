/** So far from that of the server what a step takes for the time may be, in ms. */
const NEAR_MS = 100

/** The clock of the server, which is looked at by each trip that begins a transaction. */
export class ServerClock {
  readonly #given: { now(): number } | undefined
  #latest: number | undefined
  /** How far it is ahead of ours, at least: each look comes a little late. */
  #ahead: number | undefined

  /** @param given What is read in its place. */
  constructor(given: { now(): number } | undefined) {
    this.#given = given
  }

  /** Whether there is a time before it was looked at. */
  get isKnown(): boolean {
    return this.#given !== undefined || this.#ahead !== undefined
  }

  set(now: number): void {
    const ahead = now - performance.now()
    const known = (this.#ahead ??= ahead)
    this.#latest = now
    // What is much less was no late look: it was set back.
    if (ahead > known || ahead < known - NEAR_MS) this.#ahead = ahead
  }

  /** It was not what it was taken for. */
  forget(): void {
    this.#ahead = undefined
  }

  /** What must be true where the time was not looked at, as SQL. */
  holdsSql(): string {
    if (this.#given !== undefined) return ''
    return `abs(extract(epoch FROM clock_timestamp()) * 1000 - ${this.#guess()}) < ${NEAR_MS}`
  }

  now(): number {
    return Math.floor(this.#given?.now() ?? Math.max(this.#latest ?? 0, this.#guess()))
  }

  #guess(): number {
    return this.#ahead === undefined ? (this.#latest ?? Date.now()) : performance.now() + this.#ahead
  }
}
