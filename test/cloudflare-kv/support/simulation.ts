import {
  CloudflareKVAdapter,
  type CloudflareKVOptions,
  type KVBinding,
} from '../../../adapters/cloudflare-kv/index.ts'
import { randomFrom } from '../../../conformance/scene.ts'
import type { Delivery, QueueStorage, Settlement } from '../../../src/index.ts'
import { type Lags, ModelKV, PlaceCache, REAL } from './model-kv.ts'
import { VirtualTime } from './virtual-time.ts'

export interface Configuration {
  readonly name: string
  readonly messages: number
  /** Messages of one append: up to so many. */
  readonly batch: number
  /** When drains start in each period of a minute, in ms, one after the other or at once. */
  readonly drainsAt: readonly number[]
  /** A new isolate for each drain, at any of the places; or one isolate for each of `drainsAt`. */
  readonly newIsolates: boolean
  readonly lags?: Partial<Lags>
  readonly options?: CloudflareKVOptions
  /** How many of the drains die. */
  readonly crashes?: number
  /** Of each claim. */
  readonly limit?: number
  readonly seed?: number
}

export interface Result {
  readonly messages: number
  /** Messages whose append has resolved and which never came, or whose retry was settled and which did not come again. */
  readonly lost: number
  /** Deliveries beyond the first, one for each retry, and one where a drain died with the message in hand. */
  readonly duplicates: number
  /** Messages that were in hand when a drain died, or failed, and may have come again. */
  readonly afterCrash: number
  readonly p50: number
  readonly p99: number
  readonly operationsPerMessage: number
}

const MINUTE = 60_000
const PLACES = 3
/** What one operation takes. */
const OPERATION_MS = 20
/** A drain has 900 operations; each segment needs one of its own. */
const APPENDS_PER_MINUTE = 500
const RETRIES = 0.03

interface Sent {
  readonly at: number
  deliveries: number
  /** Deliveries that must be: the first, and one for each retry that was settled. */
  needed: number
  /** Deliveries that may be besides, because a drain died with the message in hand. */
  excused: number
}

/** An hour of sends at three places, and drains that die at any point, on a namespace that lags and fails. */
export async function simulate(configuration: Configuration): Promise<Result> {
  const {
    messages,
    batch,
    drainsAt,
    newIsolates,
    lags,
    options,
    crashes = 0.02,
    limit = 100,
    seed = 1,
  } = configuration
  const time = new VirtualTime()
  const random = randomFrom(seed)
  const namespace = new ModelKV(time, { ...REAL, ...lags }, random)
  namespace.latency = () => time.sleep(OPERATION_MS * (0.5 + random()))
  const caches = Array.from({ length: PLACES }, () => new PlaceCache())
  const settings = { clock: time, random, wait: (ms: number) => time.sleep(ms), ...options }

  const sent = new Map<string, Sent>()
  const latencies: number[] = []
  let afterCrash = 0
  let accepted = 0
  const unsure: string[] = []

  const senders = caches.map((cache) => namespace.place(cache))
  const appends = messages / ((batch + 1) / 2)
  // An hour, or what one drainer can take in.
  const minutes = Math.max(60, appends / APPENDS_PER_MINUTE)
  const spacing = (minutes * MINUTE) / appends
  const send = async (): Promise<void> => {
    let next = time.now()
    for (let n = 0; n < messages;) {
      const count = Math.min(messages - n, 1 + Math.floor(random() * batch))
      const bodies = Array.from({ length: count }, (_, i) => `m${n + i}`)
      n += count
      const binding = senders[Math.floor(random() * PLACES)]!
      time.start(append(binding, bodies))
      next += spacing * 2 * random()
      await time.sleep(next - time.now())
    }
  }
  const append = async (binding: KVBinding, bodies: readonly string[]): Promise<void> => {
    // Each request makes its adapter.
    const view = await new CloudflareKVAdapter(binding, settings).open('tasks')
    const at = time.now()
    for (const body of bodies) sent.set(body, { at, deliveries: 0, needed: 1, excused: 0 })
    const batchId = `batch-${accepted}-xxxxxxxxxxxxxxxxxxxxxxxxxxxx`.slice(0, 28)
    try {
      await view.append(
        bodies.map((body) => ({ body })),
        { batchId },
      )
      accepted += bodies.length
    } catch {
      // Whether they are stored is unknown: they may come.
      unsure.push(...bodies)
    }
  }

  const deliver = ({ body }: Delivery): void => {
    const one = sent.get(body as string)!
    if (one.deliveries++ === 0) latencies.push(time.now() - one.at)
  }
  const drain = async (binding: KVBinding): Promise<void> => {
    const dies = random() < crashes ? 1 + Math.floor(random() * 60) : Infinity
    let operations = 0
    let died: (() => void) | undefined
    const death = new Promise<'dead'>((resolve) => (died = () => resolve('dead')))
    /** Deliveries, and how often each may come again if the drain dies: a retry that was cut off may, besides what it is of. */
    const inHand = new Map<Delivery, number>()
    const fatal =
      dies === Infinity
        ? binding
        : mortal(
            binding,
            () => ++operations >= dies,
            () => died!(),
            random,
          )
    const work = async (): Promise<void> => {
      const view = await new CloudflareKVAdapter(fatal, settings).open('tasks')
      await drainAll(view, inHand)
    }
    await Promise.race([work().catch(() => undefined), death])
    for (const [{ body }, times] of inHand) {
      sent.get(body as string)!.excused += times
      afterCrash++
    }
  }
  const drainAll = async (view: QueueStorage, inHand: Map<Delivery, number>): Promise<void> => {
    let settle: Settlement[] = []
    let before: readonly Delivery[] = []
    for (;;) {
      const claimed = await view.claim({
        group: 'g',
        limit,
        leaseMs: 120_000,
        maxAttempts: 1000,
        settle,
      })
      for (const [i, delivery] of before.entries()) {
        inHand.delete(delivery)
        const isRetried = settle[i]!.kind === 'retry' && claimed.settled![i]!.status === 'settled'
        if (isRetried) sent.get(delivery.body as string)!.needed++
      }
      const { deliveries } = claimed
      if (deliveries.length === 0) return
      for (const delivery of deliveries) {
        inHand.set(delivery, 1)
        deliver(delivery)
      }
      settle = deliveries.map((delivery): Settlement => {
        const { receipt } = delivery
        if (random() >= RETRIES) return { receipt, kind: 'ack' }
        inHand.set(delivery, 2)
        return { receipt, kind: 'retry', delayMs: 1000 + random() * 90_000 }
      })
      before = deliveries
    }
  }

  const isolates = drainsAt.map((_, i) => namespace.place(caches[i % PLACES]))
  time.start(send())
  await time.run(async () => {
    for (let minute = 0; ; minute++) {
      const begin = time.now()
      for (const [i, at] of drainsAt.entries()) {
        await time.sleep(Math.max(0, begin + at - time.now()))
        const place = newIsolates ? Math.floor(random() * PLACES) : i % PLACES
        const binding = newIsolates ? namespace.place(caches[place]) : isolates[i]!
        time.start(drain(binding))
      }
      for (const cache of caches) cache.trim(time.now() - 2 * MINUTE)
      namespace.trim()
      await time.sleep(begin + MINUTE - time.now())
      const isDone =
        minute > minutes + 2 && [...sent.values()].every(({ deliveries, needed }) => deliveries >= needed)
      // What has not come an hour later will not come.
      if (isDone || minute > minutes + 65) return
    }
  })

  const isUnsure = new Set(unsure)
  let lost = 0
  let duplicates = 0
  for (const [body, { deliveries, needed, excused }] of sent) {
    if (deliveries < needed && !(deliveries === 0 && isUnsure.has(body))) lost++
    duplicates += Math.max(0, deliveries - needed - excused)
  }
  latencies.sort((a, b) => a - b)
  const { reads, writes, deletes, lists } = namespace.counted
  return {
    messages: accepted,
    lost,
    duplicates,
    afterCrash,
    p50: latencies[latencies.length >> 1]!,
    p99: latencies[Math.floor(latencies.length * 0.99)]!,
    operationsPerMessage: (reads + writes + deletes + lists) / messages,
  }
}

/** A binding whose isolate dies at an operation, which may have been applied; nothing that is called later does anything. */
function mortal(binding: KVBinding, dies: () => boolean, died: () => void, random: () => number): KVBinding {
  let dead = false
  const never = new Promise<never>(() => {})
  const before = <T>(run: () => Promise<T>): Promise<T> => {
    if (dead) return never
    if (!dies()) return run()
    dead = true
    if (random() < 0.5) void run().catch(() => undefined)
    died()
    return never
  }
  return {
    put: (key, value, options) => before(() => binding.put(key, value, options)),
    get: (keys, options) => before(() => binding.get(keys, options)),
    list: (options) => before(() => binding.list(options)),
    delete: (key) => before(() => binding.delete(key)),
  }
}
