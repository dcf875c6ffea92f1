import { JSDOM } from 'jsdom'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { MemoryAdapter } from '../../adapters/memory.ts'
import { Queue } from '../../src/core/index.ts'
import { Outbox } from '../../src/outbox/index.ts'
import { bundle } from '../browser/support/bundle.ts'
import { serve } from '../outbox/server.ts'
import { echo } from './echo.ts'
import type { useOutbox, useQueues } from './work.ts'

// Engines of apps lack what browsers and Node have. What is shipped is run where such names lead to nothing; but Node's own fetch
// goes on having what it needs.

/** Without these everything works. */
const OPTIONAL = [
  'AbortSignal',
  'atob',
  'Blob',
  'BroadcastChannel',
  'btoa',
  'Buffer',
  'crypto',
  'CustomEvent',
  'DOMException',
  'Event',
  'EventTarget',
  'File',
  'FinalizationRegistry',
  'FormData',
  'MessageChannel',
  'navigator',
  'performance',
  'process',
  'queueMicrotask',
  'ReadableStream',
  'setImmediate',
  'structuredClone',
  'TransformStream',
  'WeakRef',
  'WritableStream',
] as const

/** An outbox says that it needs these. */
const NEEDED = ['Request', 'Response', 'Headers', 'TextEncoder', 'TextDecoder'] as const

interface Work {
  readonly useQueues: typeof useQueues
  readonly useOutbox: typeof useOutbox
}

let code: string
beforeAll(async () => {
  code = await bundle('test/environments/work.ts', { format: 'iife' })
})

/** Loads the code anew, where these names lead to something else. */
function loadWith(own: Readonly<Record<string, unknown>>): Work {
  const scope: Record<string, unknown> = {}
  for (const name of Object.getOwnPropertyNames(globalThis))
    scope[name] = (globalThis as Record<string, unknown>)[name]
  for (const [name, value] of Object.entries(own))
    if (value === undefined) delete scope[name]
    else scope[name] = value
  // oxlint-disable-next-line no-implied-eval, no-new-func, typescript/no-implied-eval -- It is the code of this repository.
  const load = new Function('globalThis', ...Object.keys(own), `${code}\nreturn quayside`) as (
    scope: object,
    ...values: unknown[]
  ) => Work
  return load(scope, ...Object.values(own))
}

function without(names: readonly string[]): Work {
  return loadWith(Object.fromEntries(names.map((name) => [name, undefined])))
}

test.for([...OPTIONAL.map((name) => [name]), OPTIONAL])(
  'queues and an outbox work without %s',
  async (names) => {
    const server = await serve(echo)
    const work = without(names)
    await expect(work.useQueues()).resolves.toBeUndefined()
    await expect(work.useOutbox(server.origin, () => server.arrived.length)).resolves.toBeUndefined()
  },
)

test.for(NEEDED)('queues work without %s, and an outbox says that it is missing', async (name) => {
  const work = without([name])
  await expect(work.useQueues()).resolves.toBeUndefined()
  await expect(work.useOutbox('http://localhost', () => 0)).rejects.toMatchObject({
    code: 'UNSUPPORTED',
    message: expect.stringContaining(`no ${name};`) as string,
  })
})

test('a queue says that it needs an AbortController', async () => {
  const work = without(['AbortController'])
  await expect(work.useQueues()).rejects.toMatchObject({ code: 'UNSUPPORTED' })
})

// As test runners without care for it have it: what the document brings is jsdom's, what sends is Node's.
describe('what is of jsdom, with the requests of Node', () => {
  const NAMES = [
    'AbortController',
    'AbortSignal',
    'Blob',
    'DOMException',
    'Event',
    'EventTarget',
    'File',
    'FormData',
  ]
  const open = (): typeof globalThis => {
    const { window } = new JSDOM('')
    onTestFinished(() => window.close())
    return window
  }

  test('queues and an outbox work', async () => {
    const window = open() as unknown as Record<string, unknown>
    const server = await serve(echo)
    const work = loadWith(Object.fromEntries(NAMES.map((name) => [name, window[name]])))
    await expect(work.useQueues()).resolves.toBeUndefined()
    await expect(work.useOutbox(server.origin, () => server.arrived.length)).resolves.toBeUndefined()
  })

  test('a body that they would send as [object FormData] is refused', async () => {
    const window = open()
    const outbox = new Outbox(new Queue('outbox', { storage: new MemoryAdapter() }))
    for (const body of [new window.FormData(), new window.Blob(['x']), new window.File(['x'], 'name')]) {
      const sent = outbox.store('http://localhost/form', { method: 'POST', body })
      await expect(sent).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    }
    expect(await outbox.size()).toBe(0)
  })
})
