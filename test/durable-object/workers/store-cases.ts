import { DurableObject } from 'cloudflare:workers'
import { ObjectStore } from '../../../adapters/durable-object/store.ts'
import { storeCases } from '../../../conformance/index.ts'

// The cases of contract 2 inside of Durable Objects, each in one of its own.

export class StoreObject extends DurableObject {
  /** Runs a case; answers with what it was that failed. */
  async runCase(index: number): Promise<string | null> {
    const open = (): ObjectStore =>
      new ObjectStore(this.ctx.storage, { now: () => Date.now(), onChange: () => undefined })
    const store = open()
    const cases = storeCases({
      create: async () => ({ store, reopen: async () => open(), destroy: async () => store.drop() }),
    })
    try {
      await cases[index]!.run()
      return null
    } catch (error) {
      return error instanceof Error ? `${error.message}\n${error.stack}` : String(error)
    }
  }
}

interface Env {
  readonly STORE: {
    newUniqueId(): object
    get(id: object): { runCase(index: number): Promise<string | null> }
  }
}

export default {
  async fetch(request: Request, { STORE }: Env): Promise<Response> {
    const index = (await request.json()) as number
    return Response.json(await STORE.get(STORE.newUniqueId()).runCase(index))
  },
}
