import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import { RedisAdapter } from '../../adapters/redis/index.ts'
import { openRedis } from '../../cli/redis.ts'
import { Queue } from '../../src/index.ts'
import { NAMES } from './support/names.ts'
import { onRedis } from '../redis/support/on-redis.ts'

const redis = onRedis()

const open = (name: string, prefix: string): Queue<string> =>
  new Queue(name, { storage: new RedisAdapter(redis.client, { prefix }) })

const send = (queue: Queue<string>, name: string, id = name): Promise<unknown> =>
  queue.createProducer().send(name, { id, key: name, headers: { [name]: name } })

async function seenIn(queue: Queue<string>, group?: string): Promise<unknown[]> {
  const seen: unknown[] = []
  await queue.createConsumer(group).drain(({ payload, id, key, headers }) => {
    seen.push([payload, id, key, headers])
  })
  return seen
}

test('queues of different names share no key and no hash tag, and the command line finds them', async () => {
  const prefix = randomUUID()
  const queues = NAMES.map((name) => open(name, prefix))
  for (const [i, queue] of queues.entries()) {
    await queue.createConsumer(NAMES[i]).join()
    await send(queue, NAMES[i]!)
  }
  const keys = (await redis.command('KEYS', '*')) as string[]
  for (const key of keys) expect(key).toMatch(new RegExp(`^\\{${prefix}:[^{}:]+\\}:`))
  expect(new Set(keys.map((key) => /^\{[^}]*\}/.exec(key)![0])).size).toBe(NAMES.length)
  const target = await openRedis(`${redis.url}#${prefix}`)
  expect(await target.names()).toEqual([...NAMES].sort())
  await target.close()
  for (const [i, queue] of queues.entries()) {
    const name = NAMES[i]!
    expect(await seenIn(queue, name)).toEqual([[name, name, name, { [name]: name }]])
    await queue.delete()
  }
})

test('groups, keys and ids of one queue stay apart, and other queues are not reached', async () => {
  const queue = open('q', 'p')
  const groups = NAMES.slice(0, 8)
  for (const group of [...groups, 'g', 'leases:g', 'g:leases']) await queue.createConsumer(group).join()
  for (const name of NAMES) await send(queue, name)
  await queue.deleteGroup('g')
  for (const group of groups) expect(await seenIn(queue, group)).toHaveLength(NAMES.length)
  for (const key of (await redis.command('KEYS', '*')) as string[]) expect(key).toMatch(/^\{p:q\}:/)
})

test('a name does not lead into another prefix', async () => {
  const outer = open('b:c', 'a')
  const inner = open('c', 'a:b')
  await outer.createProducer().send('outer')
  await inner.createProducer().send('inner')
  const target = await openRedis(`${redis.url}#a`)
  expect(await target.names()).toEqual(['b:c'])
  await target.close()
  await outer.purge()
  expect((await inner.stats()).messages).toBe(1)
})

test('keys that others have made under the prefix are no queues on the command line', async () => {
  await open('mine', 'p').createProducer().send('x')
  for (const name of ['%', '%zz', '%00', '', 'a{b', '%E0%A4%A'])
    await redis.command('SET', `{p:${name}}:state`, 'x')
  const target = await openRedis(`${redis.url}#p`)
  expect(await target.names()).toEqual(['mine'])
  await target.close()
})
