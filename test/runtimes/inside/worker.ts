import type { ConformanceFactory } from '../../../conformance/index.ts'
import { type Suite, suiteOf } from './suite.ts'

/** Serves the suite as a Worker: each call is a request of its own, because the platform limits what one may do. */
export function host(factory: (env: object) => ConformanceFactory): {
  fetch(request: Request, env: object): Promise<Response>
} {
  return {
    async fetch(request, env) {
      const [verb, argument] = (await request.json()) as [keyof Suite, number]
      return Response.json(await suiteOf(factory(env))[verb](argument))
    },
  }
}
