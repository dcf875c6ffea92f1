import type { KVBinding } from '../../../adapters/cloudflare-kv/index.ts'
import { conformanceCases } from '../../../conformance/index.ts'
import { checkHistories } from '../../conformance/check.ts'
import { kvFactory } from '../support/factory.ts'
import { part } from '../support/part.ts'

// The conformance suite inside of workerd, on its KV: each case on keys of its own.

interface Env {
  readonly KV: KVBinding
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const claims =
      new URL(request.url).searchParams.get('consistent') === null ? {} : { consistentWithinMs: 0 }
    const factory = kvFactory(() => part(env.KV), claims)
    const cases = conformanceCases(factory)
    const [verb, argument] = (await request.json()) as [string, never]
    if (verb === 'cases') return Response.json(cases.map(({ name, skip }) => ({ name, skip: skip ?? null })))
    if (verb === 'histories') {
      return Response.json((await checkHistories('cloudflare-kv', factory, argument)) ?? null)
    }
    const failure = await cases[argument as number]!.run().then(
      () => null,
      (error: unknown) => (error instanceof Error ? `${error.message}\n${error.stack}` : String(error)),
    )
    return Response.json(failure)
  },
}
