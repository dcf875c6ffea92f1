import { CloudflareKVAdapter, type KVBinding } from '../../../adapters/cloudflare-kv/index.ts'
import { DurableObjectAdapter, QueueObject } from '../../../adapters/durable-object/index.ts'
import type { ObjectNamespace, PushOptions } from '../../../adapters/durable-object/index.ts'
import { type Message, Queue } from '../../../src/index.ts'
import type { StorageAdapter } from '../../../src/storage.ts'
import { fill, laps, slice } from '../laps.ts'
import { type Order, order, read } from '../payload.ts'

// A Worker with both storages of the edge, for the sections that ask the same of all storages.

export { QueueObject }

/** Gives its messages to a handler. */
export class PushedObject extends QueueObject<unknown, Order> {
  override readonly push: PushOptions<Order> = {}

  override onMessages(messages: readonly Message<Order>[]): void {
    for (const { payload } of messages) hear(payload)
  }
}

interface Env {
  readonly KV: KVBinding
  readonly QUEUE: ObjectNamespace
  readonly PUSHED: ObjectNamespace
}

export interface Where {
  readonly storage: keyof Env
  readonly queue: string
}

/** When each message was handled, by its number. Objects and Worker share the isolate, and so this. */
const heard = new Map<number, number>()

function hear(payload: Order): void {
  if (!heard.has(payload.order)) heard.set(payload.order, performance.now())
  read(payload)
}

function open(env: Env, { storage, queue }: Where): Queue<Order> {
  // The runtime here does not count the operations of an invocation.
  const adapters: Record<keyof Env, () => StorageAdapter> = {
    KV: () => new CloudflareKVAdapter(env.KV, { maxOperations: Infinity }),
    QUEUE: () => new DurableObjectAdapter(env.QUEUE),
    PUSHED: () => new DurableObjectAdapter(env.PUSHED),
  }
  return new Queue<Order>(queue, { storage: adapters[storage]() })
}

const ACTIONS = {
  /** Has so many wait, sent in batches of 100 as in laps of 100. */
  async fill(queue: Queue<Order>, { waiting }: { waiting: number }) {
    await fill(queue, waiting, 100)
  },

  async slice(queue: Queue<Order>, { size, ms }: { size: number; ms: number }) {
    return await slice(laps(queue), size, ms)
  },

  /** Handles what comes, until so many have. */
  async listen(queue: Queue<Order>, { count }: { count: number }) {
    const stop = new AbortController()
    await queue.createConsumer().run(
      ({ payload }) => {
        hear(payload)
        if (heard.size === count) stop.abort()
      },
      { concurrency: 100, signal: stop.signal },
    )
  },

  async heard() {
    return [...heard]
  },

  /** For the next that listens. */
  async forget() {
    heard.clear()
  },

  /** Sends messages one by one after pauses of so many ms, and answers with when it called `send`. */
  async send(queue: Queue<Order>, { pauses }: { pauses: readonly number[] }) {
    const producer = queue.createProducer()
    const sent: number[] = []
    const sends: Promise<unknown>[] = []
    for (const [n, pause] of pauses.entries()) {
      await new Promise((resolve) => setTimeout(resolve, pause))
      sent.push(performance.now())
      sends.push(producer.send(order(n)))
    }
    await Promise.all(sends)
    return sent
  },
}

export type Actions = typeof ACTIONS

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const action = ACTIONS[new URL(request.url).pathname.slice(1) as keyof Actions]
    const told = (await request.json()) as Where & never
    return Response.json((await action(open(env, told), told)) ?? null)
  },
}
