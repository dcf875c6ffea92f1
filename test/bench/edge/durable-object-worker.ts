import { DurableObjectAdapter, QueueObject } from '../../../adapters/durable-object/index.ts'
import { uuid } from '../../../src/message-id.ts'
import type { QueueStorage } from '../../../src/storage.ts'

// What the bench has a Worker do, and an object that counts the rows it writes.

interface Cursor {
  readonly rowsWritten: number
}

type Exec = (query: string, ...bindings: unknown[]) => Cursor

export class CountingObject extends QueueObject {
  rows = 0

  constructor(...args: ConstructorParameters<typeof QueueObject>) {
    super(...args)
    const { storage } = this.ctx
    const sql = storage.sql as unknown as { exec: Exec }
    const exec = sql.exec.bind(sql)
    const counting: Exec = (...call) => {
      const cursor = exec(...call)
      this.rows += cursor.rowsWritten
      return cursor
    }
    Object.defineProperty(sql, 'exec', { value: counting })
    const { setAlarm } = storage
    Object.defineProperty(storage, 'setAlarm', {
      value: (time: number) => {
        this.rows++
        return setAlarm.call(storage, time)
      },
    })
  }

  rowsWritten(): number {
    return this.rows
  }
}

interface Env {
  readonly QUEUE: {
    idFromName(name: string): object
    get(id: never): { rowsWritten(): Promise<number> }
  }
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
  /** In ms, of all batches of a verb, one verb after the other. */
  readonly append: number
  readonly claim: number
  readonly settle: number
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
  const object = env.QUEUE.get(env.QUEUE.idFromName(queue) as never)
  await fill(view, waiting, body)
  await view.claim({ group, limit: 0, leaseMs: 1, maxAttempts: 1 })
  const times = { append: 0, claim: 0, settle: 0 }
  const timed = async <T>(verb: keyof typeof times, run: () => Promise<T>): Promise<T> => {
    const start = performance.now()
    const result = await run()
    times[verb] += performance.now() - start
    return result
  }
  const before = await object.rowsWritten()
  const messages = Array.from({ length: batch }, () => ({ body }))
  const turn = async (): Promise<void> => {
    await timed('append', () => view.append(messages, { batchId: uuid() }))
    const { deliveries } = await timed('claim', () =>
      view.claim({ group, limit: batch, leaseMs: 60_000, maxAttempts: 4 }),
    )
    if (deliveries.length !== batch) throw new Error(`${deliveries.length} of ${batch} messages were claimed`)
    const acks = deliveries.map(({ receipt }) => ({ receipt, kind: 'ack' }) as const)
    const results = await timed('settle', () => view.settle(group, acks))
    if (results.some(({ status }) => status !== 'settled')) throw new Error('an ack is stale')
  }
  const start = performance.now()
  await Promise.all(
    Array.from({ length: callers }, async () => {
      for (let i = 0; i < batches / callers; i++) await turn()
    }),
  )
  return {
    ...times,
    elapsed: performance.now() - start,
    rows: (await object.rowsWritten()) - before,
  } as Figures
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    return Response.json(await measure(env, await request.json()))
  },
}
