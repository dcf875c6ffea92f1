// How far an upload is, in real browsers.
import type { IncomingMessage, ServerResponse } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { OutboxEvent } from '../../src/outbox/index.ts'
import { bundle } from './support/bundle.ts'
import { serviceWorker } from './support/contexts.ts'
import { useBrowsers } from './support/fixture.ts'
import { defer } from '../support/set-up.ts'
import { type Site, openSite, page } from './support/site.ts'

const SIZE = 24_000_000

interface Uploaded {
  readonly status: number
  readonly text: string
  readonly told: readonly OutboxEvent[]
  readonly shown: readonly { readonly sent: number; readonly total: number }[]
}

const browsers = useBrowsers()
let script: string
let worker: string
let site: Site
let go: () => void
beforeAll(async () => {
  script = await bundle('test/browser/pages/upload.ts')
  worker = await bundle('test/browser/pages/outbox-worker.ts')
})
beforeEach(async () => {
  site = await openSite({ '/upload.js': script, '/worker.js': worker })
  site.routes.set('/', page('/upload.js'))
  const gone = new Promise<void>((resolve) => (go = resolve))
  site.routes.set('/go', (_, response) => {
    go()
    response.end()
  })
  // Nothing of it is read before the page has said that it was told of some of it.
  site.routes.set('/photo', async (request, response) => {
    await gone
    response.writeHead(201).end(`${(await buffer(request)).length} bytes`)
  })
})
afterEach(() => site.close())

/** Pages, as far as these tests use them: two drivers open them. */
interface Tab {
  goto(url: string): Promise<unknown>
  evaluate<R, A>(run: (argument: A) => R | Promise<R>, argument: A): Promise<R>
}

async function call<R>(tab: Tab, name: string, ...all: readonly unknown[]): Promise<R> {
  return await tab.evaluate(
    async ([what, passed]) => {
      const own = (): Record<string, (...some: unknown[]) => Promise<R>> | undefined =>
        (globalThis as unknown as { upload?: Record<string, (...some: unknown[]) => Promise<R>> }).upload
      while (own() === undefined) await new Promise((resolve) => setTimeout(resolve, 5))
      return await own()![what]!(...passed)
    },
    [name, all] as const,
  )
}

describe.each(['chromium', 'firefox'] as const)('in %s', (name) => {
  const open = async (): Promise<Tab> => {
    const tab = (await (await browsers[name]()).newPage()) as unknown as Tab
    await tab.goto(site.origin)
    return tab
  }

  test('an upload is told of while it goes, as event and as state', async () => {
    const { status, text, told, shown } = await call<Uploaded>(await open(), 'upload', '/photo', SIZE)
    expect([status, text]).toEqual([201, `${SIZE} bytes`])
    expect(told[0]).toMatchObject({ type: 'progress', id: 'photo', total: SIZE })
    expect(told[0]!.sent).toBeLessThan(SIZE)
    const sent = told.map((event) => event.sent!)
    expect(sent).toEqual(sent.toSorted((a, b) => a - b))
    expect(sent.at(-1)).toBe(SIZE)
    for (const one of shown) expect(one.total).toBe(SIZE)
  })

  test('what comes of a request is what comes of it by fetch', async () => {
    const answers: Record<string, (request: IncomingMessage, response: ServerResponse) => unknown> = {
      '/made': (_, response) => response.writeHead(201, { 'x-own': 'a, b' }).end('made ü'),
      '/empty': (_, response) => response.writeHead(204).end(),
      '/refused': (_, response) => response.writeHead(422, { 'x-own': '' }).end('no'),
      '/odd': (_, response) => response.writeHead(599).end('odd'),
      '/see-other': (_, response) => response.writeHead(303, { location: '/made' }).end(),
      '/form': ({ method }, response) =>
        method === 'POST'
          ? response.writeHead(303, { location: '/form' }).end()
          : response.writeHead(200).end('the form'),
      '/moved': (_, response) => response.writeHead(307, { location: '/made' }).end(),
      '/broken': (request) => request.socket.destroy(),
      '/silent': () => undefined,
    }
    for (const [path, answer] of Object.entries(answers))
      site.routes.set(path, async (request, response) => {
        await buffer(request).catch(() => undefined)
        answer(request, response)
      })
    const { fetch, upload } = await call<Record<string, unknown[]>>(
      await open(),
      'outcomes',
      Object.keys(answers),
    )
    expect(upload).toEqual(fetch)
    expect(fetch).toHaveLength(16)
  })

  test('of two to one URL, only the one that was redirected is taken to be so', async () => {
    const [begun, ended] = [defer(), defer()]
    site.routes.set('/form', async (request, response) => {
      const body = (await buffer(request)).toString()
      if (body === 'expired') {
        await begun.promise
        response.writeHead(303, { location: '/form' })
      } else if (body === 'saved') {
        begun.resolve()
        await ended.promise
      }
      response.end()
    })
    site.routes.set('/ended', (_, response) => {
      ended.resolve()
      response.end()
    })
    const tab = await open()
    expect(await call(tab, 'together', '/form', '/ended', ['saved', 'expired'])).toEqual([false, true])
  })

  test('to another origin it goes without a preflight that it does not need, and untold', async () => {
    const other = await openSite()
    const methods: string[] = []
    other.routes.set('/simple', async (request, response) => {
      methods.push(request.method!)
      await buffer(request)
      response.writeHead(201, { 'access-control-allow-origin': '*' }).end('made')
    })
    const tab = await open()
    const { status, told } = await call<Uploaded>(tab, 'upload', `${other.origin}/simple`, 1000)
    expect([status, told, methods]).toEqual([201, [], ['POST']])
    await other.close()
  })
})

test('a service worker of the page lets it through, and it is stored once', async () => {
  let arrived = 0
  site.routes.set('/api/matched', async (request, response) => {
    arrived++
    response.writeHead(201).end(`${(await buffer(request)).length} bytes`)
  })
  const tab = await (await browsers.chromium()).newPage()
  await tab.goto(site.origin)
  await tab.evaluate(async () => {
    const controlled = new Promise((resolve) =>
      navigator.serviceWorker.addEventListener('controllerchange', resolve),
    )
    await navigator.serviceWorker.register('/worker.js', { type: 'module' })
    if (navigator.serviceWorker.controller === null) await controlled
  })
  const { status, text } = await call<Uploaded>(tab, 'upload', '/api/matched', 5000)
  expect([status, text, arrived]).toEqual([201, '5000 bytes', 1])
})

test('in a service worker, which has no XMLHttpRequest, it is a fetch', async () => {
  const context = await serviceWorker(script, 'upload')
  const { status } = (await context.call('upload', 'upload', '/script.js', 1000)) as Uploaded
  expect(status).toBe(200)
  await context.close()
})
