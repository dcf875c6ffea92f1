import * as api from '@opentelemetry/api'
import { test } from 'vitest'
import { IndexedDBAdapter } from '../../adapters/indexeddb/index.ts'
import { RedisHttpAdapter } from '../../adapters/redis-http/index.ts'
import { inspectorHandler, nodeListener } from '../../inspector/server/index.ts'
import * as lean from '../../src/core/lean/index.ts'
import { Queue } from '../../src/index.ts'
import { MemoryAdapter } from '../../src/records/memory.ts'
import { Outbox } from '../../src/outbox/index.ts'
import {
  drainSchedules,
  fireSchedules,
  listSchedules,
  runSchedules,
  schedule,
  unschedule,
} from '../../src/schedule/index.ts'
import { openTelemetry } from '../../src/opentelemetry/index.ts'
import { registerBackgroundSync, requestSync } from '../../src/service-worker/index.ts'
import { ManualClock, idle, recordSent } from '../../src/testing/index.ts'
import { defineMessages, version } from '../../src/typed/index.ts'
import { outboxView, queueView } from '../../src/view/index.ts'
import { expectCode } from '../support/set-up.ts'

// What is handed to the wrong place, by callers without types: it is said at once, and not when something is called that is not there.

const queue = new Queue<unknown>('q')
const outbox = new Outbox(new Queue('outbox'))
const consumer = queue.createConsumer()
const hourly = { cron: '0 * * * *' }
const kinds = defineMessages({ welcome: version<string>() })

test.each<[string, (given: never) => unknown, readonly unknown[], ...string[]]>([
  [
    'an outbox',
    (given) => new Outbox(given),
    [undefined, 'outbox', new MemoryAdapter()],
    'new Outbox',
    'a Queue',
  ],
  ['the view of an outbox', (given) => outboxView(given), [undefined, queue], 'outboxView', 'an Outbox'],
  ['the view of a queue', (given) => queueView(given), [undefined, outbox], 'queueView', 'a Queue'],
  ['requestSync', (given) => requestSync(given), [undefined, {}], 'requestSync', 'an Outbox'],
  ['background sync', (given) => registerBackgroundSync(given), [undefined, queue], 'an Outbox'],
  ['idle', (given) => idle(given), [undefined, outbox], 'idle', 'a Queue'],
  ['recordSent', (given) => recordSent(given), [undefined, outbox], 'recordSent', 'a Queue'],
  ['a clock', (given) => new ManualClock(given), ['2030', -1, NaN], 'new ManualClock', 'ms since 1970'],
  ['a clock that is moved', (given) => new ManualClock().advance(given), ['1 s', -1], 'advance', 'ms'],
  ['a schedule', (given) => schedule(given, 'n', hourly, { payload: 1 }), ['q', outbox], 'a Queue'],
  [
    'its time',
    (given) => schedule(queue, 'n', given, { payload: 1 }),
    [undefined, '0 * * * *'],
    'schedule: when',
    'cron',
  ],
  [
    'its message',
    (given) => schedule(queue, 'n', hourly, given),
    [undefined, 'x'],
    'schedule: message',
    'payload',
  ],
  ['unschedule', (given) => unschedule(given, 'n'), [undefined, 'q'], 'unschedule', 'a Queue'],
  ['listSchedules', (given) => listSchedules(given), [undefined, 'q'], 'listSchedules', 'a Queue'],
  ['runSchedules', (given) => runSchedules(given), [undefined, 'q'], 'runSchedules', 'a Queue'],
  ['drainSchedules', (given) => drainSchedules(given), [undefined, 'q'], 'drainSchedules', 'a Queue'],
  [
    'a function of a lean queue',
    (given) => lean.stats(given),
    [undefined, 'q', consumer],
    'queue: must be one',
  ],
  [
    'one of a lean consumer',
    (given) => lean.drain(given, () => undefined),
    [undefined, queue],
    'consumer: must be one',
  ],
  ['kinds of messages', (given) => defineMessages(given), [undefined, { welcome: 5 }], 'defineMessages'],
  ['their producer', (given) => kinds.producer(given), [undefined, outbox], 'producer', 'a Queue'],
  [
    'fireSchedules',
    (given) => fireSchedules(queue, given),
    [undefined, {}, [5]],
    'fireSchedules',
    'messages',
  ],
  [
    'OpenTelemetry',
    (given) => openTelemetry(given),
    // Its default export has a part of it.
    [undefined, null, {}, { trace: {} }, { ...api, SpanKind: undefined }, api.default],
    'openTelemetry: api',
  ],
  [
    'a listener of Node',
    (given) => nodeListener(given),
    [undefined, [queue], { allow: () => true }],
    'nodeListener: handler',
  ],
  [
    'the inspector of a server',
    (given) => inspectorHandler(given, { allow: () => true }),
    [undefined, queue, ['orders'], [queue, undefined]],
    'inspectorHandler: queues must be an array of queues',
  ],
  [
    'its options',
    (given) => inspectorHandler([queue], given),
    [undefined, {}, { allow: true }, { allow: () => true, readOnly: true }],
    'inspectorHandler: allow',
  ],
  [
    'what it answers',
    (given) => inspectorHandler([queue], { allow: () => true })(given),
    [undefined, { method: 'GET', url: '/', headers: { host: 'localhost' } }],
    'inspectorHandler: it needs a Request',
    'nodeListener',
  ],
  [
    'options of Redis',
    (given) => new RedisHttpAdapter({ url: 'https://a.example', token: 'x' }, given),
    [null, 'jobs'],
    'new RedisHttpAdapter: options must be an object',
  ],
  ['their handlers', (given) => kinds.handlers(given), [undefined, {}, { welcome: 5 }], 'handlers'],
])('%s', async (_, call, wrong, ...texts) => {
  for (const given of wrong) await expectCode(async () => call(given as never), 'INVALID_ARGUMENT', ...texts)
})

test('what a browser has is missed where there is none, and what to take is said', async () => {
  const stored = new Queue('q', { storage: new IndexedDBAdapter() }).createProducer().send(1)
  await expectCode(stored, 'STORAGE_UNAVAILABLE', 'this runtime has none', 'in Node take quayside/fs')
  await expectCode(async () => registerBackgroundSync(outbox), 'INVALID_ARGUMENT', 'service worker')
})
