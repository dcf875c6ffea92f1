import { expect, onTestFinished, test } from 'vitest'
import { QuaysideError } from '../../src/index.ts'
import { settle } from '../support/settle.ts'
import { defer, expectCode, setUp, thrownBy } from '../support/set-up.ts'

const AWAY = new QuaysideError('STORAGE_UNAVAILABLE', 'for now')
const BROKEN = new QuaysideError('STORAGE_FAILED', 'for now')

test('an onError that throws is seen, and breaks nothing', async () => {
  const uncaught: unknown[] = []
  const listener = (error: unknown): void => void uncaught.push(error)
  const others = process.listeners('uncaughtException')
  process.removeAllListeners('uncaughtException')
  process.on('uncaughtException', listener)
  onTestFinished(() => {
    process.off('uncaughtException', listener)
    for (const other of others) process.on('uncaughtException', other)
  })
  const { clock, storage, producer, consumer } = setUp<number>()
  const bug = new Error('the logger broke')
  storage.fail(AWAY, 'claim')
  const iterator = consumer.messages({
    onError: () => {
      throw bug
    },
  })
  const next = iterator.next()
  await settle()
  storage.work()
  await producer.send(1)
  await clock.advance(10_050)
  expect((await next).value?.payload).toBe(1)
  await iterator.return?.()
  expect(uncaught).toContain(bug)
})

test('a signal that aborts while whoever observes takes its time ends the call', async () => {
  const gate = defer()
  const { consumer } = setUp({
    instrumentation: async (_, run) => {
      await gate.promise
      return await run()
    },
  })
  const controller = new AbortController()
  const received = thrownBy(consumer.receive({ waitMs: Infinity, signal: controller.signal }))
  const reason = new Error('enough')
  controller.abort(reason)
  gate.resolve()
  expect(await received).toBe(reason)
})

test('a run goes on where a view breaks while whoever observes takes its time', async () => {
  const gate = defer()
  const { clock, storage, queue, producer, consumer } = setUp<number>({
    instrumentation: async ({ name }, run) => {
      if (name === 'settle') await gate.promise
      return await run()
    },
  })
  const stop = new AbortController()
  const running = consumer.run(() => undefined, { signal: stop.signal })
  await producer.send(1)
  await settle()
  storage.fail(BROKEN, 'stats')
  await expectCode(queue.stats(), 'STORAGE_FAILED')
  storage.work()
  gate.resolve()
  await clock.advance(10_050)
  expect((await queue.stats()).groups['default']).toMatchObject({ acked: 1, leased: 0 })
  stop.abort()
  await running
})

test('what is under way in many steps when the view breaks may be tried again: the queue is not closed', async () => {
  const { storage, queue, producer } = setUp<number>()
  await producer.send(1)
  const gate = defer()
  storage.after = async ({ verb }, result) => {
    if (verb === 'cancel') await gate.promise
    return result
  }
  const ids = Array.from({ length: 2000 }, (_, i) => `id ${i}`)
  const cancelled = thrownBy(queue.cancel(ids))
  await settle()
  storage.fail(BROKEN, 'append')
  await expectCode(producer.send(2), 'STORAGE_FAILED')
  storage.work()
  await settle()
  gate.resolve()
  await expectCode(Promise.reject(await cancelled), 'STORAGE_UNAVAILABLE', '"orders"')
  expect(await queue.cancel(ids)).not.toContain(true)
})
