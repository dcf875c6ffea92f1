import { sharedChromium, sharedFirefox } from './shared.ts'
import { openSite, page, serve } from './site.ts'

/** A page or a worker in which a script runs. */
export interface Context {
  /** What the browser calls itself. */
  readonly userAgent: string
  /** Calls a function of an object that the script has left in a global. */
  call(object: string, name: string, ...passed: readonly unknown[]): Promise<unknown>
  close(): Promise<void>
}

/** Opens a context on an origin of its own, runs a module in it and waits for a global that the module sets. The browser is shared. */
export type OpenContext = (script: string, global: string) => Promise<Context>

/** What both drivers can do with pages and workers. */
interface Evaluates {
  evaluate<R, A>(run: (argument: A) => R | Promise<R>, argument: A): Promise<unknown>
}

interface Opened {
  readonly context: Evaluates
  close(): Promise<unknown>
}

function opener(open: (origin: string) => Promise<Opened>): OpenContext {
  return async (script, global) => {
    const site = await openSite({ '/script.js': script })
    site.routes.set('/', page('/script.js'))
    site.routes.set('/empty', serve('text/html', '<!doctype html><title>test</title>'))
    try {
      const { context, close } = await open(site.origin)
      await context.evaluate(waitForGlobal, global)
      return {
        userAgent: (await context.evaluate(() => navigator.userAgent, null)) as string,
        call: (object, name, ...passed) => context.evaluate(callGlobal, [object, name, passed] as const),
        async close() {
          await close()
          await site.close()
        },
      }
    } catch (error) {
      await site.close()
      throw error
    }
  }
}

async function waitForGlobal(name: string): Promise<void> {
  const isThere = (): boolean => name in globalThis
  while (!isThere()) await new Promise((resolve) => setTimeout(resolve, 5))
}

function callGlobal([object, name, passed]: readonly [string, string, readonly unknown[]]): unknown {
  const globals = globalThis as unknown as Record<string, Record<string, (...all: unknown[]) => unknown>>
  return globals[object]![name]!(...passed)
}

export const chromiumPage: OpenContext = opener((origin) => inChromiumPage(origin, false))

/** With IndexedDB on SQLite, which Chromium is moving to. */
export const chromiumPageOnSqlite: OpenContext = opener((origin) => inChromiumPage(origin, true))

async function inChromiumPage(origin: string, sqlite: boolean): Promise<Opened> {
  const browser = await sharedChromium({ sqlite })
  const tab = await browser.newPage()
  await tab.goto(origin)
  return { context: tab, close: () => tab.close() }
}

export const dedicatedWorker: OpenContext = opener(async (origin) => {
  const browser = await sharedChromium()
  const tab = await browser.newPage()
  await tab.goto(`${origin}/empty`)
  const [worker] = await Promise.all([
    tab.waitForEvent('worker'),
    tab.evaluate(() => void new Worker('/script.js', { type: 'module' })),
  ])
  return { context: worker, close: () => tab.close() }
})

export const serviceWorker: OpenContext = opener(async (origin) => {
  const browser = await sharedChromium()
  const tab = await browser.newPage()
  await tab.goto(`${origin}/empty`)
  const [worker] = await Promise.all([
    browser.waitForEvent('serviceworker', (one) => one.url().startsWith(origin)),
    tab.evaluate(async () => {
      await navigator.serviceWorker.register('/script.js', { type: 'module' })
      await navigator.serviceWorker.ready
    }),
  ])
  return {
    context: worker,
    async close() {
      await tab.evaluate(async () => (await navigator.serviceWorker.ready).unregister())
      await tab.close()
    },
  }
})

export const firefoxPage: OpenContext = opener(async (origin) => {
  const browser = await sharedFirefox()
  const tab = await browser.newPage()
  await tab.goto(origin)
  return { context: tab as unknown as Evaluates, close: () => tab.close() }
})
