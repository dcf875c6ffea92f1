import type { IncomingMessage, ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { buffer } from 'node:stream/consumers'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterEach, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { remove, temporaryFolder } from './support/browsers.ts'
import { bundle } from './support/bundle.ts'
import { useBrowsers } from './support/fixture.ts'
import { type Site, openSite, page, serve } from './support/site.ts'

// What only browsers show of an attempt: service workers that see it, redirects that are hidden, preflights, streams, files.

interface Arrived {
  readonly method: string
  readonly url: string
  readonly body: Buffer
}

type Respond = (response: ServerResponse, one: Arrived) => unknown

/** What both drivers have. */
interface Tab {
  goto(url: string): Promise<unknown>
  evaluate: Page['evaluate']
}

let site: Site
let other: Site
let arrived: Arrived[] = []
let respond: Respond

/** A worker that takes all that is posted, and remembers what it saw. */
const WORKER = `
  importScripts('/quayside.sw.js')
  const { IndexedDBAdapter, Outbox, Queue, isAttempt, registerBackgroundSync } = quayside
  const seen = []
  addEventListener('fetch', ({ request }) => {
    if (request.method === 'POST') seen.push([request.url.slice(request.url.lastIndexOf('/')), isAttempt(request)])
  })
  addEventListener('message', ({ ports }) => ports[0]?.postMessage(seen))
  addEventListener('install', () => skipWaiting())
  addEventListener('activate', (event) => event.waitUntil(clients.claim()))
  const queue = new Queue('outbox', { storage: new IndexedDBAdapter() })
  registerBackgroundSync(new Outbox(queue, { leaseMs: 2000, maxBodyBytes: 1_000_000, answerWithinMs: 2000 }), {
    match: ({ method }) => method === 'POST' && { meta: { by: 'worker' } },
  })
`

const browsers = useBrowsers()
let scripts: Readonly<Record<string, string>>
beforeAll(async () => {
  scripts = {
    '/outbox.js': await bundle('test/browser/pages/outbox.ts'),
    '/workbox.js': await bundle('test/browser/pages/workbox-worker.ts'),
    '/quayside.sw.js': await bundle('presets/service-worker.ts', { format: 'iife' }),
    '/worker.js': WORKER,
  }
})
beforeEach(async () => {
  arrived = []
  respond = (response) => response.writeHead(201).end('made')
  site = await openSite(scripts)
  other = await openSite()
  site.routes.set('/', page('/outbox.js'))
  const form = '<form method=post action="/api#mine"><input name=a value=b><button>'
  site.routes.set('/form', serve('text/html', form))
  const file = '<form><input type=file name=photo>'
  site.routes.set('/file', serve('text/html', `<script type=module src=/outbox.js></script>${file}`))
  const mine = arrived
  const api = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const one = { method: request.method!, url: request.url!, body: await buffer(request) }
    mine.push(one)
    response.setHeader('access-control-allow-origin', '*')
    respond(response, one)
  }
  for (const { routes } of [site, other]) for (const path of ['/api', '/new']) routes.set(path, api)
})
afterEach(async () => {
  await site.close()
  await other.close()
})

async function open(browser: 'chromium' | 'firefox'): Promise<Tab> {
  const context = await browsers[browser]()
  const tab = (await context.newPage()) as Tab
  await tab.goto(site.origin)
  await tab.evaluate(async () => {
    while (!('outbox' in globalThis)) await new Promise((resolve) => setTimeout(resolve, 5))
  })
  return tab
}

async function withWorker(tab: Tab, script = '/worker.js'): Promise<void> {
  await tab.evaluate(async (url) => {
    await navigator.serviceWorker.register(url, { type: url === '/workbox.js' ? 'module' : 'classic' })
    while (navigator.serviceWorker.controller === null) await new Promise((resolve) => setTimeout(resolve, 5))
  }, script)
}

const sent = (tab: Tab): Promise<number> => tab.evaluate(async () => (await queue.stats()).sent)

describe.each(['chromium', 'firefox'] as const)('in %s', (name) => {
  test("a page's attempts are known to its worker, of every origin, and look to the servers as they ever did", async () => {
    const tab = await open(name)
    await withWorker(tab)
    const urls = ['/api', '/api?a=b#mine', `${other.origin}/api`, `${other.origin}/api#mine`]
    const { answers, seen } = await tab.evaluate(async (all) => {
      const told: unknown[] = []
      // The worker sends what is in its own.
      const own = openOutbox('page')
      for (const url of all) {
        const response = await own.fetch(url, { method: 'POST', body: 'hello' })
        told.push([response.status, response.headers.get('quayside-state'), response.url])
      }
      await own.fetch(all[2]!, { method: 'POST', body: 'hello', mode: 'no-cors' })
      const { port1, port2 } = new MessageChannel()
      const list = new Promise((resolve) => {
        port1.addEventListener('message', ({ data }) => resolve(data))
        port1.start()
      })
      navigator.serviceWorker.controller!.postMessage('', [port2])
      return { answers: told, seen: await list }
    }, urls)
    const plain = urls.map((url) => new URL(url.split('#')[0]!, site.origin).href)
    expect(answers).toEqual(plain.map((url) => [201, null, url]))
    expect(seen).toEqual([
      ['/api#~quayside-attempt', true],
      ['/api?a=b#mine~quayside-attempt', true],
      ['/api#~quayside-attempt', true],
      ['/api#mine~quayside-attempt', true],
      ['/api#~quayside-attempt', true],
    ])
    // No preflight, no mark, no fragment.
    expect(arrived.map(({ method, url }) => `${method} ${url}`)).toEqual([
      'POST /api',
      'POST /api?a=b',
      'POST /api',
      'POST /api',
      'POST /api',
    ])
  })

  test.each<[string, Respond]>([
    ['closes each connection', (response) => response.destroy()],
    ['answers 401', (response) => response.writeHead(401).end()],
    ['answers 500', (response) => response.writeHead(500).end()],
  ])('a worker and a page share a queue, and the server %s: one note stays one note', async (_, broken) => {
    respond = broken
    const tab = await open(name)
    await withWorker(tab)
    await tab.evaluate(async () => {
      outbox.start()
      await fetch('/api', { method: 'POST', body: 'hello' }).catch(() => undefined)
    })
    // Longer than the lease of the worker, and than it waits for an answer: what is sent twice is sent by then.
    await sleep(2500)
    expect(await sent(tab)).toBe(1)
    expect(arrived.length).toBeLessThan(15)
    const before = arrived.length
    respond = (response) => response.writeHead(201).end()
    await tab.evaluate(async () => {
      await outbox.resume()
      await outbox.retryNow()
    })
    await expect.poll(() => tab.evaluate(() => outbox.size())).toBe(0)
    expect(arrived.length).toBe(before + 1)
    expect(await tab.evaluate(async () => (await queue.list()).messages.length)).toBe(0)
  })
})

test.each(['notes', 'outbox'])(
  "Workbox's plugin and a page with the queue %s: one note stays one note",
  async (queueName) => {
    respond = (response) => response.destroy()
    const tab = await open('chromium')
    await withWorker(tab, '/workbox.js')
    await tab.evaluate(async (own) => {
      openOutbox(own).start()
      await fetch('/api', { method: 'POST', body: 'hello' }).catch(() => undefined)
    }, queueName)
    // As above.
    await sleep(2500)
    const counts = await tab.evaluate(async () => {
      const all = await Promise.all(['notes', 'outbox'].map((one) => openQueue(one).stats()))
      return all.map((stats) => stats.sent)
    })
    expect(counts).toEqual([1, 0])
    expect(arrived.length).toBeLessThan(15)
    let answered = 0
    respond = (response) => {
      answered++
      response.end()
    }
    await tab.evaluate(() => void Object.assign(globalThis, { notes: openQueue('notes') }))
    const left = (): Promise<number> =>
      tab.evaluate(async () => {
        const { notes } = globalThis as unknown as { notes: typeof queue }
        await notes.retryNow()
        return (await notes.stats()).messages
      })
    await expect.poll(left).toBe(0)
    expect(answered).toBe(1)
  },
)

describe('a redirect, which browsers follow and hide', () => {
  /** The states of a request to `/api` that is redirected, and of the message. */
  async function redirected(
    status: number,
    final: number,
    init: { redirect?: 'manual'; seeOther?: 'accept' } = {},
    browser: 'chromium' | 'firefox' = 'chromium',
  ) {
    respond = (response, { url }) =>
      url === '/api'
        ? response.writeHead(status, { location: '/new' }).end()
        : response.writeHead(final, { 'content-type': 'text/html' }).end('new')
    const tab = await open(browser)
    return await tab.evaluate(async (more) => {
      const response = await outbox.fetch('/api', { method: 'POST', body: 'hello', ...more })
      const { messages } = await queue.list({ state: 'parked' })
      return [response.status, response.headers.get('quayside-state'), messages[0]?.parked?.reason]
    }, init)
  }

  test.each([
    [301, 'chromium'],
    [302, 'chromium'],
    [303, 'chromium'],
    [303, 'firefox'],
  ] as const)('%i: parked, whatever it leads to, in %s', async (status, name) => {
    expect(await redirected(status, 200, {}, name)).toEqual([
      200,
      'parked',
      `redirected to ${site.origin}/new (HTTP 200)`,
    ])
    expect(arrived.map(({ method, url }) => `${method} ${url}`)).toEqual(['POST /api', 'GET /new'])
  })

  test.each([
    [307, 'chromium'],
    [308, 'chromium'],
    [307, 'firefox'],
  ] as const)('%i: followed, in %s', async (status, name) => {
    expect(await redirected(status, 201, {}, name)).toEqual([201, null, undefined])
    expect(arrived.map(({ method, body }) => `${method} ${body.toString()}`)).toEqual([
      'POST hello',
      'POST hello',
    ])
  })

  test.each(['chromium', 'firefox'] as const)(
    '302 to the login page of another origin: parked, in %s',
    async (name) => {
      const login = await openSite()
      const headers = { 'access-control-allow-origin': '*', 'access-control-allow-headers': '*' }
      login.routes.set('/login', (_, response) => void response.writeHead(200, headers).end('who are you?'))
      respond = (response) => response.writeHead(302, { location: `${login.origin}/login` }).end()
      const tab = await open(name)
      const reason = await tab.evaluate(async () => {
        await outbox.fetch('/api', { method: 'POST', body: 'hello' })
        return (await queue.list({ state: 'parked' })).messages[0]?.parked?.reason
      })
      expect(reason).toBe(`redirected to ${login.origin}/login (HTTP 200)`)
      expect(arrived.length).toBe(1)
      await login.close()
    },
  )

  test('303 of a request that allows it: accepted', async () => {
    expect(await redirected(303, 200, { seeOther: 'accept' })).toEqual([200, null, undefined])
  })

  const manual = { redirect: 'manual' } as const

  test('that the caller asked not to follow: parked', async () => {
    expect((await redirected(303, 200, manual))[2]).toContain('redirected to')
  })

  test('that the caller asked not to follow, of a request that allows it: accepted', async () => {
    expect(await redirected(303, 200, { ...manual, seeOther: 'accept' })).toEqual([0, null, undefined])
  })
})

test.each([600, 999])('HTTP %i, of which no response can be made, is tried again', async (status) => {
  respond = (response) => response.writeHead(status).end()
  const tab = await open('chromium')
  const state = await tab.evaluate(async () => {
    const response = await outbox.fetch('/api', { method: 'POST', body: 'hello' })
    return response.headers.get('quayside-state')
  })
  expect(state).toBe('retrying')
})

test('a form that is sent offline shows a page that says so; online, where the server redirects to', async () => {
  const context = await browsers.chromium()
  const tab = await context.newPage()
  await tab.goto(site.origin)
  await withWorker(tab)
  await tab.goto(`${site.origin}/form`)
  await context.setOffline(true)
  await tab.locator('button').click()
  await expect.poll(() => tab.locator('h1').textContent()).toBe('Saved')
  expect(await tab.evaluate(() => document.contentType)).toBe('text/html')
  await context.setOffline(false)
  await expect.poll(() => arrived.map(({ body }) => body.toString())).toEqual(['a=b'])
})

describe.each(['chromium', 'firefox'] as const)('a worker in %s that takes what is posted', (name) => {
  test('passes on what is too long to be stored, whole', async () => {
    const tab = await open(name)
    await withWorker(tab)
    const answer = await tab.evaluate(async () => {
      const body = new Uint8Array(8_000_000)
      body[7_999_999] = 7
      const response = await fetch('/api', { method: 'POST', body })
      return [response.status, response.headers.get('quayside-state'), await response.text()]
    })
    expect(answer).toEqual([201, 'unstored', 'made'])
    expect(arrived.map(({ body }) => [body.length, body.at(-1)])).toEqual([[8_000_000, 7]])
    expect(await sent(tab)).toBe(0)
  })

  test('passes on what it cannot store, because there is no IndexedDB', async () => {
    const tab = await open(name)
    site.routes.set(
      '/broken.js',
      serve('text/javascript', `indexedDB.open = () => { throw new Error('no') };${WORKER}`),
    )
    await withWorker(tab, '/broken.js')
    const answer = await tab.evaluate(async () => {
      const response = await fetch('/api', { method: 'POST', body: 'hello' })
      return [response.status, response.headers.get('quayside-state'), await response.text()]
    })
    expect(answer).toEqual([201, 'unstored', 'made'])
  })

  test.each(['text/event-stream', 'application/x-ndjson'])(
    'hands on a stream of %s as it comes',
    async (type) => {
      let finish: (() => void) | undefined
      respond = (response) => {
        response.writeHead(200, { 'content-type': type })
        response.write('first\n')
        finish = () => response.end('last\n')
      }
      const tab = await open(name)
      await withWorker(tab)
      const first = await tab.evaluate(async () => {
        const response = await fetch('/api', { method: 'POST', body: 'hello' })
        const reader = response.body!.getReader()
        Object.assign(globalThis, { reader })
        return new TextDecoder().decode((await reader.read()).value)
      })
      expect(first).toBe('first\n')
      finish!()
      const last = await tab.evaluate(async () => {
        const { reader } = globalThis as unknown as { reader: ReadableStreamDefaultReader<Uint8Array> }
        return new TextDecoder().decode((await reader.read()).value)
      })
      expect(last).toBe('last\n')
      await expect.poll(() => tab.evaluate(() => outbox.size())).toBe(0)
      expect(arrived.length).toBe(1)
    },
  )
})

test.each(['chromium', 'firefox'] as const)(
  'streams without end that nobody wants do not keep all connections to an origin, in %s',
  { timeout: 60_000 },
  async (name) => {
    let streams = 0
    respond = (response) => {
      streams++
      response.on('close', () => streams--)
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write('data: 1\n\n')
    }
    const tab = await open(name)
    await tab.evaluate(async () => {
      const own = openOutbox('streams', { timeoutMs: 1000 })
      own.start()
      for (let i = 0; i < 4; i++) await own.store('/api', { method: 'POST', body: 'hello' })
    })
    await expect.poll(() => arrived.length, { timeout: 10_000 }).toBe(4)
    await expect.poll(() => streams, { timeout: 20_000 }).toBe(0)
    expect(await tab.evaluate(() => openOutbox('streams').size())).toBe(0)
    expect(arrived.length).toBe(4)
  },
)

test('a chosen file that was deleted since is refused with an error of ours', async () => {
  const folder = await temporaryFolder('chosen')
  onTestFinished(() => remove(folder))
  const path = join(folder, 'photo.jpg')
  await writeFile(path, 'photo')
  const context = await browsers.chromium()
  const tab = await context.newPage()
  await tab.goto(`${site.origin}/file`)
  await tab.waitForFunction(() => 'outbox' in globalThis)
  await tab.locator('input').setInputFiles(path)
  await rm(path)
  const errors = await tab.evaluate(async () => {
    const input = document.querySelector('input')!
    const bodies = [input.files![0]!, new FormData(document.querySelector('form')!)]
    const outcomes = await Promise.allSettled(
      bodies.map((body) => outbox.fetch('/api', { method: 'POST', body })),
    )
    return outcomes.map((one) =>
      one.status === 'rejected' ? [(one.reason as { code?: string }).code, String(one.reason)] : [],
    )
  })
  for (const [code, text] of errors) {
    expect(code, text).toBe('INVALID_ARGUMENT')
    expect(text).toContain('cannot be read')
  }
  expect(errors.length).toBe(2)
})
