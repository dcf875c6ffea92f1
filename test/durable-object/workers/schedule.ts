import { DurableObjectAdapter } from '../../../adapters/durable-object/index.ts'
import { type Message, Queue, type Verdict } from '../../../src/index.ts'
import { type When, fireSchedules, listSchedules, schedule, unschedule } from '../../../src/schedule/index.ts'
import { type SpiedNamespace, SpiedObject, stubOf } from '../support/spied-object.ts'

// Objects of one class: one has the messages of a queue, one beside it its schedules, and the alarms of both do all the work.

interface Env {
  readonly JOBS: SpiedNamespace
}

interface Seen {
  readonly id: string
  readonly at: number
}

type Kept = { kv: { get(key: string): unknown; put(key: string, value: unknown): void } }

/** Each object fires what is of the queue whose name is before its own. */
export class Jobs extends SpiedObject {
  readonly #queue: Queue

  constructor(...args: ConstructorParameters<typeof SpiedObject>) {
    super(...args)
    const name = this.ctx.id.name!.replace('.schedules', '')
    this.#queue = new Queue(name, { storage: new DurableObjectAdapter((this.env as Env).JOBS) })
  }

  override readonly push = { leaseMs: 1000 }

  override async onMessages(messages: readonly Message<unknown>[]): Promise<readonly Verdict[] | void> {
    const verdicts = await fireSchedules(this.#queue, messages)
    if (verdicts !== undefined) return verdicts
    const { kv } = this.ctx.storage as unknown as Kept
    const at = Date.now()
    kv.put('seen', [...this.seen(), ...messages.map(({ id }) => ({ id, at }))])
  }

  seen(): Seen[] {
    return ((this.ctx.storage as unknown as Kept).kv.get('seen') ?? []) as Seen[]
  }
}

const ACTIONS: Record<string, (env: Env, input: never) => Promise<unknown>> = {
  schedule: (env, { queue, name, when }: { queue: string; name: string; when: When }) =>
    schedule(of(env, queue), name, when, { payload: name }),
  unschedule: (env, { queue, name }: { queue: string; name: string }) => unschedule(of(env, queue), name),
  list: (env, queue: string) => listSchedules(of(env, queue)),
  async seen(env, queue: string) {
    return await (stubOf(env.JOBS, queue) as unknown as { seen(): Promise<Seen[]> }).seen()
  },
  async kill(env, queue: string) {
    await stubOf(env.JOBS, queue)
      .kill()
      .catch(() => undefined)
  },
}

function of(env: Env, name: string): Queue {
  return new Queue(name, { storage: new DurableObjectAdapter(env.JOBS) })
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const action = new URL(request.url).pathname.slice(1)
    return Response.json((await ACTIONS[action]!(env, (await request.json()) as never)) ?? null)
  },
}
