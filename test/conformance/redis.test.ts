import { afterAll, beforeAll } from 'vitest'
import { conformanceCases } from '../../src/conformance/index.ts'
import { registerCases, registerConformance, registerHistories } from './register.ts'
import { redisFactory } from '../redis/support/backend.ts'
import { CLIENTS } from '../redis/support/clients.ts'
import { type RedisServer, startRedis } from '../redis/support/server.ts'

let server: RedisServer
beforeAll(async () => {
  server = await startRedis()
})
afterAll(() => server.stop())

for (const client of CLIENTS) {
  registerConformance(`redis by the package ${client}`, redisFactory({ server: () => server, client }))
}
/** The server's own clock: each case waits. Those that are not about time have nothing new to find there. */
const onRealClock = redisFactory({ server: () => server, client: 'redis', realClock: true })
const ABOUT_TIME = /^(leases|next|expiry|retry|backend|attempts|stats|list):/
registerCases(
  "redis on the server's own clock",
  conformanceCases(onRealClock).filter(({ name }) => ABOUT_TIME.test(name)),
  { concurrent: true },
)
registerHistories('redis', redisFactory({ server: () => server, client: 'ioredis' }), {
  runs: 2000,
  lanes: 8,
})
