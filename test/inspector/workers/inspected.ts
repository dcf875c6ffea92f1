import { DurableObjectAdapter, QueueObject } from '../../../adapters/durable-object/index.ts'
import { inspectorHandler } from '../../../inspector/server/index.ts'
import { Queue } from '../../../src/index.ts'
import { filled } from '../support/filled.ts'

/** Keeps the queues. */
export class Keeper extends QueueObject<Env> {}

interface Env {
  readonly QUEUE: ConstructorParameters<typeof DurableObjectAdapter>[0]
}

/** A Worker with an inspector at `/inspect`, of what `/fill` made. */
export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const storage = new DurableObjectAdapter(env.QUEUE)
    if (new URL(request.url).pathname === '/fill') {
      await filled(storage)
      return Response.json('filled')
    }
    const queues = ['orders', 'orders.schedules'].map((name) => new Queue(name, { storage }))
    return await inspectorHandler(queues, { allow: () => true })(request)
  },
}
