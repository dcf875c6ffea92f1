import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { GrowthTask, ListenTask } from './child.ts'

const script = fileURLToPath(new URL('child.ts', import.meta.url))

function start(task: string, args: unknown): ChildProcess {
  return fork(script, [task, JSON.stringify(args)], { execArgv: ['--max-old-space-size=6144'] })
}

/** Runs one task of child.ts to its end; being killed after it has answered is an end too. */
export function inChild<R>(task: string, args: unknown): Promise<R> {
  const child = start(task, args)
  return new Promise((resolve, reject) => {
    let result: R | undefined
    child.on('message', (message) => (result = message as R))
    child.on('error', reject)
    child.on('exit', (code, signal) => {
      if (result !== undefined && (code === 0 || signal === 'SIGKILL')) resolve(result)
      else reject(new Error(`${task} ${JSON.stringify(args)} ended with ${signal ?? code}`))
    })
  })
}

/** A process of its own that runs a task of child.ts until it is stopped. */
class Child {
  readonly #process: ChildProcess

  constructor(task: string, args: unknown) {
    this.#process = start(task, args)
  }

  ask(question: string): void {
    this.#process.send(question)
  }

  /** The next thing that it says. */
  hear(): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const ended = (code: number | null) => reject(new Error(`the child ended with ${code}`))
      this.#process.once('exit', ended)
      this.#process.once('message', (message) => {
        this.#process.off('exit', ended)
        resolve(message)
      })
    })
  }

  stop(): Promise<void> {
    return new Promise((resolve) => {
      this.#process.once('exit', () => resolve())
      this.#process.disconnect()
    })
  }
}

/** A filled queue in a process of its own, which runs a slice whenever it is asked to. */
export class Grown {
  readonly #child: Child

  static async start(task: GrowthTask): Promise<Grown> {
    const child = new Child('growth', task)
    await child.hear()
    return new Grown(child)
  }

  private constructor(child: Child) {
    this.#child = child
  }

  slice(): Promise<number> {
    this.#child.ask('slice')
    return this.#child.hear() as Promise<number>
  }

  stop(): Promise<void> {
    return this.#child.stop()
  }
}

/** A handler in a process of its own. */
export class Listener {
  /** When each message was handled, by its number, in ms on the clock of `monotonic`; resolves once all have come. */
  readonly heard: Promise<Map<number, number>>
  readonly #child: Child

  static async start(task: ListenTask): Promise<Listener> {
    const child = new Child('listen', task)
    await child.hear()
    return new Listener(child)
  }

  private constructor(child: Child) {
    this.#child = child
    this.heard = child.hear().then((entries) => new Map(entries as [number, number][]))
  }

  stop(): Promise<void> {
    return this.#child.stop()
  }
}
