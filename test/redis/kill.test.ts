import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { Redis as IoRedis } from 'ioredis'
import { createClient } from 'redis'
import { describe, expect, onTestFinished, test } from 'vitest'
import { RedisAdapter } from '../../adapters/redis/index.ts'
import { report } from '../faults/support/report.ts'
import { Queue } from '../../src/index.ts'
import { uuid } from '../../src/message-id.ts'
import { type ClientName, connectClient } from './support/clients.ts'
import { type Ledger, MixLedger } from './support/ledger.ts'
import { MIX_CONCURRENCY, MIX_LANES, endOf, mixed } from './support/mix.ts'
import { pause } from './support/pause.ts'
import { persist } from './support/persist.ts'
import { type RedisServer, startRedis } from './support/server.ts'
import { WALL_CLOCK } from '../support/wall-clock.ts'
import { howMany } from '../support/effort.ts'
import { eventually } from '../support/eventually.ts'

/** How often server and clients are killed: `KILLS=200 npx vitest run test/redis/kill`. */
const KILLS = howMany('KILLS', { quick: 12, full: 20 })
/** Of servers or clients, by one package. */
const CYCLES = Math.ceil(KILLS / 4)
/** A minute, and more for more. */
const timeout = 300_000 + CYCLES * 3000

const AOF_ALWAYS = ['--appendonly', 'yes', '--appendfsync', 'always']
const CLAIM = {
  group: 'g',
  limit: 15,
  leaseMs: 60_000,
  maxAttempts: 1_000_000,
  lanes: { concurrency: MIX_CONCURRENCY },
}

async function start(): Promise<RedisServer> {
  const server = await startRedis(...AOF_ALWAYS)
  onTestFinished(() => server.stop())
  return server
}

describe.each<ClientName>(['redis', 'ioredis'])('with the package %s', (name) => {
  const tell = (fault: string, { sent }: Ledger, problems: readonly string[]): void => {
    report({
      adapter: `redis, by ${name}`,
      fault,
      kills: CYCLES,
      messages: sent.size,
      violations: problems.length,
    })
  }

  test(
    'a server that is killed again and again loses nothing, and stores nothing twice',
    { timeout },
    async () => {
      const server = await start()
      const connected = await connectClient(name, server.url)
      onTestFinished(() => connected.close())
      const queue = await new RedisAdapter(connected.client, { durability: 'disk' }).open('orders')
      const ledger = new MixLedger()
      const codes = new Set<string>()
      const work = { over: false }
      const produce = async (who: number): Promise<void> => {
        for (let round = 0; !work.over; round++) {
          const ids = Array.from({ length: 10 }, (_, i) => `${who}-${round}-${i}`)
          await persist(() => queue.append(ids.map(mixed), { batchId: uuid() }), codes)
          for (const id of ids) ledger.sent.add(id)
        }
      }
      const consume = async (): Promise<void> => {
        while (!work.over) {
          const held = ledger.held()
          const { deliveries } = await persist(() => queue.claim(CLAIM), codes)
          for (const { id } of deliveries) ledger.taken(id, held)
          for (const { id } of deliveries) ledger.settling(id)
          const ends = deliveries.map(endOf)
          // One that is not known to have been done is sent again, and finds the receipts stale if it was.
          const results = await persist(() => queue.settle('g', ends), codes)
          for (const [i, { id }] of deliveries.entries()) {
            if (ends[i]!.kind === 'ack') ledger.acked.add(id)
            else if (results[i]!.status === 'settled') ledger.parked.add(id)
          }
        }
      }
      const hold = async (): Promise<void> => {
        for (let round = 0; !work.over; round++) {
          const lane = MIX_LANES[round % MIX_LANES.length]!
          await persist(() => queue.hold({ lane }), codes)
          ledger.hold(lane)
          // Others find it held for a while.
          await pause(20)
          ledger.release(lane)
          await persist(() => queue.release({ lane }), codes)
        }
      }
      const mend = async (): Promise<void> => {
        while (!work.over) {
          const query = { group: 'g', states: ['parked'], limit: 20 } as const
          const { messages } = await persist(() => queue.list(query), codes)
          const ids = messages.map(({ id }) => id)
          for (const id of ids) ledger.parked.delete(id)
          await persist(() => queue.resume(ids), codes)
          await pause(10)
        }
      }
      const workers = [produce(1), produce(2), produce(3), consume(), consume(), hold(), mend()]
      for (let cycle = 0; cycle < CYCLES; cycle++) {
        // They work for a while, each time another, and find no server for a while.
        await pause(100 + (cycle % 5) * 30)
        await server.kill()
        await pause(50)
        await server.start()
      }
      // How much is done between kills is up to the machine.
      await eventually(() => expect(ledger.acked.size).toBeGreaterThan(20))
      work.over = true
      await Promise.all(workers)
      for (const code of codes) expect(['STORAGE_UNAVAILABLE', 'STORAGE_FAILED']).toContain(code)
      const problems = await ledger.problems(queue, 'g')
      tell(`SIGKILL of the server, appendfsync always; ${ledger.acked.size} messages acked`, ledger, problems)
      expect(problems).toEqual([])
    },
  )

  test('clients that are killed again and again lose nothing that they were told', { timeout }, async () => {
    const server = await start()
    const ledger = new MixLedger()
    for (let cycle = 0; cycle < CYCLES; cycle++) {
      const child = spawn(
        process.execPath,
        [fileURLToPath(new URL('support/child.ts', import.meta.url)), server.url, name, `${cycle}`],
        { stdio: ['ignore', 'pipe', 'inherit'] },
      )
      let output = ''
      child.stdout.on('data', (data: Buffer) => (output += data.toString()))
      const ended = new Promise((resolve) => child.once('close', resolve))
      while (!output.includes('acked')) await pause(5)
      // It is killed in the middle of its work, each time elsewhere.
      await pause(20 + (cycle % 6) * 7)
      child.kill('SIGKILL')
      await ended
      const inHand = new Set<string>()
      const told: Readonly<Record<string, (what: string) => unknown>> = {
        sent: (id) => ledger.sent.add(id),
        got: (id) => (inHand.add(id), ledger.taken(id, ledger.held())),
        settling: (id) => (inHand.delete(id), ledger.settling(id)),
        acked: (id) => ledger.acked.add(id),
        parked: (id) => ledger.parked.add(id),
        resuming: (id) => ledger.parked.delete(id),
        held: (lane) => ledger.hold(lane),
        releasing: (lane) => ledger.release(lane),
      }
      for (const line of output.split('\n').slice(0, -1)) {
        const [what, id] = line.split(' ') as [string, string]
        told[what]!(id)
      }
      for (const id of inHand) ledger.settling(id)
    }
    const connected = await connectClient(name, server.url)
    onTestFinished(() => connected.close())
    expect(ledger.sent.size).toBeGreaterThan(20)
    const queue = await new RedisAdapter(connected.client).open('orders')
    const problems = await ledger.problems(queue, 'g')
    tell(`SIGKILL of the client at work; ${ledger.acked.size} messages acked`, ledger, problems)
    expect(problems).toEqual([])
  })

  test(
    'an idle consumer gets what is sent after the server was killed and started again',
    WALL_CLOCK,
    async () => {
      const server = await start()
      const [one, two] = [await connectClient(name, server.url), await connectClient(name, server.url)]
      onTestFinished(async () => {
        await one.close()
        await two.close()
      })
      const here = new Queue<string>('q', { storage: new RedisAdapter(one.client) })
      const there = new Queue<string>('q', { storage: new RedisAdapter(two.client) })
      const received = there.createConsumer().receive({ waitMs: 120_000 })
      // Until it waits for news, until it has noticed, until it listens again: none of them can be asked for.
      await pause(200)
      await server.kill()
      await pause(100)
      await server.start()
      await pause(300)
      await persist(() => here.createProducer().send('after'), new Set())
      const sent = performance.now()
      expect((await received)?.payload).toBe('after')
      // Who is not told looks again after 30 s.
      expect(performance.now() - sent).toBeLessThan(20_000)
      await Promise.all([here.close(), there.close()])
    },
  )
})

test('a verb in flight when the server dies says that its outcome is unknown', async () => {
  const server = await start()
  const connected = await connectClient('redis', server.url)
  onTestFinished(() => connected.close())
  const queue = await new RedisAdapter(connected.client).open('q')
  await queue.stats()
  process.kill(server.pid, 'SIGSTOP')
  const flying = queue.append([{ body: 'a', id: 'a' }], { batchId: uuid() }).catch((error: unknown) => error)
  // Until the command has been sent: the server that is stopped cannot say so.
  await pause(50)
  await server.kill()
  expect(await flying).toMatchObject({ code: 'STORAGE_FAILED' })
  await server.start()
  const [result] = await queue.append([{ body: 'a', id: 'a' }], { batchId: uuid() })
  expect(['stored', 'duplicate']).toContain(result!.status)
  expect((await queue.stats()).messages).toBe(1)
})

test('opening a queue on a server that is not there says so', async () => {
  const server = await start()
  const connected = await connectClient('redis', server.url)
  await connected.close()
  const adapter = new RedisAdapter(connected.client)
  await expect(adapter.open('q')).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
})

test('clients that do not hold commands back reject at once while the server is away', async () => {
  const server = await start()
  const node = createClient({ url: server.url, disableOfflineQueue: true, socket: { reconnectStrategy: 50 } })
  await node.on('error', () => undefined).connect()
  const io = new IoRedis(server.url, {
    enableOfflineQueue: false,
    retryStrategy: () => 50,
    lazyConnect: true,
  })
  await io.on('error', () => undefined).connect()
  onTestFinished(() => {
    node.destroy()
    io.disconnect()
  })
  const queues = [await new RedisAdapter(node).open('q'), await new RedisAdapter(io).open('q')]
  await server.kill()
  // Until the clients have noticed.
  await pause(100)
  for (const queue of queues) {
    const send = queue.append([{ body: 'a' }], { batchId: uuid() })
    await expect(send).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
  }
  await server.start()
  for (const queue of queues)
    await persist(() => queue.append([{ body: 'a' }], { batchId: uuid() }), new Set())
  expect((await queues[0]!.stats()).messages).toBe(2)
})
