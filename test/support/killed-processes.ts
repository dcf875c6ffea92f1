import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished, vi } from 'vitest'
import type { Queue } from '../../src/index.ts'
import { KillLedger } from './kill-ledger.ts'
import { luck } from './luck.ts'

const LEASE_MS = 1000

export interface KillOptions {
  /** How long a process may take until it has done something, in ms. @defaultValue 45,000 */
  readonly patienceMs?: number
}

/** Processes at work on one queue, each of which can be killed and be followed by another: see `kill-worker.ts`. */
export class KilledProcesses {
  readonly random: () => number = luck()
  readonly #script: string
  readonly #target: string
  readonly #patienceMs: number
  readonly #directory: string = mkdtempSync(join(tmpdir(), 'quayside-kill-'))
  readonly #running: { readonly number: number; readonly child: ChildProcess }[]
  #started = 0

  /** @param script Is given the target, and then the words of `workUntilKilled`. */
  constructor(script: string, target: string, count: number, { patienceMs = 45_000 }: KillOptions = {}) {
    this.#script = script
    this.#target = target
    this.#patienceMs = patienceMs
    this.#running = Array.from({ length: count }, () => this.#start())
    onTestFinished(() => {
      for (const { child } of this.#running) child.kill('SIGKILL')
      rmSync(this.#directory, { recursive: true })
    })
  }

  #start(): { readonly number: number; readonly child: ChildProcess } {
    const number = ++this.#started
    const words = [this.#target, this.#log(number), `${LEASE_MS}`, `${number * 1_000_000}`]
    return {
      number,
      child: spawn(process.execPath, [this.#script, ...words], { stdio: ['ignore', 'ignore', 'inherit'] }),
    }
  }

  #log(number: number): string {
    return join(this.#directory, `${number}.log`)
  }

  /** How many lines the process at a place has written. */
  lines(place: number): number {
    try {
      return readFileSync(this.#log(this.#running[place]!.number), 'utf8').split('\n').length
    } catch {
      return 0
    }
  }

  /** Resolves when it has done something. */
  async busy(place: number, since = 20): Promise<void> {
    const options = { interval: 5, timeout: this.#patienceMs }
    await vi.waitUntil(() => this.lines(place) > since, options)
  }

  async kill(place: number): Promise<void> {
    const { child } = this.#running[place]!
    if (child.exitCode !== null) throw new Error(`a process has ended by itself, with ${child.exitCode}`)
    child.kill('SIGKILL')
    if (child.signalCode === null) await once(child, 'exit')
  }

  /** Kills one that has done something, at any moment of what it does, and has another one follow. Answers which it was. */
  async killOne(): Promise<number> {
    const place = Math.floor(this.random() * this.#running.length)
    await this.busy(place)
    await new Promise((resolve) => setTimeout(resolve, this.random() * 20))
    await this.kill(place)
    this.#running[place] = this.#start()
    return place
  }

  async killAll(): Promise<void> {
    await Promise.all(this.#running.map((_, place) => this.kill(place)))
  }

  /** What all of them have told. */
  ledger(): KillLedger {
    const ledger = new KillLedger()
    for (const name of readdirSync(this.#directory))
      ledger.read(readFileSync(join(this.#directory, name), 'utf8'))
    return ledger
  }
}

/** Everything that is still in the queue, once the leases of the dead have ended. */
export async function remaining(queue: Queue<number>): Promise<number[]> {
  const consumer = queue.createConsumer('workers', { retry: { maxAttempts: 1_000_000 } })
  const left: number[] = []
  for (;;) {
    const messages = await consumer.receiveBatch(1000, { waitMs: 50 })
    left.push(...messages.map(({ payload }) => payload))
    await consumer.ackBatch(messages)
    const { ready, leased, delayed } = (await queue.stats()).groups['workers']!
    if (messages.length + ready + leased + delayed === 0) return left
  }
}
