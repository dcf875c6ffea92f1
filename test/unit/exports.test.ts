import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { PACKAGES, SUBPATHS } from '../../scripts/packages.mjs'
import * as cloudflareKV from '../../adapters/cloudflare-kv/index.ts'
import * as durableObject from '../../adapters/durable-object/index.ts'
import * as fs from '../../adapters/fs/index.ts'
import * as keyValue from '../../adapters/key-value/index.ts'
import * as postgres from '../../adapters/postgres/index.ts'
import * as redisHttp from '../../adapters/redis-http/index.ts'
import * as sqlite from '../../adapters/sqlite/index.ts'
import * as memory from '../../adapters/memory.ts'
import * as conformance from '../../conformance/index.ts'
import * as inspector from '../../inspector/index.ts'
import * as inspectorServer from '../../inspector/server/index.ts'
import * as script from '../../presets/service-worker.ts'
import * as workbox from '../../presets/workbox.ts'
import * as core from '../../src/core/index.ts'
import * as lean from '../../src/core/lean/index.ts'
import * as encryption from '../../src/encryption/index.ts'
import * as quayside from '../../src/index.ts'
import * as openTelemetry from '../../src/opentelemetry/index.ts'
import * as outbox from '../../src/outbox/index.ts'
import * as schedule from '../../src/schedule/index.ts'
import * as segments from '../../src/segments/index.ts'
import * as typed from '../../src/typed/index.ts'
import * as react from '../../src/react/index.ts'
import * as serviceWorker from '../../src/service-worker/index.ts'
import * as testing from '../../src/testing/index.ts'
import * as upload from '../../src/upload/index.ts'
import * as view from '../../src/view/index.ts'

// Only Cloudflare's runtime has it.
vi.mock('cloudflare:workers', () => ({ DurableObject: Object }))
vi.mock('react', () => ({ useSyncExternalStore: () => undefined }))

const SEGMENTS = [
  'ByteAdapter',
  'compareKeys',
  'DEFAULT_LIMITS',
  'handOver',
  'isBehind',
  'MAX_ANSWER_BYTES',
  'MAX_DURATION_MS',
  'MAX_HOLDS',
  'MAX_NAME_BYTES',
  'MAX_REST_MS',
  'OrderedMap',
  'rehearse',
  'SEGMENT_GUARANTEES',
  'SegmentAdapter',
  'TABLES',
  'transactional',
]

const names = (module: object): string[] => Object.keys(module).toSorted((a, b) => a.localeCompare(b, 'en'))

test('quayside exports these values and no others', () => {
  expect(names(quayside)).toEqual([
    'askAtOnce',
    'backoffDelay',
    'Consumer',
    'DeadLetters',
    'Message',
    'Producer',
    'QuaysideError',
    'Queue',
    'sendWithin',
  ])
})

test('quayside/core exports the same, with a Queue that needs a storage', async () => {
  expect(names(core)).toEqual(names(quayside))
  expect(new quayside.Queue('orders')).toBeInstanceOf(core.Queue)
  expect(() => new core.Queue('orders', {} as never)).toThrow('storage must be an adapter')
  expect(() => new core.Queue('orders', undefined as never)).toThrow('options must be an object')
  await using queue = new core.Queue<number>('orders', { storage: new memory.MemoryAdapter() })
  expect((await queue.createProducer().send(1)).status).toBe('stored')
})

test('quayside/lean exports the classes on which the others are built, and functions beside them', () => {
  expect(names(lean)).toEqual([
    'cancel',
    'Consumer',
    'deadLetters',
    'DeadLetters',
    'drain',
    'edit',
    'hold',
    'lanes',
    'limitLanes',
    'list',
    'Message',
    'messages',
    'Producer',
    'purge',
    'QuaysideError',
    'Queue',
    'release',
    'result',
    'resume',
    'retryNow',
    'run',
    'stats',
    'takeOnly',
    'watch',
  ])
})

test('quayside/memory exports the adapter', () => {
  expect(names(memory)).toEqual(['MemoryAdapter'])
})

test('quayside/outbox, /service-worker, /workbox and the script for classic workers export what is documented', () => {
  expect(names(outbox)).toEqual(['defaultOutcome', 'isAttempt', 'Outbox', 'storedRequest'])
  expect(names(serviceWorker)).toEqual(['isAttempt', 'registerBackgroundSync', 'requestSync'])
  expect(names(workbox)).toEqual(['BackgroundSyncPlugin'])
  expect(names(script)).toEqual([
    'defaultOutcome',
    'IndexedDBAdapter',
    'isAttempt',
    'Outbox',
    'Queue',
    'registerBackgroundSync',
  ])
})

test('quayside/opentelemetry exports one function', () => {
  expect(names(openTelemetry)).toEqual(['openTelemetry'])
})

test('quayside/view and quayside/react export what is documented', () => {
  expect(names(view)).toEqual(['outboxView', 'queueView'])
  expect(names(react)).toEqual(['useOutbox', 'useQueue'])
})

test('quayside/testing exports what is documented', () => {
  expect(names(testing)).toEqual(['expectSent', 'FakeDestination', 'idle', 'ManualClock', 'recordSent'])
})

test('quayside/encryption and quayside/upload export one function each', () => {
  expect(names(encryption)).toEqual(['encrypted'])
  expect(names(upload)).toEqual(['uploadFetch'])
})

test('quayside/schedule exports what stores schedules, and what fires them', () => {
  expect(names(schedule)).toEqual([
    'drainSchedules',
    'fireSchedules',
    'listSchedules',
    'runSchedules',
    'schedule',
    'unschedule',
  ])
})

test('quayside/typed exports what defines messages', () => {
  expect(names(typed)).toEqual(['defineMessages', 'version'])
})

test('quayside/inspector can be imported where there is no DOM', () => {
  expect(names(inspector)).toEqual(['QuaysideInspector'])
})

test('quayside/inspector/server exports the handler, and what Node needs for it', () => {
  expect(names(inspectorServer)).toEqual(['inspectorHandler', 'nodeListener'])
})

test('quayside/fs exports the adapter, and what makes a damaged directory good', () => {
  expect(names(fs)).toEqual(['NodeFsAdapter', 'salvage'])
})

test('quayside/key-value exports the adapter', () => {
  expect(names(keyValue)).toEqual(['KeyValueAdapter'])
})

test('quayside/redis-http exports the adapter', () => {
  expect(names(redisHttp)).toEqual(['RedisHttpAdapter'])
})

test('quayside/sqlite exports the adapter', () => {
  expect(names(sqlite)).toEqual(['markDone', 'once', 'SQLiteAdapter'])
})

test('quayside/postgres exports the adapter, and what marks messages', () => {
  expect(names(postgres)).toEqual(['markDone', 'once', 'PostgresAdapter'])
})

test('quayside/cloudflare-kv exports the adapter, and what its operations cost', () => {
  expect(names(cloudflareKV)).toEqual(['CloudflareKVAdapter', 'priceOf'])
})

test('quayside/durable-object exports the object and what calls it', () => {
  expect(names(durableObject)).toEqual(['DurableObjectAdapter', 'inShards', 'QueueObject'])
})

test('quayside/segments exports what authors of stores need', () => {
  expect(names(segments)).toEqual(SEGMENTS)
})

test('quayside-conformance exports what tests a storage', () => {
  expect(names(conformance)).toEqual([
    'conformanceCases',
    'ConformanceError',
    'describeStep',
    'historySteps',
    'runCrashes',
    'runHistory',
    'storeCases',
    'workUntilKilled',
  ])
})

test('the members of the classes are those of the documentation, and no others', () => {
  const own = (prototype: object): string[] =>
    names(Object.getOwnPropertyDescriptors(prototype)).filter((name) => name !== 'constructor')
  const members = (type: { readonly prototype: object }): string[] => own(type.prototype)
  /** With those of the lean class on which it is built. */
  const all = (type: { readonly prototype: object }): string[] => {
    const inherited = own(Object.getPrototypeOf(type.prototype) as object)
    return [...new Set([...inherited, ...members(type)])].toSorted((a, b) => a.localeCompare(b, 'en'))
  }
  expect(members(quayside.Queue)).toEqual([])
  expect(all(core.Queue)).toEqual([
    'cancel',
    'close',
    'createConsumer',
    'createProducer',
    'deadLetters',
    'delete',
    'deleteGroup',
    'edit',
    'guarantees',
    'hold',
    'lanes',
    'list',
    'purge',
    'release',
    'result',
    'resume',
    'retryNow',
    'stats',
    'watch',
  ])
  expect(Symbol.asyncDispose in quayside.Queue.prototype).toBe(true)
  expect(all(quayside.Producer)).toEqual(['send', 'sendBatch', 'within'])
  expect(all(quayside.Consumer)).toEqual([
    'ack',
    'ackBatch',
    'drain',
    'extend',
    'join',
    'lanes',
    'messages',
    'nack',
    'nackBatch',
    'only',
    'park',
    'pause',
    'paused',
    'progress',
    'receive',
    'receiveBatch',
    'reject',
    'resume',
    'run',
  ])
  expect(Symbol.asyncIterator in quayside.Consumer.prototype).toBe(true)
  expect(members(lean.Queue)).toEqual(['close', 'createConsumer', 'createProducer', 'guarantees'])
  expect(members(lean.Producer)).toEqual(['send', 'sendBatch'])
  expect(members(lean.Consumer)).toEqual([
    'ack',
    'ackBatch',
    'extend',
    'join',
    'nack',
    'nackBatch',
    'park',
    'pause',
    'paused',
    'progress',
    'receive',
    'receiveBatch',
    'reject',
    'resume',
  ])
  expect(lean.Message).toBe(quayside.Message)
  expect(members(quayside.Message)).toEqual([
    'ack',
    'extend',
    'leaseUntil',
    'nack',
    'park',
    'progress',
    'receipt',
    'reject',
  ])
  expect(members(outbox.Outbox)).toEqual([
    'cancel',
    'clear',
    'drain',
    'due',
    'edit',
    'fetch',
    'held',
    'list',
    'maxBodyBytes',
    'online',
    'pause',
    'resolve',
    'response',
    'resume',
    'retryNow',
    'settled',
    'signOut',
    'size',
    'start',
    'store',
    'watch',
  ])
  expect(members(quayside.DeadLetters)).toEqual(['delete', 'list', 'redrive'])
})

test('an error says its name, code and cause', () => {
  const cause = new Error('below')
  const error = new quayside.QuaysideError('CLOSED', 'it was closed', { cause })
  expect(error).toBeInstanceOf(Error)
  expect(error).toMatchObject({ name: 'QuaysideError', code: 'CLOSED', message: 'it was closed', cause })
  expect(String(error)).toBe('QuaysideError: it was closed')
})

test('every subpath of the packages has a source', () => {
  for (const { name, place, source, folder } of SUBPATHS) {
    const { pkg } = PACKAGES.find((one) => one.folder === folder)!
    const target = pkg.exports[name.replace(pkg.name, '.')]
    expect(target).toEqual({ types: `./dist/${place}.d.ts`, default: `./dist/${place}.js` })
    expect(readFileSync(source, 'utf8')).toContain('export')
  }
})

test('the suite is of the version of quayside that it tests, with the same dependencies, and under the same licence', () => {
  const [quayside, suite] = PACKAGES
  expect(suite!.pkg.version).toBe(quayside!.pkg.version)
  expect(suite!.pkg.peerDependencies).toMatchObject({ quayside: quayside!.pkg.version })
  expect(quayside!.pkg.dependencies).toMatchObject(suite!.pkg.dependencies!)
  const [ours, its] = PACKAGES.map(({ folder }) => readFileSync(join(folder, 'LICENSE'), 'utf8'))
  expect(its).toBe(ours)
})
