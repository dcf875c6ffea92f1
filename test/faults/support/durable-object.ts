import { DurableObjectAdapter, QueueObject } from '../../../adapters/durable-object/index.ts'
import { pick } from '../../fs/history.ts'
import { Failures, type FaultyStorage } from './backend.ts'

interface Stage {
  readonly clock: { now(): number }
  readonly random: () => number
  readonly failures: Failures
}

/** What happens to objects, by the prefix of their names. All of this is in one isolate. */
const stages = new Map<string, Stage>()

type Exec = (query: string, ...bindings: unknown[]) => unknown

/**
 * A queue's object whose calls of its storage fail: with an error, because there is no room, or because the object ends in the
 * middle. It also ends between its work and its answer.
 */
export class FaultyObject extends QueueObject {
  constructor(...args: ConstructorParameters<typeof QueueObject>) {
    super(...args)
    const sql = this.ctx.storage.sql as unknown as { exec: Exec }
    const exec = sql.exec.bind(sql)
    const faulty: Exec = (query, ...bindings) => {
      if (this.#stage.failures.next()) this.#fail(query)
      return exec(query, ...bindings)
    }
    Object.defineProperty(sql, 'exec', { value: faulty })
  }

  get #stage(): Stage {
    return stages.get(this.ctx.id.name.split('/')[0])!
  }

  #fail(query: string): never {
    const kinds = ['disk I/O error: SQLITE_IOERR', 'database or disk is full: SQLITE_FULL', 'end'] as const
    const kind = pick(this.#stage.random, query.startsWith('INSERT') ? kinds : [kinds[0], kinds[2]])
    if (kind === 'end') this.end()
    throw new Error(kind)
  }

  protected override now(): number {
    return this.#stage.clock.now()
  }

  override async verb(...args: Parameters<QueueObject['verb']>): ReturnType<QueueObject['verb']> {
    const outcome = await super.verb(...args)
    if (this.#stage.failures.next()) this.end()
    return outcome
  }

  /** Ends this object at once; the next call finds another on the same data. */
  end(): void {
    ;(this.ctx as unknown as { abort(reason: string): void }).abort('ended by the test')
  }
}

export interface Env {
  readonly QUEUE: { idFromName(name: string): object; get(id: never): { end(): Promise<void> } }
}

/** Durable Objects, where this runs in a Worker. */
export function durableObject(env: Env): FaultyStorage {
  return {
    name: 'durable-object',
    create(clock, random) {
      const prefix = crypto.randomUUID()
      const failures = new Failures()
      stages.set(prefix, { clock, random, failures })
      const namespace = {
        idFromName: (name: string) => env.QUEUE.idFromName(`${prefix}/${name}`),
        get: (id: never) => env.QUEUE.get(id),
      }
      let adapter: DurableObjectAdapter | undefined
      return Promise.resolve({
        async open() {
          await adapter?.close()
          return (adapter = new DurableObjectAdapter(namespace))
        },
        fail: (every) => failures.fail(every),
        get faults() {
          return failures.faults
        },
        async destroy() {
          failures.fail(0)
          await adapter?.close()
          await namespace
            .get(namespace.idFromName('queue') as never)
            .end()
            .catch(() => undefined)
        },
      })
    },
  }
}
