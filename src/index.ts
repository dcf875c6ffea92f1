/**
 * **quayside**: a durable message queue with one producer/consumer API in every JavaScript runtime.
 *
 * ```ts
 * import { Queue } from 'quayside'
 *
 * const queue = new Queue<{ total: number }>('orders')
 * await queue.createProducer().send({ total: 42 })
 * const message = await queue.createConsumer().receive()
 * await message?.ack()
 * ```
 *
 * @module
 */
export * from './core/index.ts'
export { Queue, type QueueOptions } from './default-queue.ts'
