import { DurableObjectAdapter } from '../../../adapters/durable-object/index.ts'
import { uuid } from '../../../src/message-id.ts'
import type { QueueStorage } from '../../../src/storage.ts'
import { type SpiedNamespace, SpiedObject, stubOf } from '../../durable-object/support/spied-object.ts'

// What the bench has a Worker do.

/** Counts the rows that it writes. */
export class CountingObject extends SpiedObject {}

interface Env {
  readonly QUEUE: SpiedNamespace
}

export interface Work {
  readonly queue: string
  readonly batch: number
  readonly batches: number
  readonly callers: number
  readonly body: string
  /** Messages that wait meanwhile. */
  readonly waiting: number
}

export interface Figures {
  /** In ms, all of it. */
  readonly elapsed: number
  readonly rows: number
}

const group = 'default'

async function fill(view: QueueStorage, count: number, body: string): Promise<void> {
  const { messages } = await view.stats()
  for (let left = count - messages; left > 0; left -= 1000) {
    await view.append(
      Array.from({ length: Math.min(left, 1000) }, () => ({ body })),
      { batchId: uuid() },
    )
  }
}

async function measure(env: Env, work: Work): Promise<Figures> {
  const { queue, batch, batches, callers, body, waiting } = work
  const view = await new DurableObjectAdapter(env.QUEUE).open(queue)
  await fill(view, waiting, body)
  await view.claim({ group, limit: 0, leaseMs: 1, maxAttempts: 1 })
  const rowsWritten = async (): Promise<number> => (await stubOf(env.QUEUE, queue).written()).rows
  const before = await rowsWritten()
  const messages = Array.from({ length: batch }, () => ({ body }))
  const turn = async (): Promise<void> => {
    await view.append(messages, { batchId: uuid() })
    const { deliveries } = await view.claim({ group, limit: batch, leaseMs: 60_000, maxAttempts: 4 })
    if (deliveries.length !== batch) throw new Error(`${deliveries.length} of ${batch} messages were claimed`)
    const acks = deliveries.map(({ receipt }) => ({ receipt, kind: 'ack' }) as const)
    const results = await view.settle(group, acks)
    if (results.some(({ status }) => status !== 'settled')) throw new Error('an ack is stale')
  }
  const start = performance.now()
  await Promise.all(
    Array.from({ length: callers }, async () => {
      for (let i = 0; i < batches / callers; i++) await turn()
    }),
  )
  const elapsed = performance.now() - start
  return { elapsed, rows: (await rowsWritten()) - before }
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    return Response.json(await measure(env, await request.json()))
  },
}
