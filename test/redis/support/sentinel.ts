import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findProgram } from '../../../scripts/programs.mjs'
import { connectClient } from './clients.ts'
import { until } from './pause.ts'
import { freePort } from './ports.ts'
import { type RedisServer, startRedis } from './server.ts'

/** What the sentinels call the primary. */
export const PRIMARY = 'mymaster'
const SENTINELS = 3

/** A primary, its replica, and the sentinels that watch over them. */
export interface Sentinels {
  /** Where the sentinels are. */
  readonly addresses: readonly { readonly host: string; readonly port: number }[]
  readonly primary: RedisServer
  readonly replica: RedisServer
  /** Ends every process. */
  stop(): Promise<void>
}

/**
 * Starts them on loopback. It takes some seconds, because sentinels have to hear of each other. A busy machine may keep a
 * server from answering for a second or two, which is no reason to replace it.
 *
 * @param downAfterMs After so long without an answer they take a server for dead.
 */
export async function startSentinels(downAfterMs: number = 30_000): Promise<Sentinels> {
  const folder = await mkdtemp(join(tmpdir(), 'quayside-sentinel-'))
  const primary = await startRedis('--repl-diskless-sync-delay', '0')
  const replica = await startRedis('--replicaof', '127.0.0.1', `${primary.port}`)
  const children: ChildProcess[] = []
  const addresses: { host: string; port: number }[] = []
  const stop = async (): Promise<void> => {
    for (const child of children) child.kill('SIGKILL')
    await Promise.all([primary.stop(), replica.stop()])
    await rm(folder, { recursive: true, force: true })
  }
  try {
    for (let i = 0; i < SENTINELS; i++) {
      const port = await freePort()
      const file = join(folder, `${i}.conf`)
      await writeFile(file, configuration(port, primary.port, folder, downAfterMs))
      children.push(spawn(findProgram('redis'), [file, '--sentinel'], { stdio: 'ignore' }))
      addresses.push({ host: '127.0.0.1', port })
    }
    await Promise.all(addresses.map(({ port }) => isComplete(port)))
  } catch (error) {
    await stop()
    throw error
  }
  return { addresses, primary, replica, stop }
}

function configuration(port: number, primary: number, folder: string, downAfterMs: number): string {
  return [
    `port ${port}`,
    'bind 127.0.0.1',
    `dir ${folder}`,
    'loglevel warning',
    `sentinel monitor ${PRIMARY} 127.0.0.1 ${primary} 2`,
    `sentinel down-after-milliseconds ${PRIMARY} ${downAfterMs}`,
    `sentinel failover-timeout ${PRIMARY} 5000`,
    '',
  ].join('\n')
}

/** Waits until a sentinel knows the others, and the replica. */
async function isComplete(port: number): Promise<void> {
  const { command, close } = await connectClient('ioredis', `redis://127.0.0.1:${port}`)
  try {
    await until(async () => {
      const row = (await command('SENTINEL', 'MASTER', PRIMARY)) as string[]
      const field = (name: string): string | undefined => row[row.indexOf(name) + 1]
      return field('num-other-sentinels') === `${SENTINELS - 1}` && field('num-slaves') === '1'
    }, 'the sentinels do not hear of each other')
  } finally {
    await close()
  }
}
