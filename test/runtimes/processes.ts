import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process'
import { basename, join } from 'node:path'
import { createInterface } from 'node:readline'
import { systemNode } from '../../scripts/system-node.mjs'
import { ROOT } from '../support/sources.ts'
import type { Runtime, Session } from './runtime.ts'
import type { Suite } from './inside/suite.ts'

const HAS = ['files', 'sqlite', 'sockets', 'requests'] as const
/** Node has a SQLite of its own from here on. */
const SQLITE = [22, 13] as const

/** A runtime that is a program: it is started with the path of a script, and called over standard input and output. */
function runtime(
  name: string,
  path: string,
  words: readonly string[] = [],
  has: Runtime['has'] = HAS,
): Runtime {
  return {
    name,
    has,
    async open(installed, tested) {
      const version = versionOf(path)
      const script = await installed.write({ ...tested, host: 'process' })
      const child = spawn(path, [...words, script], { cwd: installed.folder })
      return session(child, version)
    },
  }
}

function versionOf(path: string): string {
  const { status, stdout, stderr, error } = spawnSync(path, ['--version'], { encoding: 'utf8' })
  if (status === 0) return /\d+\.\d+\.\d+/.exec(stdout)?.[0] ?? stdout.trim()
  throw new Error(
    `${path} cannot be started: ${error?.message ?? stderr.trim()}\nIts package fetches it in an install script: try "npm ci", and "npm rebuild ${basename(path)}"`,
  )
}

function session(child: ChildProcessWithoutNullStreams, version: string): Session {
  const waiting = new Map<number, { resolve(answer: never): void; reject(error: Error): void }>()
  let calls = 0
  let errors = ''
  let ended: string | undefined
  child.stderr.on('data', (data: Buffer) => (errors = (errors + data.toString()).slice(-4000)))
  createInterface({ input: child.stdout }).on('line', (line) => {
    const [id, answer] = JSON.parse(line) as [number, never]
    waiting.get(id)?.resolve(answer)
    waiting.delete(id)
  })
  const end = new Promise<void>((resolve) =>
    child.on('close', (code, signal) => {
      ended = `it ended with ${signal ?? `exit code ${code}`}\n${errors}`
      for (const { reject } of waiting.values()) reject(new Error(ended))
      waiting.clear()
      resolve()
    }),
  )
  child.stdin.on('error', () => {}) // It has ended, and that is told above.
  const call = <T>(verb: keyof Suite, argument?: number): Promise<T> =>
    new Promise((resolve, reject) => {
      if (ended !== undefined) return reject(new Error(ended))
      waiting.set(++calls, { resolve, reject })
      child.stdin.write(`${JSON.stringify([calls, verb, argument])}\n`)
    })
  return {
    version,
    suite: { cases: () => call('cases'), run: (index) => call('run', index) },
    async close() {
      child.stdin.end()
      const timer = setTimeout(() => child.kill('SIGKILL'), 5000)
      await end
      clearTimeout(timer)
    },
  }
}

const installed = (name: string): string => join(ROOT, 'node_modules/.bin', name)

export const node24: Runtime = runtime('Node 24', installed('node'))
export const bun: Runtime = runtime('Bun', installed('bun'), ['--no-install'])
export const deno: Runtime = runtime('Deno', installed('deno'), [
  'run',
  '--no-remote',
  '--node-modules-dir=manual',
  '--allow-all',
])

const OLDEST = [20, 19] as const

/** The system's Node, or why there is nothing to be seen in it. */
export function otherNode(): Runtime | string {
  const node = systemNode()
  if (node === undefined) return 'the system has no Node of its own: only Node 24 is tested'
  const [major = 0, minor = 0] = node.version.split('.').map(Number)
  if (major === 24) return `the system's Node is ${node.version}: only Node 24 is tested`
  if (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1]))
    return `the system's Node is ${node.version}, older than ${OLDEST.join('.')}: only Node 24 is tested`
  const isOld = major < SQLITE[0] || (major === SQLITE[0] && minor < SQLITE[1])
  return runtime(`Node ${major}`, node.path, [], isOld ? HAS.filter((one) => one !== 'sqlite') : HAS)
}
