// Queues as one thing that sends and takes messages in batches, each in the way it is best at: for sections that ask the
// same of many, some of them in processes of their own.
import { join } from 'node:path'
import fastq from 'fastq'
import { MemoryTaskProvider, Qified } from 'qified'
import { Broker } from 'smqp'
import { startRedis } from '../../demo/redis/server.ts'
import { findProgram } from '../../scripts/programs.mjs'
import { startPostgres } from '../postgres/support/server.ts'
import { startFront } from '../redis-http/support/front.ts'
import type { StorageAdapter } from '../../src/storage.ts'
import type { Role } from './report/model.ts'
import { Liteque } from './peers/liteque.ts'
import { PlainJob } from './peers/plainjob.ts'
import { startPlatformatic } from './peers/platformatic.ts'
import { SqliteQueue } from './peers/sqlite.ts'
import { type Order, order, read } from './payload.ts'
import { print } from './record.ts'
import {
  KeyValueAdapter,
  MemoryAdapter,
  NodeFsAdapter,
  PostgresAdapter,
  Queue,
  RedisHttpAdapter,
  SQLiteAdapter,
} from './quayside.ts'
import { openRedis } from './redis.ts'

export interface Work {
  send(count: number): unknown
  /** Receives, reads and acks as many; absent where a consumer cannot be kept from taking them at once. */
  take?(count: number): unknown
  /** How many messages may be taken now, as far as it has looked. */
  ready?(): Promise<number>
  close?(): unknown
}

/** What quayside's messages carry besides their payload. */
export interface Kind {
  /** Number of ordering keys; 0 for messages without. */
  readonly keys: number
  /** Whether each message has an id of the caller's. */
  readonly ids: boolean
}

export const PLAIN: Kind = { keys: 0, ids: false }

export interface Subject {
  readonly role: Role
  /** Throws where something that it runs on is missing. */
  readonly needs?: () => unknown
  readonly about?: string
  /** `folder` is empty, and this subject's alone. */
  open(folder: string, kind: Kind): Work | Promise<Work>
}

let n = 0
function fresh(count: number): Order[] {
  return Array.from({ length: count }, () => order(n++))
}

/** A storage of quayside's under its queue, as users have it. */
function quayside(adapter: (folder: string) => StorageAdapter): Subject {
  return {
    role: 'quayside',
    open(folder, { keys, ids }) {
      const storage = adapter(folder)
      const queue = new Queue<Order>('bench', { storage })
      const producer = queue.createProducer()
      const consumer = queue.createConsumer()
      return {
        send: (count) =>
          producer.sendBatch(
            fresh(count).map((payload) => ({
              payload,
              ...(keys > 0 && { key: `key-${payload.order % keys}` }),
              ...(ids && { id: `order-${payload.order}` }),
            })),
          ),
        async take(count) {
          for (let left = count; left > 0;) {
            const messages = await consumer.receiveBatch(left)
            if (messages.length === 0) throw new Error('messages wait and none is delivered')
            for (const message of messages) read(message.payload)
            await consumer.ackBatch(messages)
            left -= messages.length
          }
        },
        ready: async () => (await queue.stats()).groups['default']!.ready,
        async close() {
          await queue.close()
          await storage.close()
        },
      }
    },
  }
}

/** Quayside's storages that Node has, by the name that tables and plots give them. */
export const OWN = {
  memory: quayside(() => new MemoryAdapter()),
  'fs, fsync': quayside((folder) => new NodeFsAdapter(folder, { durability: 'fsync' })),
  'fs, os': quayside((folder) => new NodeFsAdapter(folder, { durability: 'os' })),
  sqlite: quayside((folder) => new SQLiteAdapter(join(folder, 'app.db'))),
  'key-value': quayside(() => {
    const items = new Map<string, string>()
    return new KeyValueAdapter({
      getItem: (name) => items.get(name) ?? null,
      setItem: (name, value) => void items.set(name, value),
      removeItem: (name) => void items.delete(name),
    })
  }),
  postgres: {
    role: 'quayside',
    needs: () => findProgram('postgres'),
    async open(folder, kind) {
      // Only here: what it brings along would count where memory is measured.
      const { Pool } = await import('pg')
      const server = await startPostgres()
      const pool = new Pool({ connectionString: server.url })
      const work = await quayside(() => new PostgresAdapter(pool)).open(folder, kind)
      return {
        ...work,
        async close() {
          await work.close?.()
          await pool.end()
          await server.stop()
        },
      }
    },
  },
  'redis over http': {
    role: 'quayside',
    about: 'through a front on the same machine, in this process',
    needs: () => findProgram('redis'),
    async open(folder, kind) {
      const server = await startRedis()
      const front = await startFront(server.url)
      const work = await quayside(() => new RedisHttpAdapter({ url: front.url, token: front.token })).open(
        folder,
        kind,
      )
      return {
        ...work,
        async close() {
          await work.close?.()
          await front.stop()
          await server.stop()
        },
      }
    },
  },
  redis: {
    role: 'quayside',
    needs: () => findProgram('redis'),
    async open(folder, kind) {
      const { storage, close } = await openRedis()
      const work = await quayside(() => storage).open(folder, kind)
      return {
        ...work,
        async close() {
          await work.close?.()
          await close()
        },
      }
    },
  },
} satisfies Record<string, Subject>

export const PEERS = {
  smqp: {
    role: 'peer',
    open() {
      const queue = new Broker().assertQueue('bench', { autoDelete: false })
      return {
        send(count) {
          for (const payload of fresh(count)) queue.queueMessage({}, payload)
        },
        take(count) {
          const messages = Array.from({ length: count }, () => queue.get())
          for (const message of messages) {
            if (!message) throw new Error('smqp: nothing there')
            read(message.content as Order)
            message.ack()
          }
        },
      }
    },
  },
  qified: {
    role: 'peer',
    open() {
      const queue = new Qified({ taskProviders: [new MemoryTaskProvider()] })
      return {
        send: (count) =>
          Promise.all(fresh(count).map((payload) => queue.enqueue('bench', { data: payload }))),
        close: () => queue.disconnect(),
      }
    },
  },
  '@platformatic/job-queue': {
    role: 'peer',
    async open() {
      const { send, close } = await startPlatformatic({ concurrency: 1 })
      return { send: (count) => Promise.all(fresh(count).map(send)), close }
    },
  },
  fastq: {
    role: 'other',
    about: 'calls a function: no ack, lease, retry or id',
    open() {
      const queue = fastq((payload: Order, done) => {
        read(payload)
        done(null)
      }, 1)
      queue.pause()
      return {
        send(count) {
          for (const payload of fresh(count)) queue.push(payload)
        },
      }
    },
  },
  bullmq: {
    role: 'peer',
    about: 'on Redis, jobs taken by hand, which is the faster way',
    needs: () => findProgram('redis'),
    async open() {
      // Only here: what it brings along would count where memory is measured.
      const { BullMq } = await import('./peers/bullmq.ts')
      const server = await startRedis()
      const queue = new BullMq<Order>(server.port)
      return {
        send: (count) => queue.sendBatch(fresh(count)),
        take: (count) => queue.take(count, read),
        async close() {
          await queue.close()
          await server.stop()
        },
      }
    },
  },
  'node:sqlite, FULL': {
    role: 'peer',
    about: 'written by hand for this',
    open(folder) {
      const queue = new SqliteQueue<Order>(folder)
      return {
        send: (count) => queue.sendBatch(fresh(count)),
        async take(count) {
          const messages = await queue.receiveBatch(count)
          for (const message of messages) read(message.payload)
          await queue.ackBatch(messages)
        },
        close: () => queue.close(),
      }
    },
  },
  plainjob: {
    role: 'peer',
    about: 'survives SIGKILL, not a power cut',
    open(folder) {
      const queue = new PlainJob<Order>(folder)
      return {
        send: (count) => queue.sendBatch(fresh(count)),
        take: (count) => queue.work(count, read),
        close: () => queue.close(),
      }
    },
  },
  liteque: {
    role: 'peer',
    about: 'survives SIGKILL, not a power cut',
    open(folder) {
      const queue = new Liteque<Order>(folder)
      return {
        send: (count) => queue.sendBatch(fresh(count)),
        take: (count) => queue.work(count, read),
      }
    },
  },
} satisfies Record<string, Subject>

export type SubjectName = keyof typeof OWN | keyof typeof PEERS

/** Those of the names whose subjects can run on this machine; the report says which cannot, and why. */
export function available<T extends { readonly name: string; readonly needs?: () => unknown }>(
  all: readonly T[],
): T[] {
  return all.filter(({ name, needs }) => {
    try {
      needs?.()
      return true
    } catch (error) {
      print(`${name} did not run: ${(error as Error).message}`)
      return false
    }
  })
}

export function subject(name: SubjectName): Subject {
  return { ...OWN, ...PEERS }[name]
}
