import { afterAll, beforeAll, describe } from 'vitest'
import { IndexedDBAdapter } from '../../adapters/indexeddb/index.ts'
import type { ConformanceFactory } from '../../src/conformance/index.ts'
import { launchChromium, launchFirefox } from '../browser/support/browsers.ts'
import { bundle } from '../browser/support/bundle.ts'
import { type Site, openSite, page, serve } from '../browser/support/site.ts'
import { type RemoteSuite, registerConformanceIn, registerHistoriesIn } from './register.ts'

/** What the cases are skipped by; they run in browsers. */
const declared: ConformanceFactory = {
  guarantees: new IndexedDBAdapter({ durability: 'relaxed' }).guarantees,
  create: () => Promise.reject(new Error('there is no IndexedDB here')),
}

/** A context to run the suite in, and how it ends. */
interface Place {
  readonly suite: RemoteSuite
  close(): Promise<unknown>
}

let site: Site
beforeAll(async () => {
  const script = await bundle('test/browser/pages/conformance.ts')
  site = await openSite({ '/suite.js': script })
  site.routes.set('/', page('/suite.js'))
  site.routes.set('/empty', serve('text/html', '<!doctype html><title>test</title>'))
})
afterAll(() => site.close())

/** Anything that evaluates functions: pages and workers of both drivers. */
interface Evaluates {
  evaluate<R, A>(run: (argument: A) => R | Promise<R>, argument: A): Promise<unknown>
}

function suiteIn(context: Evaluates): RemoteSuite {
  const call = (verb: string, argument?: unknown): Promise<never> =>
    context.evaluate(
      ([name, passed]) =>
        (globalThis as unknown as { suite: Record<string, (argument: unknown) => unknown> }).suite[name]!(
          passed,
        ),
      [verb, argument] as [string, unknown],
    ) as Promise<never>
  return {
    cases: () => call('cases'),
    run: (index) => call('run', index),
    histories: (options) => call('histories', options),
  }
}

async function chromiumPage(options: { sqlite?: boolean } = {}): Promise<Place> {
  const context = await launchChromium(options)
  const tab = await context.newPage()
  await tab.goto(site.origin)
  await tab.waitForFunction(() => 'suite' in globalThis)
  return { suite: suiteIn(tab), close: () => context.close() }
}

async function dedicatedWorker(): Promise<Place> {
  const context = await launchChromium()
  const tab = await context.newPage()
  await tab.goto(`${site.origin}/empty`)
  const [worker] = await Promise.all([
    tab.waitForEvent('worker'),
    tab.evaluate(() => void new Worker('/suite.js', { type: 'module' })),
  ])
  await worker.evaluate(async () => {
    while (!('suite' in globalThis)) await new Promise((resolve) => setTimeout(resolve, 5))
  })
  return { suite: suiteIn(worker), close: () => context.close() }
}

async function serviceWorker(): Promise<Place> {
  const context = await launchChromium()
  const tab = await context.newPage()
  await tab.goto(`${site.origin}/empty`)
  const [worker] = await Promise.all([
    context.waitForEvent('serviceworker'),
    tab.evaluate(async () => {
      await navigator.serviceWorker.register('/suite.js', { type: 'module' })
      await navigator.serviceWorker.ready
    }),
  ])
  return { suite: suiteIn(worker), close: () => context.close() }
}

async function firefoxPage(): Promise<Place> {
  const browser = await launchFirefox()
  const tab = await browser.newPage()
  await tab.goto(site.origin)
  await tab.waitForFunction(() => 'suite' in globalThis)
  return { suite: suiteIn(tab as unknown as Evaluates), close: () => browser.close() }
}

function inPlace(open: () => Promise<Place>): () => RemoteSuite {
  let place: Place | undefined
  beforeAll(async () => void (place = await open()))
  afterAll(() => place?.close())
  return () => place!.suite
}

const PLACES = {
  'a Chromium page': { open: () => chromiumPage(), runs: 2000 },
  'a Chromium page, on SQLite': { open: () => chromiumPage({ sqlite: true }), runs: 300 },
  'a dedicated worker': { open: dedicatedWorker, runs: 300 },
  'a service worker': { open: serviceWorker, runs: 300 },
  'a Firefox page': { open: firefoxPage, runs: 300 },
}

describe.each(Object.entries(PLACES))('in %s', (title, { open, runs }) => {
  const suite = inPlace(open)
  const name = `indexeddb in ${title}`
  registerConformanceIn(name, declared, suite)
  registerHistoriesIn(name, suite, { runs, maxSteps: 20, lanes: 4 })
})
