import type { BrowserContext } from 'playwright-core'
import type { Browser } from 'puppeteer-core'
import { type ChromiumOptions, launchChromium, launchFirefox } from './browsers.ts'

// Browsers that all files of a worker use: to start one costs more than most of what is done in it. Whoever has an origin of
// their own shares no storage and no service worker with others. They run as long as the process, with which their drivers end them.

type Ends = { close(): Promise<unknown> }
const running = new Map<string, Promise<Ends>>()

function shared<B extends Ends>(name: string, launch: () => Promise<B>): Promise<B> {
  const browser = (running.get(name) as Promise<B> | undefined) ?? launch()
  running.set(name, browser)
  return browser
}

export function sharedChromium({
  sqlite = false,
}: Pick<ChromiumOptions, 'sqlite'> = {}): Promise<BrowserContext> {
  return shared(sqlite ? 'chromium on sqlite' : 'chromium', () => launchChromium({ sqlite }))
}

export function sharedFirefox(): Promise<Browser> {
  return shared('firefox', () => launchFirefox())
}

/** Closes them all: for a program that is to end by itself. */
export async function closeShared(): Promise<void> {
  const all = [...running.values()]
  running.clear()
  for (const one of await Promise.allSettled(all)) if (one.status === 'fulfilled') await one.value.close()
}

/** Closes the tabs of a browser, ends its service workers with all that their origins have stored, and puts it online. */
export async function leave(context: BrowserContext): Promise<void> {
  await context.setOffline(false)
  // Without the one that it was started with, the browser would end.
  const [first, ...tabs] = context.pages()
  const urls = [...tabs, ...context.serviceWorkers()].map((one) => one.url())
  await Promise.all(tabs.map((tab) => tab.close()))
  const session = await context.newCDPSession(first!)
  for (const origin of new Set(
    urls.filter((url) => url.startsWith('http')).map((url) => new URL(url).origin),
  ))
    await session.send('Storage.clearDataForOrigin', { origin, storageTypes: 'all' })
  await session.detach()
}
