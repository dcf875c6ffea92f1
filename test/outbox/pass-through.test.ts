import { describe, expect, test } from 'vitest'
import { MemoryAdapter } from '../../adapters/memory.ts'
import { type ErrorCode, QuaysideError, Queue } from '../../src/index.ts'
import { Outbox, type OutboxEvent, type OutboxOptions, type OutboxPayload } from '../../src/outbox/index.ts'
import { ManualClock } from '../../src/testing/index.ts'
import { expectCode, expectEmpty, thrownBy } from '../support/set-up.ts'
import { SpyStorage } from '../support/spy-storage.ts'
import { serve, statuses } from './server.ts'
import { idOf, setUpOutbox, stateOf } from './set-up.ts'

const POST = { method: 'POST', body: 'hello' }

/** An outbox whose storage refuses to store. */
function withoutRoom(code: ErrorCode, options: OutboxOptions = {}) {
  const clock = new ManualClock()
  const storage = new SpyStorage(new MemoryAdapter({ clock }))
  const reason = new QuaysideError(code, 'no way')
  storage.fail(reason, 'append')
  const queue = new Queue<OutboxPayload>('outbox', { storage, clock })
  const outbox = new Outbox(queue, { clock, ...options })
  const events: OutboxEvent[] = []
  outbox.watch((event) => events.push(event))
  return { outbox, queue, events, reason, storage, clock }
}

describe.each<ErrorCode>(['QUOTA_EXCEEDED', 'STORAGE_FAILED', 'STORAGE_UNAVAILABLE', 'TIMEOUT'])(
  'where it cannot be stored: %s',
  (code) => {
    test('fetch sends once, and says so', async () => {
      const { origin, arrived } = await serve((response) =>
        response.writeHead(201, { 'x-own': 'yes' }).end('made'),
      )
      const { outbox, queue, events } = withoutRoom(code, {
        before: ({ headers }) => headers.set('x-token', 'fresh'),
      })
      const response = await outbox.fetch(`${origin}/x`, {
        ...POST,
        headers: { authorization: 'Bearer own' },
      })
      expect([response.status, stateOf(response), await response.text()]).toEqual([201, 'unstored', 'made'])
      expect(response.headers.get('x-own')).toBe('yes')
      expect(arrived).toMatchObject([
        {
          path: '/x',
          body: Buffer.from('hello'),
          headers: { authorization: 'Bearer own', 'x-token': 'fresh', 'idempotency-key': idOf(response) },
        },
      ])
      expect(events.filter(({ type }) => type === 'unstored')).toMatchObject([
        { id: idOf(response), reason: 'no way' },
      ])
      await queue.close()
    })

    test('fetch answers with what the server says, whatever it is, and does not try again', async () => {
      const { origin, arrived } = await serve(statuses(503))
      const { outbox, queue, clock } = withoutRoom(code)
      const stop = outbox.start()
      const response = await outbox.fetch(origin, POST)
      expect([response.status, stateOf(response)]).toEqual([503, 'unstored'])
      await clock.advance(60_000)
      expect(arrived.length).toBe(1)
      await stop()
      await queue.close()
    })

    test('fetch rejects with that where it cannot be sent either', async () => {
      const { outbox, queue, reason } = withoutRoom(code, {
        fetch: () => Promise.reject(new TypeError('offline')),
      })
      expect(await thrownBy(outbox.fetch('http://127.0.0.1:9', POST))).toBe(reason)
      await queue.close()
    })

    test('store rejects, and sends nothing', async () => {
      const { origin, arrived } = await serve()
      const { outbox, queue, reason } = withoutRoom(code)
      expect(await thrownBy(outbox.store(origin, POST))).toBe(reason)
      expect(arrived.length).toBe(0)
      await queue.close()
    })

    test('what is not to be sent now is not', async () => {
      const { origin, arrived } = await serve()
      const { outbox, queue, reason } = withoutRoom(code)
      expect(await thrownBy(outbox.fetch(origin, { ...POST, delayMs: 1000 }))).toBe(reason)
      expect(await thrownBy(outbox.fetch(origin, { ...POST, after: 'parent' }))).toBe(reason)
      expect(arrived.length).toBe(0)
      await queue.close()
    })
  },
)

test.each<ErrorCode>(['CLOSED', 'UNSERIALIZABLE', 'UNSUPPORTED'])(
  '%s is no lack of room: fetch rejects',
  async (code) => {
    const { origin, arrived } = await serve()
    const { outbox, queue, reason } = withoutRoom(code)
    expect(await thrownBy(outbox.fetch(origin, POST))).toBe(reason)
    expect(arrived.length).toBe(0)
    await queue.close()
  },
)

describe('a body over maxBodyBytes', () => {
  const LIMIT = 1000
  const TEXT = 'x'.repeat(300 * LIMIT)
  test.each<[string, () => BodyInit]>([
    ['text', () => TEXT],
    ['bytes', () => new TextEncoder().encode(TEXT)],
    ['a Blob', () => new Blob([TEXT])],
    ['a stream', () => new Blob([TEXT]).stream()],
    ['a stream of many chunks', () => inChunks(TEXT, 500)],
  ])('is sent once by fetch, whole: %s', async (_, body) => {
    const { origin, arrived } = await serve()
    const { outbox, queue, events } = setUpOutbox({ maxBodyBytes: LIMIT })
    const headers = { 'content-type': 'text/plain' }
    const response = await outbox.fetch(origin, { method: 'POST', body: body(), headers })
    expect([response.status, stateOf(response)]).toEqual([201, 'unstored'])
    expect(arrived.length).toBe(1)
    expect(arrived[0]!.body.toString()).toBe(TEXT)
    expect(events).toMatchObject([{ type: 'unstored' }])
    await expectEmpty(queue)
  })

  test('of a Request is sent whole too', async () => {
    const { origin, arrived } = await serve()
    const { outbox } = setUpOutbox({ maxBodyBytes: LIMIT })
    await outbox.fetch(new Request(origin, { method: 'PUT', body: TEXT }))
    expect(arrived.map(({ method, body }) => [method, body.length])).toEqual([['PUT', TEXT.length]])
  })

  test('rejects with TOO_LARGE where it cannot be sent', async () => {
    const { outbox, queue } = setUpOutbox({
      maxBodyBytes: LIMIT,
      fetch: () => Promise.reject(new TypeError('offline')),
    })
    await expectCode(
      outbox.fetch('http://127.0.0.1:9', { method: 'POST', body: TEXT }),
      'TOO_LARGE',
      'maxBodyBytes',
    )
    await expectEmpty(queue)
  })

  test('that is aborted rejects with the reason of the signal', async () => {
    const { origin, busy } = await serve(() => undefined)
    const { outbox } = setUpOutbox({ maxBodyBytes: LIMIT })
    const controller = new AbortController()
    const work = outbox.fetch(origin, { method: 'POST', body: TEXT, signal: controller.signal })
    await expect.poll(() => busy.now).toBe(1)
    const reason = new Error('gone')
    controller.abort(reason)
    expect(await thrownBy(work)).toBe(reason)
  })
})

function inChunks(text: string, bytes: number): ReadableStream {
  const whole = new TextEncoder().encode(text)
  let at = 0
  return new ReadableStream({
    pull(controller) {
      if (at === whole.length) return controller.close()
      controller.enqueue(whole.subarray(at, (at += bytes)))
    },
  })
}
