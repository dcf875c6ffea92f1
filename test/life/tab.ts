import type { Clock, QueueStorage, StorageAdapter } from '../../src/index.ts'

/** A tab, a worker or a process: what it has asked for goes on when it dies, and it hears of nothing more. */
export class Life {
  isAlive = true
  readonly #note: (text: string) => void

  constructor(note: (text: string) => void) {
    this.#note = note
  }

  die(): void {
    this.isAlive = false
  }

  /** What it never hears of once it is dead. */
  hear<R>(work: Promise<R>): Promise<R> {
    return new Promise((resolve, reject) => {
      work.then(
        (result) => this.isAlive && resolve(result),
        (error: unknown) => this.isAlive && reject(error),
      )
    })
  }

  clock(clock: Clock): Clock {
    return {
      now: () => clock.now(),
      setTimeout: (callback, ms) => clock.setTimeout(() => this.isAlive && callback(), ms),
      clearTimeout: (timer) => clock.clearTimeout(timer),
    }
  }

  storage(adapter: StorageAdapter): StorageAdapter {
    return {
      guarantees: adapter.guarantees,
      open: (name) => this.#call(async () => this.#view(await adapter.open(name))),
      queues: () => adapter.queues(),
      close: () => Promise.resolve(),
    }
  }

  #call<R>(work: () => Promise<R>): Promise<R> {
    return this.isAlive ? this.hear(work()) : new Promise(() => undefined)
  }

  #view(view: QueueStorage): QueueStorage {
    return new Proxy(view, {
      get: (target, name) => {
        const found: unknown = Reflect.get(target, name)
        if (typeof found !== 'function') return found
        const verb = found.bind(target) as (...args: readonly unknown[]) => unknown
        if (name !== 'watch')
          return (...args: readonly unknown[]) => {
            if (name === 'hold' || name === 'release') this.#note(`${name} ${JSON.stringify(args[0])}`)
            return this.#call(async () => verb(...args))
          }
        return (listener: (hint: unknown) => void) => verb((hint: unknown) => this.isAlive && listener(hint))
      },
    })
  }
}
