import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import type { Outcome } from './one.ts'

export interface SoakOptions {
  readonly seconds: number
  /** How many times as fast as the machine's the clock of the queue is. */
  readonly scale: number
}

/** Runs the mixed load on one storage, in a process of its own. */
export async function soak(name: string, { seconds, scale }: SoakOptions): Promise<Outcome> {
  const child = spawn(
    process.execPath,
    [
      '--expose-gc',
      '--disable-warning=ExperimentalWarning',
      join(import.meta.dirname, 'one.ts'),
      name,
      `${seconds}`,
      `${scale}`,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  const ended = new Promise((resolve) => child.once('close', resolve))
  const output = await text(child.stdout)
  const code = await ended
  if (code !== 0) throw new Error(`the soak of ${name} ended with ${String(code)}`)
  return JSON.parse(output) as Outcome
}
