// What people write, checked with the types of the runtime itself: see `../types.test.ts`. Nobody runs it.
import { type Message, Queue } from 'quayside'
import { DurableObjectAdapter, QueueObject, inShards } from 'quayside/durable-object'

export { QueueObject } from 'quayside/durable-object'

interface Order {
  readonly sku: string
}

interface Env {
  readonly QUEUE: DurableObjectNamespace<QueueObject>
  readonly MAILS: DurableObjectNamespace<Mails>
  readonly UNTYPED: DurableObjectNamespace
}

export class Mails extends QueueObject<Env, Order> {
  override readonly push = { group: 'mailer', batchSize: 20, retry: { maxAttempts: 10 } }

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env)
    ctx.storage.sql.exec('SELECT 1')
  }

  override async onMessages(messages: readonly Message<Order>[]): Promise<void> {
    for (const { payload } of messages) await fetch(`https://api.example/${payload.sku}`)
    this.env.QUEUE.idFromName(this.ctx.id.toString())
  }
}

export default {
  async fetch(request, env, ctx): Promise<Response> {
    const storage = new DurableObjectAdapter(env.QUEUE, { shards: inShards(4), locationHint: 'weur' })
    if (request.headers.get('upgrade') === 'websocket') return await storage.fetch(request, 'orders')
    const queue = new Queue<Order>('orders', { storage })
    const { id } = await queue.createProducer().send({ sku: 'tea' })
    ctx.waitUntil(new Queue('mails', { storage: new DurableObjectAdapter(env.MAILS) }).stats())
    ctx.waitUntil(
      new Queue('eu', { storage: new DurableObjectAdapter(env.UNTYPED.jurisdiction('eu')) }).stats(),
    )
    return Response.json({ id }, { status: 202 })
  },
} satisfies ExportedHandler<Env>

export const refused = (objects: DurableObjectNamespace, kv: KVNamespace): unknown => [
  // @ts-expect-error A binding of another kind.
  new DurableObjectAdapter(kv),
  // @ts-expect-error No such option.
  new DurableObjectAdapter(objects, { shard: 3 }),
]
