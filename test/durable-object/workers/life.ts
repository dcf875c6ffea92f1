import {
  DurableObjectAdapter,
  type PushContext,
  type PushOptions,
} from '../../../adapters/durable-object/index.ts'
import { type Message, Queue } from '../../../src/index.ts'
import { type SpiedNamespace, SpiedObject, stubOf } from '../support/spied-object.ts'

// Objects whose handlers hang, block, fail and get nowhere, whose options are wrong, and that are deleted.

interface Task {
  readonly name: string
  /** What its handler does, in its first attempt or, with `always`, in each. */
  readonly does?: 'hang' | 'block' | 'throw' | 'give back' | undefined
  readonly always?: boolean
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

export class Lively extends SpiedObject<Task> {
  /** What happened, in memory. */
  readonly events: string[] = []
  /** When each message came, in ms. */
  readonly #times: [name: string, at: number][] = []
  #troubleLeft = 0

  override readonly push: PushOptions<Task> = {
    batchSize: 1,
    leaseMs: 600,
    timeoutMs: 1200,
    retry: { maxAttempts: 20, initialMs: 0 },
    onFailed: (messages, error) => {
      this.events.push(`failed ${messages[0]!.payload.name}: ${(error as Error).message}`)
      throw new Error('what is told fails too')
    },
    onError: (error) => void this.events.push(`error: ${(error as Error).message}`),
  }

  override async onMessages([message]: readonly Message<Task>[], { signal }: PushContext): Promise<void> {
    const { name, does, always } = message!.payload
    this.events.push(`${name} ${message!.attempt}`)
    this.#times.push([name, Date.now()])
    if (message!.attempt > 1 && !always) return
    if (does === 'hang') {
      signal.addEventListener('abort', () => {
        this.events.push(`aborted ${name}: ${(signal.reason as { code: string }).code}`)
      })
      await new Promise<never>(() => {})
    }
    if (does === 'block') {
      // Counts: the clock of a Worker stands still while it computes.
      for (const end = performance.now() + 900; performance.now() < end && Date.now() > 0;);
      await sleep(100)
    }
    if (does === 'throw') throw new Error('boom')
    if (does === 'give back') await message!.nack({ delayMs: 0, counts: false })
  }

  times(of: string): number[] {
    return this.#times.flatMap(([name, at]) => (name === of ? [at] : []))
  }

  look(): string[] {
    return this.events
  }

  /** Has the storage fail so often while it is told how a batch ended. */
  trouble(times: number): void {
    const { storage } = this.ctx
    const run = storage.transactionSync.bind(storage)
    this.#troubleLeft = times
    Object.defineProperty(storage, 'transactionSync', {
      value: <T>(body: () => T): T => {
        if (this.events.length > 0 && this.#troubleLeft > 0) {
          this.#troubleLeft--
          throw new Error('a fault of the test')
        }
        return run(body)
      },
    })
  }

  troubleLeft(): number {
    return this.#troubleLeft
  }

  async loseAlarm(): Promise<void> {
    await this.ctx.storage.deleteAlarm()
  }
}

/** The same with a batch size that is none. */
export class Wrong extends SpiedObject<Task> {
  override readonly push: PushOptions<Task> = { batchSize: 0 }
  override onMessages(): void {}
}

/** Keeps something of its own. */
export class Keeper extends SpiedObject {
  keep(): void {
    this.ctx.storage.sql.exec('CREATE TABLE own (value)')
    this.ctx.storage.sql.exec('INSERT INTO own VALUES (42)')
  }

  kept(): unknown {
    return [...this.ctx.storage.sql.exec('SELECT value FROM own').raw()][0]![0]
  }
}

interface Env {
  readonly LIVELY: SpiedNamespace
  readonly WRONG: SpiedNamespace
  readonly KEEPER: SpiedNamespace
}

type LivelyStub = {
  look(): Promise<string[]>
  times(of: string): Promise<number[]>
  trouble(times: number): Promise<void>
  troubleLeft(): Promise<number>
  loseAlarm(): Promise<void>
}

function lively(env: Env, queue: string): LivelyStub {
  return stubOf(env.LIVELY, queue) as object as LivelyStub
}

function queueOf<T = Task>(namespace: SpiedNamespace, name: string): Queue<T> {
  return new Queue<T>(name, { storage: new DurableObjectAdapter(namespace) })
}

async function deleteQueue(namespace: SpiedNamespace, name: string): Promise<void> {
  await (await new DurableObjectAdapter(namespace).open(name)).delete()
}

/** Waits until something has happened. */
async function until(
  env: Env,
  queue: string,
  holds: (events: string[]) => boolean | Promise<boolean>,
): Promise<string[]> {
  for (const end = Date.now() + 45_000; ; await sleep(20)) {
    const events = await lively(env, queue).look()
    if (await holds(events)) return events
    if (Date.now() > end) throw new Error(`${queue}: it did not come, after ${events.join(', ')}`)
  }
}

async function isEmpty(env: Env, queue: string): Promise<boolean> {
  return (await queueOf(env.LIVELY, queue).stats()).messages === 0
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

const ACTIONS: Record<string, (env: Env, input: never) => Promise<unknown>> = {
  async push(env, { queue, tasks }: { queue: string; tasks: Task[] }) {
    await queueOf(env.LIVELY, queue)
      .createProducer()
      .sendBatch(tasks.map((payload) => ({ payload })))
    const events = await until(env, queue, () => isEmpty(env, queue))
    const { groups, messages } = await queueOf(env.LIVELY, queue).stats()
    return { events, group: groups['default'], messages }
  },

  async trouble(env, queue: string) {
    await queueOf(env.LIVELY, queue).stats()
    await lively(env, queue).trouble(3)
    await queueOf(env.LIVELY, queue).createProducer().send({ name: 'a' })
    // Who looked at the queue sooner would have the trouble in its place.
    await until(env, queue, async () => (await lively(env, queue).troubleLeft()) === 0)
    const events = await until(env, queue, () => isEmpty(env, queue))
    const { groups } = await queueOf(env.LIVELY, queue).stats()
    return { events, group: groups['default'] }
  },

  /** When something came that gets nowhere, again and again. */
  async hot(env, { queue, does, count }: { queue: string; does: Task['does']; count: number }) {
    await queueOf(env.LIVELY, queue).createProducer().send({ name: 'a', does, always: true })
    const came = async (times: number): Promise<boolean> =>
      (await lively(env, queue).times('a')).length >= times
    await until(env, queue, () => came(count - 1))
    // What comes meanwhile does not end the pause.
    await queueOf(env.LIVELY, queue).createProducer().send({ name: 'b' })
    await until(env, queue, () => came(count))
    const times = await lively(env, queue).times('a')
    await deleteQueue(env.LIVELY, queue)
    return times
  },

  async lost(env, queue: string) {
    const sent = queueOf(env.LIVELY, queue)
    await sent.createProducer().send({ name: 'later' }, { delayMs: 3_600_000 })
    await lively(env, queue).loseAlarm()
    await stubOf(env.LIVELY, queue)
      .kill()
      .catch(() => undefined)
    await queueOf(env.LIVELY, queue).stats()
    await sleep(50)
    return (await stubOf(env.LIVELY, queue).alarmAt()) !== null
  },

  async far(env, queue: string) {
    const sent = queueOf(env.LIVELY, queue)
    await sent.createProducer().send({ name: 'later' }, { delayMs: 3_155_760_000_000 })
    const alarmAt = await stubOf(env.LIVELY, queue).alarmAt()
    return alarmAt! - Date.now()
  },

  async wrong(env, queue: string) {
    const error = await errorOf(() => queueOf(env.WRONG, queue).createProducer().send({ name: 'a' }))
    return { error, ...(await stubOf(env.WRONG, queue).written()) }
  },

  async long(env, queue: string) {
    const name = queue.padEnd(256, '#')
    await queueOf(env.LIVELY, name).createProducer().send({ name: 'a' })
    return await until(env, name.replaceAll('#', '##'), (events) => events.length > 0)
  },

  async unused(env, queue: string) {
    const view = await new DurableObjectAdapter(env.LIVELY).open(queue)
    await view.stats()
    await view.list({ group: 'g', limit: 10 })
    await view.deleteGroup('g')
    await view.cancel(['a'])
    await view.settle('g', [{ receipt: 'none', kind: 'ack' }])
    return await stubOf(env.LIVELY, queue).size()
  },

  async deleted(env, queue: string) {
    const sent = queueOf(env.LIVELY, queue)
    const before = await stubOf(env.LIVELY, queue).size()
    const message = { name: 'later' }
    await sent.createProducer().send(message, { id: 'one', dedupeMs: 3_600_000, delayMs: 3_600_000 })
    const receipt = await stubOf(env.LIVELY, queue).alarmAt()
    await deleteQueue(env.LIVELY, queue)
    const size = await stubOf(env.LIVELY, queue).size()
    const alarmAt = await stubOf(env.LIVELY, queue).alarmAt()
    const dump = await stubOf(env.LIVELY, queue).dump()
    const again = queueOf(env.LIVELY, queue)
    const { status } = await again.createProducer().send(message, { id: 'one' })
    const events = await until(env, queue, (all) => all.length > 0)
    return { before, had: receipt !== null, size, alarmAt, dump, status, events }
  },

  async kept(env, queue: string) {
    const stub = stubOf(env.KEEPER, queue) as unknown as { keep(): Promise<void>; kept(): Promise<unknown> }
    await queueOf(env.KEEPER, queue).createProducer().send({ name: 'a' })
    await stub.keep()
    await deleteQueue(env.KEEPER, queue)
    return { kept: await stub.kept(), dump: await stubOf(env.KEEPER, queue).dump() }
  },
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const action = new URL(request.url).pathname.slice(1)
    return Response.json((await ACTIONS[action]!(env, (await request.json()) as never)) ?? null)
  },
}
