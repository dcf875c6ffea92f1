import { fdatasync, fdatasyncSync, openSync, closeSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { inFolder } from '../in-folder.ts'
import { type Contestant, type Options, atLeast, compete, heading, printRates } from '../harness.ts'
import { type Order, order, orders, read } from '../payload.ts'
import type * as OwnModule from '../quayside.ts'
import { Finished } from '../peers/finished.ts'
import { Liteque } from '../peers/liteque.ts'
import { PlainJob } from '../peers/plainjob.ts'
import { startPlatformatic } from '../peers/platformatic.ts'
import { RawJournal } from '../peers/journal.ts'
import { SqliteQueue } from '../peers/sqlite.ts'

const IN_FLIGHT = 100
const SQLITE = 'node:sqlite, WAL, FULL'
const RELAXED = 'node:sqlite, FULL for sends, NORMAL for claims and acks'
const JOURNAL = 'raw journal, group commit'
const RAW = 'writeSync + fdatasync'
const NOT_DURABLE = 'survives SIGKILL, not a power cut'
const LESS =
  'a message of it is a number and a body, in one table with one group; it has no ids, delays, keys, headers or dead letters to think of'
const REASONS = { [SQLITE]: LESS, [RELAXED]: LESS }
let n = 0

type Own = typeof OwnModule

function open(own: Own, folder: string) {
  const storage = new own.NodeFsAdapter(folder, { durability: 'fsync' })
  const queue = new own.Queue<Order>('bench', { storage })
  const close = async () => {
    await queue.close()
    await storage.close()
  }
  return { queue, close }
}

export async function fsSend(options: Options, withQuayside: boolean): Promise<void> {
  heading('fs, fsync: 100 concurrent sends')
  const concurrent = (send: (payload: Order) => Promise<unknown>) => async () => {
    await Promise.all(orders(n, IN_FLIGHT).map(send))
    n += IN_FLIGHT
    return IN_FLIGHT
  }
  const contestants = [
    inFolder(SQLITE, 'peer', (folder) => {
      const queue = new SqliteQueue<Order>(folder)
      return { step: concurrent((payload) => queue.send(payload)), close: () => queue.close() }
    }),
    inFolder(JOURNAL, 'limit', (folder) => {
      const journal = new RawJournal<Order>(folder)
      return { step: concurrent((payload) => journal.send(payload)), close: () => journal.close() }
    }),
  ]
  if (withQuayside) {
    const own = await import('../quayside.ts')
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
  atLeast(results, 0.8, JOURNAL)
  atLeast(results, 1, SQLITE)
}

export async function fsSingle(options: Options, withQuayside: boolean): Promise<void> {
  heading('fs, fsync: one send at a time')
  const raw = (sync: (file: number) => Promise<void> | void) => (folder: string) => {
    const file = openSync(join(folder, 'log'), 'w')
    return {
      async step() {
        for (let i = 0; i < 10; i++) {
          writeSync(file, `${JSON.stringify(order(n++))}\n`)
          await sync(file)
        }
        return 10
      },
      close: () => closeSync(file),
    }
  }
  const single = (send: (payload: Order) => Promise<unknown>) => async () => {
    for (let i = 0; i < 10; i++) await send(order(n++))
    return 10
  }
  const contestants = [
    inFolder(
      RAW,
      'limit',
      raw(
        (file) =>
          new Promise((resolve, reject) => fdatasync(file, (error) => (error ? reject(error) : resolve()))),
      ),
    ),
    inFolder(
      'writeSync + fdatasyncSync (blocks the process)',
      'limit',
      raw((file) => fdatasyncSync(file)),
    ),
    inFolder(SQLITE, 'peer', (folder) => {
      const queue = new SqliteQueue<Order>(folder)
      return { step: single((payload) => queue.send(payload)), close: () => queue.close() }
    }),
  ]
  if (withQuayside) {
    const own = await import('../quayside.ts')
    contestants.unshift(
      inFolder('quayside', 'quayside', (folder) => {
        const { queue, close } = open(own, folder)
        const producer = queue.createProducer()
        return { step: single((payload) => producer.send(payload)), close }
      }),
    )
  }
  const results = await compete(contestants, options)
  printRates(results, REASONS)
  atLeast(results, 0.8, RAW)
}

export async function fsLifecycle(options: Options, withQuayside: boolean): Promise<void> {
  const own = withQuayside ? await import('../quayside.ts') : undefined
  for (const consumers of [1, 4]) {
    heading(`fs, fsync: lifecycle, ${consumers > 1 ? `${consumers} loops of ` : ''}100 in flight`)
    const results = await compete(lifecycles(consumers, own), options)
    printRates(results, REASONS)
    atLeast(results, consumers === 1 ? 1.5 : 2, SQLITE)
    atLeast(results, 10, 'plainjob')
  }
}

/** Each loop sends 100 messages in one call, receives 100, reads and acks them; the loops run side by side. */
function lifecycles(consumers: number, own: Own | undefined): Contestant[] {
  const loops = (lap: (loop: number) => Promise<number> | number) => async () => {
    const laps = 8 / consumers
    const each = await Promise.all(
      Array.from({ length: consumers }, async (_, loop) => {
        let done = 0
        for (let i = 0; i < laps; i++) done += await lap(loop)
        return done
      }),
    )
    return each.reduce((sum, done) => sum + done, 0)
  }
  const fresh = () => orders((n += IN_FLIGHT), IN_FLIGHT)
  const sqlite = (relaxed: boolean) => (folder: string) => {
    const queue = new SqliteQueue<Order>(folder, { relaxed })
    return {
      step: loops(async () => {
        await queue.sendBatch(fresh())
        const messages = await queue.receiveBatch(IN_FLIGHT)
        for (const message of messages) read(message.payload)
        return queue.ackBatch(messages)
      }),
      close: () => queue.close(),
    }
  }
  const contestants = [
    inFolder(SQLITE, 'peer', sqlite(false)),
    inFolder(RELAXED, 'peer', sqlite(true)),
    inFolder(
      'plainjob',
      'peer',
      (folder) => {
        const queue = new PlainJob<Order>(folder)
        return {
          step: loops(() => {
            queue.sendBatch(fresh())
            return queue.work(IN_FLIGHT, read)
          }),
          close: () => queue.close(),
        }
      },
      NOT_DURABLE,
    ),
    inFolder(JOURNAL, 'limit', (folder) => {
      const journal = new RawJournal<Order>(folder)
      return {
        step: loops(async () => {
          await journal.sendBatch(fresh())
          const payloads = journal.receiveBatch(IN_FLIGHT)
          for (const payload of payloads) read(payload)
          journal.ackBatch(payloads.length)
          return payloads.length
        }),
        close: () => journal.close(),
      }
    }),
  ]
  if (consumers === 1) contestants.push(...slowLifecycles())
  if (own) {
    contestants.unshift(
      inFolder('quayside', 'quayside', (folder) => {
        const { queue, close } = open(own, folder)
        const producer = queue.createProducer()
        const workers = Array.from({ length: consumers }, () => queue.createConsumer())
        return {
          step: loops(async (loop) => {
            await producer.sendBatch(fresh().map((payload) => ({ payload })))
            const messages = await workers[loop]!.receiveBatch(IN_FLIGHT)
            for (const message of messages) read(message.payload)
            await workers[loop]!.ackBatch(messages)
            return messages.length
          }),
          close,
        }
      }),
    )
  }
  return contestants
}

/** With 100 in flight only: more would take them no less time each. */
function slowLifecycles(): Contestant[] {
  const fresh = () => orders((n += IN_FLIGHT), IN_FLIGHT)
  const contestants = [
    inFolder(
      'liteque',
      'peer',
      (folder) => {
        const queue = new Liteque<Order>(folder)
        return {
          async step() {
            await queue.sendBatch(fresh())
            return queue.work(IN_FLIGHT, read)
          },
        }
      },
      NOT_DURABLE,
    ),
    inFolder('@platformatic/job-queue, files', 'peer', async (folder) => {
      const finished = new Finished()
      const { send, close } = await startPlatformatic({ folder, concurrency: IN_FLIGHT }, read, () =>
        finished.one(),
      )
      return {
        async step() {
          const all = finished.all(IN_FLIGHT)
          await Promise.all(fresh().map(send))
          await all
          return IN_FLIGHT
        },
        close,
      }
    }),
  ]
  // They look for work by themselves.
  return contestants.map((one) => ({ ...one, apart: false }))
}
