import { v7 as uuid } from 'uuid'
import type { QueueStorage } from '../../../src/index.ts'
import { type Options, amount, atMost, gc, heading, median, plot, print, printTable } from '../harness.ts'
import { type Order, order } from '../payload.ts'
import { PLACES, type Place } from '../places.ts'
import { Queue } from '../quayside.ts'
import { duration } from '../report/numbers.ts'

// What happens to a queue in its life, and must not make it slow: many who wait, much that is overdue, one message that is
// never done, much in flight.

const STEP_MS: Readonly<Record<string, number>> = { memory: 20, 'fs, os': 20, redis: 50 }
const LEASE_MS = 86_400_000
const HOUR_MS = 3_600_000
const GROUP = 'default'
/** Steps that are measured, of each kind. */
const STEPS = 100
const BATCH = 1000
/** Steps that pay what the preparation left to be done, before the clock starts. */
const WARM = 1000

async function eachPlace(run: (name: string, place: Place) => Promise<void>): Promise<void> {
  for (const [name, open] of Object.entries(PLACES)) {
    const place = await open()
    try {
      await run(name, place)
    } finally {
      await place.close()
    }
  }
}

/** As {@link eachPlace}, a new one for each number, in the order of the numbers. */
async function eachNumber(
  numbers: readonly number[],
  run: (name: string, place: Place, number: number) => Promise<void>,
): Promise<void> {
  for (const number of numbers) await eachPlace((name, place) => run(name, place, number))
}

interface Times {
  readonly median: number
  readonly worst: number
}

/** How long steps take, in ms. */
async function timesOf(count: number, step: (i: number) => Promise<unknown>): Promise<Times> {
  const times: number[] = []
  for (let i = 0; i < count; i++) times.push(await timeOf(() => step(i)))
  return { median: median(times), worst: Math.max(...times) }
}

async function timeOf(step: () => Promise<unknown>): Promise<number> {
  const started = performance.now()
  await step()
  return performance.now() - started
}

const span = ({ median, worst }: Times): string => `${duration(median)}, ${duration(worst)}`

let sent = 0
const body = (): string => JSON.stringify(order(sent++))

async function append(
  queue: QueueStorage,
  count: number,
  more: (i: number) => { key?: string; delayMs?: number } = () => ({}),
): Promise<void> {
  for (let done = 0; done < count; done += BATCH) {
    const messages = Array.from({ length: Math.min(BATCH, count - done) }, (_, i) => ({
      body: body(),
      ...more(done + i),
    }))
    await queue.append(messages, { batchId: uuid() })
  }
}

async function claim(queue: QueueStorage, limit: number, group: string = GROUP): Promise<string[]> {
  const { deliveries } = await queue.claim({ group, limit, leaseMs: LEASE_MS, maxAttempts: 1_000_000 })
  return deliveries.map(({ receipt }) => receipt)
}

/** Claims until so many are leased. */
async function lease(queue: QueueStorage, count: number): Promise<string[]> {
  const receipts: string[] = []
  for (let empty = 0; receipts.length < count;) {
    const more = await claim(queue, Math.min(BATCH, count - receipts.length))
    empty = more.length === 0 ? empty + 1 : 0
    if (empty === 1000) throw new Error(`${receipts.length} of ${count} were delivered, and then none`)
    for (const receipt of more) receipts.push(receipt)
  }
  return receipts
}

async function ack(queue: QueueStorage, receipts: readonly string[]): Promise<void> {
  const results = await queue.settle(
    GROUP,
    receipts.map((receipt) => ({ receipt, kind: 'ack' })),
  )
  if (results.some(({ status }) => status !== 'settled')) throw new Error('a receipt was stale')
}

const WAITING = [1, 200, 1000]

/** One message at a time, from its send until a handler has it and it is acked, while others wait as well. */
export async function herd({ slices, sliceMs }: Options): Promise<void> {
  heading('a message, by the number of consumers that wait')
  const costs = new Map<string, number[]>()
  await eachNumber(WAITING, async (name, { storage }, waiting) => {
    const queue = new Queue<Order>('herd', { storage })
    const producer = queue.createProducer()
    const stop = new AbortController()
    let arrived: () => void = () => undefined
    const consumers = Array.from({ length: waiting }, async () => {
      const consumer = queue.createConsumer()
      for (;;) {
        const message = await consumer.receive({ waitMs: HOUR_MS, signal: stop.signal })
        if (message === undefined) continue
        await message.ack()
        arrived()
      }
    }).map((running) => running.catch(() => undefined))
    const lap = async (): Promise<void> => {
      const done = new Promise<void>((resolve) => void (arrived = resolve))
      await producer.send(order(sent++))
      await done
    }
    for (let i = 0; i < 10; i++) await lap()
    const rates: number[] = []
    for (let slice = 0; slice < slices; slice++) {
      let laps = 0
      const started = performance.now()
      do {
        await lap()
        laps++
      } while (performance.now() - started < sliceMs)
      rates.push((performance.now() - started) / laps)
    }
    costs.set(name, [...(costs.get(name) ?? []), median(rates)])
    stop.abort()
    await Promise.all(consumers)
    await queue.close()
  })
  plot('herd', {
    kind: 'lines',
    title: 'Cost of a message by the number of consumers that wait',
    subtitle: 'µs from a send until one consumer has acked it, one at a time; flat is good.',
    x: 'consumers that wait',
    series: [...costs].map(([name, all]) => ({
      name,
      role: 'quayside' as const,
      points: all.map((ms, i): [number, number] => [WAITING[i]!, ms * 1000]),
    })),
  })
  printTable(
    ['a message', ...WAITING.map((waiting) => `${amount(waiting)} waiting`), 'most against 1'],
    [...costs].map(([name, all]) => [name, ...all.map(duration), `${(all.at(-1)! / all[0]!).toFixed(2)}×`]),
  )
  for (const [name, all] of costs)
    atMost(`${name}: cost with 1,000 waiting against 1`, all.at(-1)! / all[0]!, 2)
}

/** Steps of a queue in which delayed messages became due and nobody came to claim. */
export async function overdue({ many }: Options): Promise<void> {
  heading('steps, by the number of delayed messages that are overdue')
  const rows: string[][] = []
  const worst = new Map<string, number>()
  await eachNumber([1, 1000, many], async (name, { queue, pass, longestMs }, number) => {
    await claim(queue, 0)
    // Where the clock cannot be set, they are due at about one time after all were sent.
    const dueAt = performance.now() + (name === 'redis' ? 1000 + number / 20 : HOUR_MS)
    await append(queue, number, () => ({ delayMs: Math.max(1, Math.ceil(dueAt - performance.now())) }))
    await pass(Math.max(1, dueAt - performance.now()) + 1000)
    const measured = async (count: number, verb: () => Promise<unknown>): Promise<Times> => {
      const most: number[] = []
      const { median } = await timesOf(count, async () => most.push(await longestMs(verb)))
      return { median, worst: Math.max(...most) }
    }
    const steps = [
      await measured(STEPS, () => queue.append([{ body: body() }], { batchId: uuid() })),
      await measured(1, () => claim(queue, 100, 'new')),
      await measured(STEPS, () => claim(queue, 100)),
      await measured(10, () => queue.stats()),
      await measured(10, () => queue.list({ group: GROUP, limit: 100 })),
    ]
    worst.set(name, Math.max(...steps.map(({ worst }) => worst)))
    rows.push([name, amount(number), ...steps.map(span)])
  })
  print(
    'The median time of a call of the storage, and the most CPU that one took in a row, so that others had no turn: what the machine did for others meanwhile does not count. The CPU may be told in ticks of some ms.',
  )
  printTable(
    ['', 'overdue', 'append 1', 'first claim of a new group', 'claim 100', 'stats', 'list 100'],
    byName(rows),
  )
  for (const [name, ms] of worst)
    atMost(`${name}: worst step with ${amount(many)} overdue`, ms, STEP_MS[name]!, ' ms')
}

/** What is left of messages that were sent, received and acked while one from before is in flight. */
export async function pinned({ many }: Options): Promise<void> {
  const passing = many / 10
  const text = 'x'.repeat(1000)
  heading(`bytes that are kept while 1 message is in flight and ${amount(passing)} of 1 kB pass it`)
  const rows: string[][] = []
  const kept = new Map<string, number>()
  for (const held of [0, 1]) {
    await eachPlace(async (name, { queue, bytes }) => {
      const lap = async (): Promise<void> => {
        const messages = Array.from({ length: 100 }, () => ({ body: text }))
        await queue.append(messages, { batchId: uuid() })
        for (let left = 100; left > 0;) {
          const receipts = await claim(queue, left)
          await ack(queue, receipts)
          left -= receipts.length
        }
      }
      await claim(queue, 0)
      if (held > 0) {
        await append(queue, held)
        await lease(queue, held)
      }
      for (let i = 0; i < 100; i++) await lap()
      const before = await bytes()
      const took = await timesOf(passing / 100, lap)
      const after = await bytes()
      const each = Math.max(0, after - before) / passing
      if (held > 0) kept.set(name, each)
      rows.push([
        name,
        `${held}`,
        `${Math.round((after - before) / 1000)} kB`,
        each.toPrecision(3),
        span(took),
      ])
    })
  }
  printTable(
    ['', 'in flight', 'more at the end', 'bytes for each that passed', '100 sent, received, acked'],
    byName(rows),
  )
  for (const [name, each] of kept)
    atMost(`${name}: bytes kept for each message of 1 kB that passed`, each, 20, ' B')
}

/** The ack of one message, the append and the claim of another, while many are in flight: with keys of their own, or without. */
export async function flight(options: Options): Promise<void> {
  const { many } = options
  await inFlight(options, 'no keys', [1, 1000, many], 1000, () => ({}))
  await inFlight(options, 'a key each', [1, 100, 10_000], 100, (i) => ({ key: `key-${i}` }))
}

async function inFlight(
  { sliceMs }: Options,
  what: string,
  numbers: readonly number[],
  base: number,
  more: (i: number) => { key?: string },
): Promise<void> {
  heading(`an ack, by the number in flight, ${what}`)
  const rows: string[][] = []
  const acks = new Map<string, Map<number, number>>()
  const bare = numbers.map((number) => bareMap(number, sliceMs))
  await eachNumber(numbers, async (name, { queue, cpuMs }, number) => {
    await claim(queue, 0)
    await append(queue, number, more)
    const receipts = await lease(queue, number)
    gc()
    const spent = [0, 0, 0]
    let done = -WARM
    for (const together = Math.min(STEPS, number); spent[0]! < sliceMs && done < 100_000; done += together) {
      // From anywhere: whoever is done first, acks first.
      const taken = Array.from({ length: together }, () => {
        const at = Math.floor(Math.random() * receipts.length)
        const receipt = receipts[at]!
        receipts[at] = receipts.at(-1)!
        receipts.pop()
        return receipt
      })
      const marks = [await cpuMs()]
      for (const receipt of taken) await ack(queue, [receipt])
      marks.push(await cpuMs())
      for (let i = 0; i < together; i++)
        await queue.append([{ body: body(), ...more(number + WARM + done + i) }], { batchId: uuid() })
      marks.push(await cpuMs())
      for (let i = 0; i < together; i++) receipts.push((await lease(queue, 1))[0]!)
      marks.push(await cpuMs())
      if (done >= 0) for (const i of spent.keys()) spent[i]! += marks[i + 1]! - marks[i]!
    }
    const each = spent.map((ms) => ms / done)
    acks.set(name, (acks.get(name) ?? new Map<number, number>()).set(number, each[0]!))
    rows.push([name, amount(number), ...each.map(duration)])
  })
  print('CPU of a step, a call of the storage each: the mean of many.')
  printTable(
    ['', 'in flight', 'ack 1', 'append 1', 'claim 1'],
    [
      ...byName(rows),
      ...numbers.map((number, i) => ['a bare Map', amount(number), duration(bare[i]!), '', '']),
    ],
  )
  const most = numbers.at(-1)!
  for (const [name, all] of acks) {
    const ratio = all.get(most)! / all.get(base)!
    atMost(`${name}, ${what}: ack at ${amount(most)} in flight against ${amount(base)}`, ratio, 1.5)
  }
  const walk = bare.at(-1)! / bare[numbers.indexOf(base)]!
  print(
    `A bare Map of as many objects of 200 B, of which one after the other is taken out and another put in, takes ${walk.toFixed(1)} times as long for that: what does not fit the caches of the processor is slow to reach. Tests count that an ack in memory compares itself with none of the others, and the rows and bytes of one on other storages.`,
  )
}

/** What one costs in ms of CPU to be taken out of a Map, anywhere, and another to be put in. */
function bareMap(number: number, sliceMs: number): number {
  const map = new Map<string, { body: string; lease: { until: number } }>()
  const ids: string[] = []
  let next = 0
  const put = (at: number): void => {
    const id = `message-${next++}`
    map.set((ids[at] = id), { body: id.padEnd(200), lease: { until: next } })
  }
  for (let at = 0; at < number; at++) put(at)
  const cpuMs = (): number => Object.values(process.threadCpuUsage()).reduce((sum, us) => sum + us / 1000, 0)
  const before = cpuMs()
  let done = 0
  for (; cpuMs() - before < sliceMs; done += 1000)
    for (let i = 0; i < 1000; i++) {
      const at = Math.floor(Math.random() * number)
      const { lease } = map.get(ids[at]!)!
      if (lease.until > 0) map.delete(ids[at]!)
      put(at)
    }
  return (cpuMs() - before) / done
}

/** The rows of one storage together. */
function byName(rows: readonly (readonly string[])[]): readonly (readonly string[])[] {
  return rows.toSorted((a, b) => Object.keys(PLACES).indexOf(a[0]!) - Object.keys(PLACES).indexOf(b[0]!))
}
