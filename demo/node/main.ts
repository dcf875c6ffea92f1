// npm start [-- FILE]: a durable queue at work, and what becomes of it when it is killed.
//
//   client.ts ── HTTP ──► ingest.ts ── queue on disk ──┬─ group deliver ── HTTP ──► downstream.ts
//                                                      └─ group audit ──► audit.log
//
// Four processes. This one starts the others, kills the ingest server and starts it again, takes the downstream server
// down and up, and in the end compares every line of the file with what has arrived.
import { mkdtempSync, rmSync } from 'node:fs'
import { constants, tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Options, UsageError, readArguments } from './arguments.ts'
import type {
  FromClient,
  FromDownstream,
  FromIngest,
  IngestStats,
  ToClient,
  ToDownstream,
  ToIngest,
} from './messages.ts'
import { Progress } from './progress.ts'
import { describe, succeeded } from './summary.ts'
import { type Actor, Stage } from './stage.ts'
import { tally } from './tally.ts'

/** Nothing takes this long unless it hangs. */
const PATIENCE_MS = 30_000

async function play(options: Options, directory: string, stage: Stage): Promise<boolean> {
  const { lines } = options
  const arrivedFile = join(directory, 'arrived.log')
  const auditFile = join(directory, 'audit.log')

  // What the others have told last.
  let client: FromClient = { accepted: 0, repeated: 0, duplicates: 0, refused: [], done: false }
  let stats: IngestStats = { stored: 0, waiting: 0, unaudited: 0, retried: 0, dead: 0 }
  let arrived = 0
  let ingestUrl = ''
  let downstreamUrl = ''
  let openMs = 0
  let deadLetters: readonly string[] = []
  let phase = 'all up'

  const progress = new Progress(process.stdout, () => [
    phase,
    `sent ${count(client.accepted)}`,
    `delivered ${count(arrived)}`,
    `waiting ${count(stats.waiting)}`,
    `retried ${count(stats.retried)}`,
  ])

  const startIngest = async (): Promise<Actor<ToIngest>> => {
    ingestUrl = ''
    const args = [directory, downstreamUrl, ...(options.forget === undefined ? [] : [options.forget])]
    const ingest = stage.start<FromIngest, ToIngest>('ingest.ts', args, (message) => {
      if (message.type === 'news') progress.event(message.text)
      else if (message.type === 'finished') deadLetters = message.dead
      else stats = message.stats
      if (message.type === 'ready') ({ url: ingestUrl, openMs } = message)
    })
    await stage.until(() => ingestUrl !== '')
    return ingest
  }

  try {
    const downstream = stage.start<FromDownstream, ToDownstream>(
      'downstream.ts',
      [arrivedFile, String(options.busy / 100)],
      (message) => {
        if (message.type === 'ready') downstreamUrl = message.url
        else arrived = message.messages
      },
    )
    await stage.until(() => downstreamUrl !== '')
    let ingest = await startIngest()
    progress.event(`sending ${count(lines.length)} lines of ${options.name}`)
    const startedAt = progress.seconds()
    const sender = stage.start<FromClient, ToClient>('client.ts', [options.file, ingestUrl], (message) => {
      client = message
    })
    stage.watch(PATIENCE_MS, () => [client.accepted, arrived, stats.unaudited].join())

    // The downstream server goes down. The client does not notice: it sends on, and the messages wait.
    const finished = (): boolean =>
      client.done && stats.stored >= client.accepted && stats.waiting === 0 && stats.unaudited === 0
    await stage.until(() => arrived >= lines.length * 0.15 || finished())
    downstream.tell('down')
    phase = 'downstream DOWN'
    progress.event('the downstream server goes down')
    const upAt = performance.now() + options.downMs
    await stage.until(() => {
      if (performance.now() < upAt) return client.accepted >= lines.length * 0.6
      return client.accepted >= lines.length * 0.4 || client.done
    })
    downstream.tell('up')
    phase = 'all up'
    progress.event(`the downstream server is up again, waiting for it: ${count(stats.waiting)}`)

    // In full swing the ingest server is killed, with requests under way on both sides.
    const before = arrived
    await stage.until(() => arrived >= before + lines.length * 0.05 || finished())
    ingest.kill()
    phase = 'ingest KILLED'
    await stage.until(() => !ingest.running)
    progress.event(`kill -9 ${ingest.pid}: the ingest server is gone`)
    await stage.pause(options.killedMs)
    ingest = await startIngest()
    phase = 'ingest restarted'
    sender.tell(ingestUrl)
    progress.event(
      `the ingest server is back: read its journal in ${openMs.toFixed(0)} ms, waiting in it: ${count(stats.waiting)}`,
    )

    // The rest.
    await stage.until(finished)
    const seconds = progress.seconds() - startedAt
    ingest.tell('finish')
    downstream.tell('finish')
    await stage.until(() => !ingest.running && !downstream.running && !sender.running)
    progress.stop()

    const result = {
      lines: lines.length,
      client,
      stats,
      seconds,
      deadLetters,
      deliveries: tally(lines, arrivedFile),
      audit: tally(lines, auditFile),
    }
    process.stdout.write(describe(result))
    return succeeded(result)
  } finally {
    progress.stop()
  }
}

function count(value: number): string {
  return value.toLocaleString('en-US')
}

async function main(): Promise<number> {
  // npm runs this in the folder of the package, and says in which one it was called.
  const options = readArguments(process.argv.slice(2), process.env['INIT_CWD'] ?? process.cwd())
  if (options === undefined) return 0

  const stage = new Stage()
  let interrupt: 'SIGINT' | 'SIGTERM' | 'SIGHUP' | undefined
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => stage.fail(new Error((interrupt = signal))))
  }
  const directory = mkdtempSync(join(tmpdir(), 'quayside-demo-'))
  let keep = true
  try {
    keep = !(await play(options, directory, stage))
    return keep ? 1 : 0
  } catch (error) {
    if (interrupt === undefined) throw error
    keep = false
    return 128 + constants.signals[interrupt]
  } finally {
    await stage.clear()
    if (keep) process.stderr.write(`Kept for a closer look: ${directory}\n`)
    else rmSync(directory, { recursive: true, force: true })
  }
}

try {
  process.exitCode = await main()
} catch (error) {
  // A mistake in the command needs no stack.
  process.stderr.write(
    `${error instanceof UsageError ? `npm start: ${error.message}` : String((error as Error).stack)}\n`,
  )
  process.exitCode = error instanceof UsageError ? 2 : 1
}
