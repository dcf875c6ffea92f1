import { describe, expect, test } from 'vitest'
import type { OutboxEvent } from '../../src/outbox/index.ts'
import { type RequestSyncOptions, requestSync } from '../../src/service-worker/index.ts'
import { settle } from '../support/settle.ts'
import { expectCode } from '../support/set-up.ts'
import { type FakeScope, fakeScope } from './scope.ts'

interface Page extends FakeScope {
  /** What was asked for: tags, or messages to the worker. */
  readonly asked: unknown[]
  readonly navigator: { onLine: boolean }
  readonly tell: (event: OutboxEvent) => void
  readonly stop: () => void
}

/** A page with a worker and an outbox, whose browser has Background Sync, refuses it, or does not know it. */
function page(sync: 'granted' | 'denied' | 'unknown' = 'granted', options: RequestSyncOptions = {}): Page {
  const asked: unknown[] = []
  const register = (tag: string): Promise<void> => {
    if (sync === 'denied') return Promise.reject(new DOMException('denied', 'NotAllowedError'))
    asked.push(tag)
    return Promise.resolve()
  }
  const registration = {
    ...(sync !== 'unknown' && { sync: { register } }),
    active: { postMessage: (message: unknown) => asked.push(message) },
  }
  const navigator = { onLine: true, serviceWorker: { ready: Promise.resolve(registration) } }
  const scope = fakeScope({ navigator })
  let tell!: (event: OutboxEvent) => void
  const stop = requestSync(
    {
      watch: (listener) => {
        tell = listener
        return () => void (tell = () => undefined)
      },
    },
    options,
  )
  return { ...scope, asked, navigator, tell: (event) => tell(event), stop }
}

describe('a sync is asked for', () => {
  test('when a request is stored offline', async () => {
    const { asked, navigator, tell } = page()
    navigator.onLine = false
    tell({ type: 'stored', id: 'a' })
    await settle()
    expect(asked).toEqual(['quayside'])
  })

  test('under the tag that you say', async () => {
    const { asked, navigator, tell } = page('granted', { tag: 'notes' })
    navigator.onLine = false
    tell({ type: 'stored', id: 'a' })
    await settle()
    expect(asked).toEqual(['notes'])
  })

  test.each(['pagehide', 'visibilitychange', 'offline'])('at %s, if requests wait', async (event) => {
    const { asked, fire, tell } = page()
    tell({ type: 'changed' })
    tell({ type: 'stored', id: 'a' })
    tell({ type: 'sending', id: 'a' })
    tell({ type: 'accepted', id: 'a' })
    for (const end of ['parked', 'dead', 'cancelled', 'unstored'] as const) {
      tell({ type: 'stored', id: end })
      tell({ type: end, id: end })
    }
    await settle()
    fire(event)
    expect(asked).toEqual([])
    tell({ type: 'stored', id: 'c' })
    tell({ type: 'retrying', id: 'c' })
    fire(event)
    // All of it before anything is awaited: a page that is closed has no more time.
    expect(asked).toEqual(['quayside', { quayside: 'quayside' }])
  })

  test.each(['denied', 'unknown'] as const)(
    'by a message alone where Background Sync is %s',
    async (sync) => {
      const { asked, fire, tell } = page(sync)
      await settle()
      tell({ type: 'stored', id: 'a' })
      fire('pagehide')
      await settle()
      expect(asked).toEqual([{ quayside: 'quayside' }])
    },
  )

  test('no more once it is stopped', async () => {
    const { asked, fire, tell, stop, listeners } = page()
    await settle()
    tell({ type: 'stored', id: 'a' })
    stop()
    fire('pagehide')
    await settle()
    expect(asked).toEqual([])
    expect(listeners()).toBe(0)
  })
})

test('where there are no workers at all, nothing happens', async () => {
  const scope = fakeScope({ navigator: { onLine: false } })
  const stop = requestSync({
    watch: (listener) => {
      listener({ type: 'stored', id: 'a' })
      return () => undefined
    },
  })
  scope.fire('pagehide')
  await settle()
  stop()
  expect(scope.listeners()).toBe(0)
})

test.each<[string, unknown]>([
  ['an unknown option', { tags: 'x' }],
  ['a tag that is no string', { tag: 7 }],
])('%s is refused', async (_, options) => {
  fakeScope()
  const outbox = { watch: () => () => undefined }
  await expectCode(
    () => requestSync(outbox, options as RequestSyncOptions),
    'INVALID_ARGUMENT',
    'requestSync',
  )
})
