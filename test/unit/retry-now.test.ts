import { describe, expect, test } from 'vitest'
import { expectCode, setUp } from '../support/set-up.ts'

describe('retryNow', () => {
  test('has those of the ids that wait for a retry be due now', async () => {
    const { queue, producer, consumer } = setUp<number>()
    const { id } = await producer.send(1)
    await producer.send(2)
    for (const message of await consumer.receiveBatch(2)) await message.nack({ delayMs: 60_000 })
    expect(await queue.retryNow([id, 'unknown'])).toBe(1)
    const messages = await consumer.receiveBatch(2)
    expect(messages.map(({ payload, attempt }) => [payload, attempt])).toEqual([[1, 2]])
  })

  test('without ids takes all of the group, however many', async () => {
    const { queue, producer } = setUp<number>()
    const consumer = queue.createConsumer('billing')
    await producer.sendBatch(Array.from({ length: 600 }, (_, payload) => ({ payload })))
    await consumer.nackBatch(await consumer.receiveBatch(600), { delayMs: 60_000 })
    expect(await queue.retryNow()).toBe(0)
    expect(await queue.retryNow(undefined, { group: 'billing' })).toBe(600)
    expect(await consumer.receiveBatch(1000)).toHaveLength(600)
  })

  test('wakes who waits', async () => {
    const { queue, producer, consumer } = setUp<string>()
    const { id } = await producer.send('a')
    await (await consumer.receive())!.nack({ delayMs: 60_000 })
    const waiting = consumer.receive({ waitMs: 30_000 })
    await queue.retryNow([id])
    expect((await waiting)?.attempt).toBe(2)
  })

  test('refuses what is no id, group or option', async () => {
    const { queue } = setUp()
    await expectCode(queue.retryNow(['']), 'INVALID_ARGUMENT', 'retryNow', 'id')
    await expectCode(queue.retryNow('a' as never), 'INVALID_ARGUMENT', 'ids must be an array')
    await expectCode(queue.retryNow([], { group: '' }), 'INVALID_ARGUMENT', 'group')
    await expectCode(queue.retryNow([], { grp: 'x' } as never), 'INVALID_ARGUMENT', 'grp')
  })
})
