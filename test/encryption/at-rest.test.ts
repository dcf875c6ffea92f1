// The raw bytes of what is stored: no secret is among them, and it is found there without encryption, or this would show nothing.
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { NodeFsAdapter } from '../../adapters/fs/index.ts'
import { RedisAdapter } from '../../adapters/redis/index.ts'
import { encrypted } from '../../src/encryption/index.ts'
import { type Codec, Queue, type StorageAdapter } from '../../src/index.ts'
import { temporaryDirectory } from '../fs/temporary.ts'
import { connectClient } from '../redis/support/clients.ts'
import { startRedis } from '../redis/support/server.ts'
import { newKey } from './keys.ts'

const SECRETS = ['4111-1111-1111-1111', 'diary of ada', 'done in secret', 'half in secret']
/** What is not encrypted, as is documented. */
const PLAIN = ['the-id', 'the-key', 'the-lane', 'the-header']

/** Has a message go through all that is stored of one. */
async function use(storage: StorageAdapter, codec: Codec<unknown> | undefined): Promise<void> {
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

function found(raw: Buffer): { secrets: string[]; plain: string[] } {
  const among = (texts: readonly string[]): string[] => texts.filter((text) => raw.includes(text))
  return { secrets: among(SECRETS), plain: among(PLAIN) }
}

async function inFiles(codec: Codec<unknown> | undefined): Promise<Buffer> {
  const directory = temporaryDirectory()
  await use(new NodeFsAdapter(directory), codec)
  const entries = readdirSync(directory, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile())
  return Buffer.concat(files.map(({ parentPath, name }) => readFileSync(join(parentPath, name))))
}

async function inRedis(codec: Codec<unknown> | undefined): Promise<Buffer> {
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
])('in %s', (_, rawBytes) => {
  test('no secret is stored; ids, keys, lanes and headers are, in plain text', async () => {
    const raw = await rawBytes(encrypted({ keyId: 'k1', key: () => key }))
    expect(found(raw)).toEqual({ secrets: [], plain: PLAIN })
    expect(found(await rawBytes(undefined))).toEqual({ secrets: SECRETS, plain: PLAIN })
  })
})
