import type { BrowserContext, Page } from 'playwright-core'
import { launchChromium } from '../../browser/support/browsers.ts'
import { bundle } from '../../browser/support/bundle.ts'
import { openSite, page } from '../../browser/support/site.ts'
import { print } from '../record.ts'

/**
 * Runs work that may open pages which have the global `bench`, in a Chromium of its own. Where there is no Chromium, the
 * report says so and the work is left out.
 */
export async function inChromium<R>(work: (open: () => Promise<Page>) => Promise<R>): Promise<R | undefined> {
  let context: BrowserContext
  try {
    context = await launchChromium()
  } catch (error) {
    print(`The part in the browser did not run: ${(error as Error).message.split('\n')[0]}`)
    return undefined
  }
  const site = await openSite({ '/bench.js': await bundle('test/bench/browser/worker.ts') })
  site.routes.set('/', page('/bench.js'))
  try {
    return await work(async () => {
      const tab = await context.newPage()
      await tab.goto(site.origin)
      await tab.waitForFunction(() => 'bench' in globalThis)
      return tab
    })
  } finally {
    await context.close()
    await site.close()
  }
}
