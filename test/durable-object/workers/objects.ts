import { DurableObject } from 'cloudflare:workers'
import { GUARANTEES } from '../../../adapters/durable-object/guarantees.ts'
import { DurableObjectAdapter, inShards } from '../../../adapters/durable-object/index.ts'
import type { ObjectStorage } from '../../../adapters/durable-object/platform.ts'
import { ObjectStore } from '../../../adapters/durable-object/store.ts'
import { Queue } from '../../../src/index.ts'
import { uuid } from '../../../src/message-id.ts'
import { SegmentAdapter } from '../../../src/segments/index.ts'
import type { NewMessage, QueueStorage, Settlement } from '../../../src/storage.ts'
import { type Fault, type SpiedNamespace, SpiedObject, stubOf } from '../support/spied-object.ts'

// What the tests of Durable Objects have a Worker do: each path is one of these functions.

export class Plain extends SpiedObject {}

/** Its storage fails once while the tables are made. */
export class Stumbling extends SpiedObject {
  constructor(...args: ConstructorParameters<typeof SpiedObject>) {
    super(...args)
    this.fault({ at: 3, kind: 'throw' })
  }
}

/** A queue with little room. */
export class Small extends DurableObject {
  async full(): Promise<unknown> {
    const storage = (this.ctx as unknown as { storage: ObjectStorage }).storage
    const options = { now: () => Date.now(), onChange: () => undefined, maxBytes: 1_000_000 }
    const adapter = new SegmentAdapter(GUARANTEES, async () => new ObjectStore(storage, options))
    const view = await adapter.open('small')
    const body = 'x'.repeat(10_000)
    let stored = 0
    let error: { code: unknown } | null = null
    while (error === null) {
      error = await errorOf(() => send(view, ...Array.from({ length: 10 }, () => body)))
      if (error === null) stored += 10
    }
    const { sent } = await view.stats()
    let acked = 0
    for (;;) {
      const { deliveries } = await claim(view, 100)
      if (deliveries.length === 0) break
      acked += deliveries.length
      await view.settle(
        GROUP,
        deliveries.map(({ receipt }) => ({ receipt, kind: 'ack' })),
      )
    }
    return { code: error.code, stored, sent, acked, after: await errorOf(() => send(view, body)) }
  }
}

interface Env {
  readonly QUEUE: SpiedNamespace
  readonly STUMBLING: SpiedNamespace
  readonly SMALL: { idFromName(name: string): object; get(id: never): { full(): Promise<unknown> } }
}

const GROUP = 'workers'
const HOUR = 3_600_000

function open(env: Env, queue: string, shards = 1): Promise<QueueStorage> {
  return new DurableObjectAdapter(env.QUEUE, { shards: inShards(shards) }).open(queue)
}

function send(view: QueueStorage, ...messages: (NewMessage | string)[]): Promise<unknown> {
  const all = messages.map((one) => (typeof one === 'string' ? { body: one } : one))
  return view.append(all, { batchId: uuid() })
}

function claim(view: QueueStorage, limit = 100, group = GROUP): ReturnType<QueueStorage['claim']> {
  return view.claim({ group, limit, leaseMs: HOUR, maxAttempts: 10 })
}

async function errorOf(work: () => Promise<unknown>): Promise<{ code: unknown; message: string } | null> {
  try {
    await work()
    return null
  } catch (error) {
    const { code, message } = error as Error & { code?: unknown }
    return { code: code ?? null, message }
  }
}

/** A queue with messages everywhere that one can be. */
async function everywhere(view: QueueStorage): Promise<{ held: string[]; ids: string[] }> {
  await claim(view, 0)
  await claim(view, 0, 'others')
  await send(view, 'a', 'b', 'c', 'd', 'e', 'f')
  await send(view, ...['1', '2', '3'].map((body) => ({ body, key: 'k' })))
  await send(
    view,
    { body: 'named', id: 'named', dedupeMs: HOUR },
    { body: 'later', id: 'later', delayMs: HOUR },
  )
  await send(view, { body: Uint8Array.of(1, 2), expiresInMs: HOUR, maxAttempts: 2, headers: { h: 'v' } })
  const { deliveries } = await claim(view, 7)
  const receipt = (i: number): string => deliveries[i]!.receipt
  await view.settle(GROUP, [
    { receipt: receipt(0), kind: 'retry', delayMs: HOUR, error: 'boom' },
    { receipt: receipt(1), kind: 'dead', reason: 'rejected' },
    { receipt: receipt(2), kind: 'ack' },
  ])
  await send(view, 'last')
  return { held: deliveries.slice(3).map((one) => one.receipt), ids: deliveries.map(({ id }) => id) }
}

type Acting = (view: QueueStorage, state: Awaited<ReturnType<typeof everywhere>>) => Promise<unknown>

const settlements = (held: readonly string[]): Settlement[] => [
  { receipt: held[0]!, kind: 'ack' },
  { receipt: held[1]!, kind: 'retry', delayMs: 0 },
  { receipt: held[2]!, kind: 'extend', leaseMs: HOUR },
  { receipt: held[3]!, kind: 'dead', reason: 'rejected' },
]

const VERBS: Record<string, Acting> = {
  append: (view) =>
    send(
      view,
      'x',
      { body: 'y', key: 'k' },
      { body: 'z', id: 'new' },
      { body: 'w', delayMs: HOUR },
      { body: 'again', id: 'named' },
      { body: 'replaced', id: 'later', replace: true, delayMs: HOUR },
      { body: 'v', expiresInMs: HOUR },
    ),
  claim: (view, { held }) =>
    view.claim({ group: GROUP, limit: 100, leaseMs: HOUR, maxAttempts: 10, settle: settlements(held) }),
  'claim of a new group': (view) => claim(view, 3, 'new'),
  settle: (view, { held }) => view.settle(GROUP, settlements(held)),
  cancel: (view, { ids }) => view.cancel(['named', 'later', ...ids]),
  retryNow: (view, { ids }) => view.retryNow(GROUP, ids),
  deleteGroup: (view) => view.deleteGroup(GROUP),
  purge: (view) => view.purge(),
  list: (view) =>
    view.list({ group: GROUP, states: ['ready', 'leased', 'delayed', 'blocked', 'dead'], limit: 100 }),
  stats: (view) => view.stats(),
}

interface FaultReport {
  /** Calls of the storage until the verb came through. */
  calls: number
  codes: unknown[]
  /** Where something had changed although the verb was rejected. */
  halves: number[]
}

const ACTIONS: Record<string, (env: Env, input: never) => Promise<unknown>> = {
  /** Fails at each call of the storage in turn, until a verb comes through. */
  async faults(env, { queue, verb, kind }: { queue: string; verb: string; kind: Fault['kind'] }) {
    const view = await open(env, queue)
    const state = await everywhere(view)
    const before = await stubOf(env.QUEUE, queue).dump()
    const report: FaultReport = { calls: 0, codes: [], halves: [] }
    for (let at = 1; at < 500; at++) {
      await stubOf(env.QUEUE, queue).fault({ at, kind })
      const error = await errorOf(() => VERBS[verb]!(view, state))
      if (error === null) return { ...report, calls: at - 1 }
      if (!report.codes.includes(error.code)) report.codes.push(error.code)
      await stubOf(env.QUEUE, queue).fault()
      if ((await stubOf(env.QUEUE, queue).dump()) !== before) report.halves.push(at)
    }
    throw new Error('the verb never came through')
  },

  async racing(env, { queue, shards }: { queue: string; shards: number }) {
    const view = await open(env, queue, shards)
    await claim(view, 0)
    for (let i = 0; i < 5; i++) await send(view, ...Array.from({ length: 100 }, (_, n) => `${i * 100 + n}`))
    const views = await Promise.all(Array.from({ length: 50 }, () => open(env, queue, shards)))
    const claims = await Promise.all(views.map((one) => claim(one, 20)))
    return claims.map(({ deliveries }) => deliveries.map(({ body }) => body))
  },

  async fill(env, queue: string) {
    return await everywhere(await open(env, queue))
  },

  async look(env, queue: string) {
    const view = await open(env, queue)
    const all = { states: ['ready', 'leased', 'delayed', 'blocked', 'dead'] as const, limit: 100 }
    const { messages } = await view.list({ group: GROUP, ...all })
    return messages.map(({ nextInMs: _, body, ...rest }) => ({
      ...rest,
      body: typeof body === 'string' ? body : [...body],
    }))
  },

  async settle(env, { queue, held }: { queue: string; held: string[] }) {
    return await (await open(env, queue)).settle(GROUP, settlements(held))
  },

  async rows(env, { queue, batch }: { queue: string; batch: number }) {
    const view = await open(env, queue)
    await claim(view, 0)
    const messages = Array.from({ length: batch }, (_, i) => `message ${i}`)
    const counts: number[] = []
    for (let round = 0; round < 5; round++) {
      const before = await stubOf(env.QUEUE, queue).written()
      await send(view, ...messages)
      const { deliveries } = await claim(view, batch)
      await view.settle(
        GROUP,
        deliveries.map(({ receipt }) => ({ receipt, kind: 'ack' })),
      )
      const after = await stubOf(env.QUEUE, queue).written()
      counts.push(deliveries.length === batch ? after.rows - before.rows : Number.NaN)
    }
    return { counts, size: await stubOf(env.QUEUE, queue).size() }
  },

  /** Messages at the limits, through a whole queue. */
  async limits(env, { queue, kind }: { queue: string; kind: 'ascii' | 'worst' | 'bytes' }) {
    const storage = new DurableObjectAdapter(env.QUEUE)
    const { maxBodyBytes, maxBatchBytes } = storage.guarantees
    const codec = { encode: (body: string | Uint8Array) => body, decode: (body: string | Uint8Array) => body }
    const sent = new Queue<string | Uint8Array>(queue, { storage, codec })
    const largest = {
      ascii: 'x'.repeat(maxBodyBytes),
      // In JSON each takes six bytes.
      worst: '\u0001'.repeat(maxBodyBytes),
      bytes: new Uint8Array(maxBodyBytes).fill(7),
    }[kind]
    const count = maxBatchBytes / maxBodyBytes
    const producer = sent.createProducer()
    await producer.sendBatch(Array.from({ length: count }, () => ({ payload: largest })))
    const tooMany = await errorOf(() =>
      producer.sendBatch(Array.from({ length: count + 1 }, () => ({ payload: largest }))),
    )
    const tooLarge = await errorOf(() =>
      producer.send(typeof largest === 'string' ? `${largest}x` : new Uint8Array(maxBodyBytes + 1)),
    )
    const headers = { h: '\u0001'.repeat(storage.guarantees.maxHeaderBytes - 1) }
    await producer.send(largest, { headers, id: 'i'.repeat(256), key: 'k'.repeat(256) })
    await Promise.all(Array.from({ length: count }, () => producer.send(largest)))
    const listed = await sent.list({ limit: 100 })
    const consumer = sent.createConsumer()
    const sizes: number[] = []
    const rounds: number[] = []
    for (;;) {
      const messages = await consumer.receiveBatch(100)
      if (messages.length === 0) break
      rounds.push(messages.length)
      for (const { payload } of messages) sizes.push(same(payload, largest) ? 1 : 0)
      await consumer.nackBatch(messages, { delayMs: HOUR })
    }
    // Those that wait for a retry lie elsewhere, and are claimed from there.
    const retried = await sent.retryNow()
    const again: number[] = []
    for (;;) {
      const messages = await consumer.receiveBatch(100)
      if (messages.length === 0) break
      again.push(messages.length)
      await consumer.ackBatch(messages)
    }
    const { messages, bytes } = await sent.stats()
    return {
      tooMany,
      tooLarge,
      listed: listed.messages.length,
      sizes,
      rounds,
      retried,
      again,
      messages,
      bytes,
    }
  },

  /** As many messages as one append may have, each with all that it may have. */
  async many(env, queue: string) {
    const storage = new DurableObjectAdapter(env.QUEUE)
    const sent = new Queue<number>(queue, { storage })
    const { maxBatch } = storage.guarantees
    const batch = Array.from({ length: maxBatch }, (_, i) => ({
      payload: i,
      id: `${i}`.padStart(200, '.'),
      key: `${i % 10}`,
      headers: { a: 'x'.repeat(1000) },
    }))
    const results = await sent.createProducer().sendBatch(batch)
    const tooMany = await errorOf(() => sent.createProducer().sendBatch([...batch, { payload: 0 }]))
    const consumer = sent.createConsumer()
    const order: Record<string, number[]> = {}
    const done = await consumer.drain(({ payload, key }) => void (order[key!] ??= []).push(payload), {
      concurrency: 1000,
    })
    return { stored: results.filter(({ status }) => status === 'stored').length, tooMany, done, order }
  },

  /** A group with so many leases that its row is longer than SQLite's row may be. */
  async parts(env, queue: string) {
    const view = await open(env, queue)
    // As many units of UTF-16 as a segment may have, and three bytes each as UTF-8.
    const bodies = ['1', '2', '3', '4'].map((name) => name + '€'.repeat(250_000))
    await send(view, ...bodies)
    const dump = JSON.parse(await stubOf(env.QUEUE, queue).dump()) as [string, unknown[]][]
    const parts = dump.find(([name]) => name === 'quayside_parts')![1].length
    let settled = 0
    const seen: string[] = []
    while (seen.length < bodies.length) {
      const { deliveries } = await claim(view, 10)
      seen.push(...deliveries.map(({ body }) => String(body)))
      const results = await view.settle(
        GROUP,
        deliveries.map(({ receipt }) => ({ receipt, kind: 'ack' })),
      )
      settled += results.filter(({ status }) => status === 'settled').length
    }
    const same = bodies.every((body, i) => body === seen[i])
    const after = JSON.parse(await stubOf(env.QUEUE, queue).dump()) as [string, unknown[]][]
    return { parts, settled, same, left: after.map(([name, rows]) => [name, rows.length]) }
  },

  full: (env) => env.SMALL.get(env.SMALL.idFromName('small') as never).full(),

  async stumbling(env) {
    const view = await new DurableObjectAdapter(env.STUMBLING).open('stumbling')
    const error = await errorOf(() => send(view, 'a'))
    await send(view, 'b')
    return { code: error?.code, after: (await claim(view)).deliveries.map(({ body }) => body) }
  },

  async killed(env, queue: string) {
    const view = await open(env, queue)
    await send(view, 'a')
    const killing = stubOf(env.QUEUE, queue)
      .kill()
      .catch(() => undefined)
    const errors = await Promise.all([
      errorOf(() => claim(view)),
      errorOf(() => view.list({ group: GROUP, limit: 1 })),
    ])
    await killing
    // The next call finds the object again.
    return { errors, after: (await claim(view)).deliveries.map(({ body }) => body) }
  },
}

function same(a: string | Uint8Array, b: string | Uint8Array): boolean {
  if (typeof a === 'string' || typeof b === 'string') return a === b
  return a.length === b.length && a.every((byte, i) => byte === b[i])
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const action = new URL(request.url).pathname.slice(1)
    return Response.json((await ACTIONS[action]!(env, (await request.json()) as never)) ?? null)
  },
}
