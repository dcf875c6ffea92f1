import { type BatchMessage, type Message, Queue, type StorageAdapter } from '../../src/index.ts'
import type { FastClock } from './fast-clock.ts'

/** In ms of the queue's clock. */
const SECOND = 1000
const DAY = 86_400 * SECOND
const DEDUPE_MS = 5 * SECOND
const LONG_LEASE_MS = 600 * SECOND
/** For so long the handler of the slow group has each message. */
const SLOW_MS = 2 * SECOND

const BODY = 'x'.repeat(900)
const KEYS = 50
/** So many messages may wait for the slow group before nothing more is sent: a busy machine makes no backlog. */
const MOST_WAITING = 1500
/** Between two sends, in ms of the machine's clock. */
const TICK_MS = 10

interface Job {
  readonly n: number
  readonly body: string
  /** How its handlers fail. */
  readonly fails?: 'once' | 'always' | 'rejected'
}

/** What a queue goes through, all features mixed, with one message that somebody holds all the time. */
export class Life {
  sent = 0
  /** What went wrong. */
  readonly problems: string[] = []
  readonly #queue: Queue<Job>
  readonly #storage: StorageAdapter
  readonly #clock: FastClock
  readonly #stop: AbortController = new AbortController()
  readonly #lastOfKey: Map<string, number> = new Map()
  #loops: Promise<unknown>[] = []
  #handled: Record<string, number> = { fast: 0, slow: 0 }
  #held: Message<Job> | undefined
  #heldUntil = 0
  #ticks = 0
  #rounds = 0

  constructor(storage: StorageAdapter, clock: FastClock) {
    this.#storage = storage
    this.#clock = clock
    this.#queue = new Queue('soak', { storage, clock })
  }

  async start(): Promise<void> {
    const retry = { maxAttempts: 2, initialMs: SECOND / 2, maxMs: 2 * SECOND }
    const fast = this.#queue.createConsumer('fast', { retry, leaseMs: 60 * SECOND })
    const slow = this.#queue.createConsumer('slow', { retry, leaseMs: 60 * SECOND })
    await Promise.all([fast.join(), slow.join()])
    // One handler hangs: its message stays in its hands until the end.
    await this.#queue.createProducer().send({ n: -1, body: 'held' })
    const holder = this.#queue.createConsumer('fast', { leaseMs: LONG_LEASE_MS })
    this.#held = await holder.receive()
    this.#heldUntil = this.#clock.now() + LONG_LEASE_MS
    const { signal } = this.#stop
    const loop = (name: string, running: Promise<unknown>): void =>
      void this.#loops.push(
        running.catch((error: unknown) => this.#problem(`the loop of ${name} ended`, error)),
      )
    loop(
      'fast',
      fast.run((message) => this.#handle('fast', message), { concurrency: 50, signal }),
    )
    loop(
      'slow',
      slow.run((message) => this.#handle('slow', message), { concurrency: 200, signal }),
    )
  }

  #problem(what: string, error?: unknown): void {
    this.problems.push(error === undefined ? what : `${what}: ${(error as Error).stack}`)
  }

  async #handle(group: string, message: Message<Job>): Promise<void> {
    const { payload, attempt, key } = message
    if (group === 'slow') await this.#clock.sleep(SLOW_MS)
    if (payload.fails === 'rejected') return await message.reject({ reason: 'no' })
    if (payload.fails === 'always' || (payload.fails === 'once' && attempt === 1)) throw new Error('again')
    if (key !== undefined && group === 'fast') {
      if (payload.n < (this.#lastOfKey.get(key) ?? -1)) this.#problem(`${payload.n} of ${key} came late`)
      this.#lastOfKey.set(key, payload.n)
    }
    this.#handled[group]!++
  }

  /** Works for `ms` of the machine's clock. */
  async work(ms: number): Promise<void> {
    for (const until = performance.now() + ms; performance.now() < until;) {
      const next = performance.now() + TICK_MS
      await this.#tick()
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, next - performance.now())))
    }
  }

  async #tick(): Promise<void> {
    const { slow, fast } = (await this.#queue.stats()).groups
    const waiting = Math.max(...[slow!, fast!].map(({ ready, leased, blocked }) => ready + leased + blocked))
    if (waiting > MOST_WAITING) return
    const producer = this.#queue.createProducer()
    const tick = ++this.#ticks
    const job = (more: Partial<Job> = {}): Job => ({ n: this.sent++, body: BODY, ...more })
    const plain = (): BatchMessage<Job> => ({ payload: job(), expiresInMs: DAY })
    const many = (count: number, make: () => BatchMessage<Job>): BatchMessage<Job>[] =>
      Array.from({ length: count }, make)
    await producer.sendBatch([
      ...many(8, plain),
      ...many(4, () => ({ ...plain(), key: `key-${this.sent % KEYS}` })),
      ...many(2, () => ({ payload: job(), delayMs: SECOND + (this.sent % 4) * SECOND })),
      { payload: job(), id: `known-${tick}`, dedupeMs: DEDUPE_MS, expiresInMs: DAY },
      { payload: job(), id: `changed-${tick}`, delayMs: 4 * SECOND, dedupeMs: DEDUPE_MS },
      { payload: job(), id: `cancelled-${tick}`, delayMs: 60 * SECOND },
      { payload: job(), expiresInMs: 20 },
      { payload: job({ fails: 'once' }) },
      { payload: job({ fails: tick % 2 === 0 ? 'always' : 'rejected' }) },
    ])
    const again = await producer.send(job(), { id: `known-${tick}`, dedupeMs: DEDUPE_MS })
    if (again.status !== 'duplicate') this.#problem(`known-${tick} was ${again.status} the second time`)
    await producer.send(job(), { id: `changed-${tick - 1}`, replace: true, dedupeMs: DEDUPE_MS })
    await this.#queue.cancel([`cancelled-${tick}`])
    if (this.#clock.now() > this.#heldUntil - LONG_LEASE_MS / 2) {
      this.#heldUntil = this.#clock.now() + LONG_LEASE_MS
      await this.#held!.extend(LONG_LEASE_MS)
    }
    if (tick % 40 === 0) await this.#visit()
  }

  /** A group that comes and goes, and a queue that does. */
  async #visit(): Promise<void> {
    const name = `visitor-${++this.#rounds}`
    const visitor = this.#queue.createConsumer(name, { leaseMs: SECOND })
    const [first, ...others] = await visitor.receiveBatch(10)
    await first?.ack()
    if (others.length > 0) await visitor.nackBatch(others)
    await this.#queue.deleteGroup(name)

    const queue = new Queue<string>(name, { storage: this.#storage, clock: this.#clock })
    await queue
      .createProducer()
      .sendBatch(Array.from({ length: 20 }, (_, i) => ({ payload: BODY, id: `${i}`, dedupeMs: SECOND })))
    const message = await queue.createConsumer('some').receive()
    await message?.ack()
    await queue.delete()
    await queue.close()
  }

  /** Lets all that is under way come to its end, but for the message that is held. */
  async settle(): Promise<void> {
    // Some dead letters are tried again, then all are deleted.
    for (const group of ['fast', 'slow']) {
      const dead = this.#queue.deadLetters(group)
      const { messages } = await dead.list({ limit: 10 })
      await dead.redrive(messages.map(({ id }) => id))
    }
    for (const end = performance.now() + 60_000; ;) {
      const { groups } = await this.#queue.stats()
      for (const group of ['fast', 'slow']) {
        if (groups[group]!.dead > 0) await this.#queue.deadLetters(group).delete()
      }
      const left = ['fast', 'slow'].map((group) => {
        const { ready, leased, delayed, blocked, dead } = groups[group]!
        return ready + leased + delayed + blocked + dead
      })
      if (left[0]! <= 1 && left[1] === 0) break
      if (performance.now() > end) {
        this.#problem(`after 60 s this is left: ${JSON.stringify(groups)}`)
        break
      }
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    // Until the ids are forgotten. It takes a send or two to notice.
    await this.#clock.sleep(DEDUPE_MS)
    await this.#queue.createProducer().send({ n: this.sent++, body: BODY }, { expiresInMs: DAY })
    await this.#clock.sleep(SLOW_MS * 2)
  }

  async end(): Promise<void> {
    await this.#held!.ack().catch((error: unknown) => this.#problem('the message that was held', error))
    await this.settle()
    this.#stop.abort()
    await Promise.all(this.#loops)
    const { messages } = await this.#queue.stats()
    if (messages > 0) this.#problem(`${messages} messages are left`)
    for (const [group, count] of Object.entries(this.#handled)) {
      if (count < this.sent / 2) this.#problem(`${group} handled ${count} of ${this.sent}`)
    }
    await this.#queue.close()
    await this.#storage.close()
  }
}
