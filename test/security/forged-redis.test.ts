import { randomUUID } from 'node:crypto'
import { expect, onTestFinished, test } from 'vitest'
import { ClientStorage } from '../../adapters/redis/client-storage.ts'
import { RedisAdapter } from '../../adapters/redis/index.ts'
import { Queue, QuaysideError } from '../../src/index.ts'
import { randomFrom } from '../../conformance/scene.ts'
import { pick } from '../fs/history.ts'
import { connectClient } from '../redis/support/clients.ts'
import { ManualClock } from '../../src/testing/index.ts'
import { onRedis } from '../redis/support/on-redis.ts'

const redis = onRedis({ fresh: false })

const command = <T = unknown>(...args: readonly [string, ...string[]]): Promise<T> =>
  redis.command(...args) as Promise<T>

interface Scene {
  readonly queue: Queue
  readonly other: Queue
  readonly clock: ManualClock
  /** What all keys of the queue start with. */
  readonly base: string
}

/** A queue that has something in every kind of key, and another one. */
async function setUp(): Promise<Scene> {
  const clock = new ManualClock()
  const prefix = randomUUID()
  const storage = new ClientStorage(redis.client, { prefix, durability: 'process', clock })
  onTestFinished(() => storage.close())
  const queue = new Queue<unknown>('q', { storage, clock })
  const other = new Queue<unknown>('other', { storage, clock })
  const producer = queue.createProducer()
  const consumer = queue.createConsumer('g', { leaseMs: 10_000 })
  await consumer.join()
  await producer.sendBatch(
    [1, 2, 3, 4, 5, 6].map((payload) => ({
      payload,
      ...(payload % 2 === 1 && { key: 'k', headers: { a: 'b' } }),
      ...(payload === 4 && { id: 'four', dedupeMs: 1000 }),
    })),
  )
  await producer.send('delayed', { delayMs: 1000, expiresInMs: 50_000 })
  const [retried, rejected] = await consumer.receiveBatch(3)
  await retried!.nack({ delayMs: 500 })
  await rejected!.reject()
  await producer.send('other', { id: 'four', replace: true })
  await producer.sendBatch([7, 8, 9].map((payload) => ({ payload })))
  await other.createProducer().send('untouched')
  return { queue, other, clock, base: `{${prefix}:q}:` }
}

async function isRepaired(queue: Queue): Promise<void> {
  await queue.purge()
  const consumer = queue.createConsumer('g')
  await consumer.join()
  await queue.createProducer().send('after')
  const seen: unknown[] = []
  await consumer.drain(({ payload }) => void seen.push(payload))
  expect(seen).toEqual(['after'])
  expect(await queue.stats()).toMatchObject({ messages: 0, groups: { g: { ready: 0, leased: 0, dead: 0 } } })
}

const GARBAGE = ['', 'x', '\0', '0', '-1', '1e300', 'nan', '\u0000\u0000\u0000', '{}', '999999999999999']
const ROWS = [
  'false',
  '5',
  '"x"',
  '{}',
  '{1}',
  '{1/0,-1/0,0/0,1/0,1}',
  '{1,900000000000000,1,1,1}',
  '{tail=0/0}',
]

/** Writes garbage over something of a key, as another client might. */
async function forge(random: () => number, base: string): Promise<string> {
  const keys = (await command<string[]>('KEYS', `${base.replaceAll(/[{}]/g, '?')}*`)).sort()
  const key = pick(random, keys)
  const how = pick(random, ['type', 'gone', 'member', 'row', 'row', 'row', 'field', 'field'])
  const garbage = pick(random, GARBAGE)
  const name = `${key.slice(base.length)} ${how}`
  if (how === 'type') {
    await command('DEL', key)
    if (random() < 0.5) await command('SET', key, garbage)
    else await command('HSET', key, 'x', garbage)
    return name
  }
  if (how === 'gone') {
    await command('DEL', key)
    return name
  }
  const row = pick(random, ROWS)
  await command(
    'EVAL',
    `local key, how, garbage, at = KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[3])
local type = redis.call('TYPE', key).ok
local function changed(old)
  if how == 'member' then return garbage end
  if how == 'row' then return cmsgpack.pack(${row}) end
  local ok, row = pcall(cmsgpack.unpack, old)
  if not ok or type(row) ~= 'table' then return garbage end
  local fields = {}
  for field in pairs(row) do fields[#fields + 1] = field end
  table.sort(fields, function(a, b) return tostring(a) < tostring(b) end)
  if #fields == 0 then return garbage end
  local values = { false, -1, 0/0, 1/0, 1e15, 'x', {}, 5 }
  row[fields[1 + at % #fields]] = values[1 + at % #values] or nil
  return cmsgpack.pack(row)
end
if type == 'hash' then
  local all = redis.call('HGETALL', key)
  local i = 1 + 2 * (at % (#all / 2))
  redis.call('HSET', key, all[i], changed(all[i + 1]))
elseif type == 'zset' then
  local all = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')
  local i = 1 + 2 * (at % (#all / 2))
  redis.call('ZREM', key, all[i])
  redis.call('ZADD', key, all[i + 1], changed(all[i]))
elseif type == 'stream' then
  local all = redis.call('XRANGE', key, '-', '+')
  redis.call('DEL', key)
  for i, entry in ipairs(all) do
    local fields = entry[2]
    if i == 1 + at % #all then
      local f = 2 * (1 + at % (#fields / 2))
      fields[f] = changed(fields[f])
    end
    redis.call('XADD', key, entry[1], unpack(fields))
  end
end`
      .replaceAll('type(row)', 'typeOf(row)')
      .replace('local key', 'local typeOf = type\nlocal key'),
    '1',
    key,
    how,
    garbage,
    `${Math.floor(random() * 1e6)}`,
  )
  return `${name} ${how === 'row' ? row : ''}`
}

async function meetForgery(seed: number): Promise<string> {
  const { queue, other, clock, base } = await setUp()
  const what = await forge(randomFrom(seed), base)
  const consumer = queue.createConsumer('g', { leaseMs: 10_000 })
  let end = 'goes on'
  const tries = [
    async () => {
      for (let round = 0; round < 4; round++) {
        clock.jump(20_000)
        await consumer.drain(() => undefined, { concurrency: 5 })
      }
    },
    () => queue.stats(),
    () => queue.list({ group: 'g' }),
    () => queue.deadLetters('g').list(),
    () => queue.cancel(['four']),
    async () => {
      await queue.createProducer().send('after')
      let after = false
      await consumer.drain(({ payload }) => void (after ||= payload === 'after'))
      if (!after) throw new Error('stands still')
    },
  ]
  for (const one of tries) {
    try {
      await one()
    } catch (error) {
      if (error instanceof QuaysideError && error.code === 'CORRUPT') end = 'CORRUPT'
      else throw new Error(`seed ${seed}, ${what}`, { cause: error })
    }
  }
  const untouched = await other.createConsumer().receive()
  expect(untouched?.payload, `seed ${seed}, ${what}`).toBe('untouched')
  await isRepaired(queue).catch((cause: unknown) => {
    throw new Error(`not repaired, seed ${seed}, ${what}`, { cause })
  })
  await queue.delete()
  return end
}

test('whatever another client writes is CORRUPT or goes unnoticed; other queues go on, and purge repairs', async () => {
  const ends: Record<string, number> = {}
  const first = Number(process.env['SEED'] ?? 1)
  for (let seed = first; seed < first + Number(process.env['SEEDS'] ?? 150); seed++) {
    const end = await meetForgery(seed)
    ends[end] = (ends[end] ?? 0) + 1
  }
  console.log(ends)
  expect(Object.keys(ends).toSorted()).toEqual(['CORRUPT', 'goes on'])
}, 600_000)

/** Runs in the place of another client: `key` is what all keys of the queue start with. */
const asAnother = (lua: string, base: string): Promise<unknown> =>
  command(
    'EVAL',
    `local key = KEYS[1] local leases = redis.call('KEYS', key .. 'leases:*')[1] ${lua}`,
    '1',
    base,
  )

test('a log that was deleted does not have the server search for it for ever', async () => {
  const { queue, base } = await setUp()
  await command('DEL', `${base}log`)
  const received = queue.createConsumer('g').receive()
  await expect(received).rejects.toMatchObject({ code: 'CORRUPT' })
  expect(await command('PING')).toBe('PONG')
  await isRepaired(queue)
})

test('a lease that ends before it begins does not have the server settle or list it for ever', async () => {
  const { queue, base } = await setUp()
  const consumer = queue.createConsumer('g')
  const messages = await consumer.receiveBatch(2)
  const first = `local member = redis.call('ZRANGE', leases, 0, 0)[1]
local lease = cmsgpack.unpack(member)
redis.call('ZREM', leases, member)
lease[1], lease[2] = -5, -5
redis.call('ZADD', leases, 1000, cmsgpack.pack(lease))`
  for (let i = 0; i < 3; i++) await asAnother(first, base)
  await expect(consumer.ackBatch(messages)).rejects.toMatchObject({ code: 'CORRUPT' })
  await expect(queue.list({ group: 'g' })).rejects.toMatchObject({ code: 'CORRUPT' })
  expect(await command('PING')).toBe('PONG')
  await isRepaired(queue)
})

test('a lease on more than there is does not have the server list or trim it', async () => {
  const { queue, base } = await setUp()
  await asAnother(
    `redis.call('DEL', leases)
redis.call('ZADD', leases, 900000000000000, cmsgpack.pack({ 800000000000000, 900000000000000, 1, 1, 1, false, false, 0 }))`,
    base,
  )
  await expect(queue.list({ group: 'g' })).rejects.toMatchObject({ code: 'CORRUPT' })
  const entries = await command('XLEN', `${base}log`)
  await queue.createConsumer('g').receive()
  expect(await command('XLEN', `${base}log`)).toBe(entries)
  await isRepaired(queue)
})

test('records that cannot be read are dead letters, and those beside them are delivered', async () => {
  const { queue, base } = await setUp()
  await queue.purge()
  await queue.createProducer().sendBatch(['a', 'b', 'c', 'd', 'e'].map((payload) => ({ payload })))
  // Each record is a byte and the JSON of a letter: a kind that is none, headers that lead out of it, no JSON, nothing at all.
  await asAnother(
    `local entry = redis.call('XRANGE', key .. 'log', '-', '+')[1]
local id, fields = entry[1], entry[2]
local records = { '\\9"a"', '\\4\\255\\255\\255\\255"', '\\0{"x', '', '\\0"e"' }
local blob, ends = '', 0
for _, record in ipairs(records) do
  ends = ends + #record
  blob = blob .. struct.pack('<I4', ends)
end
redis.call('DEL', key .. 'log')
redis.call('XADD', key .. 'log', id, fields[1], fields[2], fields[3], blob .. table.concat(records))`,
    base,
  )
  const seen: unknown[] = []
  const report = await queue.createConsumer('g').drain(({ payload }) => void seen.push(payload))
  expect(seen).toEqual(['e'])
  expect(report).toMatchObject({ acked: 1, dead: 4 })
  const { messages } = await queue.deadLetters('g').list()
  expect(messages.map(({ reason }) => reason)).toEqual(Array.from({ length: 4 }, () => 'unreadable'))
})

test('a purge that cannot read what groups there were leaves no key of them', async () => {
  const { queue, base } = await setUp()
  await command('SET', `${base}state`, 'x')
  await queue.purge()
  expect(await command('KEYS', `${base}*`)).toEqual([])
  await isRepaired(queue)
  expect((await queue.deadLetters('g').list()).messages).toEqual([])
})

test('a purge that may not read does not take the queue for damaged', async () => {
  const { queue, base } = await setUp()
  await command('ACL', 'SETUSER', 'purger', 'on', '>secret', '~*', '&*', '+@all', '-hmget')
  const client = await connectClient('redis', redis.url.replace('//', '//purger:secret@'))
  const storage = new RedisAdapter(client.client, { prefix: base.slice(1, -4) })
  await expect(new Queue('q', { storage }).purge()).rejects.toMatchObject({ code: 'STORAGE_FAILED' })
  expect((await queue.stats()).messages).toBeGreaterThan(0)
  await storage.close()
  await client.close()
})
