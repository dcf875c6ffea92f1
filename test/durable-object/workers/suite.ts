import { conformanceCases } from '../../../conformance/index.ts'
import { type CheckOptions, checkHistories } from '../../conformance/check.ts'
import { type Env, factory, SuiteObject } from '../../conformance/factories/durable-object.ts'

// The conformance suite inside a Worker, on Durable Objects whose clock the suite sets.

export { SuiteObject }

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
