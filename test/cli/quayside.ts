import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { rolldown } from 'rolldown'
import { ROOT } from '../support/sources.ts'

export interface Ended {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

export interface Call {
  readonly input?: string
  readonly columns?: number
  readonly env?: Readonly<Record<string, string>>
}

let script: Promise<string> | undefined

/** The command line as one file, which starts in half of the time, in a place where it finds what the sources find. */
async function bundled(): Promise<string> {
  const file = join(ROOT, `node_modules/.cache/quayside-cli-${process.pid}.mjs`)
  await using build = await rolldown({
    input: join(ROOT, 'cli/main.ts'),
    platform: 'node',
    external: /^[^./]/,
    tsconfig: false,
  })
  process.once('exit', () => rmSync(file, { force: true }))
  await build.write({ file, codeSplitting: false })
  return file
}

/** Runs the command line from its sources, as a process of its own and without a terminal. */
export async function quayside(
  words: readonly string[],
  { input = '', columns = 100, env = {} }: Call = {},
): Promise<Ended> {
  const child = spawn(process.execPath, [await (script ??= bundled()), ...words], {
    env: { ...process.env, ...env, COLUMNS: String(columns), NODE_NO_WARNINGS: '1' },
  })
  let out = ''
  let err = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text))
  child.stdin.on('error', () => {}) // It has read enough.
  child.stdin.end(input)
  return await new Promise((resolve) => child.on('close', (code) => resolve({ code, out, err })))
}

/** Starts a command that goes on until it is told to end. Resolves with its first line; `stop` with its exit code. */
export async function started(
  words: readonly string[],
): Promise<{ readonly line: string; stop(): Promise<number | null> }> {
  const child = spawn(process.execPath, [await (script ??= bundled()), ...words], {
    env: { ...process.env, NODE_NO_WARNINGS: '1' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(child, 'close') as Promise<[number | null]>
  const [line] = (await Promise.race([once(createInterface({ input: child.stdout }), 'line'), ended])) as [
    string,
  ]
  return {
    line,
    async stop() {
      child.kill('SIGINT')
      return (await ended)[0]
    },
  }
}

/** {@link quayside} that must work. Answers with its output. */
export async function works(words: readonly string[], call?: Call): Promise<string> {
  const { code, out, err } = await quayside(words, call)
  if (code !== 0) throw new Error(`quayside ${words.join(' ')}: exit code ${code}\n${err}${out}`)
  return out
}

export function jsonLines(text: string): Record<string, unknown>[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
}
