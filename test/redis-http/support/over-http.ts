import { afterAll, beforeAll, beforeEach } from 'vitest'
import { RedisHttpAdapter, type RedisHttpEndpoint } from '../../../adapters/redis-http/index.ts'
import { type Connected, connectClient } from '../../redis/support/clients.ts'
import { type RedisServer, startRedis } from '../../redis/support/server.ts'
import { type Front, startFront } from './front.ts'

/** A server for the tests of a file, and a REST API of it. */
export interface OverHttp {
  readonly server: RedisServer
  readonly front: Front
  /** By a socket. */
  readonly connected: Connected
  /** A storage that knows nothing of what others know. */
  adapter(endpoint?: Partial<RedisHttpEndpoint>): RedisHttpAdapter
}

/** Sets up what the tests of a file need. Each test finds the server empty. */
export function overHttp(): OverHttp {
  let server: RedisServer
  let front: Front
  let connected: Connected
  beforeAll(async () => {
    server = await startRedis()
    front = await startFront(server.url)
    connected = await connectClient('redis', server.url)
  })
  afterAll(async () => {
    await connected.close()
    await front.stop()
    await server.stop()
  })
  beforeEach(async () => {
    await connected.command('FLUSHALL')
    front.faults.splice(0)
    front.commands.splice(0)
    front.maxBytes = 10_000_000
  })
  return {
    get server() {
      return server
    },
    get front() {
      return front
    },
    get connected() {
      return connected
    },
    adapter: (endpoint) => new RedisHttpAdapter({ url: front.url, token: front.token, ...endpoint }),
  }
}
