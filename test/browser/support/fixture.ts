import type { BrowserContext, Page } from 'playwright-core'
import type { Browser } from 'puppeteer-core'
import { afterEach, beforeAll, beforeEach } from 'vitest'
import type { ChromiumOptions } from './browsers.ts'
import { bundle } from './bundle.ts'
import { leave, sharedChromium, sharedFirefox } from './shared.ts'
import { type Site, openSite, page, serve } from './site.ts'

export interface Browsers {
  chromium(options?: Pick<ChromiumOptions, 'sqlite'>): Promise<BrowserContext>
  firefox(): Promise<Browser>
}

/** The browsers of all files of a worker. After each test they have no tabs and no workers; sites are to be new to each. */
export function useBrowsers(): Browsers {
  const used = new Set<BrowserContext>()
  const foxes = new Set<Browser>()
  afterEach(async () => {
    for (const context of used) await leave(context)
    for (const fox of foxes) for (const tab of (await fox.pages()).slice(1)) await tab.close()
    used.clear()
    foxes.clear()
  })
  return {
    async chromium(options) {
      const context = await sharedChromium(options)
      used.add(context)
      return context
    },
    async firefox() {
      const fox = await sharedFirefox()
      foxes.add(fox)
      return fox
    },
  }
}

export interface Fixture {
  /** Of the running test alone. */
  readonly site: Site
  browser: Browsers['chromium']
  /** A tab with the package as the global `quayside`. */
  open(context: BrowserContext): Promise<Page>
}

/** A site whose pages have the package, and browsers. */
export function useSite(): Fixture {
  let script: string
  let site: Site
  const browsers = useBrowsers()
  beforeAll(async () => void (script = await bundle('test/browser/pages/quayside.ts')))
  beforeEach(async () => {
    site = await openSite({ '/quayside.js': script })
    site.routes.set('/', page('/quayside.js'))
    site.routes.set('/empty', serve('text/html', '<!doctype html><title>test</title>'))
  })
  afterEach(() => site.close())
  return {
    get site() {
      return site
    },
    browser: (options) => browsers.chromium(options),
    async open(context) {
      const tab = await context.newPage()
      await tab.goto(site.origin)
      await tab.waitForFunction(() => 'quayside' in globalThis)
      return tab
    },
  }
}
