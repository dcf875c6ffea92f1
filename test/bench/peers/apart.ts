// Queues on a Redis server, whose handler is in another process than their sender.
import { findProgram } from '../../../scripts/programs.mjs'
import type { Measured } from '../latency/figures.ts'
import type { Order } from '../payload.ts'
import { Queue } from '../quayside.ts'
import { connectRedis } from '../redis.ts'
import { BullMq } from './bullmq.ts'
import { CONCURRENCY, type Pushing } from './push.ts'

export interface Apart extends Measured {
  /** Throws where something that it runs on is missing. */
  readonly needs: () => unknown
  /** Handles what comes, until its process ends. Resolves when it is ready for the first message. */
  listen(port: number, handler: (payload: Order) => void): Promise<void>
  connect(port: number): Pushing | Promise<Pushing>
}

const NAME = 'bench'

const common = {
  durability: 'SIGKILL of its clients',
  apart: true,
  needs: () => findProgram('redis'),
} as const

export const APART: readonly Apart[] = [
  {
    ...common,
    name: 'redis, another process',
    role: 'quayside',
    async listen(port, handler) {
      const { storage } = await connectRedis(port)
      const consumer = new Queue<Order>(NAME, { storage }).createConsumer()
      await consumer.join()
      void consumer.run(({ payload }) => handler(payload), { concurrency: CONCURRENCY })
    },
    async connect(port) {
      const { storage, close } = await connectRedis(port)
      const queue = new Queue<Order>(NAME, { storage })
      const producer = queue.createProducer()
      return {
        send: (payload) => producer.send(payload),
        async close() {
          await queue.close()
          close()
        },
      }
    },
  },
  {
    ...common,
    name: 'bullmq, another process',
    role: 'peer',
    listen: (port, handler) => new BullMq<Order>(port, NAME).work(CONCURRENCY, handler),
    connect(port) {
      const queue = new BullMq<Order>(port, NAME)
      return { send: (payload) => queue.send(payload), close: () => queue.close() }
    },
  },
]
