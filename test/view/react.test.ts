// A stand-in of the one hook that is used, which shows each time that a component is rendered. With React itself:
// test/browser/react.test.ts.
import { expect, onTestFinished, test, vi } from 'vitest'
import { useQueue } from '../../src/react/index.ts'
import { setUp } from '../support/set-up.ts'
import { mount, renderOnServer } from './hooks.ts'
import { eventually } from '../support/eventually.ts'

vi.mock('react', async () => await import('./hooks.ts'))

test('a component is rendered again when what it uses has changed, and lets go when it is gone', async () => {
  const { queue, producer, storage } = setUp()
  const component = mount(() => useQueue(queue))
  onTestFinished(component.unmount)
  expect(component.rendered).toMatchObject([{ loaded: false, messages: 0 }])
  await eventually(() => expect(component.rendered.at(-1)).toMatchObject({ loaded: true }))
  await producer.send(1)
  await eventually(() => expect(component.rendered.at(-1)).toMatchObject({ messages: 1 }))
  const times = component.rendered.length
  component.render()
  // Nothing has changed: the same object, so that React renders no more.
  expect(component.rendered.at(-1)).toBe(component.rendered.at(-2))
  expect(component.rendered).toHaveLength(times + 1)
  component.unmount()
  expect(storage.listeners).toBe(0)
})

test('strict mode, which mounts twice, leaves one watch', async () => {
  const { queue, storage } = setUp()
  const component = mount(() => useQueue(queue), { strict: true })
  await eventually(() => expect(component.rendered.at(-1)).toMatchObject({ loaded: true }))
  expect(storage.listeners).toBe(1)
  component.unmount()
  expect(storage.listeners).toBe(0)
})

test('on a server nothing is read, and nothing left', async () => {
  const { queue, storage } = setUp()
  expect(renderOnServer(() => useQueue(queue))).toMatchObject({ loaded: false, messages: 0 })
  expect(storage.count('stats')).toBe(0)
  expect(storage.listeners).toBe(0)
})
