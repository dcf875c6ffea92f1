import { v7 as uuid } from 'uuid'
import type { QueueStorage, StorageAdapter } from '../src/core/index.ts'
import { fail, ok, show } from './assert.ts'

/** A process at work, as {@link runCrashes} sees it. */
export interface CrashProcess {
  /** All that it has told so far, in whole. */
  told(): string
  /** Kills it in the middle of what it does; resolves when it is gone and {@link told} has its last word. Rejects if it had ended by itself. */
  kill(): Promise<unknown>
}

/** What {@link runCrashes} does, and to whom. */
export interface CrashOptions {
  /** Starts a process that calls {@link workUntilKilled} with this number. */
  readonly start: (first: number) => CrashProcess
  /** Opens the storage that they have worked on, once all are dead. */
  readonly open: () => Promise<StorageAdapter> | StorageAdapter
  /** How many processes are killed before the last ones, which are killed at once. */
  readonly kills: number
  /** How many work at the same time; 1 where a storage is one process's. @defaultValue 2 */
  readonly processes?: number
  /** Called after each kill, with its number from 1: a server may be killed too. All must be found at work after it. @defaultValue nothing */
  readonly afterKill?: (kill: number) => Promise<void> | void
  /** `false`: acks may be lost to a crash, and their messages come back. @defaultValue `true` */
  readonly acksLast?: boolean
  /** Who is killed and when. @defaultValue `Math.random` */
  readonly random?: () => number
  /** How long a process may take until it has done something, in ms. @defaultValue 60,000 */
  readonly patienceMs?: number
}

/** How much was done, so that a driver that did nothing is seen. */
export interface CrashReport {
  /** Messages of which a process was told that they are stored. */
  readonly stored: number
  /** Messages of which a process was told that they are acked. */
  readonly acked: number
  /** Those that came back nevertheless, with `acksLast: false`. */
  readonly back: readonly number[]
}

/** What {@link workUntilKilled} is given by its process. */
export interface WorkOptions {
  /** The number that `start` was given. */
  readonly first: number
  /** Hands a text over before it returns, so that a kill cannot take it back: `(text) => writeSync(1, text)`. */
  readonly tell: (text: string) => void
  /** Called when the storage fails, as one may whose server is killed: resolves when it is worth another try. @defaultValue nothing may fail */
  readonly outage?: (error: unknown) => Promise<void>
}

const QUEUE = 'work'
const GROUP = 'workers'
const LEASE_MS = 1000
/** Each process has numbers of its own. */
const NUMBERS = 1_000_000
/** So many lines say that a process is at work. */
const AT_WORK = 20
const KILL_WITHIN_MS = 20

/**
 * The child's half of {@link runCrashes}: sends and acks numbers on a storage until its process is killed, and tells each step that the storage
 * has acknowledged. Rejects when something fails that must not.
 *
 * Lines: `s N` stored · `d N A` delivered for the A-th time · `b N` about to be acked · `a N A` acked · `e TEXT` failed.
 *
 * @example
 * ```ts
 * const [, , path, first] = process.argv
 * await workUntilKilled(new MyAdapter(path), { first: Number(first), tell: (text) => void writeSync(1, text) })
 * ```
 */
export async function workUntilKilled(
  adapter: StorageAdapter,
  { first, tell, outage = nothingMayFail }: WorkOptions,
): Promise<never> {
  const say = (lines: readonly string[]): void => void (lines.length > 0 && tell(`${lines.join('\n')}\n`))
  let next = first
  const over = new AbortController()

  const send = async (storage: QueueStorage): Promise<void> => {
    const numbers = Array.from({ length: 1 + (next % 5) }, () => next++)
    const messages = numbers.map((n) => ({ body: `${n}`, id: n % 3 === 0 ? `id-${n}` : undefined }))
    await storage.append(messages, { batchId: uuid(), groups: [{ name: GROUP, from: 'earliest' }] })
    say(numbers.map((n) => `s ${n}`))
  }
  const work = async (storage: QueueStorage): Promise<void> => {
    const { deliveries, nextInMs = LEASE_MS } = await storage.claim(claimOf(1 + (next % 20)))
    if (deliveries.length === 0) return await rest(Math.min(nextInMs, KILL_WITHIN_MS))
    say(deliveries.map(({ body, attempt }) => `d ${String(body)} ${attempt}`))
    say(deliveries.map(({ body }) => `b ${String(body)}`))
    const results = await storage.settle(
      GROUP,
      deliveries.map(({ receipt }) => ({ receipt, kind: 'ack' })),
    )
    // A machine that stood still, and the lease is over: then somebody else has it.
    const acked = deliveries.filter((_, i) => results[i]?.status === 'settled')
    say(acked.map(({ body, attempt }) => `a ${String(body)} ${attempt}`))
  }
  const always = async (step: (storage: QueueStorage) => Promise<void>): Promise<void> => {
    let storage: QueueStorage | undefined
    while (!over.signal.aborted) {
      try {
        storage ??= await adapter.open(QUEUE)
        await step(storage)
      } catch (error) {
        await outage(error)
        // After a failure it may be good for nothing.
        await storage?.close().catch(() => undefined)
        storage = undefined
      }
    }
  }
  try {
    return await Promise.all([always(send), always(work), always(work)]).then(() => fail('work has ended'))
  } catch (error) {
    // Nor do the others go on.
    over.abort()
    say([`e ${String(error)}`])
    throw error
  }
}

/**
 * Kills processes in the middle of their work on a storage and has others follow them, again and again; then opens it, and rejects if a message that it
 * had acknowledged as stored is lost, one that it had acknowledged as acked is back, or one is there twice.
 *
 * @example
 * ```ts
 * await runCrashes({
 *   kills: 20,
 *   open: () => new MyAdapter(path),
 *   start(first) {
 *     const child = spawn(process.execPath, ['child.js', path, `${first}`], { stdio: ['ignore', 'pipe', 'inherit'] })
 *     let told = ''
 *     child.stdout.on('data', (text) => (told += text))
 *     return { told: () => told, kill: () => (child.kill('SIGKILL'), once(child, 'close')) }
 *   },
 * })
 * ```
 */
export async function runCrashes({
  start,
  open,
  kills,
  processes = 2,
  afterKill,
  acksLast = true,
  random = Math.random,
  patienceMs = 60_000,
}: CrashOptions): Promise<CrashReport> {
  const all: CrashProcess[] = []
  const begin = (): { readonly process: CrashProcess; since: number } => {
    const process = start((all.length + 1) * NUMBERS)
    all.push(process)
    return { process, since: 0 }
  }
  const running = Array.from({ length: processes }, begin)
  const atWork = async ({ process, since }: (typeof running)[number]): Promise<void> => {
    for (const end = Date.now() + patienceMs; ; await rest(5)) {
      const lines = linesOf(process)
      const failure = lines.find((line) => line.startsWith('e '))
      ok(failure === undefined, `a process has failed: ${failure}`)
      if (lines.length > since + AT_WORK) return
      ok(
        Date.now() < end,
        `a process does nothing for ${patienceMs} ms; its last of ${lines.length} lines is: ${lines.at(-1)}`,
      )
    }
  }
  try {
    for (let kill = 1; kill <= kills; kill++) {
      const place = Math.floor(random() * processes)
      await atWork(running[place]!)
      await rest(random() * KILL_WITHIN_MS)
      await running[place]!.process.kill()
      running[place] = begin()
      if (afterKill === undefined) continue
      await afterKill(kill)
      for (const one of running) one.since = linesOf(one.process).length
    }
    for (const one of running) await atWork(one)
  } finally {
    await Promise.all(running.map(({ process }) => process.kill()))
  }

  const ledger = new Ledger(all.flatMap(linesOf))
  const left = await remaining(await open())
  const { lost, back, twice } = ledger.compare(left)
  const wrong = { lost, ...(acksLast && { back }), twice, failed: ledger.failed }
  if (Object.values(wrong).some(({ length }) => length > 0))
    fail(`after ${kills + processes} kills, of ${ledger.stored.size} messages: ${show(wrong)}`)
  return { stored: ledger.stored.size, acked: ledger.acked.size, back }
}

/** The last one may have been cut off by the kill. */
function linesOf(process: CrashProcess): readonly string[] {
  return process.told().split('\n').slice(0, -1)
}

/** What the processes have told. */
class Ledger {
  readonly stored: Set<number> = new Set()
  readonly maybeAcked: Set<number> = new Set()
  /** In which attempt. */
  readonly acked: Map<number, number> = new Map()
  readonly delivered: [n: number, attempt: number][] = []
  readonly failed: string[] = []

  constructor(lines: readonly string[]) {
    for (const line of lines) {
      const [step, n, attempt] = line.split(' ')
      if (step === 's') this.stored.add(Number(n))
      else if (step === 'b') this.maybeAcked.add(Number(n))
      else if (step === 'a') this.acked.set(Number(n), Number(attempt))
      else if (step === 'd') this.delivered.push([Number(n), Number(attempt)])
      else this.failed.push(line)
    }
  }

  compare(left: readonly number[]): Record<'lost' | 'back' | 'twice', number[]> {
    const here = new Set(left)
    const once = new Set(left)
    const again = this.delivered.filter(([n, attempt]) => attempt > (this.acked.get(n) ?? Infinity))
    return {
      lost: [...this.stored].filter((n) => !here.has(n) && !this.maybeAcked.has(n)),
      back: [...left.filter((n) => this.acked.has(n)), ...again.map(([n]) => n)],
      twice: left.filter((n) => !once.delete(n)),
    }
  }
}

/** Everything that is still in the queue, once the leases of the dead have ended. */
async function remaining(adapter: StorageAdapter): Promise<number[]> {
  const storage = await adapter.open(QUEUE)
  const left: number[] = []
  try {
    for (;;) {
      const { deliveries, nextInMs } = await storage.claim(claimOf(1000))
      left.push(...deliveries.map(({ body }) => Number(body)))
      await storage.settle(
        GROUP,
        deliveries.map(({ receipt }) => ({ receipt, kind: 'ack' })),
      )
      if (deliveries.length > 0) continue
      if (nextInMs === undefined) return left
      await rest(Math.min(nextInMs, LEASE_MS))
    }
  } finally {
    await adapter.close()
  }
}

function claimOf(limit: number): Parameters<QueueStorage['claim']>[0] {
  return { group: GROUP, limit, leaseMs: LEASE_MS, maxAttempts: NUMBERS, from: 'earliest' }
}

function nothingMayFail(error: unknown): Promise<never> {
  return Promise.reject(error)
}

function rest(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
