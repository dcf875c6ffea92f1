import { DurableObjectAdapter, QueueObject } from '../../../adapters/durable-object/index.ts'
import { type ConformanceFactory, conformanceCases } from '../../../src/conformance/index.ts'
import { type CheckOptions, checkHistories } from '../../conformance/check.ts'

// The conformance suite inside a Worker, on Durable Objects whose clock the suite sets.

/** One at a time: every request of a test runs one case. */
let time: () => number = () => Date.now()
let queues = 0

export class SuiteObject extends QueueObject {
  protected override now(): number {
    return time()
  }

  /** Ends this object at once; the next call finds another on the same data. */
  kill(): void {
    ;(this.ctx as unknown as { abort(reason: string): void }).abort('killed by the test')
  }
}

interface Env {
  readonly QUEUE: {
    idFromName(name: string): object
    get(id: never): { kill(): Promise<void> }
  }
}

function factory(env: Env, shards: number): ConformanceFactory {
  return {
    guarantees: new DurableObjectAdapter(env.QUEUE, { shards }).guarantees,
    create({ clock }) {
      time = () => clock.now()
      const prefix = `${shards}/${++queues}/`
      const used = new Set<string>()
      // Each storage has names of its own.
      const namespace = {
        idFromName: (name: string) => {
          used.add(prefix + name)
          return env.QUEUE.idFromName(prefix + name)
        },
        get: (id: never) => env.QUEUE.get(id),
      }
      const adapters: DurableObjectAdapter[] = []
      const open = (): DurableObjectAdapter => {
        const adapter = new DurableObjectAdapter(namespace, { shards })
        adapters.push(adapter)
        return adapter
      }
      const close = (): Promise<unknown> => Promise.all(adapters.splice(0).map((adapter) => adapter.close()))
      const kill = (name: string): Promise<void> =>
        env.QUEUE.get(env.QUEUE.idFromName(name) as never)
          .kill()
          .catch(() => undefined)
      return Promise.resolve({
        adapter: open(),
        second: () => Promise.resolve(open()),
        async reopen() {
          await close()
          await Promise.all([...used].map(kill))
          return open()
        },
        destroy: async () => void (await close()),
      })
    },
  }
}

const NONE: unknown = null

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const [, shards, verb] = new URL(request.url).pathname.split('/')
    const tested = factory(env, Number(shards))
    const cases = conformanceCases(tested)
    const body: unknown = await request.json()
    if (verb === 'cases') return Response.json(cases.map(({ name, skip }) => ({ name, skip: skip ?? null })))
    if (verb === 'histories')
      return Response.json((await checkHistories('durable-object', tested, body as CheckOptions)) ?? NONE)
    try {
      await cases[body as number]!.run()
      return Response.json(NONE)
    } catch (error) {
      return Response.json(error instanceof Error ? `${error.message}\n${error.stack}` : String(error))
    }
  },
}
