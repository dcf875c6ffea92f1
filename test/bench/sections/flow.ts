import { v7 as uuid } from 'uuid'
import type { QueueStorage } from '../../../src/index.ts'
import type { LaneRules } from '../../../src/lanes.ts'
import { type Options, amount, atMost, heading, median, plot, print, printTable } from '../harness.ts'
import { order } from '../payload.ts'
import { PLACES, type Place } from '../places.ts'

const GROUP = 'default'
const LEASE_MS = 86_400_000
const BATCH = 100
const KEEP_MS = 3_600_000
const RESULT = JSON.stringify({ paid: true, invoice: 12345 })
/** Holds and appends that prepare a queue go together, so many at once. */
const TOGETHER = 500

const COUNTS = [0, 1, 10, 100, 10_000]
const MANY = 10_000
/** Lanes in which messages wait, and how few. */
const WAITED = 1000
const FEW = 2000
const FREE = 'free'

async function eachPlace(run: (name: string, place: Place) => Promise<void>): Promise<void> {
  for (const [name, open] of Object.entries(PLACES)) {
    const place = await open()
    try {
      if (place.storage.guarantees.lanes !== false) await run(name, place)
    } finally {
      await place.close()
    }
  }
}

let sent = 0

function append(
  queue: QueueStorage,
  lanes: readonly (string | undefined)[],
  keepMs?: number,
): Promise<unknown> {
  const messages = lanes.map((lane) => ({ body: JSON.stringify(order(sent++)), lane, keepMs }))
  return queue.append(messages, { batchId: uuid() })
}

/** Claims so many, in as many claims as that takes, and answers with their receipts. */
async function claim(queue: QueueStorage, count: number, lanes?: LaneRules): Promise<string[]> {
  const receipts: string[] = []
  for (let claims = 0; receipts.length < count; claims++) {
    const limit = count - receipts.length
    const { deliveries } = await queue.claim({
      group: GROUP,
      limit,
      leaseMs: LEASE_MS,
      maxAttempts: 1_000_000,
      lanes,
    })
    for (const { receipt } of deliveries) receipts.push(receipt)
    if (claims > 10_000) throw new Error(`${receipts.length} of ${count} were delivered, and then none`)
  }
  return receipts
}

async function ack(queue: QueueStorage, receipts: readonly string[], value?: string): Promise<void> {
  const results = await queue.settle(
    GROUP,
    receipts.map((receipt) => ({ receipt, kind: 'ack', value })),
  )
  if (results.some(({ status }) => status !== 'settled')) throw new Error('a receipt was stale')
}

/** So many laps or more go by between two looks at the CPU. */
const LAPS = 50

/** The CPU that one message of a lap costs in µs, in each of so many slices. */
async function costs(
  { cpuMs }: Place,
  { slices, warmups, sliceMs }: Options,
  size: number,
  lap: () => Promise<unknown>,
): Promise<number[]> {
  const found: number[] = []
  for (let slice = -warmups; slice < slices; slice++) {
    let laps = 0
    let spent = 0
    const before = await cpuMs()
    do {
      for (let i = 0; i < LAPS; i++) await lap()
      laps += LAPS
      spent = (await cpuMs()) - before
    } while (spent < sliceMs)
    if (slice >= 0) found.push((spent * 1000) / (laps * size))
  }
  return found
}

const micro = (values: readonly number[]): string => median(values).toPrecision(3)

/** What lanes cost: by how many there are, with nearly all of them out of the way, and by how much waits in them. */
export async function lanes(options: Options): Promise<void> {
  await byCount(options)
  await outOfTheWay(options)
  await byBacklog(options)
}

async function byCount(options: Options): Promise<void> {
  heading('a message, by the number of lanes')
  const rows = new Map<string, number[][]>()
  for (const count of COUNTS) {
    await eachPlace(async (name, place) => {
      const { queue } = place
      await claim(queue, 0)
      let next = 0
      const laneOf = (): string | undefined => (count === 0 ? undefined : `lane-${next++ % count}`)
      const found = await costs(place, options, BATCH, async () => {
        await append(queue, Array.from({ length: BATCH }, laneOf))
        await ack(queue, await claim(queue, BATCH))
      })
      rows.set(name, [...(rows.get(name) ?? []), found])
    })
  }
  const columns = COUNTS.map((count) => (count === 0 ? 'no lanes' : `${amount(count)} lanes`))
  printTable(
    ['µs of CPU per message', ...columns],
    [...rows].map(([name, found]) => [name, ...found.map(micro)]),
  )
  plot('lanes', {
    kind: 'lines',
    title: 'Cost of a message by the number of lanes',
    subtitle:
      'µs of CPU to append, claim and ack one, in batches of 100 that go over as many lanes as they can.',
    x: 'lanes',
    series: [...rows].map(([name, found]) => ({
      name,
      role: 'quayside',
      points: found.slice(1).map((values, i): [number, number] => [COUNTS[i + 1]!, median(values)]),
    })),
  })
  print(
    'Append, claim and ack of batches of 100, on contract 1. With 100 lanes and more each message of a batch is the only one of its lane, which was empty before.',
  )
}

/** What it costs to keep what became of messages. */
export async function results(options: Options): Promise<void> {
  heading('a message, with and without a result that is kept')
  const rows: string[][] = []
  await eachPlace(async (name, place) => {
    const { queue } = place
    await claim(queue, 0)
    for (const [size, what] of [
      [1, 'one at a time'],
      [BATCH, 'batches of 100'],
    ] as const) {
      const lap = (keepMs?: number, value?: string) => async (): Promise<void> => {
        await append(queue, Array.from({ length: size }), keepMs)
        await ack(queue, await claim(queue, size), value)
      }
      const off = await costs(place, options, size, lap())
      const on = await costs(place, options, size, lap(KEEP_MS, RESULT))
      const again = await costs(place, options, size, lap())
      const times = `${(median(on) / median(off)).toFixed(2)}×`
      rows.push([name, what, micro(off), micro(on), times, micro(again)])
    }
  })
  printTable(
    [
      'µs of CPU per message',
      '',
      'nothing kept',
      'a result of 30 B kept',
      'against nothing',
      'nothing again',
    ],
    rows,
  )
  print(
    'Append, claim and ack on contract 1. What is kept stays for the whole run; the last column is what a message costs beside it that keeps nothing.',
  )
}

/** What waits in lanes must not make the others dearer, nor those that they wait in. */
async function byBacklog(options: Options): Promise<void> {
  const { many } = options
  heading(`a message, by how many wait in ${amount(WAITED)} lanes`)
  const rows = new Map<string, number[][]>()
  for (const waiting of [FEW, many]) {
    await eachPlace(async (name, place) => {
      const { queue } = place
      await claim(queue, 0)
      let next = 0
      const laneOf = (): string => `lane-${next++ % WAITED}`
      for (let count = 0; count < waiting; count += TOGETHER)
        await append(queue, Array.from({ length: TOGETHER }, laneOf))
      const found = await costs(place, options, BATCH, async () => {
        await append(queue, Array.from({ length: BATCH }, laneOf))
        await ack(queue, await claim(queue, BATCH))
      })
      rows.set(name, [...(rows.get(name) ?? []), found])
    })
  }
  printTable(
    ['µs of CPU per message', `${amount(FEW)} waiting`, `${amount(many)} waiting`],
    [...rows].map(([name, found]) => [name, ...found.map(micro)]),
  )
  for (const [name, [few, all]] of rows)
    atMost(`${name}, ${amount(many)} waiting in lanes: cost`, median(all!) / median(few!), 1.5, '×')
  print('Append, claim and ack of batches of 100, each message in another lane than those before it.')
}

interface Way {
  readonly title: string
  readonly rules?: LaneRules
  prepare(queue: QueueStorage, others: readonly string[]): Promise<void>
}

async function inChunks(
  all: readonly string[],
  work: (chunk: readonly string[]) => Promise<unknown>,
): Promise<void> {
  for (let at = 0; at < all.length; at += TOGETHER) await work(all.slice(at, at + TOGETHER))
}

/** Ten messages wait in each of the others. */
async function fill(queue: QueueStorage, others: readonly string[]): Promise<void> {
  for (let i = 0; i < 10; i++) await inChunks(others, (chunk) => append(queue, chunk))
}

const WAYS: readonly Way[] = [
  { title: 'one lane alone', prepare: () => Promise.resolve() },
  {
    title: `9,999 others held`,
    async prepare(queue, others) {
      await fill(queue, others)
      await inChunks(others, (chunk) => Promise.all(chunk.map((lane) => queue.hold({ lane }))))
    },
  },
  {
    title: `9,999 others full`,
    rules: { prefixes: [['other-', { concurrency: 1 }]] },
    async prepare(queue, others) {
      await fill(queue, others)
      await claim(queue, others.length, this.rules)
    },
  },
]

async function outOfTheWay(options: Options): Promise<void> {
  heading(`a message of one lane, with 9,999 of 10,000 lanes out of the way`)
  const others = Array.from({ length: MANY - 1 }, (_, i) => `other-${i}`)
  const rows = new Map<string, number[][]>()
  for (const { title, rules, prepare } of WAYS) {
    await eachPlace(async (name, place) => {
      const { queue } = place
      await claim(queue, 0)
      await prepare.call({ title, rules, prepare } as Way, queue, others)
      const lap = async (size: number): Promise<void> => {
        await append(
          queue,
          Array.from({ length: size }, () => FREE),
        )
        await ack(queue, await claim(queue, size, rules))
      }
      // What the preparation left to be found is found before the clock starts.
      for (let i = 0; i < 200; i++) await lap(1)
      const single = await costs(place, options, 1, () => lap(1))
      const batch = await costs(place, options, BATCH, () => lap(BATCH))
      rows.set(name, [...(rows.get(name) ?? []), single, batch])
    })
  }
  printTable(
    ['µs of CPU per message', ...WAYS.flatMap(({ title }) => [`${title}, one at a time`, 'batches of 100'])],
    [...rows].map(([name, found]) => [name, ...found.map(micro)]),
  )
  for (const [name, [alone, aloneBatch, held, heldBatch, full, fullBatch]] of rows) {
    const ratio = (a: readonly number[] | undefined, b: readonly number[] | undefined): number =>
      median(a!) / median(b!)
    atMost(`${name}, others held, one at a time: cost`, ratio(held, alone), 1.5, '×')
    atMost(`${name}, others held, batches: cost`, ratio(heldBatch, aloneBatch), 1.5, '×')
    atMost(`${name}, others full, one at a time: cost`, ratio(full, alone), 1.5, '×')
    atMost(`${name}, others full, batches: cost`, ratio(fullBatch, aloneBatch), 1.5, '×')
  }
  print(
    'Ten messages wait in each of the others. Claims read and write the same rows in all three (tests count them); what is left is the garbage collector, which has more live objects to look at where a storage keeps them in memory.',
  )
}
