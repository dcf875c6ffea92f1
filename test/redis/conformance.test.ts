import { afterAll, beforeAll } from 'vitest'
import { registerConformance, registerHistories } from '../conformance/register.ts'
import { redisFactory } from './support/backend.ts'
import { CLIENTS } from './support/clients.ts'
import { type RedisServer, startRedis } from './support/server.ts'

let server: RedisServer
beforeAll(async () => {
  server = await startRedis()
})
afterAll(() => server.stop())

for (const client of CLIENTS) {
  registerConformance(`redis by the package ${client}`, redisFactory({ server: () => server, client }))
}
registerHistories('redis', redisFactory({ server: () => server, client: 'ioredis' }), {
  runs: 2000,
  lanes: 8,
})
