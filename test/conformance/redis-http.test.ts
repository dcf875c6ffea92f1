import { afterAll, beforeAll } from 'vitest'
import type { ConformanceFactory } from '../../conformance/index.ts'
import { type Front, startFront } from '../redis-http/support/front.ts'
import { type RedisServer, startRedis } from '../redis/support/server.ts'
import { factory } from './factories/redis-http.ts'
import { registerConformance, registerHistories } from './register.ts'

let server: RedisServer
let front: Front
beforeAll(async () => {
  server = await startRedis()
  front = await startFront(server.url)
})
afterAll(async () => {
  await front.stop()
  await server.stop()
})

const overHttp: ConformanceFactory = {
  guarantees: factory({ url: 'unused', token: 'unused' }).guarantees,
  create: (options) => factory(front).create(options),
}

// The scripts are those of the other Redis storage, whose cases of thousands run.
registerConformance('redis over HTTP', overHttp, { quick: 'small' })
registerHistories('redis over HTTP', overHttp, { runs: { quick: 20, full: 1000 }, lanes: 8 })
