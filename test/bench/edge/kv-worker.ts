import {
  CloudflareKVAdapter,
  type CloudflareKVOptions,
  type KVBinding,
} from '../../../adapters/cloudflare-kv/index.ts'
import { Queue } from '../../../src/index.ts'

// The Worker whose operations are counted: our queue, and one as it is written without one, with a key for each message.

interface Env {
  readonly KV: KVBinding
}

interface Told {
  readonly batch: number
  readonly options?: CloudflareKVOptions
}

const counted = { reads: 0, writes: 0, deletes: 0, lists: 0 }
let counting: KVBinding | undefined

function count(kv: KVBinding): KVBinding {
  return (counting ??= {
    put(key, value, options) {
      counted.writes++
      return kv.put(key, value, options)
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

const task = (i: number): { url: string; number: number } => ({ url: 'https://example.com/hook', number: i })

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const kv = count(env.KV)
    const { batch, options } = (await request.json()) as Told
    const queue = new Queue('tasks', { storage: new CloudflareKVAdapter(kv, options) })
    switch (new URL(request.url).pathname) {
      case '/send':
        await queue
          .createProducer()
          .sendBatch(Array.from({ length: batch }, (_, i) => ({ payload: task(i) })))
        return Response.json(batch)
      case '/drain': {
        const { acked } = await queue.createConsumer().drain(() => undefined, { concurrency: 100 })
        return Response.json(acked)
      }
      case '/naive-send':
        for (let i = 0; i < batch; i++) {
          await kv.put(`naive/${Date.now()}-${crypto.randomUUID()}`, JSON.stringify(task(i)))
        }
        return Response.json(batch)
      case '/naive-drain': {
        // Lists, reads, marks as taken, works, deletes: one by one.
        const { keys } = await kv.list({ prefix: 'naive/' })
        for (const { name } of keys) {
          const value = (await kv.get([name], { type: 'text' })).get(name)!
          await kv.put(name, value, { metadata: { takenAt: Date.now() } })
          await kv.delete(name)
        }
        return Response.json(keys.length)
      }
      default: {
        const now = { ...counted }
        Object.assign(counted, { reads: 0, writes: 0, deletes: 0, lists: 0 })
        return Response.json(now)
      }
    }
  },
}
