import { afterAll, beforeAll } from 'vitest'
import { conformanceCases } from '../../conformance/index.ts'
import { registerCases, registerConformance, registerHistories } from './register.ts'
import { redisFactory } from '../redis/support/backend.ts'
import { LOW_BOUNDS, withBounds } from '../redis/support/scripts.ts'
import { CLIENTS } from '../redis/support/clients.ts'
import { type RedisServer, startRedis } from '../redis/support/server.ts'
import { WALL_CLOCK } from '../support/wall-clock.ts'

let server: RedisServer
beforeAll(async () => {
  server = await startRedis()
})
afterAll(() => server.stop())

for (const client of CLIENTS) {
  registerConformance(`redis by the package ${client}`, redisFactory({ server: () => server, client }), {
    quick: client === 'redis' ? 'all' : 'core',
  })
}
/** The server's own clock, for which cases wait: those that leave room for a busy machine. */
const onRealClock = redisFactory({ server: () => server, client: 'redis', realClock: true })
registerCases(
  "redis on the server's own clock",
  conformanceCases(onRealClock).filter(({ name }) => /^(backend|leases|retry):/.test(name)),
  WALL_CLOCK,
)
registerHistories('redis', redisFactory({ server: () => server, client: 'ioredis' }), {
  runs: { quick: 50, full: 2000 },
  lanes: 8,
})
/** Beyond what it looks at, it goes by what other groups have. */
registerCases(
  'redis that looks little ahead',
  conformanceCases(
    redisFactory({ server: () => server, client: 'redis', scripts: withBounds({ LOOK_AHEAD: 2 }) }),
  ).filter(({ name }) => name.startsWith('lanes: lanes of a group that does not exist')),
)
/** One step does so little that histories of a few messages need many, as a backlog of a million would. */
const withLowBounds = redisFactory({
  server: () => server,
  client: 'ioredis',
  scripts: withBounds(LOW_BOUNDS),
})
registerHistories('redis with low bounds', withLowBounds, {
  runs: { quick: 50, full: 2000 },
  lanes: 8,
})
registerCases(
  'redis with low bounds',
  conformanceCases(withLowBounds).filter(({ name }) =>
    /^(groups|dedupe|keys|expiry|ends|retention|starts|list|parking|results|lanes and|holds|stats: (?!bytes))/.test(
      name,
    ),
  ),
)
