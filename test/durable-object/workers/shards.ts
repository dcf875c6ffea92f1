import { DurableObjectAdapter, QueueObject, inShards } from '../../../adapters/durable-object/index.ts'
import { Queue } from '../../../src/index.ts'
import { NAMES } from '../../security/support/names.ts'

export class Shard extends QueueObject {}

/** Names of queues that might be taken for shards of the queue `n`, and others. */
const OTHER_NAMES = ['n#0', 'n#1', 'n#2', 'n##0', 'n#', 'n##', '#1', 'n#1#1', ...NAMES]

interface Env {
  readonly QUEUE: { idFromName(name: string): object; get(id: never): object }
}

const ACTIONS: Record<string, (queue: Queue<number>, env: Env) => Promise<unknown>> = {
  /** Messages of many keys, and retries: each key in order, one at a time, nothing twice, nothing lost. */
  async keys(queue) {
    const producer = queue.createProducer()
    for (let i = 0; i < 20; i++) {
      await producer.sendBatch(Array.from({ length: 30 }, (_, n) => ({ payload: i, key: `key ${n}` })))
    }
    const seen: Record<string, number[]> = {}
    let failed = 0
    const retry = { initialMs: 0 }
    const done = await queue.createConsumer('default', { retry }).drain(
      ({ payload, key, attempt }) => {
        if (payload % 7 === 3 && attempt === 1) {
          failed++
          throw new Error('again')
        }
        ;(seen[key!] ??= []).push(payload)
      },
      { concurrency: 50 },
    )
    return { seen, done, failed, stats: await queue.stats() }
  },

  /** Ids are found wherever they are, those of callers and those that shards made. */
  async ids(queue) {
    const producer = queue.createProducer()
    const named = Array.from({ length: 30 }, (_, i) => `order ${i}`)
    const uuids = Array.from({ length: 30 }, () => crypto.randomUUID())
    const ids = [...named, ...uuids]
    const first = await producer.sendBatch(ids.map((id, i) => ({ payload: i, id, dedupeMs: 60_000 })))
    const second = await Promise.all(ids.map((id, i) => producer.send(i, { id })))
    const made = await producer.sendBatch(Array.from({ length: 30 }, (_, i) => ({ payload: i, key: `${i}` })))
    const keyless = await Promise.all(
      Array.from({ length: 10 }, (_, i) => producer.send(i, { delayMs: 60_000 })),
    )
    const all = [...ids, ...made.map(({ id }) => id), ...keyless.map(({ id }) => id)]
    const again = await Promise.all(made.map(({ id }) => producer.send(0, { id })))
    const listed = await queue.list({ ids: all, limit: 1000 })
    const cancelled = await queue.cancel([...all, 'unknown'])
    const { messages } = await queue.stats()
    return {
      different: new Set(all).size,
      first: first.map(({ status }) => status),
      second: second.map(({ status }) => status),
      again: again.map(({ status }) => status),
      listed: listed.messages.length,
      cancelled,
      messages,
    }
  },

  /** Dead letters and retries of all shards. */
  async letters(queue) {
    const producer = queue.createProducer()
    for (let i = 0; i < 12; i++) await producer.send(i)
    const consumer = queue.createConsumer()
    const held = await consumer.receiveBatch(100)
    for (const message of held) {
      if (message.payload % 2 === 0) await message.reject({ reason: 'even' })
      else await message.nack({ delayMs: 60_000 })
    }
    const retried = await queue.retryNow()
    const again = await consumer.receiveBatch(100)
    const letters = queue.deadLetters()
    const { messages: dead } = await letters.list()
    const redriven = await letters.redrive()
    const back = await consumer.receiveBatch(100)
    await consumer.ackBatch([...again, ...back])
    return {
      held: held.length,
      retried,
      again: again.length,
      dead: dead.length,
      redriven,
      stats: await queue.stats(),
    }
  },

  async both(queue) {
    const errors: unknown[] = []
    for (const options of [{ id: 'i', key: 'k' }, { id: 'i' }, { key: 'k' }]) {
      const error: unknown = await queue
        .createProducer()
        .send(1, options)
        .catch((thrown: unknown) => thrown)
      errors.push((error as { code?: unknown }).code ?? null)
    }
    return { errors, ...(await queue.stats()) }
  },

  /** A group that starts to work on one shard must not miss what lies in another. */
  async groups(queue) {
    const producer = queue.createProducer()
    for (let i = 0; i < 9; i++) await producer.send(i)
    const [a, b] = [queue.createConsumer('a'), queue.createConsumer('b')]
    await b.receive()
    const ofA = await a.receiveBatch(100)
    await a.ackBatch(ofA)
    return { a: ofA.length, b: 1 + (await b.receiveBatch(100)).length }
  },

  /** Queues whose names could be taken for shards of each other. */
  async names(_, env) {
    const sharded = new DurableObjectAdapter(env.QUEUE, { shards: inShards(3) })
    const single = new DurableObjectAdapter(env.QUEUE)
    const queues = [
      new Queue<number>('n', { storage: sharded }),
      ...OTHER_NAMES.map((name) => new Queue<number>(name, { storage: single })),
      new Queue<number>('n#1', { storage: sharded }),
    ]
    for (const [i, queue] of queues.entries())
      for (let n = 0; n < 3; n++) await queue.createProducer().send(i)
    return await Promise.all(
      queues.map(async (queue) =>
        (await queue.createConsumer().receiveBatch(100)).map(({ payload }) => payload),
      ),
    )
  },
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const [, action, shards] = new URL(request.url).pathname.split('/')
    const storage = new DurableObjectAdapter(env.QUEUE, { shards: inShards(Number(shards)) })
    return Response.json(await ACTIONS[action!]!(new Queue<number>(`${action} ${shards}`, { storage }), env))
  },
}
