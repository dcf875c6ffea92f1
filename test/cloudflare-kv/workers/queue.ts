import {
  CloudflareKVAdapter,
  type CloudflareKVOptions,
  type KVBinding,
} from '../../../adapters/cloudflare-kv/index.ts'
import { Queue } from '../../../src/index.ts'

// A Worker that sends and drains as it is told, and counts what its namespace is asked for.

interface Env {
  readonly KV: KVBinding
}

/** What all requests of this isolate have asked of the namespace, as it is billed. */
const counted = { reads: 0, writes: 0, deletes: 0, lists: 0 }
let counting: KVBinding | undefined
/** Puts that have resolved, by what they contain. */
let stored = ''

function count(kv: KVBinding): KVBinding {
  return (counting ??= {
    async put(key, value, options) {
      counted.writes++
      await kv.put(key, value, options)
      stored += value
    },
    get(keys, options) {
      counted.reads += keys.length
      return kv.get(keys, options)
    },
    list(options) {
      counted.lists++
      return kv.list(options)
    },
    delete(key) {
      counted.deletes++
      return kv.delete(key)
    },
  })
}

interface Told {
  readonly options?: CloudflareKVOptions
  readonly payloads?: readonly string[]
  readonly concurrency?: number
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const { pathname } = new URL(request.url)
    const { options = {}, payloads = [], concurrency = 100 } = ((await request.json()) ?? {}) as Told
    const adapter = new CloudflareKVAdapter(count(env.KV), options)
    const queue = new Queue<string>('tasks', { storage: adapter })
    switch (pathname) {
      case '/send': {
        await queue.createProducer().sendBatch(payloads.map((payload) => ({ payload })))
        return Response.json({ stored: payloads.every((payload) => stored.includes(payload)) })
      }
      case '/drain': {
        const seen: string[] = []
        const report = await queue
          .createConsumer()
          .drain(({ payload }) => void seen.push(payload), { concurrency })
        return Response.json({ seen, report, operations: adapter.operations })
      }
      case '/counted':
        return Response.json(counted)
      case '/reset':
        Object.assign(counted, { reads: 0, writes: 0, deletes: 0, lists: 0 })
        return Response.json(null)
      case '/die': {
        // A request whose send waits for others, and which does not: what it began is cancelled with it.
        void queue.createProducer().sendBatch(payloads.map((payload) => ({ payload })))
        await Promise.resolve()
        return Response.json(null)
      }
      default:
        return new Response(null, { status: 404 })
    }
  },
}
