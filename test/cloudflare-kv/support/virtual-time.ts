interface Timer {
  readonly at: number
  readonly number: number
  readonly resolve: () => void
}

/** Time that goes on to the next timer as soon as all that is under way waits for one. */
export class VirtualTime {
  #now = Date.UTC(2030, 0, 1)
  #number = 0
  /** A binary heap. */
  readonly #timers: Timer[] = []
  #failure: { error: unknown } | undefined

  now(): number {
    return this.#now
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) =>
      this.#push({ at: this.#now + Math.max(0, ms), number: this.#number++, resolve }),
    )
  }

  /** Has something run besides; if it fails, so does {@link run}. */
  start(work: Promise<unknown>): void {
    work.catch((error: unknown) => (this.#failure ??= { error }))
  }

  /** Lets time pass until `body` is done. */
  async run(body: () => Promise<void>): Promise<void> {
    const state = { done: false }
    this.start(body().finally(() => (state.done = true)))
    while (!state.done) {
      await new Promise((resolve) => setImmediate(resolve))
      if (this.#failure !== undefined) throw this.#failure.error
      const timer = this.#pop()
      if (timer === undefined) continue
      this.#now = Math.max(this.#now, timer.at)
      timer.resolve()
    }
  }

  #push(timer: Timer): void {
    const timers = this.#timers
    let i = timers.push(timer) - 1
    while (i > 0) {
      const parent = (i - 1) >> 1
      if (isBefore(timers[parent]!, timer)) break
      timers[i] = timers[parent]!
      i = parent
    }
    timers[i] = timer
  }

  #pop(): Timer | undefined {
    const timers = this.#timers
    const first = timers[0]
    const last = timers.pop()
    if (first === undefined || last === undefined || timers.length === 0) return first
    let i = 0
    for (;;) {
      let child = 2 * i + 1
      if (child >= timers.length) break
      if (child + 1 < timers.length && isBefore(timers[child + 1]!, timers[child]!)) child++
      if (isBefore(last, timers[child]!)) break
      timers[i] = timers[child]!
      i = child
    }
    timers[i] = last
    return first
  }
}

function isBefore(a: Timer, b: Timer): boolean {
  return a.at < b.at || (a.at === b.at && a.number < b.number)
}
