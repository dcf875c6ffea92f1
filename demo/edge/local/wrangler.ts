import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'

/** The Worker, running in workerd on this machine as `wrangler dev` runs it: with KV and Durable Objects of its own. */
export interface LocalWorker {
  readonly origin: string
  get<R>(path: string): Promise<R>
  /** Calls a verb of the status page. */
  call<R>(storage: string, verb: string): Promise<R>
  /** Fires the cron trigger and waits until it is done. */
  cron(): Promise<void>
  close(): Promise<void>
}

const START_MS = 60_000

export async function startWorker(
  vars: Readonly<Record<string, string>>,
  port?: number,
): Promise<LocalWorker> {
  const chosen = port ?? (await freePort())
  const state = await mkdtemp(join(tmpdir(), 'quayside-edge-'))
  const folder = join(import.meta.dirname, '..')
  const words = [
    'dev',
    'local/counted.ts',
    '--port',
    String(chosen),
    '--persist-to',
    state,
    '--test-scheduled',
    '--show-interactive-dev-session=false',
  ]
  for (const [name, value] of Object.entries(vars)) words.push('--var', `${name}:${value}`)
  const child = spawn('wrangler', words, {
    cwd: folder,
    env: { ...process.env, CI: '1', WRANGLER_SEND_METRICS: 'false' },
    stdio: ['ignore', 'pipe', 'pipe'],
    // A group of its own: wrangler starts workerd, and both must end.
    detached: true,
  })
  // Whoever started this may end before it is closed.
  process.once('exit', () => stop(child))
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (output += data))
  const origin = `http://127.0.0.1:${chosen}`
  const close = async (): Promise<void> => {
    stop(child)
    await rm(state, { recursive: true, force: true, maxRetries: 5 })
  }
  try {
    await untilReady(child, origin)
  } catch (error) {
    await close()
    throw new Error(`wrangler dev did not start: ${(error as Error).message}\n${output}`, { cause: error })
  }
  return {
    origin,
    async get<R>(path: string) {
      return (await (await fetch(origin + path)).json()) as R
    },
    async call<R>(storage: string, verb: string) {
      const headers = {
        authorization: `Basic ${btoa(`:${vars['STATUS_TOKEN']}`)}`,
        'content-type': 'application/json',
      }
      const body = JSON.stringify({ verb, args: [] })
      const response = await fetch(`${origin}/status/${storage}`, { method: 'POST', headers, body })
      if (!response.ok) throw new Error(`${verb} answered ${response.status}: ${await response.text()}`)
      return (await response.json()) as R
    },
    async cron() {
      const response = await fetch(`${origin}/cdn-cgi/handler/scheduled`)
      if (!response.ok) throw new Error(`the cron trigger failed: ${await response.text()}\n${output}`)
    },
    close,
  }
}

async function untilReady(child: ChildProcess, origin: string): Promise<void> {
  const end = Date.now() + START_MS
  let last: unknown
  while (Date.now() < end) {
    if (child.exitCode !== null) throw new Error(`it ended with exit code ${child.exitCode}`)
    try {
      const response = await fetch(origin)
      if (response.ok) return
      last = await response.text()
    } catch (error) {
      last = error
    }
    await wait(100)
  }
  throw new Error(`no answer within ${START_MS} ms: ${String(last)}`)
}

function stop(child: ChildProcess): void {
  try {
    process.kill(-child.pid!, 'SIGKILL')
  } catch {
    // It has ended already.
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })
}
