import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { serve } from '../outbox/server.ts'
import { ROOT } from '../support/sources.ts'
import { echo } from './echo.ts'

// Engines of apps lack what browsers and Node have. Without each of these everything works.
const OPTIONAL = [
  'crypto',
  'ReadableStream',
  'WritableStream',
  'TransformStream',
  'Blob',
  'File',
  'FormData',
  'structuredClone',
  'BroadcastChannel',
  'MessageChannel',
  'navigator',
  'AbortSignal.any',
  'AbortSignal.timeout',
  'Event',
  'EventTarget',
  'CustomEvent',
  'DOMException',
  'queueMicrotask',
  'performance',
  'WeakRef',
  'FinalizationRegistry',
  'setImmediate',
  'atob',
  'btoa',
] as const

/** An outbox says that it needs these. */
const NEEDED = ['Request', 'Response', 'Headers', 'TextEncoder', 'TextDecoder'] as const

async function runWithout(names: readonly string[]): Promise<string[]> {
  let count = 0
  const server = await serve((response, request, number) => {
    if (request.path === '/count') return response.end(String(count))
    count++
    return echo(response, request, number)
  })
  const child = join(ROOT, 'test/environments/bare-child.ts')
  const { stdout } = await promisify(execFile)(process.execPath, [child, names.join(), server.origin])
  return stdout.trimEnd().split('\n')
}

test.for([...OPTIONAL.map((name) => [name]), OPTIONAL])(
  'queues and an outbox work without %s',
  async (names) => {
    expect(await runWithout(names)).toEqual(['queues work', 'an outbox works'])
  },
)

test.for(NEEDED)('queues work without %s, and an outbox says that it is missing', async (name) => {
  const [queues, outbox] = await runWithout([name])
  expect(queues).toBe('queues work')
  expect(outbox).toMatch(/^UNSUPPORTED /)
  expect(outbox).toContain(name)
})
