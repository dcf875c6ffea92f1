// The raw bytes of what is stored: no secret is among them, and it is found there without encryption, or this would show nothing.
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { NodeFsAdapter } from '../../adapters/fs/index.ts'
import { RedisAdapter } from '../../adapters/redis/index.ts'
import { encrypted } from '../../src/encryption/index.ts'
import { type Codec, Queue, type StorageAdapter } from '../../src/index.ts'
import { Outbox } from '../../src/outbox/index.ts'
import { temporaryDirectory } from '../fs/temporary.ts'
import { connectClient } from '../redis/support/clients.ts'
import { startRedis } from '../redis/support/server.ts'
import { newKey } from './keys.ts'

type Use = (storage: StorageAdapter, codec: Codec<unknown> | undefined) => Promise<void>

const SECRETS = ['4111-1111-1111-1111', 'diary of ada', 'done in secret', 'half in secret']
/** What is not encrypted, as is documented. */
const PLAIN = ['the-id', 'the-key', 'the-lane', 'the-header']

/** Has a message go through all that is stored of one. */
const useQueue: Use = async (storage, codec) => {
  const queue = new Queue('orders', { storage, codec, keepMs: 60_000 })
  const [card, diary, done, half] = SECRETS
  const producer = queue.createProducer()
  const consumer = queue.createConsumer()
  // One that waits, with all that a message has.
  const named = { id: 'the-id', key: 'the-key', lane: 'the-lane', headers: { name: 'the-header' } }
  await producer.send({ card, diary }, { ...named, delayMs: 3_600_000 })
  await producer.sendBatch(
    [card, new TextEncoder().encode(diary), card, diary, card].map((payload) => ({ payload })),
  )
  const [first, second, third, fourth, fifth] = await consumer.receiveBatch(5)
  await first!.ack({ result: { done } })
  await second!.park({ reason: 'later' })
  await third!.nack({ delayMs: 3_600_000 })
  await fourth!.reject({ reason: 'no' })
  await fifth!.progress({ half })
  await expect.poll(() => queue.result(fifth!.id)).toMatchObject({ status: 'running', progress: { half } })
  await queue.close()
}

const SECRETS_OF_REQUESTS = [
  'PROPPATCH',
  'path-of-secrets',
  'the-token',
  'header-of-secrets',
  'body of secrets',
  'bytes of secrets',
]
const PLAIN_OF_REQUESTS = ['the-id', 'the-key', 'the-meta', 'the-answer']

/** Has requests go through all that is stored of one. */
const useOutbox: Use = async (storage, codec) => {
  const queue = new Queue('outbox', { storage, codec })
  const statuses = [500, 422]
  const fetch = (): Promise<Response> =>
    statuses.length > 0
      ? Promise.resolve(new Response('the-answer', { status: statuses.shift()! }))
      : Promise.reject(new TypeError('fetch failed'))
  const outbox = new Outbox(queue, {
    fetch,
    outcome: (response) => (response?.status === 422 ? 'park' : 'retry'),
  })
  const url = 'https://example.com/path-of-secrets?token=the-token'
  const headers = { 'x-mine': 'header-of-secrets', 'content-type': 'text/plain' }
  const bodies = ['body of secrets', new TextEncoder().encode('bytes of secrets'), 'body of secrets']
  for (const body of bodies) await outbox.store(url, { method: 'PROPPATCH', headers, body })
  const named = { id: 'the-id', key: 'the-key', meta: { screen: 'the-meta' }, delayMs: 3_600_000 }
  await outbox.store(url, { method: 'PROPPATCH', headers, body: bodies[0]!, ...named })
  await outbox.drain()
  await queue.close()
}

type Store = (use: Use, codec: Codec<unknown> | undefined) => Promise<Buffer>

const inFiles: Store = async (use, codec) => {
  const directory = temporaryDirectory()
  await use(new NodeFsAdapter(directory), codec)
  const entries = readdirSync(directory, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile())
  return Buffer.concat(files.map(({ parentPath, name }) => readFileSync(join(parentPath, name))))
}

const inRedis: Store = async (use, codec) => {
  const server = await startRedis('--rdbcompression', 'no')
  onTestFinished(() => server.stop())
  const connected = await connectClient('ioredis', server.url)
  onTestFinished(() => connected.close())
  await use(new RedisAdapter(connected.client), codec)
  await connected.command('SAVE')
  const [, directory] = (await connected.command('CONFIG', 'GET', 'dir')) as [string, string]
  return readFileSync(join(directory, 'dump.rdb'))
}

const key = await newKey()

describe.each([
  ['a directory', inFiles],
  ['Redis', inRedis],
])('in %s', (_, store) => {
  test.each([
    ['a message', useQueue, SECRETS, PLAIN],
    ['a request', useOutbox, SECRETS_OF_REQUESTS, PLAIN_OF_REQUESTS],
  ])('nothing of %s is stored in plain text but what is documented', async (__, use, secrets, plain) => {
    const found = (raw: Buffer): string[] => [...plain, ...secrets].filter((text) => raw.includes(text))
    expect(found(await store(use, encrypted({ keyId: 'k1', key: () => key })))).toEqual(plain)
    expect(found(await store(use, undefined))).toEqual([...plain, ...secrets])
  })
})
