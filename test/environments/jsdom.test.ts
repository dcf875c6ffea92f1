// @vitest-environment jsdom
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { MemoryAdapter } from '../../adapters/memory.ts'
import { Queue } from '../../src/core/index.ts'
import { serve } from '../outbox/server.ts'
import { echo } from './echo.ts'
import { useOutbox, useQueues } from './work.ts'

test('queues work in jsdom', async () => {
  expect(typeof window).toBe('object')
  await expect(useQueues()).resolves.toBeUndefined()
})

test('an outbox works in jsdom', async () => {
  const server = await serve(echo)
  const bodies = (): string[] =>
    server.arrived.filter(({ method }) => method !== 'OPTIONS').map(({ body }) => body.toString('latin1'))
  await expect(useOutbox(server.origin, () => bodies().length)).resolves.toBeUndefined()
  expect(bodies()).toEqual([
    '{"a":"\u00c3\u00a4"}',
    '\u0000\u0001\u00ff',
    '\u0005\u0006',
    'of a request',
    'x',
    'mended',
  ])
})

test('bytes of another realm stay bytes', async () => {
  const foreign = runInNewContext('new Uint8Array([98, 99])') as Uint8Array
  expect(foreign).not.toBeInstanceOf(Uint8Array)
  const queue = new Queue<Uint8Array>('bytes', { storage: new MemoryAdapter() })
  await queue.createProducer().send(foreign)
  const message = await queue.createConsumer().receive()
  expect([...message!.payload]).toEqual([98, 99])
  expect(ArrayBuffer.isView(message!.payload)).toBe(true)
})
