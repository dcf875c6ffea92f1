import type { Page } from 'playwright-core'
import type { Bench } from '../browser/worker.ts'
import { inChromium } from '../browser/open.ts'
import { type Call, inWorkerd } from '../edge/open.ts'
import type { Where } from '../edge/queue-worker.ts'
import { newFolder, removeFolder } from '../folders.ts'
import {
  type Contestant,
  type Options,
  type Result,
  amount,
  compete,
  heading,
  median,
  plot,
  print,
  printTable,
} from '../harness.ts'
import { PLAIN, type Subject, type SubjectName, available, subject } from '../subjects.ts'

declare const bench: Bench

const SIZES = [1, 10, 100, 1000]
const ON_NODE: readonly SubjectName[] = [
  'memory',
  'fs, fsync',
  'fs, os',
  'key-value',
  'sqlite',
  'postgres',
  'redis',
  'redis over http',
  'smqp',
  'bullmq',
  'node:sqlite, FULL',
  'plainjob',
]

/** Send, receive and ack, one batch after the other, by the size of a batch. */
export async function batch(options: Options): Promise<void> {
  const measured = new Map<string, Result[]>()
  const measure = async (contestantsOf: (size: number) => Contestant[]) => {
    for (const size of SIZES) {
      for (const result of await compete(contestantsOf(size), options)) {
        measured.set(result.name, [...(measured.get(result.name) ?? []), result])
      }
    }
  }
  heading('throughput by adapter and batch size')
  const onNode = available(ON_NODE.map((name) => ({ name, ...subject(name) })))
  await measure((size) => onNode.map((chosen) => inFolder(chosen, size)))
  await inChromium(async (open) => {
    const page = await open()
    await measure((size) =>
      (['relaxed', 'strict'] as const).map((durability) => inPage(page, durability, size)),
    )
  })
  const folder = newFolder()
  await inWorkerd(folder, (call) =>
    measure((size) => [inWorker(call, 'QUEUE', size), inWorker(call, 'KV', size)]),
  )
  removeFolder(folder)
  const rows = [...measured]
  plot('batch', {
    kind: 'lines',
    title: 'Throughput by adapter and batch size',
    subtitle: 'Messages per second: send, receive and ack, one batch after the other. Dashed: peers.',
    x: 'messages in a batch',
    series: rows.map(([name, results]) => ({
      name,
      role: results[0]!.role,
      points: results.map(({ rates }, i): [number, number] => [SIZES[i]!, median(rates)]),
    })),
  })
  printTable(
    ['messages/s, from–to', ...SIZES.map((size) => (size === 1 ? 'one at a time' : `batches of ${size}`))],
    rows.map(([name, results]) => [
      results[0]!.about === undefined ? name : `${name}: ${results[0]!.about}`,
      ...results.map(
        ({ rates }) =>
          `${amount(median(rates))} (${amount(Math.min(...rates))}–${amount(Math.max(...rates))})`,
      ),
    ]),
  )
  print(
    'Every call is awaited, and nothing else is under way: with one message at a time on a disk, this is the time of one flush. Concurrent sends share flushes, see the sections on files and on the browser.',
  )
  print(
    'Durable Objects and Workers KV run in workerd, on the same disk as the rest; there, not only a send but a claim and an ack wait for a flush as well. Deployed, each waits for other machines instead. So compare their curves with each other and by their slope, not with the rest.',
  )
}

function inFolder({ name, role, about, open }: Subject & { name: string }, size: number): Contestant {
  return {
    name,
    role,
    ...(about !== undefined && { about }),
    async setup() {
      const folder = newFolder()
      const work = await open(folder, PLAIN)
      return {
        async step() {
          await work.send(size)
          await work.take!(size)
          return size
        },
        async close() {
          await work.close?.()
          removeFolder(folder)
        },
      }
    },
  }
}

/** A step is some laps, so that the way to the Worker does not count. */
const STEP_MS = 100

function inWorker(call: Call, storage: 'QUEUE' | 'KV', size: number): Contestant {
  return {
    name: storage === 'KV' ? 'Workers KV' : 'Durable Object',
    role: 'quayside',
    about: 'in workerd',
    setup() {
      const where: Where = { storage, queue: crypto.randomUUID() }
      return { step: async () => (await call('slice', where, { size, ms: STEP_MS })).done }
    },
  }
}

function inPage(page: Page, durability: 'relaxed' | 'strict', size: number): Contestant {
  return {
    name: `IndexedDB, ${durability}`,
    role: 'quayside',
    async setup() {
      await page.evaluate((chosen) => bench.setupBatch(chosen), { durability, size })
      return { step: () => page.evaluate(() => bench.step()) }
    },
  }
}
