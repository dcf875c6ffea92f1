import type { RedisClientType } from 'redis'
import { RedisAdapter } from '../adapters/redis/index.ts'
import { FAILED, Stop } from './exit.ts'
import { redact, splitUrl } from './secrets.ts'
import type { Target } from './target.ts'
import { clean } from './width.ts'

/** Names of keys that are asked for at once. */
const SCANNED = 1000

/** The queues of the RedisAdapter on a server, under its default prefix or the one behind `#`. */
export async function openRedis(url: string): Promise<Target> {
  const [server, prefix = 'quayside'] = splitUrl(url)
  const client = await connect(server)
  const adapter = new RedisAdapter(client, { prefix })
  return {
    name: redact(url),
    adapter,
    names: () => queuesOf(client, prefix),
    async close() {
      await adapter.close()
      client.destroy()
    },
  }
}

async function connect(url: string): Promise<RedisClientType> {
  const { createClient } = await import('redis').catch((error: unknown) => {
    throw new Stop(
      FAILED,
      `for a redis:// URL the package redis is needed, which is not installed: npm install redis (${reason(error)})`,
    )
  })
  let client: RedisClientType
  try {
    client = createClient({ url, socket: { reconnectStrategy: false, connectTimeout: 5000 } })
    // What is wrong is told by the call that fails.
    client.on('error', () => {})
    await client.connect()
  } catch (error) {
    throw new Stop(FAILED, `no Redis could be reached at ${clean(redact(url))}: ${reason(error)}`)
  }
  return client
}

function reason(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return reason(error.errors[0])
  const { message, code } = error as { message?: string; code?: string }
  return message || code || String(error)
}

/** Each queue has one key of its state: `{prefix:queue}:state`, its name without colons and braces. Others may have made more. */
async function queuesOf(client: RedisClientType, prefix: string): Promise<string[]> {
  const names = new Set<string>()
  const pattern = `{${prefix.replaceAll(/[*?[\]\\]/g, String.raw`\$&`)}:*}:state`
  for await (const keys of client.scanIterator({ MATCH: pattern, COUNT: SCANNED })) {
    for (const key of keys) {
      const name = key.slice(prefix.length + 2, -'}:state'.length)
      if (/^([^%{}:]|%(25|7B|7D|3A))+$/.test(name)) names.add(decodeURIComponent(name))
    }
  }
  return [...names].sort()
}
