import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { chownSync, mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { Client } from 'pg'
import { findProgram } from '../../../scripts/programs.mjs'
import { freePort } from '../../redis/support/ports.ts'

export interface PostgresServer {
  readonly port: number
  readonly url: string
  /** Ends it with SIGKILL, as a crash would. */
  kill(): Promise<void>
  /** Starts it again on the same port and folder. */
  start(): Promise<void>
  /** Ends it as an operator would, who waits for nobody. */
  shutDown(): Promise<void>
  /** Makes a database of this name; answers with its URL. */
  createDatabase(name: string): Promise<string>
  /** Ends it, and deletes its folder. */
  stop(): Promise<void>
}

export interface ServerOptions {
  /** Whether it waits for the disk. @defaultValue `true` */
  readonly fsync?: boolean
  /** Settings, as `name=value`. */
  readonly settings?: readonly string[]
}

const USER = 'tester'
const START_MS = 120_000

/** Starts a server of its own, on a free port of loopback and in a temporary folder. */
export async function startPostgres({
  fsync = true,
  settings = [],
}: ServerOptions = {}): Promise<PostgresServer> {
  const program = findProgram('postgres')
  const folder = mkdtempSync(join(tmpdir(), 'quayside-postgres-'))
  const data = join(folder, 'data')
  const who = ownerOf(folder)
  const initdb = join(dirname(program), 'initdb')
  const made = spawnSync(
    initdb,
    ['-D', data, '-U', USER, '-A', 'trust', '-E', 'UTF8', '--no-locale', '--no-sync'],
    { ...who, cwd: folder, encoding: 'utf8' },
  )
  if (made.status !== 0) throw new Error(`${initdb} failed: ${made.stderr || made.error?.message}`)
  const port = await freePort()
  const url = `postgres://${USER}@127.0.0.1:${port}/postgres`
  const all = [
    `port=${port}`,
    'listen_addresses=127.0.0.1',
    'unix_socket_directories=',
    'shared_buffers=32MB',
    `fsync=${fsync ? 'on' : 'off'}`,
    'autovacuum_naptime=5s',
    ...settings,
  ]
  let child: ChildProcess | undefined
  let ended: Promise<unknown> = Promise.resolve()
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    child?.kill(signal)
    await ended
    child = undefined
  }
  const start = async (): Promise<void> => {
    const limit = Date.now() + START_MS
    for (;;) {
      // Those that a killed server leaves behind have its memory for another moment, and no other starts until then.
      let said = ''
      const started = spawn(program, ['-D', data, ...all.flatMap((setting) => ['-c', setting])], {
        ...who,
        cwd: folder,
        stdio: ['ignore', 'ignore', 'pipe'],
      })
      started.stderr.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-4000)))
      child = started
      ended = new Promise((resolve) => started.once('exit', resolve))
      while (started.exitCode === null && Date.now() < limit) {
        if (await answers(url)) return
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
      if (Date.now() >= limit) throw new Error(`${program} does not start: ${said}`)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
  try {
    await start()
  } catch (error) {
    await end('SIGKILL')
    throw error
  }
  return {
    port,
    url,
    kill: () => end('SIGKILL'),
    start,
    shutDown: () => end('SIGINT'),
    async createDatabase(name) {
      await ask(url, `CREATE DATABASE "${name}"`)
      return `postgres://${USER}@127.0.0.1:${port}/${name}`
    },
    async stop() {
      await end('SIGQUIT')
      await rm(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 })
    },
  }
}

/** The server refuses to run as root: then it is run as a user who is nobody else's, who must own the folder. */
function ownerOf(folder: string): { readonly uid?: number; readonly gid?: number } {
  if (process.getuid?.() !== 0) return {}
  const idOf = (option: string): number => {
    for (const user of ['postgres', 'nobody']) {
      try {
        return Number(
          execFileSync('id', [option, user], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }),
        )
      } catch {
        // There is none.
      }
    }
    throw new Error('postgres does not run as root, and there is neither a user postgres nor nobody')
  }
  const who = { uid: idOf('-u'), gid: idOf('-g') }
  chownSync(folder, who.uid, who.gid)
  return who
}

async function answers(url: string): Promise<boolean> {
  try {
    await ask(url, 'SELECT 1')
    return true
  } catch {
    return false
  }
}

/** Asks a server on a connection of its own. */
export async function ask(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new Client({ connectionString: url })
  client.on('error', () => undefined)
  await client.connect()
  try {
    return (await client.query(sql)).rows as Record<string, unknown>[]
  } finally {
    await client.end()
  }
}
