import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findProgram } from '../../scripts/programs.mjs'

export interface RedisServer {
  readonly port: number
  readonly url: string
  /** Ends it with SIGKILL, as a crash would. */
  kill(): Promise<void>
  /** Starts it again on the same port and folder. */
  start(): Promise<void>
  /** The process, for signals. */
  readonly pid: number
  /** Ends it, and deletes its folder. */
  stop(): Promise<void>
}

/** Starts a server of its own, on a free port and in a temporary folder. It keeps nothing, unless arguments say so. */
export async function startRedis(...args: readonly string[]): Promise<RedisServer> {
  const program = findProgram('redis')
  const folder = await mkdtemp(join(tmpdir(), 'quayside-redis-'))
  const port = await freePort()
  const common = [
    '--port',
    `${port}`,
    '--bind',
    '127.0.0.1',
    '--dir',
    folder,
    '--save',
    '',
    '--loglevel',
    'warning',
  ]
  let child: ChildProcess
  let ended: Promise<unknown> = Promise.resolve()
  const start = async (): Promise<void> => {
    child = spawn(program, [...common, ...args], { stdio: 'ignore' })
    ended = new Promise((resolve) => child.once('exit', resolve))
    await answers(port, () => child.exitCode)
  }
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL')
    await ended
  }
  await start()
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    get pid() {
      return child.pid!
    },
    kill,
    start,
    async stop() {
      await kill()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}

/** Waits until the server answers a PING. */
async function answers(port: number, exitCode: () => number | null): Promise<void> {
  for (const end = Date.now() + 20_000; Date.now() < end;) {
    if (exitCode() !== null) throw new Error(`redis-server ended at once, with exit code ${exitCode()}`)
    if (await ping(port)) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  throw new Error(`redis-server does not answer on port ${port}`)
}

function ping(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('PING\r\n'))
    const done = (result: boolean): void => {
      socket.destroy()
      resolve(result)
    }
    socket.once('data', (data) => done(data.toString().startsWith('+PONG')))
    socket.once('error', () => done(false))
  })
}
