import fastq from 'fastq'
import { MemoryTaskProvider, Qified } from 'qified'
import { Broker, Queue as SmqpQueue } from 'smqp'
import { v7 } from 'uuid'
import { type Contestant, type Options, atLeast, compete, heading, printRates } from '../harness.ts'
import { Finished } from '../peers/finished.ts'
import { startPlatformatic } from '../peers/platformatic.ts'
import { type Order, order, orders, read } from '../payload.ts'

/** How much one step does: messages in batches, or one after the other with each verb awaited. */
const BATCH = 100
const SINGLES = 100
let n = 0

const NO_QUEUE = 'calls a function: no ack, lease, retry or id'
const BY_REFERENCE =
  'it hands out the very object that was sent, which both sides can then change; quayside copies it by the rules of JSON, when it is sent and again when it is received, which is nearly half of its time here'
const CALLS =
  'its calls are function calls on an array that hand out the very object that was sent; each of quayside is a transaction, with a copy, an id, an attempt and a lease, and alone it shares that with no other message'
const FASTQ = `it ${NO_QUEUE}`

export async function memory(options: Options, withQuayside: boolean): Promise<void> {
  const own = withQuayside ? await quayside() : { batch: [], single: [] }

  heading('memory: lifecycle, batches of 100')
  const batches = await compete([...own.batch, ...batchPeers], options)
  printRates(batches, { smqp: BY_REFERENCE, qified: BY_REFERENCE, fastq: FASTQ })
  atLeast(batches, 1)

  heading('memory: lifecycle, one at a time')
  const singles = await compete([...own.single, ...singlePeers], options)
  printRates(singles, { smqp: CALLS, qified: CALLS, fastq: FASTQ })
  atLeast(singles, 1.5)
}

async function quayside(): Promise<{ batch: Contestant[]; single: Contestant[] }> {
  const { Queue, MemoryAdapter } = await import('../quayside.ts')
  const open = () => {
    const queue = new Queue<Order>('bench', { storage: new MemoryAdapter() })
    return { queue, producer: queue.createProducer(), consumer: queue.createConsumer() }
  }
  return {
    batch: [
      {
        name: 'quayside',
        role: 'quayside',
        setup() {
          const { queue, producer, consumer } = open()
          return {
            async step() {
              const batch: { payload: Order }[] = []
              for (let i = 0; i < BATCH; i++) batch.push({ payload: order(n++) })
              await producer.sendBatch(batch)
              const messages = await consumer.receiveBatch(BATCH)
              for (const message of messages) read(message.payload)
              await consumer.ackBatch(messages)
              return messages.length
            },
            close: () => queue.close(),
          }
        },
      },
    ],
    single: [
      {
        name: 'quayside',
        role: 'quayside',
        setup() {
          const { queue, producer, consumer } = open()
          return {
            async step() {
              for (let i = 0; i < SINGLES; i++) {
                await producer.send(order(n++))
                const message = await consumer.receive()
                read(message!.payload)
                await consumer.ack(message!)
              }
              return SINGLES
            },
            close: () => queue.close(),
          }
        },
      },
    ],
  }
}

/** Synchronous, and hands the payload over by reference. */
function smqpBatch(queue: SmqpQueue): number {
  for (let i = 0; i < BATCH; i++) queue.queueMessage({}, order(n++))
  const messages = []
  for (let i = 0; i < BATCH; i++)
    messages.push(queue.get() as Exclude<ReturnType<SmqpQueue['get']>, undefined>)
  for (const message of messages) {
    read(message.content as Order)
    message.ack()
  }
  return BATCH
}

async function smqpSingles(queue: SmqpQueue): Promise<number> {
  for (let i = 0; i < SINGLES; i++) {
    await queue.queueMessage({}, order(n++))
    const message = (await queue.get())!
    read(message.content as Order)
    await message.ack()
  }
  return SINGLES
}

async function pushed(
  finished: Finished,
  enqueue: (payload: Order) => Promise<unknown>,
  batches: boolean,
): Promise<number> {
  if (batches) {
    const all = finished.all(BATCH)
    await Promise.all(orders(n, BATCH).map(enqueue))
    await all
    n += BATCH
    return BATCH
  }
  for (let i = 0; i < SINGLES; i++) {
    const one = finished.all(1)
    await enqueue(order(n++))
    await one
  }
  return SINGLES
}

async function startQified(queue: Qified | MemoryTaskProvider, batches: boolean) {
  const finished = new Finished()
  await queue.dequeue('bench', {
    id: 'worker',
    handler: async (task, context) => {
      read(task.data as Order)
      await context.ack()
      finished.one()
    },
  })
  return {
    step: () => pushed(finished, (payload) => queue.enqueue('bench', { data: payload }), batches),
    close: () => queue.disconnect(),
  }
}

async function startJobs(concurrency: number, batches: boolean) {
  const finished = new Finished()
  const { send, close } = await startPlatformatic({ concurrency }, read, () => finished.one())
  return { step: () => pushed(finished, send, batches), close }
}

function startFastq(concurrency: number, batches: boolean) {
  const finished = new Finished()
  const queue = fastq.promise(async (payload: Order) => {
    read(payload)
    finished.one()
  }, concurrency)
  return { step: () => pushed(finished, (payload) => queue.push(payload), batches) }
}

/** The least that a promise API with an id and an in-flight map can cost; ids from pooled random bytes. */
class ArrayQueue {
  #waiting: { id: string; payload: Order }[] = []
  #head = 0
  #inFlight = new Map<string, { id: string; payload: Order }>()
  #pool = new Uint8Array(4096)
  #used = this.#pool.length

  #random = (): Uint8Array => {
    if (this.#used === this.#pool.length) {
      crypto.getRandomValues(this.#pool)
      this.#used = 0
    }
    return this.#pool.subarray(this.#used, (this.#used += 16))
  }

  async send(payload: Order): Promise<string> {
    const id = v7({ rng: this.#random })
    this.#waiting.push({ id, payload })
    return id
  }

  async sendBatch(payloads: readonly Order[]): Promise<void> {
    for (const payload of payloads) this.#waiting.push({ id: v7({ rng: this.#random }), payload })
  }

  async receiveBatch(limit: number): Promise<{ id: string; payload: Order }[]> {
    const messages = this.#waiting.slice(this.#head, this.#head + limit)
    this.#head += messages.length
    if (this.#head > 1000 && this.#head * 2 > this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#head)
      this.#head = 0
    }
    for (const message of messages) this.#inFlight.set(message.id, message)
    return messages
  }

  async ackBatch(messages: readonly { id: string }[]): Promise<void> {
    for (const { id } of messages) this.#inFlight.delete(id)
  }
}

const batchPeers: Contestant[] = [
  {
    name: 'smqp',
    role: 'peer',
    setup() {
      const queue = new Broker().assertQueue('bench', { autoDelete: false })
      return { step: () => smqpBatch(queue) }
    },
  },
  {
    name: 'smqp, its Queue without a broker',
    role: 'part',
    setup() {
      const queue = new SmqpQueue('bench', { autoDelete: false })
      return { step: () => smqpBatch(queue) }
    },
  },
  {
    name: 'qified',
    role: 'peer',
    setup: () => startQified(new Qified({ taskProviders: [new MemoryTaskProvider()] }), true),
  },
  {
    name: 'qified, its provider alone',
    role: 'part',
    setup: () => startQified(new MemoryTaskProvider(), true),
  },
  { name: '@platformatic/job-queue', role: 'peer', setup: () => startJobs(10, true) },
  { name: 'fastq', role: 'other', about: NO_QUEUE, setup: () => startFastq(10, true) },
  {
    name: 'array + uuid v7',
    role: 'limit',
    setup() {
      const queue = new ArrayQueue()
      return {
        async step() {
          await queue.sendBatch(orders(n, BATCH))
          n += BATCH
          const messages = await queue.receiveBatch(BATCH)
          for (const message of messages) read(message.payload)
          await queue.ackBatch(messages)
          return messages.length
        },
      }
    },
  },
]

const singlePeers: Contestant[] = [
  {
    name: 'smqp',
    role: 'peer',
    setup() {
      const queue = new Broker().assertQueue('bench', { autoDelete: false })
      return { step: () => smqpSingles(queue) }
    },
  },
  {
    name: 'smqp, its Queue without a broker',
    role: 'part',
    setup() {
      const queue = new SmqpQueue('bench', { autoDelete: false })
      return { step: () => smqpSingles(queue) }
    },
  },
  {
    name: 'qified',
    role: 'peer',
    setup: () => startQified(new Qified({ taskProviders: [new MemoryTaskProvider()] }), false),
  },
  {
    name: 'qified, its provider alone',
    role: 'part',
    setup: () => startQified(new MemoryTaskProvider(), false),
  },
  { name: '@platformatic/job-queue', role: 'peer', setup: () => startJobs(1, false) },
  { name: 'fastq', role: 'other', about: NO_QUEUE, setup: () => startFastq(1, false) },
  {
    name: 'array + uuid v7',
    role: 'limit',
    setup() {
      const queue = new ArrayQueue()
      return {
        async step() {
          for (let i = 0; i < SINGLES; i++) {
            await queue.send(order(n++))
            const messages = await queue.receiveBatch(1)
            read(messages[0]!.payload)
            await queue.ackBatch(messages)
          }
          return SINGLES
        },
      }
    },
  },
]
