import { Grown } from '../children.ts'
import { inChromium } from '../browser/open.ts'
import { inWorkerd } from '../edge/open.ts'
import type { Where } from '../edge/queue-worker.ts'
import type { Bench } from '../browser/worker.ts'
import { MEMORY_DISK, newFolder, removeFolder } from '../folders.ts'
import { type Options, amount, atMost, heading, median, plot, print, printTable } from '../harness.ts'
import type { Role } from '../report/model.ts'
import { type Kind, PLAIN, type SubjectName, available, subject } from '../subjects.ts'

declare const bench: Bench

const FEW = 1000

const KINDS: [string, Kind][] = [
  ['no keys, no ids', PLAIN],
  ["caller's ids", { keys: 0, ids: true }],
  ['1 ordering key', { keys: 1, ids: false }],
  ['10 ordering keys', { keys: 10, ids: false }],
  ['1000 ordering keys', { keys: 1000, ids: false }],
]

/** Whose cost is drawn, and up to which length: what takes longer to fill has shown by then how its cost grows. */
const CURVES: readonly [SubjectName, number][] = [
  ['memory', 1_000_000],
  ['fs, os', 1_000_000],
  ['redis', 1_000_000],
  ['smqp', 100_000],
  ['bullmq', 100_000],
  ['plainjob', 1_000_000],
]

/** The same work (send 100, receive 100, ack 100) on queues of different lengths, turn by turn in processes of their own. */
export async function growth(options: Options): Promise<void> {
  await curves(options)
  await kinds(options)
}

/** The rates of queues that differ in nothing but their length; one entry per round each. */
async function slices(
  name: SubjectName,
  kind: Kind,
  lengths: readonly number[],
  { slices, sliceMs }: Options,
): Promise<number[][]> {
  const folders = lengths.map(() => newFolder())
  const queues: Grown[] = []
  for (const [i, waiting] of lengths.entries()) {
    queues.push(await Grown.start({ name, folder: folders[i]!, kind, waiting, sliceMs }))
  }
  const rates = lengths.map((): number[] => [])
  for (let round = 0; round < slices; round++) {
    for (const [i, queue] of queues.entries()) rates[i]!.push(await queue.slice())
  }
  await Promise.all(queues.map((queue) => queue.stop()))
  for (const folder of folders) removeFolder(folder)
  return rates
}

/** From 100 messages to `most`, in powers of ten. */
function lengths(most: number): number[] {
  const all: number[] = []
  for (let length = 100; length <= most; length *= 10) all.push(length)
  return all
}

interface Curve {
  readonly name: string
  readonly role: Role
  readonly lengths: readonly number[]
  readonly rates: readonly number[][]
}

async function curves(options: Options): Promise<void> {
  heading('cost of a message by the number that wait')
  const all: Curve[] = []
  for (const { name, most } of available(CURVES.map(([name, most]) => ({ name, most, ...subject(name) })))) {
    const queues = lengths(Math.min(most, options.many))
    const rates = await slices(name, PLAIN, queues, options)
    all.push({ name, role: subject(name).role, lengths: queues, rates })
  }
  all.push(...((await indexedDB(options)) ?? []))
  all.push(...(await atEdge(options)))
  plot('backlog', {
    kind: 'lines',
    title: 'Cost of a message by the number that wait',
    subtitle: 'µs to send, receive and ack one, in batches of 100; flat is good. Dashed: peers.',
    x: 'messages that wait',
    series: all.map(({ name, role, lengths, rates }) => ({
      name,
      role,
      points: lengths.map((length, i): [number, number] => [length, 1e6 / median(rates[i]!)]),
    })),
  })
  const columns = lengths(options.many)
  printTable(
    ['µs per message', ...columns.map((length) => `${amount(length)} waiting`), 'longest against shortest'],
    all.map(({ name, rates }) => [
      name,
      ...columns.map((_, i) => (rates[i] ? (1e6 / median(rates[i])).toPrecision(3) : '–')),
      cost(rates[0]!, rates.at(-1)!),
    ]),
  )
  print(
    "The disk is left out, so that what the engine costs is not hidden behind it: a queue on fs is not synced here ('os'), and the data of workerd lies in memory. All backlogs were sent in batches of 100, too. Workers KV is asked by the isolate that has sent, which knows what it wrote; another lists keys as it needs them, 1,000 to a call.",
  )
}

/** How many times as much a message costs in the second of two queues. */
function cost(short: readonly number[], long: readonly number[]): string {
  const costs = short.map((rate, round) => rate / long[round]!)
  const [least, most] = [Math.min(...costs), Math.max(...costs)]
  return `${median(costs).toFixed(2)}× (${least.toFixed(2)}–${most.toFixed(2)})`
}

async function indexedDB({ many, slices, sliceMs }: Options): Promise<Curve[] | undefined> {
  return await inChromium(async (open) => {
    const page = await open()
    const all = lengths(Math.min(many, 100_000))
    const rates = all.map((): number[] => [])
    for (const waiting of all) await page.evaluate((waiting) => bench.openGrown(waiting), waiting)
    for (let round = -1; round < slices; round++) {
      for (const [i, waiting] of all.entries()) {
        const rate = await page.evaluate((what) => bench.grownSlice(what), { waiting, ms: sliceMs })
        if (round >= 0) rates[i]!.push(rate)
      }
    }
    return [{ name: 'IndexedDB, relaxed', role: 'quayside', lengths: all, rates }]
  })
}

/** The storages of the edge, with the longest queue of each. */
const AT_EDGE = [
  { name: 'Durable Object', storage: 'QUEUE', most: 1_000_000 },
  { name: 'Workers KV', storage: 'KV', most: 100_000 },
] as const

async function atEdge({ many, slices, sliceMs }: Options): Promise<Curve[]> {
  const curves: Curve[] = []
  for (const { name, storage, most } of AT_EDGE) {
    await inWorkerd(MEMORY_DISK, async (call) => {
      const all = lengths(Math.min(many, most))
      const rates = all.map((): number[] => [])
      const where = (waiting: number): Where => ({ storage, queue: `${waiting} wait` })
      for (const waiting of all) await call('fill', where(waiting), { waiting })
      for (let round = -1; round < slices; round++) {
        for (const [i, waiting] of all.entries()) {
          const { done, elapsed } = await call('slice', where(waiting), { size: 100, ms: sliceMs })
          if (round >= 0) rates[i]!.push((done / elapsed) * 1000)
        }
      }
      curves.push({ name, role: 'quayside', lengths: all, rates })
    })
  }
  return curves
}

async function kinds(options: Options): Promise<void> {
  heading(`growth: cost per message with ${amount(options.many)} waiting against ${amount(FEW)}`)
  const rows: string[][] = []
  const ratios: [string, number][] = []
  for (const [storage, name] of [
    ['memory', 'memory'],
    ['fs', 'fs, os'],
  ] as const) {
    for (const [what, kind] of KINDS) {
      const [short, long] = (await slices(name, kind, [FEW, options.many], options)) as [number[], number[]]
      rows.push([`${storage}: ${what}`, amount(median(short)), amount(median(long)), cost(short, long)])
      ratios.push([`${storage}, ${what}: cost`, median(short.map((rate, round) => rate / long[round]!))])
    }
  }
  printTable(['', `messages/s, ${amount(FEW)} waiting`, `${amount(options.many)} waiting`, 'cost'], rows)
  print(
    'The first claims of a group set aside what waits behind an ordering key, once for each message; that is over when the clock starts.',
  )
  for (const [what, value] of ratios) atMost(what, value, 1.2, '×')
}
