// Queues that call a handler: how long a message takes from `send` to there.
import { join } from 'node:path'
import Database from 'better-sqlite3'
import fastq from 'fastq'
import { better, defineQueue, defineWorker } from 'plainjob'
import { MemoryTaskProvider, Qified } from 'qified'
import { Broker } from 'smqp'
import { startRedis } from '../../../demo/redis/server.ts'
import { findProgram } from '../../../scripts/programs.mjs'
import type { StorageAdapter } from '../../../src/storage.ts'
import type { Durability, Measured } from '../latency/figures.ts'
import type { Order } from '../payload.ts'
import { MemoryAdapter, NodeFsAdapter, Queue } from '../quayside.ts'
import { openRedis } from '../redis.ts'
import { BullMq } from './bullmq.ts'
import { startLiteque } from './liteque.ts'
import { startPlatformatic } from './platformatic.ts'

export interface Pushing {
  send(payload: Order): unknown
  close(): unknown
}

export interface Pusher extends Measured {
  /** Throws where something that it runs on is missing. */
  readonly needs?: () => unknown
  open(folder: string, handler: (payload: Order) => void): Pushing | Promise<Pushing>
}

/** With as many handlers at a time as the others have. */
export const CONCURRENCY = 100

function quayside(
  name: string,
  durability: Durability,
  adapter: (folder: string) => StorageAdapter,
  apart = false,
): Pusher {
  return {
    name,
    role: 'quayside',
    durability,
    async open(folder, handler) {
      const storage = adapter(folder)
      const queue = new Queue<Order>('bench', { storage })
      const listening = apart ? new Queue<Order>('bench', { storage }) : queue
      const stop = new AbortController()
      const consumer = listening.createConsumer()
      await consumer.join()
      const running = consumer.run(({ payload }) => handler(payload), {
        concurrency: CONCURRENCY,
        signal: stop.signal,
      })
      const producer = queue.createProducer()
      return {
        send: (payload) => producer.send(payload),
        async close() {
          stop.abort()
          await running
          await listening.close()
          await queue.close()
          await storage.close()
        },
      }
    },
  }
}

const quiet = { error() {}, warn() {}, info() {}, debug() {} }

export const PUSHERS: readonly Pusher[] = [
  quayside('memory', 'nothing', () => new MemoryAdapter()),
  {
    name: 'smqp',
    role: 'peer',
    durability: 'nothing',
    open(_, handler) {
      const queue = new Broker().assertQueue('bench', { autoDelete: false })
      queue.consume((_, message) => {
        handler(message.content as Order)
        message.ack()
      })
      return { send: (payload) => queue.queueMessage({}, payload), close() {} }
    },
  },
  {
    name: 'qified',
    role: 'peer',
    durability: 'nothing',
    async open(_, handler) {
      const queue = new Qified({ taskProviders: [new MemoryTaskProvider()] })
      await queue.dequeue('bench', {
        id: 'worker',
        async handler(task, context) {
          handler(task.data as Order)
          await context.ack()
        },
      })
      return {
        send: (payload) => queue.enqueue('bench', { data: payload }),
        close: () => queue.disconnect(),
      }
    },
  },
  {
    name: '@platformatic/job-queue, memory',
    role: 'peer',
    durability: 'nothing',
    open: (_, handler) => startPlatformatic({ concurrency: CONCURRENCY }, handler),
  },
  {
    name: 'fastq',
    role: 'other',
    about: 'calls a function: no ack, lease, retry or id',
    durability: 'nothing',
    open(_, handler) {
      const queue = fastq.promise(async (payload: Order) => handler(payload), CONCURRENCY)
      return { send: (payload) => queue.push(payload), close() {} }
    },
  },
  quayside('fs, os', 'SIGKILL', (folder) => new NodeFsAdapter(folder, { durability: 'os' })),
  {
    name: 'plainjob',
    role: 'peer',
    about: 'polls, every second unless told otherwise',
    durability: 'SIGKILL',
    open(folder, handler) {
      const connection = better(new Database(join(folder, 'jobs.db')))
      const queue = defineQueue({ connection, logger: quiet })
      const worker = defineWorker('bench', ({ data }) => handler(JSON.parse(data) as Order), {
        queue,
        logger: quiet,
      })
      const running = worker.start()
      return {
        send: (payload) => queue.add('bench', payload),
        async close() {
          await worker.stop()
          await running
          queue.close()
        },
      }
    },
  },
  {
    name: 'liteque',
    role: 'peer',
    about: 'polls, every second as its README shows it',
    durability: 'SIGKILL',
    open: (folder, handler) => startLiteque<Order>(folder, handler),
  },
  quayside('fs, fsync', 'power cut', (folder) => new NodeFsAdapter(folder)),
  quayside('fs, fsync, another Queue object', 'power cut', (folder) => new NodeFsAdapter(folder), true),
  {
    name: '@platformatic/job-queue, files',
    role: 'peer',
    durability: 'power cut',
    open: (folder, handler) => startPlatformatic({ folder, concurrency: CONCURRENCY }, handler),
  },
  {
    name: 'redis',
    role: 'quayside',
    durability: 'SIGKILL of its clients',
    needs: () => findProgram('redis'),
    async open(folder, handler) {
      const { storage, close } = await openRedis()
      const pushing = await quayside('', 'nothing', () => storage).open(folder, handler)
      return {
        send: (payload) => pushing.send(payload),
        async close() {
          await pushing.close()
          await close()
        },
      }
    },
  },
  {
    name: 'bullmq',
    role: 'peer',
    durability: 'SIGKILL of its clients',
    needs: () => findProgram('redis'),
    async open(_, handler) {
      const server = await startRedis()
      const queue = new BullMq<Order>(server.port)
      await queue.work(CONCURRENCY, handler)
      return {
        send: (payload) => queue.send(payload),
        async close() {
          await queue.close()
          await server.stop()
        },
      }
    },
  },
]
