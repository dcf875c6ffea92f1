import { DurableObjectAdapter } from '../../../adapters/durable-object/index.ts'
import { Queue } from '../../../src/index.ts'
import { type SpiedNamespace, SpiedObject } from '../support/spied-object.ts'

// Watching: `/watch/<shards>/<queue>` with a WebSocket from outside, the others from within the Worker.

export class Watched extends SpiedObject {}

interface Env {
  readonly QUEUE: SpiedNamespace
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

async function send(queue: Queue<number>, count: number): Promise<void> {
  for (let i = 0; i < count; i++) await queue.createProducer().send(i)
}

const ACTIONS: Record<string, (queue: Queue<number>, env: Env, other: Queue<number>) => Promise<unknown>> = {
  send: (queue) => send(queue, 1),

  /** Many changes, one after the other. */
  burst: async (queue) => {
    const start = Date.now()
    await send(queue, 100)
    return Date.now() - start
  },

  /** A consumer that waits, and is woken by what another sends. */
  async wait(queue, _, other) {
    const waiting = queue.createConsumer().receive({ waitMs: 20_000 })
    await sleep(400)
    const at = Date.now()
    await send(other, 1)
    const message = await waiting
    return { payload: message?.payload, ms: Date.now() - at }
  },

  /** Two messages are done, of which one is kept. Answers with its id. */
  async finish(queue) {
    const kept = await queue.createProducer().send(1, { keepMs: 60_000 })
    await queue.createProducer().send(2)
    const consumer = queue.createConsumer()
    for (const message of await consumer.receiveBatch(2)) await consumer.ack(message, { result: 'well done' })
    return kept.id
  },

  /** Somebody waits for what becomes of a message that another works on. */
  async result(queue, _, other) {
    const { id } = await queue.createProducer().send(1, { keepMs: 60_000 })
    const result = queue.result(id, { waitMs: 20_000 })
    await sleep(400)
    const at = Date.now()
    const message = await other.createConsumer().receive({ waitMs: 1000 })
    await message!.ack({ result: 'well done' })
    return { result: await result, ms: Date.now() - at }
  },

  /** A view that watches over the end of its object. */
  async reconnect(queue, env) {
    let hints = 0
    const stop = queue.watch(() => hints++)
    await sleep(400)
    await env.QUEUE.get(env.QUEUE.idFromName(queue.name) as never)
      .kill()
      .catch(() => undefined)
    await sleep(2500)
    const before = hints
    await send(queue, 1)
    await sleep(300)
    stop()
    const stopped = hints
    await send(queue, 1)
    await sleep(300)
    return { before, heard: stopped - before, afterStop: hints - stopped }
  },
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const [, action, shards, name] = new URL(request.url).pathname.split('/')
    const open = (): DurableObjectAdapter => new DurableObjectAdapter(env.QUEUE, { shards: Number(shards) })
    if (action === 'watch') return await open().fetch(request, name!)
    const queue = new Queue<number>(name!, { storage: open() })
    const other = new Queue<number>(name!, { storage: open() })
    return Response.json((await ACTIONS[action!]!(queue, env, other)) ?? null)
  },
}
