import type { KVBinding } from '../../../adapters/cloudflare-kv/index.ts'
import { conformanceCases } from '../../../src/conformance/index.ts'
import { checkHistories } from '../../conformance/check.ts'
import { kvFactory } from '../support/factory.ts'

// The conformance suite inside of workerd, on its KV: each case on keys of its own.

interface Env {
  readonly KV: KVBinding
}

let namespaces = 0

/** A part of the namespace that looks like one of its own, and is another object for what isolates remember. */
function part(kv: KVBinding): KVBinding {
  const prefix = `${++namespaces}/`
  return {
    put: (key, value, options) => kv.put(prefix + key, value, options),
    get: async (keys, options) => {
      const values = await kv.get(
        keys.map((key) => prefix + key),
        options,
      )
      return new Map([...values].map(([key, value]) => [key.slice(prefix.length), value]))
    },
    list: async (options) => {
      const page = await kv.list({ ...options, prefix: prefix + (options.prefix ?? '') })
      return {
        ...page,
        keys: page.keys.map((key) => ({ ...key, name: key.name.slice(prefix.length) })),
      }
    },
    delete: (key) => kv.delete(prefix + key),
  }
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
