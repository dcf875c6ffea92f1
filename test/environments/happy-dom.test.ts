// @vitest-environment happy-dom
import { expect, test } from 'vitest'
import { serve } from '../outbox/server.ts'
import { echo } from './echo.ts'
import { useOutbox, useQueues } from './work.ts'

test('queues work in happy-dom', async () => {
  expect(typeof window).toBe('object')
  await expect(useQueues()).resolves.toBeUndefined()
})

test('an outbox works in happy-dom', async () => {
  const server = await serve(echo)
  const bodies = (): string[] =>
    server.arrived.filter(({ method }) => method !== 'OPTIONS').map(({ body }) => body.toString('latin1'))
  await expect(useOutbox(server.origin, () => bodies().length, false)).resolves.toBeUndefined()
  expect(bodies()).toEqual([
    '{"a":"\u00c3\u00a4"}',
    '\u0000\u0001\u00ff',
    '\u0005\u0006',
    'of a request',
    'x',
    'mended',
  ])
})
