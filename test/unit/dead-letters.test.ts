import { describe, expect, test } from 'vitest'
import { type SetUp, setUp, thrownBy } from '../support/set-up.ts'

/** Makes dead letters of payloads. */
async function kill<T>({ producer, consumer }: SetUp<T>, ...payloads: readonly T[]): Promise<string[]> {
  const sent = await producer.sendBatch(payloads.map((payload) => ({ payload })))
  for (const message of await consumer.receiveBatch(payloads.length)) await message.reject()
  return sent.map(({ id }) => id)
}

describe('list', () => {
  test('shows everything about a dead letter', async () => {
    const { clock, queue, producer, consumer } = setUp<string>()
    const sentAt = clock.now()
    await producer.send('x', { id: 'a', key: 'k', headers: { h: '1' }, maxAttempts: 7 })
    await clock.advance(1000)
    await (await consumer.receive())!.reject({ reason: 'no good' })
    const page = await queue.deadLetters().list()
    expect(page).toEqual({
      messages: [
        {
          id: 'a',
          state: 'dead',
          payload: 'x',
          headers: { h: '1' },
          key: 'k',
          timestamp: sentAt,
          attempt: 1,
          maxAttempts: 7,
          nextInMs: undefined,
          lastError: 'no good',
          reason: 'rejected',
          deadAt: sentAt + 1000,
        },
      ],
      cursor: undefined,
    })
  })

  test('leaves payloads out where nobody asks for them', async () => {
    const it = setUp<string>()
    await kill(it, 'x')
    const { messages } = await it.queue.deadLetters().list({ bodies: false })
    expect(messages).toMatchObject([{ payload: undefined, reason: 'rejected' }])
    const wrong = it.queue.deadLetters().list({ bodies: 1 as never })
    expect(await thrownBy(wrong)).toMatchObject({ code: 'INVALID_ARGUMENT' })
  })

  test('pages through many, in the order of the queue', async () => {
    const all = setUp<number>()
    await kill(all, 1, 2, 3, 4, 5)
    const letters = all.queue.deadLetters()
    const seen: (number | undefined)[][] = []
    let cursor: string | undefined
    do {
      const page = await letters.list({ limit: 2, ...(cursor !== undefined && { cursor }) })
      seen.push(page.messages.map(({ payload }) => payload))
      cursor = page.cursor
    } while (cursor !== undefined)
    expect(seen.flat()).toEqual([1, 2, 3, 4, 5])
    expect(Math.max(...seen.map(({ length }) => length))).toBe(2)
  })

  test('shows 100 by default', async () => {
    const all = setUp<number>()
    await kill(all, ...Array.from({ length: 150 }, (_, i) => i))
    const page = await all.queue.deadLetters().list()
    expect(page.messages).toHaveLength(100)
    expect(page.cursor).toBeTypeOf('string')
  })

  test('of each group shows its own', async () => {
    const all = setUp<string>()
    const [a, b] = [all.queue.createConsumer('a'), all.queue.createConsumer('b')]
    await Promise.all([a.receive(), b.receive()])
    await all.producer.send('x')
    await (await a.receive())!.reject()
    await (await b.receive())!.ack()
    expect((await all.queue.deadLetters('a').list()).messages).toHaveLength(1)
    expect((await all.queue.deadLetters('b').list()).messages).toHaveLength(0)
    expect((await all.queue.deadLetters('unknown').list()).messages).toHaveLength(0)
    expect((await all.queue.deadLetters().list()).messages).toHaveLength(0)
  })

  test('does not change anything, and makes no group', async () => {
    const { queue } = setUp<string>()
    await queue.deadLetters('unknown').list()
    expect(Object.keys((await queue.stats()).groups)).toEqual(['default'])
  })
})

describe('redrive', () => {
  test('delivers all of them again, from their first attempt on', async () => {
    const all = setUp<string>()
    await kill(all, 'x', 'y')
    expect(await all.queue.deadLetters().redrive()).toBe(2)
    expect((await all.queue.stats()).groups['default']).toMatchObject({ dead: 0, ready: 2 })
    const again = await all.consumer.receiveBatch(5)
    expect(again.map(({ payload, attempt }) => [payload, attempt])).toEqual([
      ['x', 1],
      ['y', 1],
    ])
    await all.consumer.ackBatch(again)
  })

  test('of ids delivers those, and passes over what is no dead letter', async () => {
    const all = setUp<string>()
    const ids = await kill(all, 'x', 'y', 'z')
    const letters = all.queue.deadLetters()
    expect(await letters.redrive([ids[2]!, 'unknown', ids[0]!, ids[2]!])).toBe(2)
    expect((await all.consumer.receiveBatch(5)).map(({ payload }) => payload).toSorted()).toEqual(['x', 'z'])
    expect((await letters.list()).messages.map(({ payload }) => payload)).toEqual(['y'])
    expect(await letters.redrive([])).toBe(0)
    expect(await letters.redrive([ids[0]!])).toBe(0)
  })

  test('wakes who waits', async () => {
    const all = setUp<string>()
    await kill(all, 'x')
    const waiting = all.consumer.receive({ waitMs: 10_000 })
    await all.queue.deadLetters().redrive()
    expect((await waiting)?.payload).toBe('x')
  })

  test('of many goes through all of them', async () => {
    const all = setUp<number>()
    await kill(all, ...Array.from({ length: 1000 }, (_, i) => i))
    expect(await all.queue.deadLetters().redrive()).toBe(1000)
    expect((await all.queue.stats()).groups['default']).toMatchObject({ dead: 0, ready: 1000 })
  })

  test('of an expired message delivers it, without an expiry', async () => {
    const { clock, queue, producer, consumer } = setUp<string>()
    await consumer.receive()
    await producer.send('x', { expiresInMs: 1000 })
    await clock.advance(1000)
    expect(await consumer.receive()).toBeUndefined()
    expect(await queue.deadLetters().redrive()).toBe(1)
    expect((await consumer.receive())?.payload).toBe('x')
  })

  test('of what cannot be read makes it unreadable again', async () => {
    let broken = true
    const { queue, producer, consumer } = setUp<string>({
      codec: {
        encode: (text) => text,
        decode: (body) => {
          if (broken) throw new Error('cannot read this')
          return String(body)
        },
      },
    })
    await producer.send('x')
    expect(await consumer.receive()).toBeUndefined()
    const letters = queue.deadLetters()
    expect((await letters.list()).messages).toMatchObject([
      { reason: 'unreadable', payload: undefined, lastError: 'cannot read this', attempt: 1 },
    ])
    expect(await letters.redrive()).toBe(1)
    expect(await consumer.receive()).toBeUndefined()
    expect((await letters.list()).messages).toHaveLength(1)
    broken = false
    await letters.redrive()
    expect((await consumer.receive())?.payload).toBe('x')
  })
})

describe('delete', () => {
  test('deletes all of them for good', async () => {
    const all = setUp<string>()
    await kill(all, 'x', 'y')
    expect(await all.queue.deadLetters().delete()).toBe(2)
    expect((await all.queue.deadLetters().list()).messages).toEqual([])
    expect((await all.queue.stats()).groups['default']).toMatchObject({ dead: 0, ready: 0 })
    expect(await all.consumer.receive()).toBeUndefined()
    expect(await all.queue.deadLetters().delete()).toBe(0)
  })

  test('of ids deletes those, and passes over what is no dead letter', async () => {
    const all = setUp<string>()
    const ids = await kill(all, 'x', 'y')
    const { id } = await all.producer.send('alive')
    expect(await all.queue.deadLetters().delete([ids[1]!, id, 'unknown'])).toBe(1)
    expect((await all.queue.deadLetters().list()).messages.map(({ payload }) => payload)).toEqual(['x'])
    expect((await all.consumer.receive())?.payload).toBe('alive')
  })

  test('of one group leaves those of another', async () => {
    const { queue, producer } = setUp<string>()
    const consumers = ['a', 'b'].map((group) => queue.createConsumer(group))
    for (const consumer of consumers) await consumer.receive()
    await producer.send('x')
    for (const consumer of consumers) await (await consumer.receive())!.reject()
    await queue.deadLetters('a').delete()
    expect((await queue.deadLetters('b').list()).messages).toHaveLength(1)
  })
})

test('a storage that fails rejects each of them with its error', async () => {
  const all = setUp<string>()
  await kill(all, 'x')
  const letters = all.queue.deadLetters()
  const broken = new Error('disk on fire')
  all.storage.fail(broken, 'list')
  for (const call of [() => letters.list(), () => letters.redrive(), () => letters.delete()]) {
    expect(await thrownBy(call())).toBe(broken)
  }
  all.storage.fail(broken, 'settle')
  for (const call of [() => letters.redrive(), () => letters.delete()]) {
    expect(await thrownBy(call())).toBe(broken)
  }
  all.storage.work()
  expect((await letters.list()).messages).toHaveLength(1)
})
