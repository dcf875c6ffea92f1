import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import type { BrowserContext, CDPSession, Page } from 'playwright-core'
import { afterEach, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { launchChromium, launchFirefox, remove, temporaryFolder } from './support/browsers.ts'
import { bundle } from './support/bundle.ts'
import { useBrowsers } from './support/fixture.ts'
import { kill } from './support/kill.ts'
import { type Route, type Site, openSite, page, serve } from './support/site.ts'
import type { StoredRequest } from '../../src/outbox/index.ts'
import { WALL_CLOCK } from '../support/wall-clock.ts'

// The outbox and its service worker in a real Chromium, with a real network that comes and goes.

interface Arrived {
  readonly path: string
  readonly key: string
  readonly body: Buffer
  readonly request: IncomingMessage
  /** When, in ms. */
  readonly at: number
}

let site: Site
let arrived: Arrived[] = []
let respond: (response: ServerResponse, one: Arrived) => void

const browsers = useBrowsers()
let scripts: Readonly<Record<string, string>>
beforeAll(async () => {
  scripts = {
    '/outbox.js': await bundle('test/browser/pages/outbox.ts'),
    '/worker.js': await bundle('test/browser/pages/outbox-worker.ts'),
    '/workbox.js': await bundle('test/browser/pages/workbox-worker.ts'),
    '/quayside.sw.js': await bundle('presets/service-worker.ts', { format: 'iife' }),
    '/classic.js': await readFile(new URL('pages/outbox-classic.js', import.meta.url), 'utf8'),
  }
})
beforeEach(async () => {
  arrived = []
  respond = (response) => response.writeHead(201).end('made')
  site = await openSite(scripts)
  site.routes.set('/', page('/outbox.js'))
  const mine = arrived
  const api = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const one: Arrived = {
      path: request.url!,
      key: request.headers['idempotency-key'] as string,
      body: await buffer(request),
      request,
      at: performance.now(),
    }
    mine.push(one)
    respond(response, one)
  }
  site.routes.set('/api/notes', api)
  site.routes.set('/api/matched', api)
  site.routes.set(
    '/form',
    serve('text/html', '<form method=post action=/api/matched><input name=a value=b><button>'),
  )
})
afterEach(() => site.close())

const bodies = (): string[] => arrived.map(({ body }) => body.toString())
const numbers = (count: number): string[] => Array.from({ length: count }, (_, i) => `note ${i}`)

const browser = (): Promise<BrowserContext> => browsers.chromium()

async function open(context: BrowserContext, path = '/'): Promise<Page> {
  const tab = await context.newPage()
  await tab.goto(site.origin + path)
  await tab.waitForFunction(() => 'outbox' in globalThis)
  return tab
}

/** Whether a browser has written down that a sync was asked for. */
async function knowsOfSync(profile: string): Promise<boolean> {
  const folder = join(profile, 'Default/Service Worker/Database')
  const files = (await readdir(folder)).filter((name) => /\.(log|ldb)$/.test(name))
  const contents = await Promise.all(files.map((name) => readFile(join(folder, name))))
  return contents.some((bytes) => bytes.includes('BackgroundSyncUserData'))
}

/** Registers the worker and waits until it controls the page. */
async function withWorker(tab: Page, script = '/worker.js'): Promise<void> {
  await tab.evaluate(async (url) => {
    await navigator.serviceWorker.register(url, { type: url === '/classic.js' ? 'classic' : 'module' })
    await navigator.serviceWorker.ready
  }, script)
}

/** Service workers as DevTools sees them, from a tab that is not of the site. */
async function devTools(context: BrowserContext): Promise<{
  session: CDPSession
  sync: (lastChance?: boolean) => Promise<void>
  stop: () => Promise<void>
}> {
  const session = await context.newCDPSession(await context.newPage())
  let registrationId = ''
  let versionId = ''
  session.on('ServiceWorker.workerRegistrationUpdated', ({ registrations }) => {
    for (const one of registrations) if (one.scopeURL.startsWith(site.origin)) ({ registrationId } = one)
  })
  session.on('ServiceWorker.workerVersionUpdated', ({ versions }) => {
    for (const one of versions) if (one.scriptURL.startsWith(site.origin)) ({ versionId } = one)
  })
  await session.send('ServiceWorker.enable')
  return {
    session,
    sync: async (lastChance = false) => {
      await expect.poll(() => registrationId).not.toBe('')
      await session.send('ServiceWorker.dispatchSyncEvent', {
        origin: site.origin,
        registrationId,
        tag: 'quayside',
        lastChance,
      })
    },
    stop: async () => {
      await expect.poll(() => versionId).not.toBe('')
      await session.send('ServiceWorker.stopWorker', { versionId })
    },
  }
}

/** Stores notes as a page does that sends, and answers with the states that it was told. */
function write(tab: Page, notes: readonly string[]): Promise<(string | null)[]> {
  return tab.evaluate(async (all) => {
    const answers = await Promise.all(all.map((body) => outbox.fetch('/api/notes', { method: 'POST', body })))
    return answers.map(({ headers }) => headers.get('quayside-state'))
  }, notes)
}

describe('the service worker', () => {
  test('sends what a page left that was closed while offline, as soon as there is a network', async () => {
    const context = await browser()
    const tab = await open(context)
    await withWorker(tab)
    await tab.evaluate(() => {
      outbox.start()
      requestSync(outbox)
    })
    await context.newPage()
    await context.setOffline(true)
    const states = await write(tab, numbers(20))
    // Each destination is tried a few times, though the browser says that there is no network.
    expect(states.every((state) => state === 'stored' || state === 'retrying')).toBe(true)
    // A page that is closed lets go of DevTools first, and so of what keeps it offline: for a moment it could send.
    await tab.evaluate(() => outbox.pause())
    await tab.close()
    expect(arrived).toEqual([])
    await context.setOffline(false)
    await expect.poll(() => arrived.length).toBe(20)
    expect(bodies().toSorted()).toEqual(numbers(20).toSorted())
    expect(new Set(arrived.map(({ key }) => key)).size).toBe(20)
  })

  test.each(['left', 'closed'])(
    'sends what waits in a page that is %s, though the network never went',
    async (how) => {
      const context = await browser()
      const tab = await open(context)
      await withWorker(tab)
      await context.newPage()
      await tab.evaluate(() => {
        requestSync(outbox)
        outbox.pause()
      })
      await write(tab, numbers(5))
      await (how === 'left' ? tab.goto('about:blank') : tab.close())
      await expect.poll(() => arrived.length).toBe(5)
    },
  )

  test('sends what was left when the browser itself was closed, once it runs again, without any page', async () => {
    const profile = await temporaryFolder('closed')
    onTestFinished(() => remove(profile))
    const before = await launchChromium({ profile })
    const tab = await open(before)
    await withWorker(tab)
    await before.setOffline(true)
    await tab.evaluate(async () => {
      requestSync(outbox)
      await outbox.fetch('/api/notes', { method: 'POST', body: 'hello' })
    })
    // Closed by force it may forget that a sync was asked for: not before it has written that down.
    await expect.poll(() => knowsOfSync(profile)).toBe(true)
    // Not asked to close: it would let go of DevTools first, and so of what keeps its worker offline, which sends at once.
    await kill(before, profile)
    expect(arrived).toEqual([])
    const after = await launchChromium({ profile })
    onTestFinished(() => after.close())
    await expect.poll(bodies).toEqual(['hello'])
  })

  test('that is stopped in the middle of a replay goes on with the next sync; nothing is lost', async () => {
    // It answers five, and then it hangs, until the worker is gone. From the first on, because the worker also sends by
    // itself soon after its start, and that may be before or after a page has stored all.
    let hanging = 0
    respond = (response) => {
      if (arrived.length <= 5) response.end()
      else hanging++
    }
    const context = await browser()
    const tab = await open(context)
    await withWorker(tab)
    const { sync, stop } = await devTools(context)
    await tab.evaluate(async () => {
      for (let i = 0; i < 20; i++) await outbox.store('/api/notes', { method: 'POST', body: `note ${i}` })
    })
    await tab.close()
    await sync()
    await expect.poll(() => hanging).toBe(4)
    await stop()
    const before = bodies()
    expect(before.length).toBe(9)
    respond = (response) => response.end()
    // It waits for the leases of the worker that was stopped.
    await sync()
    await expect.poll(() => new Set(bodies()).size).toBe(20)
    const left = await open(context)
    await expect.poll(() => left.evaluate(() => outbox.size())).toBe(0)
    // What was under way came again, and bore the same key; what was answered did not.
    const keys = new Map<string, string[]>()
    for (const [i, body] of bodies().entries()) keys.set(body, [...(keys.get(body) ?? []), arrived[i]!.key])
    expect([...keys.values()].every((all) => new Set(all).size === 1)).toBe(true)
    expect(arrived.length).toBe(24)
    for (const [i, body] of before.entries()) expect(keys.get(body)?.length).toBe(i < 5 ? 1 : 2)
  })

  test('takes what a page sends that knows of no outbox, and answers it', async () => {
    const context = await browser()
    const tab = await open(context)
    await withWorker(tab)
    await tab.evaluate(async () => {
      while (navigator.serviceWorker.controller === null)
        await new Promise((resolve) => setTimeout(resolve, 5))
    })
    const post = (body: string): Promise<[number, string | null, string]> =>
      tab.evaluate(async (text) => {
        const headers = { 'X-One': '1', Authorization: 'Bearer secret' }
        const response = await fetch('/api/matched?a=b', { method: 'POST', body: text, headers })
        return [response.status, response.headers.get('quayside-state'), await response.text()]
      }, body)
    expect(await post('online')).toEqual([201, null, 'made'])
    expect(arrived[0]!.request.headers).toMatchObject({
      'x-one': '1',
      authorization: 'Bearer secret',
      referer: `${site.origin}/`,
    })
    respond = (response) => response.writeHead(422).end('no')
    expect(await post('refused')).toEqual([422, 'parked', 'no'])
    respond = (response) => response.end()
    await context.setOffline(true)
    expect(await post('offline')).toEqual([202, 'retrying', ''])
    // `ready` where the worker knows that there is no network: the attempt did not count.
    const [stored] = await tab.evaluate(
      async () => (await queue.list({ state: ['ready', 'delayed', 'leased'] })).messages,
    )
    const payload = stored!.payload as StoredRequest
    expect(payload).toMatchObject({ method: 'POST', url: `${site.origin}/api/matched?a=b`, body: 'offline' })
    expect(
      Object.keys(payload.headers).filter((name) => /sec-|content-length|authorization/.test(name)),
    ).toEqual([])
    await tab.close()
    await context.newPage()
    await context.setOffline(false)
    await expect.poll(bodies).toEqual(['online', 'refused', 'offline'])
  })

  test('takes a form that is sent offline by the browser itself', async () => {
    const context = await browser()
    const tab = await open(context)
    await withWorker(tab)
    await tab.goto(`${site.origin}/form`)
    await context.setOffline(true)
    const [answer] = await Promise.all([
      context.waitForEvent('response', (response) => response.url().endsWith('/api/matched')),
      tab.locator('button').click(),
    ])
    expect([answer.status(), answer.headers()['quayside-state']]).toEqual([202, 'retrying'])
    await context.setOffline(false)
    await expect.poll(bodies).toEqual(['a=b'])
    expect(arrived[0]!.request.headers['content-type']).toBe('application/x-www-form-urlencoded')
  })

  test('may be that of Workbox, with the plugin', async () => {
    const context = await browser()
    const tab = await open(context)
    await withWorker(tab, '/workbox.js')
    await tab.evaluate(async () => {
      while (navigator.serviceWorker.controller === null)
        await new Promise((resolve) => setTimeout(resolve, 5))
    })
    await context.setOffline(true)
    const failed = await tab.evaluate(() =>
      fetch('/api/notes', { method: 'POST', body: 'hello' }).then(
        () => false,
        () => true,
      ),
    )
    expect(failed).toBe(true)
    await tab.close()
    await context.newPage()
    await context.setOffline(false)
    await expect.poll(bodies).toEqual(['hello'])
  })

  test('may be a classic script', async () => {
    const context = await browser()
    const tab = await open(context)
    await withWorker(tab, '/classic.js')
    await context.setOffline(true)
    await tab.evaluate(async () => {
      const stop = requestSync(outbox, { tag: 'classic' })
      await outbox.fetch('/api/notes', { method: 'POST', body: 'classic' })
      stop()
    })
    await context.setOffline(false)
    await expect.poll(bodies).toEqual(['classic'])
  })
})

describe('a page', () => {
  test('answers with the response of the server, and sends bodies byte for byte', async () => {
    const tab = await open(await browser())
    respond = (response, { body }) =>
      response
        .writeHead(200, { 'x-length': body.length })
        .end(createHash('sha256').update(body).digest('hex'))
    const results = await tab.evaluate(async () => {
      const bytes = new Uint8Array(3_000_000).map((_, i) => (i * 7) ^ (i >> 8))
      const hex = async (data: BufferSource): Promise<string> =>
        [...new Uint8Array(await crypto.subtle.digest('SHA-256', data))]
          .map((byte) => byte.toString(16).padStart(2, '0'))
          .join('')
      const kinds: Record<string, () => BodyInit> = {
        bytes: () => bytes,
        buffer: () => bytes.buffer,
        blob: () => new Blob([bytes], { type: 'image/png' }),
        stream: () => new Blob([bytes]).stream(),
      }
      const same: Record<string, boolean> = {}
      for (const [kind, body] of Object.entries(kinds)) {
        const response = await outbox.fetch('/api/notes', { method: 'PUT', body: body() })
        same[kind] = response.url.endsWith('/api/notes') && (await response.text()) === (await hex(bytes))
      }
      return same
    })
    expect(results).toEqual({ bytes: true, buffer: true, blob: true, stream: true })
  })

  test('sends a form with a photo, as a browser encodes it', async () => {
    const tab = await open(await browser())
    await tab.evaluate(async () => {
      const form = new FormData()
      form.append('title', 'Möwe')
      form.append('photo', new File([new Uint8Array([0, 255, 1])], 'möwe.jpg', { type: 'image/jpeg' }))
      await outbox.fetch('/api/notes', { method: 'POST', body: form })
    })
    const got = await new Response(new Uint8Array(arrived[0]!.body), {
      headers: { 'content-type': arrived[0]!.request.headers['content-type']! },
    }).formData()
    expect(got.get('title')).toBe('Möwe')
    const photo = got.get('photo') as File
    expect([photo.name, photo.type]).toEqual(['möwe.jpg', 'image/jpeg'])
    expect([...new Uint8Array(await photo.arrayBuffer())]).toEqual([0, 255, 1])
  })

  test('sends as soon as the network is back, without any worker', WALL_CLOCK, async () => {
    const context = await browser()
    const tab = await open(context)
    await tab.evaluate(() => void outbox.start())
    await context.setOffline(true)
    const states = await write(tab, numbers(10))
    expect(states.every((state) => state === 'stored' || state === 'retrying')).toBe(true)
    // A busy machine takes its time until a page knows that it is online, and may send.
    let onlineAt = Infinity
    site.routes.set('/online', (_, response) => {
      onlineAt = performance.now()
      response.end()
    })
    await tab.evaluate(() => addEventListener('online', () => void fetch('/online')))
    await context.setOffline(false)
    await expect.poll(() => arrived.length).toBe(10)
    await expect.poll(() => onlineAt).toBeLessThan(Infinity)
    // It takes some 0.2 s; who is not told looks after 30 s.
    expect(arrived.at(-1)!.at - onlineAt).toBeLessThan(10_000)
    await expect.poll(() => tab.evaluate(() => outbox.size())).toBe(0)
    expect(new Set(bodies()).size).toBe(10)
  })

  test('goes on after a reload, and sends what it has not sent', async () => {
    const context = await browser()
    const tab = await open(context)
    respond = (response) => response.writeHead(503, { 'retry-after': '1' }).end()
    expect(await write(tab, ['x'])).toEqual(['retrying'])
    respond = (response) => response.end()
    await tab.reload()
    await tab.waitForFunction(() => 'outbox' in globalThis)
    await tab.evaluate(() => void outbox.start())
    await expect.poll(bodies).toEqual(['x', 'x'])
    expect(arrived[0]!.key).toBe(arrived[1]!.key)
  })
})

test('a 401 holds all tabs and the worker; who logs in in one resumes all; what came back outlives a reload', async () => {
  const context = await browser()
  const [one, two] = [await open(context), await open(context)]
  await withWorker(one)
  const { sync } = await devTools(context)
  let loggedIn = false
  respond = (response, { body }) => {
    if (loggedIn) response.writeHead(201, { 'x-id': '77' }).end(`echo ${body.toString()}`)
    else response.writeHead(401).end('who are you?')
  }
  await two.evaluate(() => {
    Object.assign(globalThis, { heard: [] })
    outbox.watch(({ type, id, status }) => {
      if (type === 'accepted') (globalThis as unknown as { heard: unknown[] }).heard.push([id, status])
    })
  })
  const answer = await one.evaluate(async () => {
    const response = await outbox.fetch('/api/notes', { method: 'POST', body: 'first' })
    return [response.status, response.headers.get('quayside-state'), await response.text()]
  })
  expect(answer).toEqual([401, 'held', 'who are you?'])
  await two.evaluate(() => void outbox.start())
  for (const body of ['a', 'b', 'c'])
    await two.evaluate(async (text) => {
      await outbox.store('/api/notes', { method: 'POST', body: text, id: text })
    }, body)
  await sync(true)
  expect(await two.evaluate(async () => (await outbox.held()).map(({ destination }) => destination))).toEqual(
    [site.origin],
  )
  expect(bodies()).toEqual(['first'])
  loggedIn = true
  await one.evaluate(() => outbox.resume())
  await expect.poll(() => arrived.length).toBe(5)
  await expect.poll(() => one.evaluate(() => outbox.size())).toBe(0)
  await expect
    .poll(() => two.evaluate(() => (globalThis as unknown as { heard: unknown[] }).heard))
    .toEqual(
      expect.arrayContaining([
        ['a', 201],
        ['b', 201],
        ['c', 201],
      ]),
    )
  await two.reload()
  await two.waitForFunction(() => 'outbox' in globalThis)
  const kept = await two.evaluate(async () => {
    const response = (await outbox.response('b', { waitMs: 1000 }))!
    return [response.status, response.headers.get('x-id'), await response.text()]
  })
  expect(kept).toEqual([201, '77', 'echo b'])
})

test('four tabs and a worker send each request once, those of one key in order', async () => {
  const context = await browser()
  const tabs = [await open(context)]
  await withWorker(tabs[0]!)
  for (let i = 1; i < 4; i++) tabs.push(await open(context))
  const { sync } = await devTools(context)
  await Promise.all(
    tabs.map((tab, i) =>
      tab.evaluate(async (number) => {
        outbox.start()
        for (let j = 0; j < 50; j++) {
          const key = `${number}/${j % 5}`
          await outbox.store('/api/notes', { method: 'POST', body: `${key}/${Math.floor(j / 5)}`, key })
        }
      }, i),
    ),
  )
  await sync()
  await expect.poll(() => arrived.length).toBe(200)
  await expect.poll(() => tabs[0]!.evaluate(() => outbox.size())).toBe(0)
  expect(arrived.length).toBe(200)
  for (let i = 0; i < 4; i++) {
    for (let key = 0; key < 5; key++) {
      const ofKey = bodies().filter((body) => body.startsWith(`${i}/${key}/`))
      expect(ofKey).toEqual(Array.from({ length: 10 }, (_, j) => `${i}/${key}/${j}`))
    }
  }
})

test('in Firefox, which has no Background Sync, a message makes the worker send', async () => {
  const firefox = await browsers.firefox()
  const tab = await firefox.newPage()
  await tab.goto(site.origin)
  await tab.waitForFunction(() => 'outbox' in globalThis)
  const states = await tab.evaluate(async () => {
    await navigator.serviceWorker.register('/classic.js')
    await navigator.serviceWorker.ready
    // The page sends nothing itself.
    outbox.pause()
    requestSync(outbox, { tag: 'classic' })
    const form = new FormData()
    form.append('photo', new File([new Uint8Array([0, 255, 1])], 'a.jpg', { type: 'image/jpeg' }))
    const bodies = ['text', form, new Blob([new Uint8Array([0, 255])]).stream()]
    const answers = await Promise.all(
      bodies.map((body) => outbox.fetch('/api/notes', { method: 'POST', body })),
    )
    // As the browser does when the tab is hidden.
    dispatchEvent(new Event('pagehide'))
    return answers.map(({ headers }) => headers.get('quayside-state'))
  })
  expect(states).toEqual(['stored', 'stored', 'stored'])
  await expect.poll(() => arrived.length).toBe(3)
  expect(bodies()).toContain('text')
  expect(arrived.map(({ body }) => [...body])).toContainEqual([0, 255])
})

test.each<[string, () => Promise<BrowserContext>, string]>([
  [
    'in Firefox that blocks cookies',
    async () => {
      const firefox = await launchFirefox({ 'network.cookie.cookieBehavior': 2 })
      onTestFinished(() => firefox.close())
      return firefox as unknown as BrowserContext
    },
    '/',
  ],
  ['in a sandboxed page in Chromium', () => browsers.chromium(), '/sandboxed'],
])(
  '%s, where nothing may be kept, a request is sent once, and nothing else fails',
  async (_, launch, path) => {
    const sandboxed: Route = (request, response) => {
      response.setHeader('content-security-policy', 'sandbox allow-scripts')
      return page('/outbox.js')(request, response)
    }
    site.routes.set('/sandboxed', sandboxed)
    const tab = await (await launch()).newPage()
    await tab.goto(site.origin + path)
    await tab.waitForFunction(() => 'outbox' in globalThis)
    const told = await tab.evaluate(async () => {
      const all: unknown[] = []
      addEventListener('unhandledrejection', ({ reason }) => all.push(String(reason)))
      outbox.watch(({ type }) => type !== 'failed' && all.push(type))
      requestSync(outbox)
      outbox.start()
      const { status, headers } = await outbox.fetch('/api/notes', {
        method: 'POST',
        body: 'x',
        mode: 'no-cors',
      })
      all.push(status > 0 ? headers.get('quayside-state') : 'opaque')
      await outbox.store('/api/notes').catch(({ code }) => all.push(code))
      // What nobody handles is told of when a task has ended.
      await new Promise((resolve) => setTimeout(resolve))
      return all
    })
    expect(told).toEqual(['unstored', path === '/' ? 'unstored' : 'opaque', 'STORAGE_UNAVAILABLE'])
    expect(bodies()).toEqual(['x'])
  },
)
