// The Worker as it is deployed, and a count of what its Durable Object does, as it is billed: /counted.
import type { Env } from '../worker/env.ts'
import worker, { FormQueue as Plain } from '../worker/index.ts'

export interface ObjectOperations {
  /** Calls and alarms. */
  readonly requests: number
  readonly rowsWritten: number
}

export class FormQueue extends Plain {
  #requests = 0
  #rowsWritten = 0

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env)
    const { storage } = ctx
    const exec = storage.sql.exec.bind(storage.sql)
    storage.sql.exec = (query, ...bindings) => {
      const cursor = exec<never>(query, ...bindings)
      this.#rowsWritten += cursor.rowsWritten
      return cursor
    }
    const setAlarm = storage.setAlarm.bind(storage)
    storage.setAlarm = (time) => {
      this.#rowsWritten++
      return setAlarm(time)
    }
  }

  override verb(...args: Parameters<Plain['verb']>): ReturnType<Plain['verb']> {
    this.#requests++
    return super.verb(...args)
  }

  override async alarm(): Promise<void> {
    this.#requests++
    await super.alarm()
  }

  counted(): ObjectOperations {
    return { requests: this.#requests, rowsWritten: this.#rowsWritten }
  }
}

const counted: ExportedHandler<Env> = {
  ...worker,
  async fetch(request, env, context) {
    if (new URL(request.url).pathname !== '/counted') return await worker.fetch!(request, env, context)
    const stub = env.QUEUE.get(env.QUEUE.idFromName('forms')) as unknown as DurableObjectStub<FormQueue>
    return Response.json(await stub.counted())
  },
}

export default counted
