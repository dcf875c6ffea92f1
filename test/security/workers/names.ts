import { CloudflareKVAdapter, type KVBinding } from '../../../adapters/cloudflare-kv/index.ts'
import { Queue } from '../../../src/index.ts'
import { NAMES } from '../support/names.ts'

/** Sends to queues of all names, and answers with what each of them has got. */
export default {
  async fetch(_: Request, { KV }: { readonly KV: KVBinding }): Promise<Response> {
    const queues = ['', 'a/', 'quayside/'].flatMap((prefix) => {
      const storage = new CloudflareKVAdapter(KV, { prefix })
      return NAMES.map((name) => [prefix + name, new Queue<string>(name, { storage })] as const)
    })
    for (const [payload, queue] of queues)
      await queue.createProducer().send(payload, { headers: { payload } })
    const seen: [string, string[]][] = []
    for (const [payload, queue] of queues) {
      const got: string[] = []
      await queue.createConsumer(payload.slice(0, 80)).drain((message) => void got.push(message.payload))
      seen.push([payload, got])
    }
    return Response.json(seen)
  },
}
