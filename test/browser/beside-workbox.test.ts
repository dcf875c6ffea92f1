import type { BrowserContext, Worker } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { defer } from '../support/set-up.ts'
import type { Beside } from './pages/beside-workbox.ts'
import { launchChromium, remove, temporaryFolder } from './support/browsers.ts'
import { bundle } from './support/bundle.ts'
import { kill } from './support/kill.ts'
import { type Site, openSite, serve } from './support/site.ts'

// The same story for both: five requests are stored, and the browser is killed while the third is being sent.

declare const beside: Beside

let site: Site
beforeAll(async () => {
  site = await openSite({ '/worker.js': await bundle('test/browser/pages/beside-workbox.ts') })
  site.routes.set('/', serve('text/html', '<!doctype html><title>test</title>'))
})
afterAll(() => site.close())

async function open(profile: string): Promise<{ context: BrowserContext; worker: Worker }> {
  const context = await launchChromium({ profile })
  const tab = await context.newPage()
  await tab.goto(site.origin)
  const running = context.serviceWorkers()[0] ?? context.waitForEvent('serviceworker', { timeout: 60_000 })
  await tab.evaluate(async () => {
    // Another script, so that the worker starts in the browser that was started again, too.
    await navigator.serviceWorker.register(`/worker.js?${Math.random()}`, { type: 'module' })
    await navigator.serviceWorker.ready
  })
  return { context, worker: await running }
}

/** Answers with the requests that the server has accepted, once they are `enough`, and how often each. */
async function story(name: keyof Beside, enough: number): Promise<Record<string, number>> {
  const accepted: Record<string, number> = {}
  const hanging = defer()
  let isDown = true
  for (let n = 1; n <= 5; n++) {
    site.routes.set(`/${name}/${n}`, (_, response) => {
      if (n >= 3 && isDown) {
        if (n === 3) hanging.resolve()
        return // No answer, until the browser is gone.
      }
      accepted[n] = (accepted[n] ?? 0) + 1
      response.writeHead(200).end()
    })
  }
  const profile = await temporaryFolder('beside')
  try {
    const first = await open(profile)
    for (let n = 1; n <= 5; n++) {
      await first.worker.evaluate(([who, url]) => beside[who].store(url), [
        name,
        `${site.origin}/${name}/${n}`,
      ] as const)
    }
    await first.worker.evaluate((who) => void beside[who].replay(), name)
    await hanging.promise
    await kill(first.context, profile)
    isDown = false
    const second = await open(profile)
    await second.worker.evaluate((who) => void beside[who].replay(), name)
    await expect.poll(() => Object.keys(accepted).length).toBe(enough)
    await second.context.close()
    return accepted
  } finally {
    await remove(profile)
  }
}

describe('a browser that is killed while it sends the third of five requests', () => {
  test('loses that request with workbox-background-sync', async () => {
    expect(await story('workbox', 4)).toEqual({ 1: 1, 2: 1, 4: 1, 5: 1 })
  })

  test('loses nothing with quayside', async () => {
    expect(Object.keys(await story('quayside', 5))).toEqual(['1', '2', '3', '4', '5'])
  })
})
