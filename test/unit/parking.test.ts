import { describe, expect, onTestFinished, test } from 'vitest'
import {
  type Codec,
  type Consumer,
  type ConsumerOptions,
  type DrainReport,
  type Message,
  QuaysideError,
  type Queue,
  type StandardSchema,
} from '../../src/index.ts'
import { settle } from '../support/settle.ts'
import { expectCode, setUp } from '../support/set-up.ts'

const odd = (value: unknown): never => value as never

/** Stops what runs when the test is over. */
function stopper(): AbortController {
  const controller = new AbortController()
  onTestFinished(() => controller.abort())
  return controller
}

describe('park', () => {
  test('a message keeps its place and blocks its key, with what there is to show, until it is resumed', async () => {
    const { clock, queue, producer, consumer } = setUp<string>()
    const { id } = await producer.send('a', { key: 'k' })
    await producer.send('b', { key: 'k' })
    const message = (await consumer.receive())!
    await clock.advance(5)
    await message.park({ reason: 'no such address', data: { field: 'to', tried: [1, 2] } })
    expect(await consumer.receive()).toBeUndefined()
    const { messages } = await queue.list({ state: 'parked' })
    expect(messages).toMatchObject([
      {
        id,
        state: 'parked',
        payload: 'a',
        parked: { reason: 'no such address', data: { field: 'to', tried: [1, 2] }, at: clock.now() },
      },
    ])
    expect((await queue.stats()).groups['default']).toMatchObject({
      parked: 1,
      blocked: 1,
      failed: 0,
      acked: 0,
    })
    expect(await queue.resume([id, 'stranger'])).toEqual([true, false])
    expect(await queue.resume([id])).toEqual([false])
    expect(await consumer.receive()).toMatchObject({ id, payload: 'a', attempt: 1 })
    expect((await queue.list()).messages).toMatchObject([{ parked: undefined }, { parked: undefined }])
  })

  test('data is optional, and what it is not is said before anything is changed', async () => {
    const { queue, storage, producer, consumer } = setUp<string>()
    const cycle: Record<string, unknown> = {}
    cycle['self'] = cycle
    await producer.send('a')
    const message = (await consumer.receive())!
    await expectCode(message.park(odd(undefined)), 'INVALID_ARGUMENT', 'park', 'options')
    await expectCode(message.park(odd({})), 'INVALID_ARGUMENT', 'park', 'reason', 'undefined')
    await expectCode(message.park(odd({ reason: 5 })), 'INVALID_ARGUMENT', 'park', 'reason', '5')
    await expectCode(message.park(odd({ reason: 'x', why: 5 })), 'INVALID_ARGUMENT', 'park', '"why"')
    await expectCode(message.park({ reason: 'x', data: cycle }), 'UNSERIALIZABLE', 'park', 'data')
    await expectCode(message.park({ reason: 'x', data: new Map() }), 'UNSERIALIZABLE', 'park', 'Map')
    await expectCode(message.park({ reason: 'x', data: new Uint8Array(3) }), 'INVALID_ARGUMENT', 'no bytes')
    await expectCode(
      message.park({ reason: 'x', data: '€'.repeat(1365) }),
      'TOO_LARGE',
      'data',
      '4096',
      '4097',
    )
    expect(storage.count('settle')).toBe(0)
    await message.park({ reason: 'x'.repeat(5000) })
    const [parked] = (await queue.list({ state: 'parked' })).messages
    expect(parked!.parked).toMatchObject({ reason: 'x'.repeat(4096), data: undefined })
    await expectCode(message.park({ reason: 'again' }), 'STALE_RECEIPT', 'park')
  })

  test('by receipt, from another consumer', async () => {
    const { queue, producer, consumer } = setUp<string>()
    await producer.send('a')
    const { receipt } = (await consumer.receive())!
    await queue.createConsumer().park(receipt, { reason: 'later' })
    expect((await queue.list({ state: 'parked' })).messages).toHaveLength(1)
  })

  test('in a handler, it is the end of it; drain reports it', async () => {
    const { queue, producer, consumer } = setUp<string>()
    await producer.send('a')
    await producer.send('b')
    const park = async (message: Message<string>): Promise<void> => {
      if (message.payload === 'a') await message.park({ reason: 'why not' })
    }
    const none = { retried: 0, dead: 0, returned: 0 }
    expect(await consumer.drain(park)).toEqual({ ...none, acked: 1, parked: 1 })
    const { throughput } = await queue.stats()
    expect(throughput).toMatchObject({ failed: 0 })
  })

  test('cancel ends the wait', async () => {
    const { queue, producer, consumer } = setUp<string>()
    const { id } = await producer.send('a', { key: 'k' })
    await producer.send('b', { key: 'k' })
    await (await consumer.receive())!.park({ reason: 'x' })
    expect(await queue.cancel([id])).toEqual([true])
    expect(await consumer.receive()).toMatchObject({ payload: 'b' })
  })

  test('a storage without parked messages refuses it', async () => {
    const { queue, producer, consumer, storage } = setUp<string>({ guarantees: { parking: false } })
    await producer.send('a')
    const message = (await consumer.receive())!
    await expectCode(message.park({ reason: 'x' }), 'UNSUPPORTED', 'park', 'parking')
    await expectCode(queue.resume(['a']), 'UNSUPPORTED', 'resume')
    await expectCode(queue.edit('a', 'x'), 'UNSUPPORTED', 'edit')
    expect(storage.count('settle') + storage.count('resume')).toBe(0)
    await message.ack()
  })
})

describe('resume', () => {
  test('of one group only', async () => {
    const { queue, producer } = setUp<string>()
    const groups = ['g', 'h'].map((name) => queue.createConsumer(name))
    const { id } = await producer.send('a')
    for (const group of groups) await (await group.receive())!.park({ reason: 'x' })
    expect(await queue.resume([id], { group: 'g' })).toEqual([true])
    expect(await groups[1]!.receive()).toBeUndefined()
    expect(await groups[0]!.receive()).toMatchObject({ id })
    expect(await queue.resume([id])).toEqual([true])
    expect(await groups[1]!.receive()).toMatchObject({ id })
  })

  test('wakes who waits; hundreds in steps of 256', async () => {
    const { queue, storage, producer, consumer } = setUp<number>()
    const stop = stopper()
    const sent = await producer.sendBatch(Array.from({ length: 300 }, (_, payload) => ({ payload })))
    for (const message of await consumer.receiveBatch(300)) await message.park({ reason: 'x' })
    const seen: number[] = []
    const running = consumer.run(({ payload }) => void seen.push(payload), { signal: stop.signal })
    await settle()
    const resumed = await queue.resume(sent.map(({ id }) => id))
    expect(resumed).toHaveLength(300)
    expect(resumed.every(Boolean)).toBe(true)
    expect(storage.count('resume')).toBe(2)
    await settle()
    await settle()
    expect(seen).toHaveLength(300)
    stop.abort()
    await running
  })

  test('refuses what is wrong', async () => {
    const { queue, storage } = setUp()
    await expectCode(queue.resume(odd('a')), 'INVALID_ARGUMENT', 'resume', 'ids')
    await expectCode(queue.resume(['']), 'INVALID_ARGUMENT', 'resume', 'id')
    await expectCode(queue.resume(['a'], { group: '' }), 'INVALID_ARGUMENT', 'resume', 'group')
    await expectCode(queue.resume(['a'], odd({ edit: {} })), 'INVALID_ARGUMENT', 'resume', '"edit"')
    expect(storage.calls).toEqual([])
  })
})

describe('edit', () => {
  test('has a parked message carry something else from now on', async () => {
    const { clock, queue, producer, consumer } = setUp<{ to: string }>()
    const { id } = await producer.send({ to: '?' }, { key: 'k', lane: undefined, headers: { a: '1' } })
    await (await consumer.receive())!.park({ reason: 'no such address' })
    await clock.advance(10)
    const options = { headers: { b: '2' }, expiresInMs: 100, maxAttempts: 9 }
    expect(await queue.edit(id, { to: 'me' }, options)).toBe(true)
    const message = (await consumer.receive())!
    expect(message).toMatchObject({
      id,
      key: 'k',
      payload: { to: 'me' },
      headers: { b: '2' },
      maxAttempts: 9,
    })
    expect(message.headers).toEqual({ b: '2' })
    expect(await queue.edit(id, { to: 'you' })).toBe(false)
    expect(await queue.edit('stranger', { to: 'you' })).toBe(false)
  })

  test('through the schema and the codec, which may take their time', async () => {
    const codec: Codec<string> = {
      encode: async (text) => `<${text}>`,
      decode: async (body) => String(body).slice(1, -1),
    }
    const schema: StandardSchema<string> = {
      '~standard': {
        version: 1,
        vendor: 'test',
        validate: async (value) =>
          value === 'bad' ? { issues: [{ message: 'too bad' }] } : { value: value as string },
      },
    }
    const { queue, storage, producer, consumer } = setUp<string>({ codec, schema })
    const { id } = await producer.send('a')
    await (await consumer.receive())!.park({ reason: 'x' })
    await expectCode(queue.edit(id, 'bad'), 'SCHEMA_MISMATCH', 'edit', 'too bad')
    expect(storage.count('resume')).toBe(0)
    expect(await queue.edit(id, 'good')).toBe(true)
    expect(storage.of('resume')[0]!.args[1]).toMatchObject({ edit: { body: '<good>' } })
    expect(await consumer.receive()).toMatchObject({ payload: 'good' })
  })

  test('in one group only', async () => {
    const { queue, producer } = setUp<string>()
    const groups = ['g', 'h'].map((name) => queue.createConsumer(name))
    const { id } = await producer.send('a')
    for (const group of groups) await (await group.receive())!.park({ reason: 'x' })
    expect(await queue.edit(id, 'b', { group: 'h' })).toBe(true)
    await queue.resume([id])
    expect(await groups[0]!.receive()).toMatchObject({ payload: 'a' })
    expect(await groups[1]!.receive()).toMatchObject({ payload: 'b' })
  })

  test('refuses what is wrong, and what does not fit the storage', async () => {
    const { queue, storage } = setUp({
      guarantees: { maxBodyBytes: 10, maxHeaderBytes: 5 },
    })
    await expectCode(queue.edit('', 1), 'INVALID_ARGUMENT', 'edit', 'id')
    await expectCode(
      queue.edit('a', () => 1),
      'UNSERIALIZABLE',
      'edit',
    )
    await expectCode(queue.edit('a', 'x'.repeat(10)), 'TOO_LARGE', 'edit', 'payload', '10', '12')
    await expectCode(
      queue.edit('a', 1, { headers: { abc: 'def' } }),
      'TOO_LARGE',
      'edit',
      'headers',
      '5',
      '6',
    )
    await expectCode(queue.edit('a', 1, odd({ headers: { a: 5 } })), 'INVALID_ARGUMENT', 'edit', '"a"', '5')
    await expectCode(queue.edit('a', 1, { expiresInMs: 0 }), 'INVALID_ARGUMENT', 'edit', 'expiresInMs')
    await expectCode(queue.edit('a', 1, { maxAttempts: 0 }), 'INVALID_ARGUMENT', 'edit', 'maxAttempts')
    await expectCode(queue.edit('a', 1, odd({ key: 'k' })), 'INVALID_ARGUMENT', 'edit', '"key"')
    expect(storage.calls).toEqual([])
  })
})

describe('what cannot be read', () => {
  /** Bodies of a newer version say so; what is broken is broken. */
  function versioned(): { readonly codec: Codec<string>; upgrade(): void } {
    let version = 1
    return {
      codec: {
        encode: (text) => `1:${text}`,
        decode: (body) => {
          const [, number, text] = /^(\d+):(.*)$/.exec(String(body)) ?? []
          if (text === undefined) throw new Error('broken')
          if (Number(number) > version) throw new QuaysideError('NOT_YET_READABLE', `version ${number}`)
          return text
        },
      },
      upgrade: () => (version = 9),
    }
  }

  test.each(['receive', 'drain', 'run'])(
    'NOT_YET_READABLE parks it, by %s, and newer code reads it once it is resumed',
    async (way) => {
      const { codec, upgrade } = versioned()
      const { queue, storage, producer, consumer } = setUp<string>({ codec })
      const stop = stopper()
      storage.before = ({ verb, args }) => {
        if (verb === 'append') for (const one of args[0] as { body: string }[]) one.body = '2:hello'
      }
      const { id } = await producer.send('hello')
      storage.work()
      await producer.send('old')
      const seen: string[] = []
      const reports: DrainReport[] = []
      const handler = ({ payload }: Message<string>): void => void seen.push(payload)
      if (way === 'receive') seen.push((await consumer.receive({ waitMs: 1000 }))!.payload)
      else if (way === 'drain') reports.push(await consumer.drain(handler))
      else void consumer.run(handler, { signal: stop.signal })
      await settle()
      expect(seen).toEqual(['old'])
      for (const { acked, dead, parked } of reports) expect([acked, dead, parked]).toEqual([1, 0, 1])
      stop.abort()
      const { messages } = await queue.list({ state: 'parked' })
      expect(messages).toMatchObject([
        { id, payload: undefined, parked: { reason: 'version 2', data: { code: 'NOT_YET_READABLE' } } },
      ])
      expect((await queue.deadLetters().list()).messages).toEqual([])
      upgrade()
      expect(await queue.resume([id])).toEqual([true])
      expect(await consumer.receive()).toMatchObject({ id, payload: 'hello', attempt: 1 })
    },
  )

  test('a codec that does not know quayside says it with the code of any error, late as well', async () => {
    const keys = new Set<string>()
    const codec: Codec<string> = {
      encode: (text) => text,
      decode: async (body) => {
        if (!keys.has('k7')) throw Object.assign(new Error('no key'), { code: 'NOT_YET_READABLE' })
        return String(body)
      },
    }
    const { queue, producer, consumer } = setUp<string>({ codec })
    const { id } = await producer.send('secret')
    expect(await consumer.receive()).toBeUndefined()
    keys.add('k7')
    expect(await queue.resume([id])).toEqual([true])
    expect(await consumer.receive()).toMatchObject({ payload: 'secret' })
  })

  test('any other error makes a dead letter of it, which can be redriven after a fix', async () => {
    let fixed = false
    const codec: Codec<string> = {
      encode: (text) => text,
      decode: (body) => {
        if (!fixed) throw new Error('a bug')
        return String(body)
      },
    }
    const { queue, producer, consumer } = setUp<string>({ codec })
    const { id } = await producer.send('hello')
    expect(await consumer.receive()).toBeUndefined()
    expect((await queue.deadLetters().list()).messages).toMatchObject([
      { id, reason: 'unreadable', payload: undefined, lastError: 'a bug' },
    ])
    fixed = true
    expect(await queue.deadLetters().redrive([id])).toBe(1)
    expect(await consumer.receive()).toMatchObject({ id, payload: 'hello', attempt: 1 })
  })

  test('where the storage has no parked messages, it is a dead letter', async () => {
    const { codec } = versioned()
    const { queue, storage, producer, consumer } = setUp<string>({ codec, guarantees: { parking: false } })
    storage.before = ({ verb, args }) => {
      if (verb === 'append') for (const one of args[0] as { body: string }[]) one.body = '2:hello'
    }
    await producer.send('hello')
    expect(await consumer.receive()).toBeUndefined()
    expect((await queue.deadLetters().list()).messages).toMatchObject([{ reason: 'unreadable' }])
  })
})

describe('afterDead', () => {
  async function afterDeath(afterDead: ConsumerOptions['afterDead']): Promise<{
    readonly queue: Queue<string>
    readonly consumer: Consumer<string>
  }> {
    const { queue, producer } = setUp<string>()
    const consumer = queue.createConsumer('default', { afterDead })
    for (const payload of ['a', 'b', 'c']) await producer.send(payload, { key: 'k' })
    await (await consumer.receive())!.reject()
    return { queue, consumer }
  }

  test.each(['continue', undefined] as const)('%s: the next of the key goes on', async (afterDead) => {
    const { consumer } = await afterDeath(afterDead)
    expect(await consumer.receive()).toMatchObject({ payload: 'b' })
  })

  test('park: the next of the key is parked, until it is resumed', async () => {
    const { queue, consumer } = await afterDeath('park')
    expect(await consumer.receive()).toBeUndefined()
    const { messages } = await queue.list({ state: 'parked' })
    expect(messages).toMatchObject([{ payload: 'b', parked: { reason: 'behind a dead letter' } }])
    await queue.resume([messages[0]!.id])
    expect(await consumer.receive()).toMatchObject({ payload: 'b' })
  })
})

test('list decodes what it shows of parked and done, and passes over what it cannot', async () => {
  const { queue, storage } = setUp({ guarantees: { parking: true, results: true } })
  const common = { body: '1', timestamp: 1, attempt: 1 }
  storage.stubs.list = () => ({
    messages: [
      { ...common, id: 'a', state: 'parked', parked: { reason: 'r', data: '{"x":1}', at: 2 } },
      { ...common, id: 'b', state: 'parked', parked: { reason: 'r', data: '{', at: 2 } },
      { ...common, id: 'c', state: 'done', body: '', outcome: { status: 'done', value: '{"y":2}', at: 3 } },
      { ...common, id: 'd', state: 'done', body: '', outcome: { status: 'done', value: '{', at: 3 } },
      {
        ...common,
        id: 'e',
        state: 'leased',
        lane: 'l',
        outcome: { status: 'running', progress: '5', at: 4 },
      },
    ],
  })
  const { messages } = await queue.list({ state: ['parked', 'done'], lane: 'l' })
  expect(storage.of('list')[0]!.args[0]).toMatchObject({ states: ['parked', 'done'], lane: 'l' })
  expect(messages).toMatchObject([
    { id: 'a', payload: 1, parked: { reason: 'r', data: { x: 1 }, at: 2 }, outcome: undefined },
    { id: 'b', parked: { reason: 'r', data: undefined } },
    { id: 'c', payload: undefined, parked: undefined, outcome: { status: 'done', value: { y: 2 }, at: 3 } },
    { id: 'd', payload: undefined, outcome: undefined },
    { id: 'e', lane: 'l', outcome: { status: 'running', progress: 5 } },
  ])
  await queue.list({ lane: '' })
  expect(storage.of('list')[1]!.args[0]).toMatchObject({ lane: '' })
  await expectCode(queue.list({ state: odd('waiting') }), 'INVALID_ARGUMENT', '"parked"', '"done"')
})
