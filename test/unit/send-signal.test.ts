import { describe, expect, test } from 'vitest'
import type { Producer } from '../../src/index.ts'
import { settle } from '../support/settle.ts'
import { defer, expectCode, expectEmpty, setUp, thrownBy } from '../support/set-up.ts'

const any = (value: unknown): never => value as never

const SENDS: readonly [string, (producer: Producer<unknown>, signal: AbortSignal) => Promise<unknown>][] = [
  ['send', (producer, signal) => producer.send('x', { signal })],
  ['sendBatch', (producer, signal) => producer.sendBatch([{ payload: 'x' }, { payload: 'y' }], { signal })],
]

describe.each(SENDS)('%s', (_, send) => {
  test('with a signal that has aborted rejects with its reason, and nothing is stored', async () => {
    const { storage, queue, producer } = setUp()
    const reason = new Error('too late')
    expect(await thrownBy(send(producer, AbortSignal.abort(reason)))).toBe(reason)
    await settle()
    expect(storage.calls).toEqual([])
    await expectEmpty(queue)
  })

  test('is given up while another one is under way', async () => {
    const { storage, queue, producer } = setUp()
    await producer.send('opens the storage')
    const gate = defer()
    storage.before = () => gate.promise
    const first = producer.send('first')
    await settle()
    const controller = new AbortController()
    const second = thrownBy(send(producer, controller.signal))
    const third = producer.send('third')
    controller.abort()
    expect(await second).toBe(controller.signal.reason)
    storage.work()
    gate.resolve()
    await Promise.all([first, third])
    expect((await queue.list()).messages.map(({ payload }) => payload)).toEqual([
      'opens the storage',
      'first',
      'third',
    ])
  })

  test('is given up while the storage opens', async () => {
    const { storage, queue, producer } = setUp()
    const gate = defer()
    storage.before = () => gate.promise
    const controller = new AbortController()
    const sent = thrownBy(send(producer, controller.signal))
    await settle()
    controller.abort()
    expect(await sent).toBe(controller.signal.reason)
    storage.work()
    gate.resolve()
    await expectEmpty(queue)
  })

  test('is given up in the same turn', async () => {
    const { queue, producer } = setUp()
    const controller = new AbortController()
    const sent = thrownBy(send(producer, controller.signal))
    controller.abort()
    expect(await sent).toBe(controller.signal.reason)
    await expectEmpty(queue)
  })

  test('is given up while it is encoded, at once', async () => {
    const gate = defer()
    const { queue, producer } = setUp({
      codec: { encode: () => gate.promise.then(() => 'x'), decode: String },
    })
    const controller = new AbortController()
    const sent = thrownBy(send(producer, controller.signal))
    await settle()
    controller.abort()
    expect(await sent).toBe(controller.signal.reason)
    gate.resolve()
    await settle()
    await expectEmpty(queue)
  })

  test('that the storage was asked for ends as if there were no signal', async () => {
    const { storage, queue, producer } = setUp()
    await producer.send('opens the storage')
    const gate = defer()
    storage.before = ({ verb }) => (verb === 'append' ? gate.promise : undefined)
    const controller = new AbortController()
    const sent = send(producer, controller.signal)
    await settle()
    controller.abort()
    gate.resolve()
    expect([await sent].flat()[0]).toMatchObject({ status: 'stored' })
    storage.work()
    expect((await queue.list()).messages.at(-1)!.payload).toMatch(/[xy]/)
  })

  test('takes nothing but an AbortSignal', async () => {
    const { queue, producer } = setUp()
    await expectCode(send(producer, any({})), 'INVALID_ARGUMENT', 'signal', 'AbortSignal')
    await expectCode(send(producer, any('now')), 'INVALID_ARGUMENT', 'signal')
    await expectEmpty(queue)
  })
})

test('one message of a batch has no signal of its own', async () => {
  const { producer } = setUp()
  const { signal } = new AbortController()
  await expectCode(producer.sendBatch([any({ payload: 1, signal })]), 'INVALID_ARGUMENT', '"signal"')
})

test('a signal is listened to once, however many sends share it, and not any longer than they wait', async () => {
  const { producer } = setUp()
  const controller = new AbortController()
  const { signal } = controller
  const listeners = new Set<unknown>()
  const watched = new Proxy(signal, {
    get(target, name) {
      if (name === 'addEventListener') return (_: string, listener: unknown) => listeners.add(listener)
      if (name === 'removeEventListener') return (_: string, listener: unknown) => listeners.delete(listener)
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
  const sent = Array.from({ length: 50 }, (_, i) => producer.send(i, { signal: watched }))
  expect(listeners.size).toBe(1)
  await Promise.all(sent)
  expect(listeners.size).toBe(0)
})
