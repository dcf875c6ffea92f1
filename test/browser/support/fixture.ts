import type { BrowserContext, Page } from 'playwright-core'
import { afterAll, beforeAll, onTestFinished } from 'vitest'
import { type ChromiumOptions, launchChromium } from './browsers.ts'
import { bundle } from './bundle.ts'
import { type Site, openSite, page, serve } from './site.ts'

export interface Fixture {
  readonly site: Site
  /** A browser of the running test's own. */
  browser(options?: ChromiumOptions): Promise<BrowserContext>
  /** A tab with the package as the global `quayside`. */
  open(context: BrowserContext): Promise<Page>
}

/** A site whose pages have the package, and browsers that end with the test. */
export function useSite(): Fixture {
  let site: Site
  beforeAll(async () => {
    site = await openSite({ '/quayside.js': await bundle('test/browser/pages/quayside.ts') })
    site.routes.set('/', page('/quayside.js'))
    site.routes.set('/empty', serve('text/html', '<!doctype html><title>test</title>'))
  })
  afterAll(() => site.close())
  return {
    get site() {
      return site
    },
    async browser(options) {
      const context = await launchChromium(options)
      onTestFinished(() => context.close())
      return context
    },
    async open(context) {
      const tab = await context.newPage()
      await tab.goto(site.origin)
      await tab.waitForFunction(() => 'quayside' in globalThis)
      return tab
    },
  }
}
