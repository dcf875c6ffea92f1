import { type RedisClientType, createClient } from 'redis'
import { type RedisServer, startRedis } from '../../../demo/redis/server.ts'
import {
  type Contestant,
  type Options,
  type Running,
  atLeast,
  compete,
  heading,
  printRates,
} from '../harness.ts'
import { type Order, orders, read } from '../payload.ts'
import { BullMq } from '../peers/bullmq.ts'
import type * as OwnModule from '../quayside.ts'

const IN_FLIGHT = 100
const STREAMS = 'raw streams, pipelined'
const BULLMQ = 'bullmq'
let n = 0
let names = 0

type Own = typeof OwnModule

/** One client for all that has no need of its own, and the server that it is connected to. */
interface Place {
  readonly server: RedisServer
  readonly client: RedisClientType
}

/** Runs a section on a server of its own, which writes nothing to disk. */
async function onRedis(
  options: Options,
  contestants: (place: Place, own: Own | undefined) => Contestant[],
  withQuayside: boolean,
): Promise<Awaited<ReturnType<typeof compete>>> {
  const server = await startRedis()
  const client = createClient({ url: server.url })
  await client.connect()
  const own = withQuayside ? await import('../quayside.ts') : undefined
  const results = await compete(contestants({ server, client: client as never }, own), options)
  client.destroy()
  await server.stop()
  printRates(results)
  return results
}

function open(own: Own, { client }: Place) {
  return new own.Queue<Order>(`bench-${names++}`, { storage: new own.RedisAdapter(client) })
}

function streams({
  client,
}: Place): Running & { readonly key: string; add(payloads: Order[]): Promise<unknown> } {
  const key = `stream-${names++}`
  return {
    key,
    step: () => 0,
    add: (payloads) =>
      Promise.all(
        payloads.map((payload) => client.sendCommand(['XADD', key, '*', 'b', JSON.stringify(payload)])),
      ),
    close: () => client.sendCommand(['UNLINK', key]),
  }
}

/** Sends that do not wait for each other. */
export async function redisSend(options: Options, withQuayside: boolean): Promise<void> {
  heading('Redis: 100 concurrent sends')
  const contestants = (place: Place, own: Own | undefined): Contestant[] => [
    ...(own === undefined
      ? []
      : [
          {
            name: 'quayside',
            role: 'quayside' as const,
            setup() {
              const queue = open(own, place)
              const producer = queue.createProducer()
              return {
                async step() {
                  await Promise.all(
                    orders((n += IN_FLIGHT), IN_FLIGHT).map((payload) => producer.send(payload)),
                  )
                  return IN_FLIGHT
                },
                async close() {
                  await queue.purge()
                  await queue.close()
                },
              }
            },
          },
        ]),
    {
      name: STREAMS,
      role: 'limit',
      setup() {
        const stream = streams(place)
        return {
          ...stream,
          async step() {
            await stream.add(orders((n += IN_FLIGHT), IN_FLIGHT))
            return IN_FLIGHT
          },
        }
      },
    },
    {
      name: BULLMQ,
      role: 'peer',
      setup() {
        const queue = new BullMq<Order>(place.server.port)
        return {
          async step() {
            await Promise.all(orders((n += IN_FLIGHT), IN_FLIGHT).map((payload) => queue.send(payload)))
            return IN_FLIGHT
          },
          close: () => queue.close(),
        }
      },
    },
  ]
  const results = await onRedis(options, contestants, withQuayside)
  atLeast(results, 4, BULLMQ)
}

/** Send 100, receive 100, ack 100. */
export async function redisBatch(options: Options, withQuayside: boolean): Promise<void> {
  heading('Redis: send, receive, ack, 100 in flight')
  const contestants = (place: Place, own: Own | undefined): Contestant[] => [
    ...(own === undefined
      ? []
      : [
          {
            name: 'quayside',
            role: 'quayside' as const,
            setup() {
              const queue = open(own, place)
              const producer = queue.createProducer()
              const consumer = queue.createConsumer()
              return {
                async step() {
                  await producer.sendBatch(
                    orders((n += IN_FLIGHT), IN_FLIGHT).map((payload) => ({ payload })),
                  )
                  const messages = await consumer.receiveBatch(IN_FLIGHT)
                  for (const { payload } of messages) read(payload)
                  await consumer.ackBatch(messages)
                  return messages.length
                },
                close: () => queue.close(),
              }
            },
          },
        ]),
    {
      name: STREAMS,
      role: 'limit',
      async setup() {
        const { client } = place
        const stream = streams(place)
        const { key } = stream
        await client.sendCommand(['XGROUP', 'CREATE', key, 'g', '0', 'MKSTREAM'])
        return {
          ...stream,
          async step() {
            await stream.add(orders((n += IN_FLIGHT), IN_FLIGHT))
            const command = ['XREADGROUP', 'GROUP', 'g', 'c', 'COUNT', `${IN_FLIGHT}`, 'STREAMS', key, '>']
            const reply = (await client.sendCommand(command)) as unknown as
              | Record<string, Entry[]>
              | [string, Entry[]][]
            const entries = Array.isArray(reply) ? reply[0]![1] : Object.values(reply)[0]!
            for (const [, [, body]] of entries) read(JSON.parse(body) as Order)
            const ids = entries.map(([id]) => id)
            await Promise.all([
              client.sendCommand(['XACK', key, 'g', ...ids]),
              client.sendCommand(['XDEL', key, ...ids]),
            ])
            return ids.length
          },
        }
      },
    },
    bullWork(place),
  ]
  const results = await onRedis(options, contestants, withQuayside)
  atLeast(results, 4, BULLMQ)
  atLeast(results, 0.9, STREAMS)
}

type Entry = [id: string, fields: [name: string, body: string]]

/** bullmq has no batches on the side of its workers: one with 100 jobs in flight. */
function bullWork({ server }: Place): Contestant {
  return {
    name: BULLMQ,
    role: 'peer',
    async setup() {
      const queue = new BullMq<Order>(server.port)
      await queue.work(IN_FLIGHT, read)
      return {
        async step() {
          const done = queue.completes(IN_FLIGHT)
          await queue.sendBatch(orders((n += IN_FLIGHT), IN_FLIGHT))
          await done
          return IN_FLIGHT
        },
        close: () => queue.close(),
      }
    },
  }
}

/** A worker's handler with 100 in flight, while another 100 are sent each time they are done. */
export async function redisWork(options: Options, withQuayside: boolean): Promise<void> {
  heading('Redis: a handler, 100 in flight')
  const contestants = (place: Place, own: Own | undefined): Contestant[] => [
    ...(own === undefined
      ? []
      : [
          {
            name: 'quayside',
            role: 'quayside' as const,
            setup() {
              const queue = open(own, place)
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
                  await producer.sendBatch(
                    orders((n += IN_FLIGHT), IN_FLIGHT).map((payload) => ({ payload })),
                  )
                  await done
                  return IN_FLIGHT
                },
                async close() {
                  stop.abort()
                  await running
                  await queue.close()
                },
              }
            },
          },
        ]),
    bullWork(place),
  ]
  const results = await onRedis(options, contestants, withQuayside)
  atLeast(results, 4, BULLMQ)
}
