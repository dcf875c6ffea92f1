// npm run demo:redis: one queue on a Redis server, and what becomes of it when workers die or fall asleep.
//
//   producer.ts ×2 ──► Redis ──► worker.ts ×3, one consumer group
//
// Six processes. This one starts the others, kills the second worker in the middle of its work, has the third one sleep
// past the end of its leases, and in the end compares what was sent with what was done.
import { advice, installPrograms } from '../../scripts/programs.mjs'
import { Progress } from '../node/progress.ts'
import { type Actor, Stage } from '../node/stage.ts'
import type { FromProducer, FromWorker } from './messages.ts'
import { type RedisServer, startRedis } from './server.ts'

const ORDERS = 1500 // of each producer
const LEASE_MS = 2000
const ASLEEP_MS = 4000
/** Nothing takes this long unless it hangs. */
const PATIENCE_MS = 20_000

interface Worker {
  readonly actor: Actor<never>
  readonly hand: Set<string>
  /** How often it took some. */
  taken: number
  state: 'works' | 'KILLED' | 'ASLEEP'
}

async function play(stage: Stage, server: RedisServer): Promise<boolean> {
  const sent = new Set<string>()
  const done = new Map<string, number>()
  const refused: string[] = []
  let deliveries = 0
  let producing = 2

  const workers: Worker[] = []
  const progress = new Progress(process.stdout, () => [
    `sent ${count(sent.size)}`,
    `done ${count(done.size)}`,
    ...workers.map(
      ({ state, hand }, i) => `worker ${i + 1} ${state === 'works' ? `has ${hand.size}` : state}`,
    ),
    `refused ${refused.length}`,
  ])

  const startWorker = (): void => {
    const hear = (message: FromWorker): void => {
      const { hand } = worker
      for (const id of message.ids) {
        if (message.type === 'got') hand.add(id)
        else hand.delete(id)
        if (message.type === 'done') done.set(id, (done.get(id) ?? 0) + 1)
      }
      if (message.type === 'got') {
        worker.taken++
        deliveries += message.ids.length
      }
      if (message.type === 'refused') refused.push(...message.ids)
    }
    const actor = stage.start<FromWorker, never>(script('worker.ts'), [server.url, `${LEASE_MS}`], hear)
    const worker: Worker = { actor, hand: new Set(), taken: 0, state: 'works' }
    workers.push(worker)
  }

  /** A worker has just begun to work on some, and will for a while. */
  const begins = async (worker: Worker): Promise<void> => {
    const { taken } = worker
    await stage.until(() => worker.taken > taken)
  }

  for (const name of ['web', 'app']) {
    const hear = (message: FromProducer): void => {
      if (message.type === 'finished') producing--
      else for (const id of message.ids) sent.add(id)
    }
    stage.start<FromProducer, never>(script('producer.ts'), [server.url, name, `${ORDERS}`], hear)
  }
  for (let i = 0; i < 3; i++) startWorker()
  const [, second, third] = workers as [Worker, Worker, Worker]
  stage.watch(PATIENCE_MS, () => `${sent.size} ${done.size}`)
  progress.event('Redis, two producers and three workers are up')

  await stage.until(() => sent.size > ORDERS / 2)
  await begins(second)
  second.actor.kill()
  second.state = 'KILLED'
  progress.event(`kill -9 of worker 2, which has ${second.hand.size} orders in hand`)

  await stage.pause(1000)
  await begins(third)
  process.kill(third.actor.pid, 'SIGSTOP')
  third.state = 'ASLEEP'
  progress.event(
    `worker 3 falls asleep (SIGSTOP) over ${third.hand.size} orders, leased for ${LEASE_MS / 1000} s`,
  )
  await stage.pause(ASLEEP_MS)
  const taken = [...third.hand].filter((id) => done.has(id)).length
  progress.event(`worker 3 wakes up (SIGCONT); meanwhile worker 1 has done ${taken} of its orders`)
  process.kill(third.actor.pid, 'SIGCONT')
  third.state = 'works'
  await stage.until(() => refused.length > 0)
  progress.event(`${refused.length} acks of worker 3 are refused: STALE_RECEIPT`)

  await stage.until(() => producing === 0)
  progress.event('both producers are done')
  await stage.until(() => [...sent].every((id) => done.has(id)))
  progress.stop()

  const lost = [...sent].filter((id) => !done.has(id))
  const twice = [...done].filter(([, times]) => times > 1)
  const good = lost.length === 0 && twice.length === 0 && sent.size === 2 * ORDERS && refused.length > 0
  for (const line of [
    '',
    `sent       ${count(sent.size)}`,
    `done       ${count(done.size)}`,
    `lost       ${lost.length}`,
    `delivered  ${count(deliveries)}: ${deliveries - sent.size} again, of what the killed and the sleeping worker had`,
    `refused    ${refused.length} acks that came too late; ${twice.length} were accepted twice`,
    '',
    good ? 'Nothing was lost.' : 'That is wrong.',
  ])
    console.log(line)
  return good
}

function script(name: string): string {
  return new URL(name, import.meta.url).href
}

function count(number: number): string {
  return number.toLocaleString('en')
}

for (const program of installPrograms(['redis'])) {
  console.error(advice(program))
  process.exit(1)
}
const stage = new Stage()
const server = await startRedis('--appendonly', 'yes', '--appendfsync', 'always')
process.once('SIGINT', () => stage.fail(new Error('interrupted')))
try {
  if (!(await play(stage, server))) process.exitCode = 1
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
} finally {
  await stage.clear()
  await server.stop()
}
process.exit()
