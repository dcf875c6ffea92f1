/** What is under way, and is waited for before something is closed. */
export class Running {
  readonly #all: Set<Promise<unknown>> = new Set()

  add<T>(running: Promise<T>): Promise<T> {
    this.#all.add(running)
    const done = (): boolean => this.#all.delete(running)
    running.then(done, done)
    return running
  }

  /** Whatever becomes of it. */
  end(): Promise<unknown> {
    return Promise.allSettled(this.#all)
  }
}
