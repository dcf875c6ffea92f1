import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { GrowthTask } from './child.ts'

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

/** A filled queue in a process of its own, which runs a slice whenever it is asked to. */
export class Grown {
  readonly #child: ChildProcess

  static async start(task: GrowthTask): Promise<Grown> {
    const grown = new Grown(start('growth', task))
    await grown.#next()
    return grown
  }

  private constructor(child: ChildProcess) {
    this.#child = child
  }

  slice(): Promise<number> {
    this.#child.send('slice')
    return this.#next() as Promise<number>
  }

  stop(): Promise<void> {
    return new Promise((resolve) => {
      this.#child.once('exit', () => resolve())
      this.#child.disconnect()
    })
  }

  #next(): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const ended = (code: number | null) => reject(new Error(`the child ended with ${code}`))
      this.#child.once('exit', ended)
      this.#child.once('message', (message) => {
        this.#child.off('exit', ended)
        resolve(message)
      })
    })
  }
}
