import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { onTestFinished } from 'vitest'
import type { CrashOptions } from '../../conformance/index.ts'

/**
 * Starts processes that tell by what they write, and can be killed.
 *
 * @param script Is given the target, and then the number for `workUntilKilled`.
 */
export function startOf(script: string, target: string): CrashOptions['start'] {
  return (first) => {
    const child = spawn(process.execPath, [script, target, `${first}`], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const closed = once(child, 'close')
    let told = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => void (told += text))
    onTestFinished(() => void child.kill('SIGKILL'))
    return {
      told: () => told,
      async kill() {
        if (child.exitCode !== null) throw new Error(`a process has ended by itself, with ${child.exitCode}`)
        child.kill('SIGKILL')
        await closed
      },
    }
  }
}
