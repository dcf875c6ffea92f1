import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** A process of the demo, as main.ts sees it. */
export interface Actor<To> {
  readonly pid: number
  readonly running: boolean
  tell(message: To): void
  /** SIGKILL: no handler runs, nothing is flushed, nobody says goodbye. */
  kill(): void
}

/** Starts the processes of the demo and waits for what they tell. */
export class Stage {
  readonly #running: Set<ChildProcess> = new Set()
  #look: () => void = () => undefined
  #failure: { error: unknown } | undefined

  /** Starts a script of this folder. `hear` gets what it tells. */
  start<From, To>(script: string, args: readonly string[], hear: (message: From) => void): Actor<To> {
    const child = fork(fileURLToPath(new URL(script, import.meta.url)), args)
    let killed = false
    this.#running.add(child)
    child.on('message', (message) => {
      if (!killed) hear(message as From)
      this.#look()
    })
    child.on('error', (error) => this.fail(error))
    child.on('exit', (code, signal) => {
      this.#running.delete(child)
      if (code !== 0 && !killed) this.fail(new Error(`${script} ended with ${signal ?? `exit code ${code}`}`))
      this.#look()
    })
    const running = this.#running
    return {
      pid: child.pid ?? 0,
      get running() {
        return running.has(child)
      },
      tell: (message) => child.connected && child.send(message as object),
      kill: () => {
        killed = true
        child.kill('SIGKILL')
      },
    }
  }

  /** Resolves once `condition` holds. Looks whenever a process has told something or ended. */
  until(condition: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#look = () => {
        if (this.#failure !== undefined) reject(this.#failure.error)
        else if (condition()) resolve()
      }
      this.#look()
    })
  }

  /** Resolves after some time. */
  async pause(ms: number): Promise<void> {
    let over = false
    const timer = setTimeout(() => {
      over = true
      this.#look()
    }, ms)
    await this.until(() => over).finally(() => clearTimeout(timer))
  }

  /** Fails if what `sign` answers with stays the same for so long. */
  watch(patienceMs: number, sign: () => string): void {
    let last = { sign: '', at: 0 }
    const look = (): void => {
      const now = { sign: sign(), at: performance.now() }
      if (now.sign !== last.sign) last = now
      else if (now.at - last.at > patienceMs)
        this.fail(new Error(`nothing has moved for ${patienceMs / 1000} s`))
    }
    setInterval(look, 500).unref()
  }

  /** Ends the play: whoever waits gets this error. */
  fail(error: unknown): void {
    this.#failure ??= { error }
    this.#look()
  }

  /** Kills whoever still runs, and resolves when nobody does. */
  async clear(): Promise<void> {
    const gone = [...this.#running].map((child) => new Promise((resolve) => child.once('exit', resolve)))
    for (const child of this.#running) child.kill('SIGKILL')
    await Promise.all(gone)
  }
}
