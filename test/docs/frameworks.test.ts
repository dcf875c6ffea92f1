import { EventEmitter } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, onTestFinished, test, vi } from 'vitest'
import { bundle } from '../browser/support/bundle.ts'
import { useBrowsers } from '../browser/support/fixture.ts'
import { openSite, page, serve } from '../browser/support/site.ts'
import { Queue } from '../../src/index.ts'
import { MemoryAdapter } from '../../src/records/memory.ts'
import { ROOT } from '../support/sources.ts'

// The recipes of frameworks and servers, with no more around them than what they say that there is. React is the real one.

const browsers = useBrowsers()

/** The one snippet of a page that has this in it. */
function snippet(name: string, part: string): string {
  const text = readFileSync(join(ROOT, 'docs', name), 'utf8')
  const found = [...text.matchAll(/^```(?:jsx?|ts)\n(.*?)^```$/gms)].map(([, code]) => code!)
  const those = found.filter((code) => code.includes(part))
  expect(those.length).toBe(1)
  return those[0]!
}

/** A folder in which the packages of others are found. */
function folderOf(files: Record<string, string>): string {
  const folder = mkdtempSync(join(ROOT, 'node_modules/.quayside-pages-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
  return folder
}

/** What a snippet for Node exports, with these globals. */
async function run(code: string, globals: object, others: Record<string, string> = {}): Promise<object> {
  for (const [name, value] of Object.entries(globals)) vi.stubGlobal(name, value)
  onTestFinished(() => void vi.unstubAllGlobals())
  const file = join(folderOf({ 'main.mjs': code, ...others }), 'main.mjs')
  return (await import(/* @vite-ignore */ pathToFileURL(file).href)) as object
}

test('Next.js, Nuxt and SvelteKit: one outbox, made in the browser', async () => {
  const [outbox] = snippet('web-frameworks.md', 'export function getOutbox').split('console.log')
  const folder = folderOf({
    'outbox.ts': outbox!,
    'starter.jsx': snippet('web-frameworks.md', 'function OutboxStarter').replace(`'use client'`, ''),
    'kit.js': `import { getOutbox } from './outbox'\n${snippet('web-frameworks.md', '$app/environment').replace(`'$app/environment'`, `'./environment.js'`)}`,
    'environment.js': 'export const browser = true',
    'nuxt.js': `import { getOutbox } from './outbox'\nconst defineNuxtPlugin = (setUp) => setUp()\n${snippet('web-frameworks.md', 'defineNuxtPlugin')}`,
    'page.jsx': `
import { createRoot } from 'react-dom/client'
import { getOutbox } from './outbox'
import { outbox } from './kit.js'
import plugin from './nuxt.js'
import { OutboxStarter } from './starter.jsx'
createRoot(document.body).render(<OutboxStarter />)
await getOutbox().store('/api/orders', { method: 'POST', body: 'tea' })
document.title = String(outbox === getOutbox() && plugin.provide.outbox === outbox)`,
  })
  const site = await openSite({ '/page.js': await bundle(join(folder, 'page.jsx')) })
  onTestFinished(() => site.close())
  site.routes.set('/', page('/page.js'))
  site.routes.set('/api/orders', serve('text/plain', 'ok'))
  const tab = await (await browsers.chromium()).newPage()
  const sent = tab.waitForRequest('**/api/orders')
  await tab.goto(site.origin)
  expect((await sent).postData()).toBe('tea')
  await tab.waitForFunction(() => document.title === 'true')
})

test('Next.js: one queue for all layers while developing, and a consumer of instrumentation.js', async () => {
  const code = snippet('web-frameworks.md', 'globalThis.orders')
  const made: unknown[] = []
  class Counted extends Queue {
    constructor(name: string) {
      super(name)
      made.push(this)
    }
  }
  const globals = { Queue: Counted, SQLiteAdapter: Object, orders: undefined }
  const first = await run(code, globals)
  const handled = new Promise((resolve) => vi.stubGlobal('sendMail', resolve))
  vi.stubEnv('NEXT_RUNTIME', 'nodejs')
  onTestFinished(() => void vi.unstubAllEnvs())
  const register = snippet('web-frameworks.md', 'export async function register').replace(
    './queue',
    './queue.mjs',
  )
  const instrumentation = (await run(register, {}, { 'queue.mjs': code })) as { register(): Promise<void> }
  await instrumentation.register()
  expect(made.length).toBe(1)
  const { queue } = first as { queue: Queue }
  await queue.createProducer().send('tea')
  expect(await handled).toMatchObject({ payload: 'tea' })
  await queue.close()
})

test('Electron: the app quits once the queue is closed', async () => {
  const app = Object.assign(new EventEmitter(), { quit: vi.fn<() => void>() })
  const queue = new Queue('q')
  await run(snippet('web-frameworks.md', 'before-quit'), { app, queue })
  const quit = (): boolean => {
    const event = { defaultPrevented: false, preventDefault: () => void (event.defaultPrevented = true) }
    app.emit('before-quit', event)
    return !event.defaultPrevented
  }
  expect(quit()).toBe(false)
  await vi.waitFor(() => expect(app.quit).toHaveBeenCalledTimes(1), { timeout: 45_000 })
  expect(quit()).toBe(true)
  await expect(queue.stats()).rejects.toMatchObject({ code: 'CLOSED' })
})

test('functions that end: a cron route drains', async () => {
  const queue = new Queue<string>('q')
  const mails: string[] = []
  const sendMail = ({ payload }: { payload: string }): void => void mails.push(payload)
  const route = await run(snippet('servers.md', 'export async function GET'), { queue, sendMail })
  await queue.createProducer().send('tea')
  const response = await (route as { GET(): Promise<Response> }).GET()
  expect([await response.json(), mails]).toEqual([{ acked: 1 }, ['tea']])
  await queue.close()
})

test('Express: what is posted is stored, once for an Idempotency-Key', async () => {
  type Handler = (request: object, response: object) => Promise<void>
  const routes = new Map<string, Handler>()
  const app = {
    post: (path: string, _: unknown, handler: Handler) => void routes.set(path, handler),
    listen: () => ({ close: () => undefined }),
  }
  const globals = { app, express: { json: () => undefined }, Queue, NodeFsAdapter: MemoryAdapter }
  await run(`const process = { once() {} }\n${snippet('servers.md', '// Express 5')}`, globals)
  const post = async (key?: string): Promise<unknown[]> => {
    const answers: unknown[] = []
    const response = {
      status: (code: number) => (answers.push(code), response),
      json: ({ status }: { status: string }) => void answers.push(status),
    }
    await routes.get('/orders')!({ body: 'tea', get: () => key }, response)
    return answers
  }
  expect(await post('1')).toEqual([202, 'stored'])
  expect(await post('1')).toEqual([202, 'duplicate'])
  expect(await post()).toEqual([202, 'stored'])
  expect(await post()).toEqual([202, 'stored'])
})

test('Fastify: what is posted is stored', async () => {
  const queue = new Queue<string>('q')
  const hooks = new Map<string, () => Promise<void>>()
  const routes = new Map<string, (request: object, reply: object) => Promise<object>>()
  const fastify: Record<string, unknown> = {
    decorate: (name: string, value: unknown) => void (fastify[name] = value),
    addHook: hooks.set.bind(hooks),
    post: routes.set.bind(routes),
  }
  await run(snippet('servers.md', '// Fastify'), { queue, fastify })
  const code = vi.fn<(status: number) => void>()
  expect(await routes.get('/orders')!({ body: 'tea' }, { code })).toMatchObject({ status: 'stored' })
  expect(code).toHaveBeenCalledWith(202)
  await hooks.get('onClose')!()
  await expect(queue.stats()).rejects.toMatchObject({ code: 'CLOSED' })
})
