import { MemoryAdapter } from '../../adapters/memory.ts'
import { KeyValueAdapter } from '../../adapters/key-value/index.ts'
import { Queue } from '../../src/core/index.ts'
import { Outbox } from '../../src/outbox/index.ts'
import type { StorageAdapter } from '../../src/storage.ts'
import { ItemStorage } from '../support/item-storage.ts'

/** Throws where something is not as it must be. Assertions of test frameworks may need what an environment lacks. */
function equal(is: unknown, should: unknown, what: string): void {
  if (JSON.stringify(is) !== JSON.stringify(should))
    throw new Error(`${what}: ${JSON.stringify(is)}, not ${JSON.stringify(should)}`)
}

async function useQueue(storage: StorageAdapter): Promise<void> {
  const queue = new Queue<unknown>('orders', { storage, keepMs: 60_000 })
  const producer = queue.createProducer()
  await producer.send({ text: 'ä \u{1f6a2}' }, { id: 'first', headers: { a: 'b' } })
  await producer.send(new Uint8Array([1, 2, 254]))
  await producer.send('again', { delayMs: 1, key: 'k' })
  const consumer = queue.createConsumer()
  const first = await consumer.receive({ waitMs: 45_000 })
  equal([first?.id, first?.payload, first?.attempt], ['first', { text: 'ä \u{1f6a2}' }, 1], 'the first')
  await first!.nack({ delayMs: 0, reason: 'again' })
  const seen: unknown[] = []
  const signal = new AbortController()
  await consumer.run(
    ({ payload }) => {
      seen.push(payload instanceof Uint8Array ? [...payload] : payload)
      if (seen.length === 3) signal.abort()
      return 'done'
    },
    { signal: signal.signal },
  )
  equal(
    seen.map((one) => JSON.stringify(one)).sort(),
    ['"again"', '[1,2,254]', '{"text":"ä \u{1f6a2}"}'],
    'what was run',
  )
  equal((await queue.result('first'))?.status, 'done', 'the result')
  const stats = await queue.stats()
  equal([stats.messages, stats.sent], [0, 3], 'the numbers')
  const aborted = new AbortController()
  aborted.abort()
  const why = await producer.send(1, { signal: aborted.signal }).catch((error: unknown) => error)
  equal((why as Error).name, 'AbortError', 'what an aborted send rejects with')
  await queue.close()
}

/** Uses core, memory and key-value. */
export async function useQueues(): Promise<void> {
  await useQueue(new MemoryAdapter())
  await useQueue(new KeyValueAdapter(new ItemStorage()))
  await useQueue(new KeyValueAdapter(new ItemStorage({ sync: true })))
}

/**
 * Uses an outbox, with a server that answers with what it was sent, and refuses what is sent to `/refused`.
 *
 * @param arrived How many requests have arrived.
 * @param clones Whether a response that was cloned has its body: those of happy-dom have not.
 */
export async function useOutbox(
  origin: string,
  arrived: () => Promise<number> | number,
  clones = true,
): Promise<void> {
  const textOf = async (response: Response): Promise<string | undefined> =>
    clones ? await response.text() : undefined
  const bytesOf = async (response: Response): Promise<number[] | undefined> =>
    clones ? [...new Uint8Array(await response.arrayBuffer())] : undefined
  const sent = <T>(what: T): T | undefined => (clones ? what : undefined)
  const queue = new Queue('outbox', { storage: new KeyValueAdapter(new ItemStorage()) })
  const outbox = new Outbox(queue, { answerWithinMs: 45_000 })
  const stop = outbox.start()
  const controller = new AbortController()
  const post = (body: BodyInit, init: RequestInit = {}): Promise<Response> =>
    outbox.fetch(`${origin}/echo`, { method: 'POST', body, ...init })
  const json = await post('{"a":"ä"}', {
    headers: { 'content-type': 'application/json' },
    signal: controller.signal,
  })
  equal([json.status, await textOf(json)], [200, sent('{"a":"ä"}')], 'the answer to a text')
  const bytes = await post(new Uint8Array([0, 1, 255]))
  equal(await bytesOf(bytes), sent([0, 1, 255]), 'the answer to bytes')
  const buffer = await post(new Uint8Array([5, 6]).buffer)
  equal(await bytesOf(buffer), sent([5, 6]), 'the answer to a buffer')
  const request = new Request(`${origin}/echo`, { method: 'PUT', body: 'of a request' })
  equal(await textOf(await outbox.fetch(request)), sent('of a request'), 'the answer to a request')
  const refused = await outbox.fetch(`${origin}/refused`, { method: 'POST', body: 'x' })
  equal([refused.status, refused.headers.get('quayside-state')], [422, 'parked'], 'what was refused')
  equal(await textOf(refused), sent('no'), 'why')
  const before = await arrived()
  controller.abort()
  const why = await post('y', { signal: controller.signal }).catch((error: unknown) => error)
  equal((why as Error).name, 'AbortError', 'what an aborted request rejects with')
  equal(await arrived(), before, 'what was sent of it')
  const id = refused.headers.get('quayside-message-id')!
  const { messages } = await outbox.list({ state: 'parked' })
  equal(
    messages.map((one) => one.id),
    [id],
    'what is parked',
  )
  await outbox.resolve(id, {
    request: new Request(`${origin}/echo`, { method: 'POST', body: 'mended' }),
  })
  for (let i = 0; (await arrived()) === before; i++) {
    if (i > 4500) throw new Error('what was mended was not sent')
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  await stop()
  await queue.close()
}
