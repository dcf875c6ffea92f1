import { DurableObjectAdapter, QueueObject, inShards } from '../../../adapters/durable-object/index.ts'
import type { ConformanceFactory } from '../../../conformance/index.ts'

/** The clocks of storages, by the prefix of the names of their objects. All of this is in one isolate. */
const clocks = new Map<string, { now(): number }>()
let storages = 0

const PREFIX = /^\d+\//

export class SuiteObject extends QueueObject {
  protected override now(): number {
    return clocks.get(PREFIX.exec(this.ctx.id.name)![0])!.now()
  }

  /** Ends this object at once; the next call finds another on the same data. */
  kill(): void {
    ;(this.ctx as unknown as { abort(reason: string): void }).abort('killed by the test')
  }
}

export interface Env {
  readonly QUEUE: {
    idFromName(name: string): object
    get(id: never): { kill(): Promise<void> }
  }
}

/** Each storage on objects of its own, whose clock the suite sets. */
export function factory(env: Env, shards: number = 1): ConformanceFactory {
  return {
    guarantees: new DurableObjectAdapter(env.QUEUE, { shards: inShards(shards) }).guarantees,
    create({ clock }) {
      const prefix = `${++storages}/`
      clocks.set(prefix, clock)
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
        const adapter = new DurableObjectAdapter(namespace, { shards: inShards(shards) })
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
