/** Counts what handlers finished, for peers that push: `await all(100)` after sending. */
export class Finished {
  #left = 0
  #resolve = () => {}

  all(count: number): Promise<void> {
    this.#left = count
    return new Promise((resolve) => (this.#resolve = resolve))
  }

  one(): void {
    if (--this.#left === 0) this.#resolve()
  }
}
