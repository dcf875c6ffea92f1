import {
  type ClaimRequest,
  type HoldPlace,
  type NewMessage,
  type Page,
  type QueueStorage,
  QuaysideError,
  type Settlement,
} from '../../../src/index.ts'
import { uuid } from '../../../src/message-id.ts'
import { MAX_IDS } from '../../../src/storage.ts'
import { randomFrom } from '../../../conformance/scene.ts'
import { pick } from '../../fs/history.ts'
import type { FaultyBackend, FaultyStorage } from './backend.ts'
import { CONCURRENCY, type Dead, Ledger, type Sent, Violation } from './ledger.ts'

export interface FaultOptions {
  /** The first history; the others have the numbers behind it. */
  readonly seed: number
  readonly histories: number
  readonly steps: number
  /** Whether the clock jumps an hour forward and back. */
  readonly jumps?: boolean
}

/** What came of histories, in numbers. */
export interface FaultReport {
  histories: number
  faults: number
  /** Calls that were rejected because of them. */
  rejected: number
  sent: number
  delivered: number
  jumps: number
  violations: string[]
}

const GROUPS = ['a', 'b']
const LANES = ['l0', 'l1', 'l2']
const PLACES: readonly HoldPlace[] = [
  { group: 'a' },
  ...LANES.flatMap((lane) => [{ lane }, { group: 'b', lane }]),
]
const START_MS = Date.UTC(2030, 0, 1)
const HOUR_MS = 3_600_000
const FOR_EVER_MS = 1e10
/** After so many claims everything must be worked off. */
const MAX_ROUNDS = 500

/** Runs random histories on a storage whose every Nth operation fails, and looks whether it keeps what it promises. */
export async function runFaults(storage: FaultyStorage, options: FaultOptions): Promise<FaultReport> {
  const report: FaultReport = {
    histories: 0,
    faults: 0,
    rejected: 0,
    sent: 0,
    delivered: 0,
    jumps: 0,
    violations: [],
  }
  for (let seed = options.seed; seed < options.seed + options.histories; seed++) {
    const history = new History(storage, seed, options, report)
    try {
      await history.run()
    } catch (error) {
      const text = error instanceof Violation ? error.message : String((error as Error).stack)
      report.violations.push(`${storage.name}, history ${seed}: ${text}\n${history.trace.join('\n')}`)
    }
    report.histories++
  }
  return report
}

class History {
  readonly trace: string[] = []
  readonly #storage: FaultyStorage
  readonly #options: FaultOptions
  readonly #report: FaultReport
  readonly #random: () => number
  readonly #clock = { time: START_MS, now: (): number => this.#clock.time }
  readonly #ledger: Ledger
  #backend!: FaultyBackend
  #view: QueueStorage | undefined
  #bodies = 0
  #every = 0
  #place = 0
  /** Sends whose outcome is unknown, to be tried again. */
  #again: Sent[] = []

  constructor(storage: FaultyStorage, seed: number, options: FaultOptions, report: FaultReport) {
    this.#storage = storage
    this.#ledger = new Ledger(this.#clock, storage)
    this.#random = randomFrom(seed)
    this.#options = options
    this.#report = report
  }

  /** Whether there are lanes that are held or full, parked messages and results as well. */
  get #mixes(): boolean {
    return this.#storage.isBestEffort !== true
  }

  async run(): Promise<void> {
    this.#backend = await this.#storage.create(this.#clock, this.#random)
    try {
      for (const group of GROUPS) await this.#claim(group, 0)
      for (let step = 0; step < this.#options.steps; step++) {
        // Rare ones let much be done in between, frequent ones hit what mends things.
        if (step % 10 === 0) {
          const { perVerb = 10 } = this.#storage
          const verbs = step % 20 === 0 ? 5 + this.#below(20) : 0.5 + this.#below(5)
          this.#every = Math.max(3, Math.round(verbs * perVerb))
        }
        this.#backend.fail(this.#every)
        await this.#step()
      }
      this.#backend.fail((this.#every = 0))
      await this.#reopen()
      await this.#workOff()
    } finally {
      this.#report.faults += this.#backend.faults
      this.#report.sent += this.#ledger.sent.filter(({ stored }) => stored === 'yes').length
      await this.#backend.destroy()
    }
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit)
  }

  async #step(): Promise<void> {
    if (this.#mixes && this.#random() < 0.2) return await this.#holdOrResume()
    const what = this.#random()
    const group = pick(this.#random, GROUPS)
    if (what < 0.35) {
      // At the same time, so that they share writes and fail together. Of those that are repeated the order is open.
      this.#place++
      const calls: Promise<void>[] = []
      for (let i = this.#below(3); i >= 0; i--) calls.push(this.#append())
      if (this.#random() < 0.5) calls.push(this.#settle(group))
      const ends = await Promise.allSettled(calls)
      for (const end of ends) if (end.status === 'rejected') throw end.reason
    } else if (what < 0.65) await this.#claim(group, 1 + this.#below(6))
    else if (what < 0.85) await this.#settle(group)
    else if (what < 0.97) this.#clock.time += this.#below(20_000)
    else if (this.#options.jumps) this.#jump()
    else await this.#reopen()
  }

  async #holdOrResume(): Promise<void> {
    const what = this.#random()
    const place = pick(this.#random, PLACES)
    if (what < 0.3) {
      const forMs = this.#random() < 0.5 ? 1 + this.#below(20_000) : undefined
      const probe = this.#random() < 0.3
      this.#ledger.hold(place, false)
      const result = await this.#try(`hold ${JSON.stringify({ ...place, forMs, probe })}`, (view) =>
        view.hold({ ...place, forMs, probe }),
      )
      this.#ledger.hold(place, result === undefined && forMs === undefined)
    } else if (what < 0.7) {
      this.#ledger.hold(place, false)
      await this.#try(`release ${JSON.stringify(place)}`, (view) => view.release(place))
    } else {
      const ids = this.#ledger.resuming()
      await this.#try(`resume ${ids.length}`, (view) => view.resume(ids))
    }
  }

  #jump(): void {
    this.#report.jumps++
    const ms = pick(this.#random, [-HOUR_MS, HOUR_MS])
    this.trace.push(`jump ${ms}`)
    this.#clock.time += ms
    if (ms < 0) this.#ledger.setBack(GROUPS)
  }

  async #append(): Promise<void> {
    const place = this.#storage.repeats ? this.#place : this.#place++
    const again = this.#random() < 0.5 ? this.#again.splice(0) : []
    const sends =
      again.length > 0
        ? again
        : Array.from({ length: 1 + this.#below(4) }, () => this.#ledger.send(this.#message()))
    const results = await this.#try(
      `append ${sends.map(({ body, message }) => `${body}${message.key ?? ''}`).join(' ')}`,
      (view) =>
        view.append(
          sends.map(({ message }) => message),
          { batchId: uuid() },
        ),
    )
    if (results === 'unknown') {
      for (const sent of sends) this.#ledger.unknown(sent)
      if (sends.every(({ message }) => message.id !== undefined)) this.#again.push(...sends)
    } else if (results !== 'refused') {
      for (const [i, { status }] of results.entries()) this.#ledger.stored(sends[i]!, status, place)
    }
  }

  #message(): NewMessage {
    const body = `m${this.#bodies++}`
    const what = this.#random()
    const { isBestEffort, headerBytes = 0 } = this.#storage
    if (this.#mixes && this.#random() < 0.5) {
      return {
        body,
        id: body,
        dedupeMs: FOR_EVER_MS,
        keepMs: FOR_EVER_MS,
        lane: pick(this.#random, [undefined, ...LANES]),
        ...(what < 0.3 && { key: `k${this.#below(2)}` }),
        ...(what > 0.8 && { expiresInMs: 1 + this.#below(30_000) }),
      }
    }
    return {
      body,
      ...(this.#random() < 0.5 && !isBestEffort && { id: body, dedupeMs: FOR_EVER_MS }),
      ...(what < 0.5 && !isBestEffort && { key: `k${this.#below(3)}` }),
      ...(headerBytes > 0 && { headers: { h: 'v'.repeat(headerBytes) } }),
      ...(what > 0.9 && { delayMs: 1 + this.#below(20_000) }),
      ...(what > 0.8 && what < 0.9 && { expiresInMs: 1 + this.#below(30_000) }),
      ...(this.#random() < 0.2 && { maxAttempts: 1 + this.#below(4) }),
    }
  }

  async #claim(group: string, limit: number): Promise<number> {
    const leaseMs = 1 + this.#below(20_000)
    const settle = limit > 0 && this.#random() < 0.5 ? this.#settlements(group) : []
    const request: ClaimRequest = {
      group,
      limit,
      leaseMs,
      maxAttempts: 1_000_000,
      ...(this.#mixes && { lanes: { concurrency: CONCURRENCY } }),
      ...(settle.length > 0 && { settle }),
    }
    const result = await this.#try(`claim ${group} ${limit} for ${leaseMs} ${texts(settle)}`, (view) =>
      view.claim(request),
    )
    if (result === 'refused') return 0
    if (result === 'unknown') {
      for (const one of settle) this.#ledger.settled(one, undefined)
      this.#ledger.lostClaim(group)
      return 0
    }
    for (const [i, one] of settle.entries()) this.#ledger.settled(one, result.settled![i]!.status, true)
    this.#report.delivered += result.deliveries.length
    this.trace.push(
      `  ${result.deliveries.map(({ body, attempt }) => `${String(body)}:${attempt}`).join(' ')}`,
    )
    await this.#ledger.delivered(group, result.deliveries, leaseMs, () => this.#dead(group))
    return result.deliveries.length
  }

  async #settle(group: string): Promise<void> {
    const settlements = this.#settlements(group)
    if (settlements.length === 0) return
    const results = await this.#try(`settle ${group} ${texts(settlements)}`, (view) =>
      view.settle(group, settlements),
    )
    if (results === 'refused') return
    for (const [i, one] of settlements.entries()) {
      this.#ledger.settled(one, results === 'unknown' ? undefined : results[i]!.status)
    }
  }

  /** Of receipts that were given out, each at most once; mostly of the last ones. */
  #settlements(group: string): Settlement[] {
    const receipts = this.#ledger.receipts(group)
    const chosen = new Set<string>()
    for (let i = this.#below(5); i > 0 && receipts.length > 0; i--) {
      const back = this.#below(this.#random() < 0.8 ? 6 : receipts.length)
      chosen.add(receipts[Math.max(0, receipts.length - 1 - back)]!)
    }
    return [...chosen].map((receipt): Settlement => {
      if (this.#mixes && this.#random() < 0.15) return { receipt, kind: 'park', reason: 'look at it' }
      const what = this.#random()
      if (what < 0.6)
        return { receipt, kind: 'ack', value: this.#mixes ? this.#ledger.bodyOf(receipt) : undefined }
      if (what < 0.7) return { receipt, kind: 'dead', reason: 'rejected', error: 'no' }
      if (what < 0.8) return { receipt, kind: 'extend', leaseMs: 1 + this.#below(20_000) }
      const counts = this.#random() < 0.7
      return { receipt, kind: 'retry', delayMs: this.#below(20_000), error: 'again', counts }
    })
  }

  /** Does a verb. A storage that broke is opened again. */
  async #try<R>(text: string, verb: (view: QueueStorage) => Promise<R>): Promise<R | 'refused' | 'unknown'> {
    const line = this.trace.push(`${this.#clock.time - START_MS} ${text}`) - 1
    let view: QueueStorage
    try {
      view = await this.#open()
    } catch (error) {
      this.#noteError(line, error)
      if (this.#backend.isDead) await this.#reopen()
      return 'refused'
    }
    try {
      const result = await verb(view)
      if (!this.#backend.isDead) return result
      this.trace[line] += ' -> dead'
    } catch (error) {
      const code = this.#noteError(line, error)
      if (code !== 'STORAGE_FAILED' && !this.#backend.isDead) return 'refused'
    }
    if (this.#view === view) await this.#reopen()
    return 'unknown'
  }

  #noteError(line: number, error: unknown): string {
    this.#report.rejected++
    if (!(error instanceof QuaysideError)) throw new Violation(`an error without a type: ${String(error)}`)
    this.trace[line] += ` -> ${error.code}`
    if (error.code === 'CORRUPT') throw new Violation(`nothing was damaged, but: ${error.message}`)
    return error.code
  }

  async #open(): Promise<QueueStorage> {
    if (this.#view === undefined) {
      const adapter = await this.#backend.open()
      if (!adapter.guarantees.leasesSurviveReopen) this.#ledger.giveUpLeases()
      this.#view = await adapter.open('queue')
    }
    return this.#view
  }

  async #reopen(): Promise<void> {
    this.trace.push('reopen')
    const view = this.#view
    this.#view = undefined
    await view?.close().catch(() => undefined)
    if (!this.#backend.isDead) return
    this.#ledger.cutOff()
    // What was killed does not begin again in the same moment.
    this.#clock.time++
  }

  async #dead(group: string): Promise<Dead[]> {
    const list = async (): Promise<Page> =>
      (await this.#open()).list({ group, states: ['dead'], limit: 10_000 })
    // This is only a look, at a storage that may be broken.
    this.#backend.fail(0)
    const { messages } = await list().catch(async () => {
      await this.#reopen()
      return await list()
    })
    this.#backend.fail(this.#every)
    return messages.map(({ body, reason }) => ({ body: String(body), reason: reason! }))
  }

  async #workOff(): Promise<void> {
    if (this.#mixes) {
      const view = await this.#open()
      for (const place of PLACES) {
        this.#ledger.hold(place, false)
        await view.release(place)
      }
      await view.resume(this.#ledger.resuming())
    }
    for (const group of GROUPS) {
      let idle = 0
      // What rests because of limits is looked at after a minute.
      for (let round = 0; idle < (this.#mixes ? 6 : 3); round++) {
        if (round === MAX_ROUNDS) throw new Violation(`${group} never comes to an end`)
        const view = await this.#open()
        const request = { group, limit: 100, leaseMs: 1000, maxAttempts: 1_000_000 }
        const lanes = this.#mixes ? { concurrency: CONCURRENCY } : undefined
        const { deliveries } = await view.claim({ ...request, lanes })
        this.trace.push(`at the end ${group} ${deliveries.map(({ body }) => String(body)).join(' ')}`)
        await this.#ledger.delivered(group, deliveries, 1000, () => this.#dead(group))
        const acks = deliveries.map(({ receipt, body }): Settlement => ({
          receipt,
          kind: 'ack',
          value: this.#mixes ? body : undefined,
        }))
        const results = await view.settle(group, acks)
        for (const [i, { status }] of results.entries()) this.#ledger.settled(acks[i]!, status)
        this.#report.delivered += deliveries.length
        // Longer than any lease or delay was.
        if (deliveries.length === 0) this.#clock.time += 30_000
        idle = deliveries.length === 0 ? idle + 1 : 0
      }
      const dead = await this.#dead(group)
      this.#ledger.close(group, dead)
      if (this.#mixes) await this.#checkResults(group, dead)
      const { ready, leased, delayed, blocked, parked } = (await (await this.#open()).stats()).groups[group]!
      if (ready + leased + delayed + blocked + parked > 0)
        throw new Violation(`${group} is not empty at the end`)
    }
  }

  /** Everything is done or dead by now, and its result tells which. */
  async #checkResults(group: string, dead: readonly Dead[]): Promise<void> {
    const kept = this.#ledger.keeping()
    const view = await this.#open()
    for (let i = 0; i < kept.length; i += MAX_IDS) {
      const some = kept.slice(i, i + MAX_IDS)
      const outcomes = await view.results(
        group,
        some.map(({ id }) => id),
      )
      for (const [j, { body }] of some.entries()) {
        const outcome = outcomes[j]
        const reason = dead.find((one) => one.body === body)?.reason
        const isRight =
          reason === undefined
            ? outcome?.status === 'done' && outcome.value === body
            : outcome?.status === 'dead' && outcome.reason === reason
        if (!isRight)
          throw new Violation(
            `${body} is ${reason ?? 'done'} in ${group}, and has the result ${JSON.stringify(outcome)}`,
          )
      }
    }
  }
}

function texts(settlements: readonly Settlement[]): string {
  return settlements.map(({ receipt, kind }) => `${kind}(${receipt})`).join(' ')
}
