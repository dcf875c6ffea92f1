// Queues on a real cluster, while its slots move and its nodes die.
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { ClientStorage } from '../../adapters/redis/client-storage.ts'
import type { RedisClient } from '../../adapters/redis/index.ts'
import { uuid } from '../../src/message-id.ts'
import type { Delivery, NewMessage, QueueStorage, Settlement } from '../../src/storage.ts'
import { howMany } from '../support/effort.ts'
import { WALL_CLOCK } from '../support/wall-clock.ts'
import { connectCluster } from './support/cluster-clients.ts'
import { type ClusterNode, type RedisCluster, startCluster } from './support/cluster.ts'
import { CLIENTS, connectClient } from './support/clients.ts'
import { Ledger } from './support/ledger.ts'
import { pause, until } from './support/pause.ts'
import { persist } from './support/persist.ts'

/** How often slots move under load: `MOVES=100 npx vitest run test/redis/cluster`. */
const MOVES = howMany('MOVES', { quick: 3, full: 20 })
const timeout = 300_000

let cluster: RedisCluster
beforeAll(async () => {
  cluster = await startCluster()
})
afterAll(() => cluster.stop())

const CLAIM = { group: 'g', limit: 5, leaseMs: 60_000, maxAttempts: 1_000_000 }

async function open(client: RedisClient, name: string, patienceMs?: number): Promise<QueueStorage> {
  const settings = { prefix: 'quayside', durability: 'process', clock: undefined, patienceMs } as const
  const adapter = new ClientStorage(client, settings)
  onTestFinished(() => adapter.close())
  return await adapter.open(name)
}

const slotOf = (name: string): Promise<number> => cluster.slotOf(`{quayside:${name}}:state`)

function append(queue: QueueStorage, messages: readonly NewMessage[]): Promise<unknown> {
  return queue.append(messages, { batchId: uuid() })
}

/** All that nodes have of a slot. */
async function contents(slot: number): Promise<Record<string, unknown>> {
  const all: Record<string, unknown> = {}
  for (const { command } of cluster.nodes.slice(0, 3)) {
    for (const key of (await command('CLUSTER', 'GETKEYSINSLOT', `${slot}`, '1000')) as string[]) {
      // Who imports a slot answers only those who ask so.
      const ask = async (...words: readonly [string, ...string[]]): Promise<unknown> =>
        (await Promise.all([command('ASKING'), command(...words)]))[1]
      const type = String(await ask('TYPE', key))
      const read: Record<string, readonly [string, ...string[]]> = {
        hash: ['HGETALL', key],
        zset: ['ZRANGE', key, '0', '-1', 'WITHSCORES'],
        stream: ['XRANGE', key, '-', '+'],
      }
      all[key] = JSON.stringify(await ask(...read[type]!))
    }
  }
  return all
}

/** Each verb, on messages that are leased. */
function verbsOf(queue: QueueStorage, leased: readonly Delivery[]): Record<string, () => Promise<unknown>> {
  const [a, b, c, d, e] = leased.map(({ receipt }) => receipt) as [string, string, string, string, string]
  const retry = { kind: 'retry', delayMs: 0, error: 'busy' } as const
  return {
    'a batch of acks': () =>
      queue.settle(
        'g',
        [a, b, c, d, e].map((receipt) => ({ receipt, kind: 'ack' })),
      ),
    'a batch of nacks': () =>
      queue.settle(
        'g',
        [a, b, c, d, e].map((receipt) => ({ receipt, ...retry })),
      ),
    extend: () => queue.settle('g', [{ receipt: a, kind: 'extend', leaseMs: 90_000 }]),
    progress: () => queue.settle('g', [{ receipt: a, kind: 'extend', leaseMs: 90_000, progress: 'half' }]),
    'acks with values': () =>
      queue.settle(
        'g',
        [a, b, c, d, e].map((receipt) => ({ receipt, kind: 'ack', value: 'x' })),
      ),
    park: () => queue.settle('g', [{ receipt: d, kind: 'park', reason: 'why' }]),
    resume: () => queue.resume(['id-3', 'id-7']),
    edit: () => queue.resume(['id-3'], { edit: { body: 'new' } }),
    results: () => queue.results('g', ['id-0', 'id-4', 'unknown']),
    reject: () => queue.settle('g', [{ receipt: b, kind: 'dead', reason: 'rejected' }]),
    claim: () => queue.claim(CLAIM),
    'claim for a new group': () => queue.claim({ ...CLAIM, group: 'new' }),
    'claim and settle': () => queue.claim({ ...CLAIM, settle: [{ receipt: c, ...retry }] }),
    append: () => append(queue, [{ body: 'x' }]),
    'append with all there is': () =>
      append(queue, [
        { body: 'x', id: 'new', key: 'k', delayMs: 5 },
        { body: 'y', id: 'id-3', replace: true },
      ]),
    cancel: () => queue.cancel(['id-1', 'id-7', 'id-8']),
    retryNow: () => queue.retryNow('g', ['id-9']),
    list: () => queue.list({ group: 'g', limit: 10 }),
    stats: () => queue.stats(),
    deleteGroup: () => queue.deleteGroup('g'),
    purge: () => queue.purge(),
  }
}

/** Messages of all kinds, of which five are leased. */
async function fill(queue: QueueStorage): Promise<readonly Delivery[]> {
  await queue.claim({ ...CLAIM, group: 'h' })
  await queue.claim(CLAIM)
  const kinds: Partial<NewMessage>[] = [{}, { key: 'k' }, { delayMs: 60_000 }, { expiresInMs: 60_000 }]
  const messages = Array.from({ length: 20 }, (_, i) => ({
    body: `${i}`,
    id: `id-${i}`,
    dedupeMs: 60_000,
    keepMs: 60_000,
    ...kinds[i % 4],
  }))
  await append(queue, messages)
  await append(queue, [{ body: 'plain' }])
  const first = await queue.claim({ ...CLAIM, limit: 4 })
  const [one, two, three, four] = first.deliveries as [Delivery, Delivery, Delivery, Delivery]
  await queue.settle('g', [
    { receipt: one.receipt, kind: 'retry', delayMs: 60_000 },
    { receipt: two.receipt, kind: 'dead', reason: 'rejected' },
    { receipt: three.receipt, kind: 'park', reason: 'why' },
    { receipt: four.receipt, kind: 'ack', value: 'x' },
  ])
  const { deliveries } = await queue.claim(CLAIM)
  expect(deliveries).toHaveLength(5)
  return deliveries
}

describe('while a slot moves', () => {
  type Stage = 'opened' | 'half way' | 'all keys moved'
  const stages: readonly Stage[] = ['opened', 'half way', 'all keys moved']

  /** Moves some of the keys of a slot that was opened. */
  async function carry(slot: number, from: ClusterNode, to: ClusterNode, stage: Stage): Promise<void> {
    const keys = (await from.command('CLUSTER', 'GETKEYSINSLOT', `${slot}`, '1000')) as string[]
    const moved = stage === 'opened' ? [] : stage === 'half way' ? keys.filter((_, i) => i % 2 === 0) : keys
    const port = `${to.server.port}`
    if (moved.length > 0) await from.command('MIGRATE', '127.0.0.1', port, '', '0', '5000', 'KEYS', ...moved)
  }

  describe.each(CLIENTS)('with the package %s', (name) => {
    test.each(stages)('verbs that are refused have written nothing: %s', { timeout }, async (stage) => {
      const queue = await open(await connectCluster(name, cluster), `${name} ${stage}`, 300)
      const leased = await fill(queue)
      const slot = await slotOf(`${name} ${stage}`)
      const { from, to } = await cluster.openSlot(slot)
      await carry(slot, from, to, stage)
      const before = await contents(slot)
      expect(Object.keys(before).length).toBeGreaterThan(5)
      const results = await Promise.all(
        Object.entries(verbsOf(queue, leased)).map(async ([verb, run]) => {
          const error = await run().then(
            () => undefined,
            (reason: unknown) => reason,
          )
          return [verb, (error as { code?: string } | undefined)?.code]
        }),
      )
      expect(await contents(slot)).toEqual(before)
      for (const [verb, code] of results) expect([verb, code]).toEqual([verb, 'STORAGE_UNAVAILABLE'])
      await carry(slot, from, to, 'all keys moved')
      await to.command('CLUSTER', 'SETSLOT', `${slot}`, 'NODE', to.id)
      await from.command('CLUSTER', 'SETSLOT', `${slot}`, 'NODE', to.id)
      const { groups } = await queue.stats()
      expect(groups['g']).toMatchObject({ leased: 5, dead: 1, parked: 1 })
      const acks = leased.map(({ receipt }) => ({ receipt, kind: 'ack' as const }))
      for (const { status } of await queue.settle('g', acks)) expect(status).toBe('settled')
    })
  })

  test('a verb waits until the slot has moved', { timeout }, async () => {
    for (const name of CLIENTS) {
      const queue = await open(await connectCluster(name, cluster), `waits ${name}`)
      const leased = await fill(queue)
      const moving = cluster.move(await slotOf(`waits ${name}`), 20)
      // Until it is being moved, which takes 20 ms and longer.
      await pause(10)
      const acks = leased.map(({ receipt }) => ({ receipt, kind: 'ack' as const }))
      for (const { status } of await queue.settle('g', acks)) expect(status).toBe('settled')
      await moving
    }
  })

  test('a client of one node is told that it needs one of the cluster', async () => {
    const slot = await slotOf('single')
    const { server } = await cluster.masterOf(slot)
    const { client, close } = await connectClient('redis', server.url)
    onTestFinished(close)
    const queue = await open(client, 'single')
    await append(queue, [{ body: 'a' }])
    await cluster.move(slot)
    await expect(queue.stats()).rejects.toMatchObject({
      code: 'STORAGE_UNAVAILABLE',
      message: expect.stringContaining('client of the cluster') as string,
    })
  })

  test(
    'a busy queue with keys, delays, ids, retries and dead letters loses nothing, and gets nothing twice',
    { timeout: timeout + MOVES * 5000 },
    async () => {
      const name = 'busy'
      const queues = await Promise.all(
        CLIENTS.map(async (client) => await open(await connectCluster(client, cluster), name)),
      )
      const ledger = new Ledger()
      const codes = new Set<string>()
      const work = { over: false }
      const produce = async (lane: number): Promise<void> => {
        const queue = queues[lane % queues.length]!
        for (let round = 0; !work.over; round++) {
          const messages = Array.from({ length: 6 }, (_, i) => ({
            body: 'x'.repeat(200),
            id: `${lane}-${round}-${i}`,
            dedupeMs: 600_000,
            ...(i % 3 === 1 && { key: `k${round % 5}` }),
            ...(i % 3 === 2 && { delayMs: 10 * i }),
          }))
          await persist(() => append(queue, messages), codes)
          for (const { id } of messages) ledger.sent.add(id)
          await pause(5)
        }
      }
      const consume = async (lane: number): Promise<void> => {
        const queue = queues[lane % queues.length]!
        while (!work.over) {
          const { deliveries } = await persist(() => queue.claim({ ...CLAIM, limit: 12 }), codes)
          for (const { id } of deliveries) ledger.delivered(id)
          const settlements = deliveries.map(({ receipt, attempt }, i): Settlement => {
            if (attempt === 1 && i % 4 === 0) return { receipt, kind: 'retry', delayMs: i }
            return i % 7 === 3 ? { receipt, kind: 'dead', reason: 'rejected' } : { receipt, kind: 'ack' }
          })
          await persist(() => queue.settle('g', settlements), codes)
          for (const [i, { id }] of deliveries.entries())
            if (settlements[i]!.kind === 'ack') ledger.acked.add(id)
          if (deliveries.length === 0) await pause(5)
        }
      }
      await queues[0]!.claim(CLAIM)
      const workers = [produce(0), produce(1), produce(2), consume(0), consume(1), consume(2)]
      const slot = await slotOf(name)
      for (let move = 0; move < MOVES; move++) {
        // They work for a while before each move, and after the last.
        await pause(100)
        await cluster.move(slot)
      }
      await pause(100)
      work.over = true
      await Promise.all(workers)
      expect(ledger.acked.size).toBeGreaterThan(50)
      expect([...codes].filter((code) => code !== 'STORAGE_UNAVAILABLE')).toEqual([])
      expect(await ledger.problems(queues[0]!, 'g')).toEqual([])
      const { groups } = await queues[0]!.stats()
      expect(groups['g']!.leased).toBe(0)
    },
  )
})

describe('when a node dies', () => {
  /** The node on which an adapter listens. */
  async function listeningNode(channel: string): Promise<ClusterNode> {
    let found: ClusterNode | undefined
    await until(async () => {
      for (const node of cluster.nodes) {
        const channels = (await node.command('PUBSUB', 'CHANNELS', channel)) as string[]
        if (channels.length > 0) found = node
      }
      return found !== undefined
    }, 'nobody listens')
    return found!
  }

  /** Until each slot has a master again, and each master a replica that has all. */
  async function isWhole(): Promise<void> {
    await until(async () => {
      const infos = await Promise.all(cluster.nodes.map(({ command }) => command('INFO', 'replication')))
      const states = await Promise.all(cluster.nodes.map(({ command }) => command('CLUSTER', 'INFO')))
      const masters = infos.filter((info) => String(info).includes('role:master'))
      return (
        masters.length === 3 &&
        masters.every((info) => /slave0:.*state=online/.test(String(info))) &&
        states.every((info) => String(info).includes('cluster_state:ok'))
      )
    }, 'the cluster is not whole again')
  }

  /** Until the replicas of a master have all that it has. */
  async function isReplicated({ command }: ClusterNode): Promise<void> {
    await until(async () => {
      const info = String(await command('INFO', 'replication'))
      const has = /slave0:.*offset=(\d+)/.exec(info)?.[1]
      return has !== undefined && has === /master_repl_offset:(\d+)/.exec(info)?.[1]
    }, 'a replica does not catch up')
  }

  test.each(CLIENTS)(
    'one on which %s listens: wake-ups come back',
    { ...WALL_CLOCK, timeout },
    async (name) => {
      const queueName = crypto.randomUUID()
      const queue = await open(await connectCluster(name, cluster), queueName)
      const other = await open(await connectCluster('ioredis', cluster), queueName)
      const hints: number[] = []
      queue.watch!(() => hints.push(performance.now()))
      const { server } = await listeningNode(`{quayside:${queueName}}:changed`)
      await server.kill()
      onTestFinished(async () => {
        await server.start()
        await isWhole()
      })
      const codes = new Set<string>()
      await persist(() => append(other, [{ body: 'first' }]), codes)
      // Whoever listens again looks once more after a second, and then only if it is told.
      const sinceHint = (): number => performance.now() - hints.at(-1)!
      await expect.poll(sinceHint, { timeout: 45_000 }).toBeGreaterThan(2500)
      const sent = performance.now()
      await persist(() => append(other, [{ body: 'second' }]), codes)
      await expect.poll(() => hints.at(-1)).toBeGreaterThan(sent)
      for (const code of codes) expect(['STORAGE_UNAVAILABLE', 'STORAGE_FAILED']).toContain(code)
    },
  )

  test.each(CLIENTS)(
    'the master of a queue: %s goes on with what its replica has',
    { timeout },
    async (name) => {
      const queueName = `killed ${name}`
      const queue = await open(await connectCluster(name, cluster), queueName)
      const ids = Array.from({ length: 60 }, (_, i) => `id-${i}`)
      await queue.claim(CLAIM)
      await append(
        queue,
        ids.map((id) => ({ body: id, id })),
      )
      const { deliveries } = await queue.claim({ ...CLAIM, limit: 40 })
      const acked = deliveries.slice(0, 20)
      await queue.settle(
        'g',
        acked.map(({ receipt }) => ({ receipt, kind: 'ack' })),
      )
      const slot = await slotOf(queueName)
      const master = await cluster.masterOf(slot)
      await isReplicated(master)
      const codes = new Set<string>()
      const inFlight = [1, 2, 3].map((i) =>
        append(queue, [{ body: 'x', id: `x-${i}` }]).catch(() => undefined),
      )
      await master.server.kill()
      onTestFinished(async () => {
        await master.server.start()
        await isWhole()
      })
      await Promise.all(inFlight)
      const rest = deliveries.slice(20).map(({ receipt }) => ({ receipt, kind: 'ack' as const }))
      const results = await persist(() => queue.settle('g', rest), codes)
      expect(results.map(({ status }) => status)).toEqual(rest.map(() => 'settled'))
      const left = await persist(() => queue.list({ group: 'g', limit: 100 }), codes)
      const there = new Set(left.messages.map(({ id }) => id))
      for (const id of ids.slice(40)) expect(there).toContain(id)
      for (const { id } of deliveries) expect(there).not.toContain(id)
      for (const code of codes) expect(['STORAGE_UNAVAILABLE', 'STORAGE_FAILED']).toContain(code)
    },
  )
})
