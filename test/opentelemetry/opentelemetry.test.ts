import * as api from '@opentelemetry/api'
import type { ReadableSpan } from '@opentelemetry/sdk-trace-base'
import { describe, expect, test } from 'vitest'
import { QuaysideError } from '../../src/index.ts'
import { openTelemetry } from '../../src/opentelemetry/index.ts'
import { type SetUp, setUp } from '../support/set-up.ts'
import { type Sdk, startSdk } from './sdk.ts'

function setUpTraced<T = unknown>(): SetUp<T> & Sdk {
  return { ...startSdk(), ...setUp<T>({ instrumentation: openTelemetry(api) }) }
}

const linksOf = (span: ReadableSpan): string[] => span.links.map(({ context }) => context.spanId)
const traceOf = (span: ReadableSpan): string => span.spanContext().traceId
const idOf = (span: ReadableSpan): string => span.spanContext().spanId

describe('spans', () => {
  test('a send, and a handler far away that goes on with its trace', async () => {
    const { producer, consumer, tracer, span, spans } = setUpTraced<string>()
    let carried: Readonly<Record<string, string>> = {}
    const { id } = await tracer.startActiveSpan('click', async (click) => {
      const result = await producer.send('x', { headers: { source: 'web' } })
      click.end()
      return result
    })
    await consumer.drain(async ({ headers }) => {
      carried = headers
      await Promise.resolve()
      tracer.startSpan('fetch').end()
    })
    const send = span('send orders')
    expect(send.kind).toBe(api.SpanKind.PRODUCER)
    expect(send.parentSpanContext?.spanId).toBe(idOf(span('click')))
    expect(send.links).toEqual([])
    expect(send.status.code).toBe(api.SpanStatusCode.UNSET)
    expect(send.attributes).toEqual({
      'messaging.system': 'quayside',
      'messaging.destination.name': 'orders',
      'messaging.operation.name': 'send',
      'messaging.operation.type': 'send',
      'messaging.message.id': id,
      'messaging.quayside.storage': 'memory',
    })
    expect(carried).toEqual({ source: 'web', traceparent: `00-${traceOf(send)}-${idOf(send)}-01` })

    const process = span('process orders')
    expect(process.kind).toBe(api.SpanKind.CONSUMER)
    expect(process.parentSpanContext).toMatchObject({ spanId: idOf(send), isRemote: true })
    expect(linksOf(process)).toEqual([idOf(send)])
    expect(process.attributes).toEqual({
      'messaging.system': 'quayside',
      'messaging.destination.name': 'orders',
      'messaging.operation.name': 'process',
      'messaging.operation.type': 'process',
      'messaging.consumer.group.name': 'default',
      'messaging.message.id': id,
      'messaging.quayside.storage': 'memory',
      'messaging.quayside.message.delivery_attempt': 1,
    })
    expect(span('fetch').parentSpanContext?.spanId).toBe(idOf(process))
    expect(new Set(spans().slice(0, 4).map(traceOf)).size).toBe(1)

    const settle = span('settle orders')
    expect(settle.kind).toBe(api.SpanKind.CLIENT)
    expect(linksOf(settle)).toEqual([idOf(send)])
    expect(settle.attributes).toMatchObject({
      'messaging.operation.type': 'settle',
      'messaging.batch.message_count': 1,
    })
    expect(spans()).toHaveLength(5)
  })

  test('inside a span of its own a handler stays there, and is linked to the sender', async () => {
    const { producer, consumer, tracer, span } = setUpTraced<string>()
    await producer.send('x')
    await tracer.startActiveSpan('GET /cron', async (request) => {
      await consumer.drain(() => undefined)
      request.end()
    })
    const process = span('process orders')
    expect(process.parentSpanContext?.spanId).toBe(idOf(span('GET /cron')))
    expect(linksOf(process)).toEqual([idOf(span('send orders'))])
    expect(traceOf(process)).not.toBe(traceOf(span('send orders')))
  })

  test('a batch is sent and received under one span each', async () => {
    const { producer, consumer, span } = setUpTraced<number>()
    const sent = await producer.sendBatch([{ payload: 1 }, { payload: 2, headers: { a: 'b' } }])
    const received = await consumer.receiveBatch(10)
    await consumer.ackBatch(received)
    const send = span('send orders')
    expect(send.kind).toBe(api.SpanKind.PRODUCER)
    expect(send.attributes).toMatchObject({ 'messaging.batch.message_count': 2 })
    expect(send.attributes).not.toHaveProperty('messaging.message.id')
    expect(received.map(({ id }) => id)).toEqual(sent.map(({ id }) => id))
    const traceparent = `00-${traceOf(send)}-${idOf(send)}-01`
    expect(received.map(({ headers }) => headers)).toEqual([{ traceparent }, { a: 'b', traceparent }])
    for (const name of ['receive orders', 'ack orders']) {
      const one = span(name)
      expect(one.kind).toBe(api.SpanKind.CLIENT)
      expect(linksOf(one)).toEqual([idOf(send), idOf(send)])
      expect(one.attributes).toMatchObject({
        'messaging.consumer.group.name': 'default',
        'messaging.batch.message_count': 2,
      })
    }
  })

  test('a context that a message was given is kept, and the send is linked to it', async () => {
    const { producer, consumer, span } = setUpTraced<string>()
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
    const headers = { traceparent, tracestate: 'vendor=1' }
    await producer.send('x', { headers })
    const message = await consumer.receive()
    expect(message?.headers).toEqual(headers)
    await message!.ack()
    expect(span('send orders').kind).toBe(api.SpanKind.CLIENT)
    for (const name of ['send orders', 'receive orders', 'ack orders']) {
      expect(linksOf(span(name))).toEqual(['b7ad6b7169203331'])
    }
    expect(span('receive orders').links[0]?.context.traceState?.get('vendor')).toBe('1')
  })

  test('the lane, in spans of one message', async () => {
    const { producer, consumer, span, spans } = setUpTraced<string>()
    const lane = 'messaging.quayside.message.lane'
    await producer.send('x', { lane: 'tenant-7' })
    await producer.send('y')
    await (await consumer.receive())!.ack()
    await (await consumer.receive())!.park({ reason: 'why' })
    expect(spans().map(({ name, attributes }) => [name, attributes[lane]])).toEqual([
      ['send orders', 'tenant-7'],
      ['send orders', undefined],
      ['receive orders', undefined],
      ['ack orders', undefined],
      ['receive orders', 'tenant-7'],
      ['park orders', 'tenant-7'],
    ])
    expect(span('park orders').attributes).toMatchObject({ 'messaging.operation.type': 'settle' })
    expect(spans().every(({ attributes }) => !(lane in attributes) || attributes[lane] === 'tenant-7')).toBe(
      true,
    )
  })

  test('receive, with what it waited for or with nothing', async () => {
    const { clock, producer, consumer, spans, span } = setUpTraced<string>()
    await consumer.receive()
    expect(span('receive orders')).toMatchObject({ links: [] })
    const waiting = consumer.receiveBatch(5, { waitMs: 1000 })
    await clock.advance(500)
    expect(spans()).toHaveLength(1)
    const { id } = await producer.send('x')
    const [message] = await waiting
    await message!.nack({ delayMs: 0 })
    const retried = await consumer.receive()
    await retried!.extend(1000)
    await retried!.reject()
    expect(spans().map(({ name }) => name)).toEqual([
      'receive orders',
      'send orders',
      'receive orders',
      'nack orders',
      'receive orders',
      'extend orders',
      'reject orders',
    ])
    expect(spans()[2]!.attributes).toMatchObject({ 'messaging.batch.message_count': 1 })
    expect(spans()[4]!.attributes).toMatchObject({
      'messaging.message.id': id,
      'messaging.quayside.message.delivery_attempt': 2,
    })
    expect(span('extend orders').attributes).not.toHaveProperty('messaging.operation.type')
    expect(span('reject orders').attributes).toMatchObject({ 'messaging.operation.type': 'settle' })
  })

  test('errors have their code, or their name', async () => {
    const { producer, consumer, span, spans, storage } = setUpTraced<string>()
    await expect(producer.send('x', { expiresInMs: 1, delayMs: 2 })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    })
    const failed = span('send orders')
    expect(failed.attributes).toMatchObject({ 'error.type': 'INVALID_ARGUMENT' })
    expect(failed.status).toMatchObject({ code: api.SpanStatusCode.ERROR })
    expect(failed.status.message).toContain('expiresInMs must be more than delayMs')
    expect(failed.events).toHaveLength(1)
    await producer.send('x')
    await consumer.drain(() => {
      throw new RangeError('no such thing')
    })
    expect(span('process orders').attributes).toMatchObject({ 'error.type': 'RangeError' })
    expect(span('process orders').status.message).toBe('no such thing')
    storage.fail(new QuaysideError('STORAGE_UNAVAILABLE', 'gone'), 'claim')
    await consumer.receive().catch(() => undefined)
    expect(spans().at(-1)!.attributes).toMatchObject({
      'messaging.operation.name': 'receive',
      'error.type': 'STORAGE_UNAVAILABLE',
    })
  })

  test('headers that somebody forged do no harm', async () => {
    const { producer, consumer, spans } = setUpTraced<string>()
    await producer.send('x', { headers: { traceparent: '00-zz-1-1', tracestate: '\u0000,=,'.repeat(100) } })
    await consumer.drain(() => undefined)
    for (const span of spans()) expect(span.links).toEqual([])
  })

  test('run extends a lease in a span', async () => {
    const { clock, producer, consumer, spans } = setUpTraced<string>()
    await producer.send('x')
    const stop = new AbortController()
    const running = consumer.run(
      async () => {
        await new Promise<void>((resolve) => void clock.setTimeout(resolve, 20_000))
        stop.abort()
      },
      { signal: stop.signal },
    )
    await clock.advance(20_000)
    await running
    expect(spans().map(({ name }) => name)).toEqual([
      'send orders',
      'extend orders',
      'process orders',
      'settle orders',
    ])
  })
})

describe('metrics', () => {
  const common = { 'messaging.system': 'quayside', 'messaging.destination.name': 'orders' }

  test('count what was sent and consumed, once for each delivery', async () => {
    const { producer, consumer, metric, storage } = setUpTraced<number>()
    await producer.sendBatch([{ payload: 1 }, { payload: 2 }])
    await producer.send(3)
    const message = await consumer.receive()
    await consumer.receiveBatch(10, { waitMs: 0 })
    await message!.nack({ delayMs: 0 })
    await consumer.drain(() => undefined)
    storage.fail(new QuaysideError('QUOTA_EXCEEDED', 'full'), 'append')
    await producer.send(4).catch(() => undefined)
    storage.work()
    const sent = await metric('messaging.client.sent.messages')
    expect(sent.unit).toBe('{message}')
    const operation = { 'messaging.operation.name': 'send', 'messaging.operation.type': 'send' }
    expect(sent.points.map(({ value, attributes }) => [value, attributes])).toEqual([
      [3, { ...common, ...operation }],
      [1, { ...common, ...operation, 'error.type': 'QUOTA_EXCEEDED' }],
    ])
    const consumed = await metric('messaging.client.consumed.messages')
    const by = (name: string): Record<string, string> => ({
      ...common,
      'messaging.operation.name': name,
      'messaging.operation.type': name,
      'messaging.consumer.group.name': 'default',
    })
    expect(consumed.points.map(({ value, attributes }) => [value, attributes])).toEqual([
      [3, by('receive')],
      [1, by('process')],
    ])
  })

  test('durations are in seconds, in the buckets of the conventions', async () => {
    const { producer, consumer, metric, span } = setUpTraced<number>()
    await producer.send(1)
    // Durations are those of the clock that the spans have.
    await consumer.drain(() => new Promise((resolve) => void setTimeout(resolve, 20)))
    const { unit, points } = await metric('messaging.process.duration')
    expect(unit).toBe('s')
    const { count, sum = 0, buckets } = points[0]!.value as Exclude<(typeof points)[0]['value'], number>
    expect(buckets.boundaries).toEqual([
      0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10,
    ])
    expect(count).toBe(1)
    const [seconds, nanoseconds] = span('process orders').duration
    // Not read at the same moment: a busy machine may stall in between. In ms it would be 20 and more.
    expect(Math.abs(sum - (seconds + nanoseconds / 1e9))).toBeLessThan(5)
    expect(sum).toBeGreaterThan(0.015)
    const operations = await metric('messaging.client.operation.duration')
    expect(operations.points.map(({ attributes }) => attributes['messaging.operation.name'])).toEqual([
      'send',
      'settle',
    ])
  })
})

test('without an SDK everything works, and messages carry nothing', async () => {
  const { producer, consumer } = setUp<string>({ instrumentation: openTelemetry(api) })
  await producer.send('x')
  const message = await consumer.receive()
  expect(message).toMatchObject({ payload: 'x', headers: {} })
  await message!.ack()
})
