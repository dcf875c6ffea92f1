import { createElement } from 'react'
import { renderToString } from 'react-dom/server'
import { expect, onTestFinished, test } from 'vitest'
import { MemoryAdapter } from '../../src/records/memory.ts'
import { Queue } from '../../src/index.ts'
import { Outbox } from '../../src/outbox/index.ts'
import { useOutbox, useQueue } from '../../src/react/index.ts'
import { SpyStorage } from '../support/spy-storage.ts'
import { bundle } from './support/bundle.ts'
import { chromiumPage } from './support/contexts.ts'

// The hooks with the real React: in a page, and rendered on a server.

test.each(['production', 'development'] as const)(
  'hooks follow in a page what other tabs do (%s)',
  async (mode) => {
    const context = await chromiumPage(await bundle('test/browser/pages/react.ts', { mode }), 'react')
    onTestFinished(() => context.close())
    const call = (name: string, ...passed: readonly unknown[]): Promise<unknown> =>
      context.call('react', name, ...passed)
    const text = (): Promise<unknown> => call('text')
    await call('mount')
    await expect.poll(text).toBe('true 0 0 0 ')
    await call('store', 'one')
    await expect.poll(text).toBe('true 1 0 1 one')
    await call('refuse', 'two')
    await expect.poll(text).toBe('true 1 1 2 one,two')
    // Strict mode mounts twice in development. The views of the outbox and of the queue watch the storage together.
    expect(await call('watched')).toBe(1)
    const renders = (await call('renders')) as number
    await call('rerender')
    const most = mode === 'development' ? 2 : 1
    await expect.poll(() => call('renders')).toBe(renders + most)
    await call('unmount')
    await expect.poll(() => call('watched')).toBe(0)
  },
)

test('on a server nothing is read, and nothing left', () => {
  const storage = new SpyStorage(new MemoryAdapter())
  const queue = new Queue('outbox', { storage })
  onTestFinished(() => queue.close())
  const outbox = new Outbox(queue)
  const State = (): string => {
    const { waiting, loaded, online } = useOutbox(outbox)
    return `${waiting} ${loaded} ${online} ${useQueue(queue).messages}`
  }
  expect(renderToString(createElement(State))).toBe('0 false true 0')
  expect(storage.listeners).toBe(0)
  expect(storage.count('stats') + storage.count('list')).toBe(0)
})
