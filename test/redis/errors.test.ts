import { Redis as IoRedis, ReplyError } from 'ioredis'
import {
  AbortError,
  ClientClosedError,
  ClientOfflineError,
  ConnectionTimeoutError,
  DisconnectsClientError,
  ErrorReply,
  ReconnectStrategyError,
  RootNodesUnavailableError,
  SimpleError,
  SocketClosedUnexpectedlyError,
  SocketTimeoutError,
  TimeoutError,
  createClient,
} from 'redis'
import { describe, expect, onTestFinished, test } from 'vitest'
import { toQuaysideError } from '../../adapters/redis/errors.ts'
import { RedisAdapter } from '../../adapters/redis/index.ts'
import { Queue } from '../../src/index.ts'
import { expectCode } from '../support/set-up.ts'
import { startRedis } from './support/server.ts'

function system(
  code: string,
  syscall: string | undefined,
  text = `${syscall} ${code} 127.0.0.1:6379`,
): Error {
  return Object.assign(new Error(text), { code, ...(syscall !== undefined && { syscall }) })
}

describe('what may have been sent is STORAGE_FAILED', () => {
  test.each([
    new TimeoutError(),
    new AbortError(),
    new SocketTimeoutError(5),
    new SocketClosedUnexpectedlyError(),
    new DisconnectsClientError(),
    new ConnectionTimeoutError(),
    new RootNodesUnavailableError(),
    new ReconnectStrategyError(new Error('no more'), system('ECONNREFUSED', 'connect')),
    Object.assign(new Error('Reached the max retries per request limit (which is 20).'), {
      name: 'MaxRetriesPerRequestError',
    }),
    new Error('Command timed out'),
    new Error('Connection is closed.'),
    new Error("Socket timeout. Expecting data, but didn't receive any in 5ms."),
    system('ECONNRESET', 'read'),
    system('EPIPE', 'write'),
    system('ETIMEDOUT', 'read'),
    system('ETIMEDOUT', 'connect'),
    system('EACCES', 'write'),
    system('ECONNREFUSED', 'read'),
    new SimpleError('ERR something that nobody knows'),
    new ReplyError(
      'OOM command not allowed script: 0123456789012345678901234567890123456789, on @user_script:1.',
    ),
    undefined,
    null,
    'a text',
    {},
  ])('%o', (cause) => {
    const error = toQuaysideError('append', cause)
    expect(error.code).toBe('STORAGE_FAILED')
    expect(error.message).toContain('whether it was done is unknown')
    expect(error.cause).toBe(cause)
  })
})

describe('what was not sent, or was refused, is STORAGE_UNAVAILABLE', () => {
  test.each([
    new ClientClosedError(),
    new ClientOfflineError(),
    new Error('The queue is full'),
    new Error("Stream isn't writeable and enableOfflineQueue options is false"),
    new Error("Cluster isn't ready and enableOfflineQueue options is false"),
    system('ECONNREFUSED', 'connect'),
    system('ENOTFOUND', 'getaddrinfo'),
    system('EAI_AGAIN', 'getaddrinfo'),
    system('ENOENT', 'connect', 'connect ENOENT /tmp/redis.sock'),
    // Of several addresses, none answered.
    Object.assign(new AggregateError([system('ECONNREFUSED', 'connect')]), { code: 'ECONNREFUSED' }),
    new ErrorReply('ERR max number of clients reached'),
    new ReplyError('ERR max number of clients + cluster connections reached'),
    new SimpleError('DENIED Redis is running in protected mode because protected mode is enabled'),
    new ReplyError("READONLY You can't write against a read only replica."),
    new SimpleError('LOADING Redis is loading the dataset in memory'),
    new SimpleError('MASTERDOWN Link with MASTER is down'),
    new ReplyError('CLUSTERDOWN The cluster is down'),
  ])('%o', (cause) => {
    const error = toQuaysideError('append', cause)
    expect(error.code).toBe('STORAGE_UNAVAILABLE')
    expect(error.cause).toBe(cause)
  })
})

test.each(['redis', 'ioredis'])('%s: a send that timed out on its way is in doubt', async (name) => {
  const server = await startRedis()
  onTestFinished(() => server.stop())
  const admin = createClient({ url: server.url })
  await admin.connect()
  onTestFinished(() => admin.destroy())
  const client =
    name === 'redis'
      ? createClient({ url: server.url, socket: { socketTimeout: 300, reconnectStrategy: 20 } })
      : new IoRedis(server.url, { commandTimeout: 300, retryStrategy: () => 20 })
  client.on('error', () => undefined)
  if (!(client instanceof IoRedis)) await client.connect()
  onTestFinished(() => (client instanceof IoRedis ? client.disconnect() : client.destroy()))
  const queue = new Queue('orders', { storage: new RedisAdapter(client) })
  const producer = queue.createProducer()
  await producer.send('before')
  // The server takes commands, and answers later than anybody waits.
  await admin.sendCommand(['CLIENT', 'PAUSE', '1000', 'ALL'])
  await expectCode(producer.send('in doubt'), 'STORAGE_FAILED', 'unknown')
  // Whatever takes longer than the client waits is asked again.
  await expect.poll(async () => (await queue.stats().catch(() => undefined))?.groups).toEqual({})
  const payloads = async (): Promise<unknown> =>
    (await queue.list().catch(() => undefined))?.messages.map(({ payload }) => payload)
  await expect.poll(payloads).toContain('before')
})
