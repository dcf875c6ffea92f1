import { ManualClock } from '../../../conformance/clock.ts'
import { type Env, factory, SuiteObject } from '../../conformance/factories/durable-object.ts'
import { live } from '../../schedule/support/life.ts'
import { deploy } from '../../typed/support/deploys.ts'

// What the tests of schedules and of typed messages call, on Durable Objects whose clock they set.

export { SuiteObject }

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const [, verb, shards] = new URL(request.url).pathname.split('/')
    const clock = new ManualClock()
    const { adapter, destroy } = await factory(env, Number(shards)).create({ clock })
    const answer = await (verb === 'live' ? live(adapter, clock) : deploy(adapter, clock))
    await destroy()
    return Response.json(answer)
  },
}
