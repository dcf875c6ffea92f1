import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect, onTestFinished, test } from 'vitest'
import { bundle } from '../browser/support/bundle.ts'
import { useBrowsers } from '../browser/support/fixture.ts'
import { openSite, page } from '../browser/support/site.ts'
import { ROOT } from '../support/sources.ts'

// The workers of the page, in Chromium: what a page has stored, and does not send itself, they send.

const snippets = readFileSync(join(ROOT, 'docs/service-worker.md'), 'utf8').matchAll(/^```js\n(.*?)^```$/gms)
const [ofModules, ofPage, classic] = [...snippets].map(([, code]) => code!)
const browsers = useBrowsers()

const OUTBOX = `
import { Queue } from 'quayside'
import { IndexedDBAdapter } from 'quayside/indexeddb'
import { Outbox } from 'quayside/outbox'
const outbox = new Outbox(new Queue('outbox', { storage: new IndexedDBAdapter({ database: 'my-app' }) }))
`
const STORES = `await outbox.store('/api/notes', { method: 'POST', body: 'hello' })`

async function bundled(code: string): Promise<string> {
  const folder = mkdtempSync(join(ROOT, 'node_modules/.quayside-pages-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  writeFileSync(join(folder, 'page.js'), code)
  return await bundle(join(folder, 'page.js'))
}

/** What arrives from a site with that worker, once its page has stored a request. */
async function sent(worker: string, pageCode: string): Promise<string> {
  const site = await openSite({
    '/worker.js': worker,
    '/quayside.sw.js': await bundle('presets/service-worker.ts', { format: 'iife' }),
    '/page.js': await bundled(`${OUTBOX}${pageCode}${STORES}`),
  })
  onTestFinished(() => site.close())
  site.routes.set('/', page('/page.js'))
  const arrived = new Promise<string>((resolve, reject) => {
    site.routes.set('/api/notes', (request, response) => {
      text(request).then(resolve, reject)
      response.writeHead(201).end()
    })
  })
  const tab = await (await browsers.chromium()).newPage()
  await tab.goto(site.origin)
  return await arrived
}

test('a worker of modules', async () => {
  expect(await sent(await bundled(ofModules!), ofPage!)).toBe('hello')
})

test('a classic worker', async () => {
  expect(await sent(classic!, ofPage!.replace(`, { type: 'module' }`, ''))).toBe('hello')
})
