import { DurableObjectAdapter, inShards } from '../../../adapters/durable-object/index.ts'
import { Queue } from '../../../src/index.ts'
import { type SpiedNamespace, SpiedObject } from '../support/spied-object.ts'

// Watching: `/watch/<shards>/<queue>` with a WebSocket from outside, the others from within the Worker.

export class Watched extends SpiedObject {}

interface Env {
  readonly QUEUE: SpiedNamespace
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

async function until(what: string, holds: () => boolean): Promise<void> {
  for (const end = Date.now() + 45_000; !holds(); await sleep(20))
    if (Date.now() > end) throw new Error(`${what} did not come`)
}

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
  async reconnect(queue, env, other) {
    let hints = 0
    let others = 0
    const stop = queue.watch(() => hints++)
    const stopOther = other.watch(() => others++)
    // Each connection, also a new one, begins with a hint.
    await until('the first connections', () => hints > 0 && others > 0)
    const before = hints
    const beforeOther = others
    await env.QUEUE.get(env.QUEUE.idFromName(queue.name) as never)
      .kill()
      .catch(() => undefined)
    await until('new connections', () => hints > before && others > beforeOther)
    const again = hints
    await send(queue, 1)
    await until('a hint', () => hints > again)
    stop()
    const stopped = hints
    // Who still watches hears of it. More than once, because the first may be a hint of before.
    for (let i = 0; i < 3; i++) {
      const told = others
      await send(queue, 1)
      await until('a hint of the other', () => others > told)
    }
    stopOther()
    return { heard: stopped - again, afterStop: hints - stopped }
  },
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const [, action, shards, name] = new URL(request.url).pathname.split('/')
    const open = (): DurableObjectAdapter =>
      new DurableObjectAdapter(env.QUEUE, { shards: inShards(Number(shards)) })
    if (action === 'watch') return await open().fetch(request, name!)
    const queue = new Queue<number>(name!, { storage: open() })
    const other = new Queue<number>(name!, { storage: open() })
    return Response.json((await ACTIONS[action!]!(queue, env, other)) ?? null)
  },
}
