// What happens to schedules at random, and a simple model of which instants must have been sent, and which may not.
import * as fc from 'fast-check'
import { expect } from 'vitest'
import { QuaysideError, Queue, type QueueStorage, type StorageAdapter } from '../../../src/index.ts'
import { type When, drainSchedules, schedule, unschedule } from '../../../src/schedule/index.ts'
import type { ManualClock } from '../../../src/testing/index.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const LEASE_MS = 30_000
/** Whoever comes so much later finds neither a lease of whoever died nor a failure that is to be tried again. */
const QUIET_MS = LEASE_MS + 6000
/** Their clocks are wrong. */
const WRONG_MS = [-HOUR, 0, HOUR] as const
/** More would let ids be forgotten that are known for an hour longer than needed. */
const MOST_BACK_MS = HOUR
/** Nor is a call under way for longer. */
const MOST_WAIT_MS = HOUR

interface Kind {
  readonly when: When
  isInstant(at: number): boolean
}

/** In a winter, where nobody changes clocks. */
const KINDS: readonly Kind[] = (['all', 'last', 'none'] as const).flatMap((catchUp) => [
  { when: { everyMs: 20 * MINUTE, catchUp }, isInstant: (at) => at % (20 * MINUTE) === 0 },
  {
    when: { cron: '0 * * * *', timeZone: 'Asia/Kolkata', catchUp },
    isInstant: (at) => at % HOUR === HOUR / 2,
  },
  {
    when: { cron: '15 0 2,14 * * *', timeZone: 'Europe/Berlin', catchUp },
    isInstant: (at) => at % (12 * HOUR) === HOUR + 15_000,
  },
])
/** What all instants are multiples of. */
const GRAIN_MS = 15_000
const MOST_DISTANCE_MS = 12 * HOUR

/** What becomes of a call of a process to the storage. */
type Fate = 'dies before' | 'dies behind' | 'fails before' | 'fails behind' | 'waits'

interface Trouble {
  /** Which of the calls of a step, from 0. */
  readonly call: number
  readonly fate: Fate
}

/** What happens next. */
type Step =
  | { readonly do: 'advance' | 'jump'; readonly ms: number }
  | { readonly do: 'fire'; readonly who: number; readonly trouble: Trouble | undefined }
  | { readonly do: 'say'; readonly who: number; readonly name: string; readonly kind: number }
  | { readonly do: 'again' | 'remove'; readonly who: number; readonly name: string }
  | { readonly do: 'close'; readonly who: number }
  | { readonly do: 'purge' | 'go on' }

const name: fc.Arbitrary<string> = fc.constantFrom('a', 'b')
const who: fc.Arbitrary<number> = fc.nat(WRONG_MS.length - 1)

const trouble: fc.Arbitrary<Trouble> = fc.record({
  call: fc.nat(9),
  fate: fc.constantFrom<Fate>('dies before', 'dies behind', 'fails before', 'fails behind', 'waits'),
})

const STEPS: readonly (readonly [weight: number, fc.Arbitrary<Step>])[] = [
  [
    6,
    fc.record({
      do: fc.constant('advance'),
      ms: fc.constantFrom(1000, 45_000, 10 * MINUTE, 20 * MINUTE, HOUR, 5 * HOUR, 30 * HOUR),
    }),
  ],
  [1, fc.record({ do: fc.constant('jump'), ms: fc.constantFrom(-HOUR / 2, HOUR / 2) })],
  [9, fc.record({ do: fc.constant('fire'), who, trouble: fc.option(trouble, { nil: undefined, freq: 2 }) })],
  [3, fc.record({ do: fc.constant('say'), who, name, kind: fc.nat(KINDS.length - 1) })],
  [2, fc.record({ do: fc.constantFrom('again', 'remove'), who, name })],
  [1, fc.record({ do: fc.constant('close'), who })],
  [3, fc.record({ do: fc.constantFrom('purge', 'go on', 'go on') })],
]

function anyOf(steps: typeof STEPS): fc.Arbitrary<Step> {
  return fc.oneof(...steps.map(([weight, arbitrary]) => ({ weight, arbitrary })))
}

export const histories: fc.Arbitrary<Step[]> = fc.array(anyOf(STEPS), {
  minLength: 5,
  maxLength: 40,
  size: 'max',
})

/** A process that fires schedules: a queue whose calls to the storage may have troubles. */
class Process {
  readonly queue: Queue<number>
  trouble: Trouble | undefined
  calls = 0
  isDead = false
  /** Lets a call that waits go on. */
  goOn: (() => void) | undefined
  waitsSince = 0
  /** How its step has ended. */
  ended: 'well' | 'badly' | undefined
  firing: Promise<unknown> | undefined

  constructor(storage: StorageAdapter, clock: ManualClock, wrongByMs: number) {
    const open = async (queue: string): Promise<QueueStorage> => this.#troubled(await storage.open(queue))
    this.queue = new Queue<number>('jobs', {
      storage: Object.assign(Object.create(storage) as StorageAdapter, { open }),
      clock: {
        now: () => clock.now() + wrongByMs,
        // Who tries again does so at once, and leases are not extended.
        setTimeout: (callback, ms) =>
          ms <= 20_000 && ms !== LEASE_MS / 3 ? setTimeout(callback, 0) : undefined,
        clearTimeout: (timer) => clearTimeout(timer as ReturnType<typeof setTimeout>),
      },
    })
  }

  #troubled(view: QueueStorage): QueueStorage {
    return new Proxy(view, {
      get: (target, verb) => {
        const value: unknown = Reflect.get(target, verb, target)
        if (verb === 'watch') return undefined
        if (typeof value !== 'function') return value
        const call = value.bind(target) as (...args: unknown[]) => Promise<unknown>
        return verb === 'close'
          ? call
          : async (...args: unknown[]) => await this.#through(() => call(...args))
      },
    })
  }

  async #through(call: () => Promise<unknown>): Promise<unknown> {
    if (this.isDead) return await new Promise(() => undefined)
    const fate = this.calls++ === this.trouble?.call ? this.trouble.fate : undefined
    if (fate === 'waits') await new Promise<void>((resolve) => (this.goOn = resolve))
    if (fate === 'fails before') throw new QuaysideError('STORAGE_UNAVAILABLE', 'away')
    if (fate === 'dies before') return await this.#die()
    const answer = await call()
    if (fate === 'fails behind') throw new QuaysideError('STORAGE_UNAVAILABLE', 'away')
    if (fate === 'dies behind') return await this.#die()
    return answer
  }

  #die(): Promise<never> {
    this.isDead = true
    return new Promise(() => undefined)
  }
}

/** One definition of a schedule. Its number is what it sends. */
interface Version {
  readonly name: string
  readonly kind: Kind
  /** Fires for what comes later than this. */
  readonly from: number
  /** The latest that the clock had told before: later than {@link from} where it was set back. */
  readonly latest: number
  /** It is looked at later than this, also where it goes on where the one before was, and the clock is set back then. */
  readonly saidAt: number
  /** When it was changed or removed. */
  until: number
}

/** Runs a history on a storage. */
export async function run(
  storage: StorageAdapter,
  clock: ManualClock,
  steps: readonly Step[],
): Promise<void> {
  const versions: Version[] = []
  const current = new Map<string, Version>()
  const seen = new Set<string>()
  let quietAt = 0
  let latest = clock.now()
  let backMs = 0
  const processes = WRONG_MS.map((ms) => new Process(storage, clock, ms))
  const observer = new Queue<number>('jobs', { storage })
  const consumer = observer.createConsumer()

  const say = async (who: number, name: string, kind: Kind): Promise<void> => {
    const before = current.get(name)
    const from = before !== undefined && before.kind === kind ? before.from : clock.now()
    if (before !== undefined) before.until = latest
    const version: Version = { name, kind, from, latest, saidAt: clock.now(), until: Infinity }
    current.set(name, version)
    versions.push(version)
    const { queue } = processes[who]!
    expect(await schedule(queue, name, kind.when, { payload: versions.length - 1 })).toBe(
      before === undefined ? 'stored' : 'replaced',
    )
    // It is looked at a moment later.
    await clock.advance(1)
  }

  /** No instant twice, none early, none of what is not there any more. */
  const look = async (): Promise<void> => {
    for (let some; (some = await consumer.receiveBatch(500)).length > 0;) {
      for (const { id, payload, headers } of some) {
        const [name, instant] = id.split('@')
        const at = Date.parse(instant!)
        const { kind, from, until, latest: before, name: itsName } = versions[payload]!
        expect([itsName, headers['schedule'], headers['scheduled-for']]).toEqual([name, name, instant])
        // What another schedule of the name has fired before the clock was set back may come again.
        expect(seen.has(id) && at > before, `${id} was sent twice`).toBe(false)
        expect(kind.isInstant(at), `${id} is an instant of what sent it`).toBe(true)
        expect(at, `${id} is not early`).toBeLessThanOrEqual(latest)
        expect(at, `${id} is not older than its schedule`).toBeGreaterThan(from)
        expect(at, `${id} was due before its schedule was changed`).toBeLessThanOrEqual(until)
        seen.add(id)
      }
      await consumer.ackBatch(some)
    }
  }

  /** Somebody who is well has just fired what was due. */
  const must = (): void => {
    const now = clock.now() - backMs
    for (const { name, kind, from, saidAt } of current.values()) {
      if (clock.now() <= saidAt) continue
      const { catchUp } = kind.when
      let isLast = true
      for (let at = now - (now % GRAIN_MS); at > from; at -= GRAIN_MS) {
        if (!kind.isInstant(at)) continue
        const isDue = catchUp === 'all' || (isLast && backMs === 0)
        if (isDue && (catchUp !== 'none' || clock.now() - at <= 5 * MINUTE)) {
          const id = `${name}@${new Date(at).toISOString()}`
          expect(seen.has(id), `${id} was left out`).toBe(true)
        }
        isLast = false
        if (catchUp !== 'all') break
      }
    }
  }

  const fire = async (i: number, trouble?: Trouble): Promise<void> => {
    const process = processes[i]!
    if (process.firing !== undefined) return
    process.trouble = trouble
    process.calls = 0
    process.ended = undefined
    process.firing = drainSchedules(process.queue).then(
      () => (process.ended = 'well'),
      () => (process.ended = 'badly'),
    )
    while (process.ended === undefined && !process.isDead && process.goOn === undefined)
      await new Promise((resolve) => setImmediate(resolve))
    // What is said besides is said well.
    process.trouble = undefined
    process.waitsSince = clock.now()
    const isWell = process.ended === 'well' && process.calls <= (trouble?.call ?? Infinity)
    if (!isWell) quietAt = process.goOn ? Infinity : Math.max(quietAt, latest + QUIET_MS)
    if (process.isDead) processes[i] = new Process(storage, clock, WRONG_MS[i]!)
    if (process.goOn === undefined) process.firing = undefined
    await look()
    if (isWell && clock.now() >= quietAt) must()
  }

  const goOn = async (): Promise<void> => {
    let quietMs = QUIET_MS
    for (const process of processes) {
      if (process.goOn === undefined) continue
      // It hands back for as long as it was to wait then.
      if (clock.now() !== process.waitsSince) quietMs = QUIET_MS + MOST_DISTANCE_MS
      process.goOn()
      await process.firing
      process.goOn = process.firing = undefined
    }
    if (quietAt === Infinity) quietAt = latest + quietMs
    await look()
  }

  const step = async (one: Step): Promise<void> => {
    const then = 'ms' in one ? clock.now() + one.ms : 0
    if (processes.some(({ goOn: waits, waitsSince }) => waits && then - waitsSince > MOST_WAIT_MS))
      await goOn()
    switch (one.do) {
      case 'advance':
        await clock.advance(one.ms)
        break
      case 'jump':
        if (one.ms < 0 && backMs - one.ms > MOST_BACK_MS) break
        clock.jump(one.ms)
        if (one.ms < 0) backMs -= one.ms
        break
      case 'fire':
        await fire(one.who, one.trouble)
        break
      case 'say':
        if (current.get(one.name)?.kind !== KINDS[one.kind]!) await say(one.who, one.name, KINDS[one.kind]!)
        break
      case 'again': {
        const known = current.get(one.name)
        if (known !== undefined) await say(one.who, one.name, known.kind)
        break
      }
      case 'remove': {
        const known = current.get(one.name)
        expect(await unschedule(processes[one.who]!.queue, one.name)).toBe(known !== undefined)
        if (known !== undefined) known.until = latest
        current.delete(one.name)
        break
      }
      case 'close':
        if (processes[one.who]!.firing !== undefined) break
        await processes[one.who]!.queue.close()
        processes[one.who] = new Process(storage, clock, WRONG_MS[one.who]!)
        break
      case 'purge':
        await look()
        await observer.purge()
        break
      case 'go on':
        await goOn()
    }
    latest = Math.max(latest, clock.now())
  }

  for (const one of steps) await step(one)
  await goOn()
  for (let i = 0; i < 2; i++) {
    await step({ do: 'advance', ms: Math.max(quietAt - clock.now(), backMs + MINUTE) })
    await fire(i)
  }
  expect(clock.now()).toBeGreaterThanOrEqual(quietAt)
  await Promise.all([observer, ...processes.map(({ queue }) => queue)].map((queue) => queue.close()))
}
