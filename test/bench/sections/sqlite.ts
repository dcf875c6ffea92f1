import { join } from 'node:path'
import { Grown } from '../children.ts'
import { newFolder, removeFolder } from '../folders.ts'
import { inFolder } from '../in-folder.ts'
import {
  type Options,
  amount,
  atLeast,
  atMost,
  compete,
  heading,
  median,
  print,
  printRates,
} from '../harness.ts'
import { type Order, orders, read } from '../payload.ts'
import { ratioOf } from '../report/numbers.ts'
import { PLAIN } from '../subjects.ts'
import { SqliteQueue } from '../peers/sqlite.ts'
import type * as OwnModule from '../quayside.ts'

const IN_FLIGHT = 100
const PEER = 'node:sqlite, FULL for sends, NORMAL for claims and acks'
const SHARED = `${PEER}, a file for all`
const LESS =
  'a message of it is a number and a body, in one table with one group, and it believes that nobody else sends or claims'
const REASONS = {
  [PEER]: `it has the file to itself (locking_mode = EXCLUSIVE), which spares it all locks; ${LESS}`,
  [SHARED]: LESS,
}
const PEERS = [
  { name: PEER, shared: false },
  { name: SHARED, shared: true },
]
/** A queue of this length is opened so often. */
const OPENINGS = 5
let n = 0

type Own = typeof OwnModule

function open(own: Own, folder: string) {
  const storage = new own.SQLiteAdapter(join(folder, 'app.db'))
  const queue = new own.Queue<Order>('bench', { storage })
  const close = async () => {
    await queue.close()
    await storage.close()
  }
  return { queue, close }
}

/** SQLite beside what one would write by hand, and how long a file with many messages takes to open. */
export async function sqlite(options: Options, withQuayside: boolean): Promise<void> {
  const own = withQuayside ? await import('../quayside.ts') : undefined
  await sends(options, own)
  await lifecycle(options, own)
  if (own === undefined) return
  await processes(options)
  await opening(options, own)
}

async function sends(options: Options, own: Own | undefined): Promise<void> {
  heading('SQLite: 100 concurrent sends')
  const concurrent = (send: (payload: Order) => Promise<unknown>) => async () => {
    await Promise.all(orders((n += IN_FLIGHT), IN_FLIGHT).map(send))
    return IN_FLIGHT
  }
  const contestants = PEERS.map(({ name, shared }) =>
    inFolder(name, 'peer', (folder) => {
      const queue = new SqliteQueue<Order>(folder, { relaxed: true, shared })
      return { step: concurrent((payload) => queue.send(payload)), close: () => queue.close() }
    }),
  )
  if (own) {
    contestants.unshift(
      inFolder('quayside', 'quayside', (folder) => {
        const { queue, close } = open(own, folder)
        const producer = queue.createProducer()
        return { step: concurrent((payload) => producer.send(payload)), close }
      }),
    )
  }
  const results = await compete(contestants, options)
  printRates(results, REASONS)
  atLeast(results, 1, PEER)
  atLeast(results, 1, SHARED)
}

async function lifecycle(options: Options, own: Own | undefined): Promise<void> {
  heading('SQLite: lifecycle, 100 in flight')
  const fresh = () => orders((n += IN_FLIGHT), IN_FLIGHT)
  const contestants = PEERS.map(({ name, shared }) =>
    inFolder(name, 'peer', (folder) => {
      const queue = new SqliteQueue<Order>(folder, { relaxed: true, shared })
      return {
        async step() {
          await queue.sendBatch(fresh())
          const messages = await queue.receiveBatch(IN_FLIGHT)
          for (const message of messages) read(message.payload)
          return queue.ackBatch(messages)
        },
        close: () => queue.close(),
      }
    }),
  )
  if (own) {
    contestants.unshift(
      inFolder('quayside', 'quayside', (folder) => {
        const { queue, close } = open(own, folder)
        const producer = queue.createProducer()
        const consumer = queue.createConsumer()
        return {
          async step() {
            await producer.sendBatch(fresh().map((payload) => ({ payload })))
            const messages = await consumer.receiveBatch(IN_FLIGHT)
            for (const message of messages) read(message.payload)
            await consumer.ackBatch(messages)
            return messages.length
          },
          close,
        }
      }),
    )
  }
  const results = await compete(contestants, options)
  printRates(results, REASONS)
  atLeast(results, 1.3, PEER)
  atLeast(results, 1.3, SHARED)
}

/** Two processes that send, receive and ack on one file, and one that does alone. */
async function processes({ slices, sliceMs }: Options): Promise<void> {
  heading('SQLite: two processes on one file')
  const folder = newFolder()
  const task = { name: 'sqlite', folder, kind: PLAIN, waiting: 0, sliceMs: sliceMs * 2 } as const
  const both = [await Grown.start(task), await Grown.start(task)] as const
  const alone: number[] = []
  const together: number[] = []
  for (let slice = 0; slice < slices; slice++) {
    alone.push(await both[slice % 2]!.slice())
    const rates = await Promise.all(both.map((one) => one.slice()))
    together.push(rates[0]! + rates[1]!)
  }
  for (const one of both) await one.stop()
  removeFolder(folder)
  print(`alone ${amount(median(alone))}/s, two together ${amount(median(together))}/s`)
  const { median: ratio } = ratioOf(together, alone)
  atMost('one, of what two do together', 1 / ratio, 1 / 0.9)
}

/** A new connection to a file in which many wait, until the first message is there. */
async function opening({ many }: Options, own: Own): Promise<void> {
  heading(`SQLite: open and receive, ${many.toLocaleString('en-US')} waiting`)
  const folder = newFolder()
  const first = open(own, folder)
  const producer = first.queue.createProducer()
  for (let sent = 0; sent < many; sent += 1000)
    await producer.sendBatch(orders(sent, 1000).map((payload) => ({ payload })))
  await first.close()
  const times: number[] = []
  for (let i = 0; i < OPENINGS; i++) {
    const start = performance.now()
    const { queue, close } = open(own, folder)
    const message = await queue.createConsumer().receive()
    times.push(performance.now() - start)
    await message!.nack({ delayMs: 0 })
    await close()
  }
  removeFolder(folder)
  const ms = median(times)
  print(`${ms.toFixed(1)} ms`)
  atMost('open and receive', ms, 50, ' ms')
}
