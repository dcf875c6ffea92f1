import { type FaultOptions, runFaults } from '../support/driver.ts'
import { type Env, FaultyObject, durableObject } from '../support/durable-object.ts'

// Random histories with faults inside a Worker, on its Durable Objects.

export { FaultyObject }

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    return Response.json(await runFaults(durableObject(env), (await request.json()) as FaultOptions))
  },
}
