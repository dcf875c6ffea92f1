import { DurableObjectAdapter, type PushOptions } from '../../../adapters/durable-object/index.ts'
import { type Message, Queue } from '../../../src/index.ts'
import { type Fault, type SpiedNamespace, SpiedObject, stubOf } from '../support/spied-object.ts'

// Objects that are given their messages, and what the tests have a Worker do with them.

/** What a message has its handler do. */
interface Task {
  readonly name: string
  /** Fails in so many first attempts. */
  readonly fail?: number
  readonly reject?: boolean
  /** Takes until it is released. */
  readonly waits?: boolean
  /** Ends the object in so many first attempts. */
  readonly kill?: number
}

interface Seen {
  readonly name: string
  readonly attempt: number
  readonly at: number
  /** How many came with it. */
  readonly batch: number
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

export class Pushed extends SpiedObject<Task> {
  override readonly push: PushOptions<Task> = {
    group: 'mail',
    batchSize: 10,
    leaseMs: 1000,
    retry: { maxAttempts: 3, initialMs: 0 },
  }

  #isReleased = false

  override async onMessages(messages: readonly Message<Task>[]): Promise<void> {
    const at = Date.now()
    // Kept by the platform, so that it survives the end of the object.
    const { kv } = this.ctx.storage as unknown as {
      kv: { get(key: string): unknown; put(key: string, value: unknown): void }
    }
    const seen = (kv.get('seen') ?? []) as Seen[]
    for (const { payload, attempt } of messages)
      seen.push({ name: payload.name, attempt, at, batch: messages.length })
    kv.put('seen', seen)
    for (const message of messages) {
      const { waits, reject, kill = 0 } = message.payload
      if (waits) while (!this.#isReleased) await sleep(20)
      if (message.attempt <= kill) {
        // What was seen is to be stored.
        await (this.ctx.storage as unknown as { sync(): Promise<void> }).sync()
        this.kill()
      }
      if (reject) await message.reject({ reason: 'no' })
    }
    const failing = messages.find(({ payload, attempt }) => attempt <= (payload.fail ?? 0))
    if (failing !== undefined) throw new Error(`${failing.payload.name} failed`)
  }

  release(): void {
    this.#isReleased = true
  }

  seen(): Seen[] {
    const { kv } = this.ctx.storage as unknown as { kv: { get(key: string): unknown } }
    return (kv.get('seen') ?? []) as Seen[]
  }
}

/** The same without a handler. */
export class Pulled extends SpiedObject {}

interface Env {
  readonly PUSHED: SpiedNamespace
  readonly PULLED: SpiedNamespace
}

interface Sending {
  readonly queue: string
  readonly tasks: readonly (Task & { readonly delayMs?: number; readonly key?: string })[]
}

type PushedStub = {
  [M in 'seen' | 'written' | 'alarmAt' | 'release']: () => Promise<Awaited<ReturnType<Pushed[M]>>>
}

const ACTIONS: Record<string, (env: Env, input: never) => Promise<unknown>> = {
  async send(env, { queue, tasks }: Sending) {
    const sent = new Queue<Task>(queue, { storage: new DurableObjectAdapter(env.PUSHED) })
    const at = Date.now()
    await sent.createProducer().sendBatch(
      tasks.map(({ delayMs, key, ...payload }) => ({
        payload,
        ...(delayMs && { delayMs }),
        ...(key && { key }),
      })),
    )
    return at
  },

  async seen(env, queue: string) {
    const stub = stubOf(env.PUSHED, queue) as unknown as PushedStub
    const sent = new Queue<Task>(queue, { storage: new DurableObjectAdapter(env.PUSHED) })
    const { groups, messages } = await sent.stats()
    const dead = await sent.deadLetters('mail').list()
    return {
      seen: await stub.seen(),
      messages,
      states: (await sent.list({ group: 'mail' })).messages.map(({ state }) => state),
      group: groups['mail'] ?? null,
      dead: dead.messages.map(({ payload, reason, lastError }) => ({
        name: payload?.name,
        reason,
        lastError,
      })),
      written: await stub.written(),
      alarmAt: await stub.alarmAt(),
    }
  },

  async release(env, queue: string) {
    await (stubOf(env.PUSHED, queue) as unknown as PushedStub).release()
  },

  /** Appends, at each of which another call of the storage fails: those that set the alarm, too. */
  async faults(env, { queue: prefix, kind }: { queue: string; kind: Fault['kind'] }) {
    const outcomes: unknown[] = []
    for (let at = 1; at <= 16; at++) {
      const queue = `${prefix} ${at}`
      const sent = new Queue<Task>(queue, { storage: new DurableObjectAdapter(env.PUSHED) })
      await sent.createConsumer('mail').join()
      await stubOf(env.PUSHED, queue).fault({ at, kind })
      const code = await sent
        .createProducer()
        .send({ name: 'a' }, { delayMs: 3_600_000 })
        .then(
          () => null,
          (error: { code?: unknown }) => error.code,
        )
      await stubOf(env.PUSHED, queue).fault()
      const { messages } = await sent.stats()
      outcomes.push({ code, messages, alarm: (await stubOf(env.PUSHED, queue).alarmAt()) !== null })
    }
    return outcomes
  },

  async pull(env, queue: string) {
    const sent = new Queue<string>(queue, { storage: new DurableObjectAdapter(env.PULLED) })
    await sent.createProducer().send('a', { delayMs: 1000 })
    await sent.createProducer().send('b')
    await sent.createConsumer().receive()
    const stub = stubOf(env.PULLED, queue)
    return { alarmAt: await stub.alarmAt(), alarms: (await stub.written()).alarms }
  },
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const action = new URL(request.url).pathname.slice(1)
    return Response.json((await ACTIONS[action]!(env, (await request.json()) as never)) ?? null)
  },
}
