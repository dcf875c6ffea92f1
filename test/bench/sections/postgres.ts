import { Client, Pool } from 'pg'
import { startPostgres } from '../../postgres/support/server.ts'
import {
  type Contestant,
  type Options,
  type Result,
  atLeast,
  atMost,
  compete,
  heading,
  printRates,
  printTable,
} from '../harness.ts'
import { type Order, orders, read } from '../payload.ts'
import { GraphileWorker } from '../peers/graphile-worker.ts'
import { PgBoss } from '../peers/pg-boss.ts'
import type * as OwnModule from '../quayside.ts'

const IN_FLIGHT = 100
const BOSS = 'pg-boss'
const GRAPHILE = 'graphile-worker'
/** Batches over which bytes of the log are counted. */
const COUNTED = 200
let n = 0
let names = 0

type Own = typeof OwnModule

/** PostgreSQL, which waits for its disk, with its default settings but for those that say where it lies. */
export async function postgres(options: Options, withQuayside: boolean): Promise<void> {
  const own = withQuayside ? await import('../quayside.ts') : undefined
  const server = await startPostgres()
  try {
    await sends(options, server.url, own)
    await lifecycle(options, server.url, own)
    await handler(options, server.url, own)
  } finally {
    await server.stop()
  }
}

const fresh = (): Order[] => orders((n += IN_FLIGHT), IN_FLIGHT)

function open(own: Own, url: string) {
  const pool = new Pool({ connectionString: url })
  const storage = new own.PostgresAdapter(pool)
  const queue = new own.Queue<Order>(`bench-${names++}`, { storage })
  const close = async () => {
    await queue.delete()
    await queue.close()
    await storage.close()
    await pool.end()
  }
  return { queue, close }
}

async function sends(options: Options, url: string, own: Own | undefined): Promise<void> {
  heading('PostgreSQL: 100 concurrent sends')
  const contestants: Contestant[] = [
    {
      name: BOSS,
      role: 'peer',
      async setup() {
        const boss = await PgBoss.open<Order>(url)
        return {
          async step() {
            await Promise.all(fresh().map((payload) => boss.send(payload)))
            return IN_FLIGHT
          },
          close: () => boss.close(),
        }
      },
    },
  ]
  if (own)
    contestants.unshift({
      name: 'quayside',
      role: 'quayside',
      setup() {
        const { queue, close } = open(own, url)
        const producer = queue.createProducer()
        return {
          async step() {
            await Promise.all(fresh().map((payload) => producer.send(payload)))
            return IN_FLIGHT
          },
          close,
        }
      },
    })
  printRates(await compete(contestants, options))
}

async function lifecycle(options: Options, url: string, own: Own | undefined): Promise<void> {
  heading('PostgreSQL: lifecycle, batches of 100')
  const contestants: Contestant[] = [
    {
      name: BOSS,
      role: 'peer',
      about: 'insert, fetch and complete, each of 100',
      async setup() {
        const boss = await PgBoss.open<Order>(url)
        return {
          async step() {
            await boss.sendBatch(fresh())
            return boss.take(IN_FLIGHT, read)
          },
          close: () => boss.close(),
        }
      },
    },
  ]
  if (own)
    contestants.unshift({
      name: 'quayside',
      role: 'quayside',
      setup() {
        const { queue, close } = open(own, url)
        const producer = queue.createProducer()
        const consumer = queue.createConsumer()
        return {
          async step() {
            await producer.sendBatch(fresh().map((payload) => ({ payload })))
            const messages = await consumer.receiveBatch(IN_FLIGHT)
            for (const { payload } of messages) read(payload)
            await consumer.ackBatch(messages)
            return messages.length
          },
          close,
        }
      },
    })
  const results = await compete(contestants, options)
  printRates(results)
  atLeast(results, 1.5, BOSS)
  await logged(contestants, url, BOSS)
}

/** A handler with 100 in flight, while another 100 are sent each time they are done. */
async function handler(options: Options, url: string, own: Own | undefined): Promise<void> {
  heading('PostgreSQL: a handler, 100 in flight')
  const contestants: Contestant[] = [
    {
      name: GRAPHILE,
      role: 'peer',
      about:
        'without localQueue and completeJobBatchDelay, with which it takes and completes jobs in batches',
      async setup() {
        const worker = await GraphileWorker.open<Order>(url, IN_FLIGHT, read)
        return {
          async step() {
            await worker.work(fresh())
            return IN_FLIGHT
          },
          close: () => worker.close(),
        }
      },
    },
  ]
  if (own)
    contestants.unshift({
      name: 'quayside',
      role: 'quayside',
      setup() {
        const { queue, close } = open(own, url)
        const producer = queue.createProducer()
        const stop = new AbortController()
        let left = 0
        let reached: () => void = () => undefined
        const running = queue.createConsumer().run(
          ({ payload }) => {
            read(payload)
            if (--left === 0) reached()
          },
          { concurrency: IN_FLIGHT, signal: stop.signal },
        )
        return {
          async step() {
            left = IN_FLIGHT
            const done = new Promise<void>((resolve) => (reached = resolve))
            await producer.sendBatch(fresh().map((payload) => ({ payload })))
            await done
            return IN_FLIGHT
          },
          async close() {
            stop.abort()
            await running
            await close()
          },
        }
      },
    })
  const results: Result[] = await compete(contestants, options)
  printRates(results)
  atLeast(results, 8, GRAPHILE)
  await logged(contestants, url, GRAPHILE)
}

/** How much of its log the server writes for a message. */
async function logged(contestants: readonly Contestant[], url: string, peer: string): Promise<void> {
  const client = new Client({ connectionString: url })
  await client.connect()
  const bytes = new Map<string, number>()
  for (const { name, setup } of contestants) {
    const running = await setup()
    await running.step()
    // Else each page is written whole the first time after a checkpoint, for whoever happens to come first.
    await client.query('CHECKPOINT')
    await running.step()
    const { rows: before } = await client.query<{ at: string }>('SELECT pg_current_wal_lsn() AS at')
    let done = 0
    for (let i = 0; i < COUNTED; i++) done += await running.step()
    const { rows } = await client.query<{ bytes: string }>(
      `SELECT pg_current_wal_lsn() - '${before[0]!.at}' AS bytes`,
    )
    await running.close?.()
    bytes.set(name, Number(rows[0]!.bytes) / done)
  }
  await client.end()
  printTable(
    ['', 'bytes of the log a message'],
    [...bytes].map(([name, each]) => [name, each.toFixed(0)]),
  )
  const [ours, theirs] = [bytes.get('quayside'), bytes.get(peer)!]
  if (ours !== undefined) atMost(`bytes of the log, of those of ${peer}`, ours / theirs, 0.3)
}
