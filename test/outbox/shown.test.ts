import { expect, onTestFinished, test } from 'vitest'
import { settle } from '../support/settle.ts'
import { serve, statuses } from './server.ts'
import { setUpOutbox, stateOf } from './set-up.ts'

/** Makes an event target of the global scope, with a document that is shown or not. */
function page(): { readonly fire: (type: string, visibilityState?: string) => void } {
  const target = new EventTarget()
  const scope = globalThis as Record<string, unknown>
  for (const method of ['addEventListener', 'removeEventListener'] as const)
    Object.defineProperty(scope, method, { configurable: true, value: target[method].bind(target) })
  onTestFinished(() => {
    for (const name of ['addEventListener', 'removeEventListener', 'document'])
      Reflect.deleteProperty(scope, name)
  })
  return {
    fire: (type, visibilityState = 'visible') => {
      Object.defineProperty(scope, 'document', { configurable: true, value: { visibilityState } })
      target.dispatchEvent(new Event(type))
    },
  }
}

test('a page that is shown tries what is held, once a minute at most, in whatever tab', async () => {
  const { fire } = page()
  const { origin, arrived } = await serve(statuses(401, 401, 200))
  const { outbox, another, clock } = setUpOutbox()
  const stops = [outbox.start(), another().start()]
  const fired = async (type: string, state?: string): Promise<number> => {
    fire(type, state)
    await settle()
    // What shall not be sent comes on real connections, if it comes.
    await new Promise((resolve) => setTimeout(resolve, 30))
    return arrived.length
  }
  expect(stateOf(await outbox.fetch(origin, { method: 'POST' }))).toBe('held')
  await clock.advance(59_000)
  expect(await fired('visibilitychange')).toBe(1)
  await clock.advance(1000)
  expect(await fired('visibilitychange', 'hidden')).toBe(1)
  expect(await fired('online')).toBe(1)
  fire('visibilitychange')
  await expect.poll(() => arrived.length).toBe(2)
  await expect.poll(async () => (await outbox.held()).length).toBe(1)
  expect(await fired('pageshow')).toBe(2)
  await clock.advance(60_000)
  fire('pageshow')
  await expect.poll(() => arrived.length).toBe(3)
  await outbox.settled()
  await Promise.all(stops.map((stop) => stop()))
})

test('what is held is tried also where the clock of the device was set back meanwhile', async () => {
  const { fire } = page()
  const { origin, arrived } = await serve(statuses(401, 200))
  const { outbox, clock } = setUpOutbox()
  const stop = outbox.start()
  expect(stateOf(await outbox.fetch(origin, { method: 'POST' }))).toBe('held')
  clock.jump(-3_600_000)
  fire('visibilitychange')
  await expect.poll(() => arrived.length).toBe(2)
  await expect.poll(() => outbox.size()).toBe(0)
  await stop()
})
