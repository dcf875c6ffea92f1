import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import type { Outbox } from '../../src/outbox/index.ts'
import { howMany } from '../support/effort.ts'
import { luck } from '../support/luck.ts'
import { launchChromium, remove, temporaryFolder } from './support/browsers.ts'
import { bundle } from './support/bundle.ts'
import { kill } from './support/kill.ts'
import { openSite, page } from './support/site.ts'

// A page that is reloaded, and a browser that is killed, while families of requests are stored and sent.

/** The first ones of a browser that is killed after every fifth. */
const RELOADS = howMany('RELOADS', { quick: 10, full: 300 })
const RELOADS_OF_ONE = 5

test(
  `create, three edits, delete: the server sees real ids only, and no child before its parent: ${RELOADS} reloads and kills`,
  { timeout: 120_000 + RELOADS * 5000 },
  async () => {
    const random = luck()
    let isWell = false
    const stored = new Set<string>()
    /** What the server has made, by what it was asked to make; and what became of it. */
    const made = new Map<string, number>()
    const seen = new Map<number, string[]>()
    const wrong: string[] = []
    const site = await openSite({ '/families.js': await bundle('test/browser/pages/families.ts') })
    onTestFinished(() => site.close())
    site.routes.set('/', page('/families.js'))
    site.routes.set('/stored', async (request, response) => {
      stored.add(await text(request))
      response.end()
    })
    const item: Parameters<typeof site.routes.set>[1] = async (request, response) => {
      const body = await text(request)
      const luckOfIt = isWell ? 1 : random()
      if (luckOfIt < 0.2) {
        if (luckOfIt < 0.1) response.destroy()
        else response.writeHead(500).end()
        return
      }
      const { method, url = '' } = request
      const id = method === 'POST' ? (made.get(body) ?? made.size + 100) : Number(url.split('/')[2])
      if (method === 'POST') {
        made.set(body, id)
        if (!seen.has(id)) seen.set(id, [])
      } else if (seen.has(id)) seen.get(id)!.push(`${method} ${body}`)
      else wrong.push(`${method} ${url} ${body}`)
      // It has arrived, and the answer is lost.
      if (luckOfIt < 0.3) response.destroy()
      else response.end(JSON.stringify({ id }))
    }
    // Paths are known as they are made: a family has a number.
    for (const path of ['new', 'tmp']) site.routes.set(`/items/${path}`, item)
    for (let id = 100; id < 100 + 100 * RELOADS; id++) site.routes.set(`/items/${id}`, item)
    const profile = await temporaryFolder('families')
    onTestFinished(() => remove(profile))
    for (let reloads = 0; reloads < RELOADS; reloads += RELOADS_OF_ONE) {
      const browser = await launchChromium({ profile })
      const tab = await browser.newPage()
      for (let i = 0; i < RELOADS_OF_ONE; i++) {
        await tab.goto(site.origin)
        await sleep(random() ** 2 * 500)
      }
      await kill(browser, profile)
    }
    isWell = true
    const browser = await launchChromium({ profile })
    onTestFinished(() => browser.close())
    const tab = await browser.newPage()
    await tab.goto(`${site.origin}/?rest`)
    await tab.waitForFunction(() => 'outbox' in globalThis)
    const left = (): Promise<number> =>
      tab.evaluate(async () => {
        const { outbox } = globalThis as unknown as { outbox: Outbox }
        await outbox.retryNow()
        return await outbox.size()
      })
    await expect.poll(left, { timeout: 60_000 + RELOADS * 1000, interval: 200 }).toBe(0)
    expect(wrong).toEqual([])
    expect(stored.size).toBeGreaterThan(0)
    for (const id of stored) expect(made.has(id), id).toBe(true)
    for (const [parent, id] of made) {
      // An answer that got lost makes one of two.
      const own = seen.get(id)!.filter((one, i, all) => all[i - 1] !== one)
      const whole = [`PUT ${parent} 1`, `PUT ${parent} 2`, `PUT ${parent} 3`, 'DELETE ']
      // What was not all stored when the page went has less.
      expect(own, parent).toEqual(stored.has(parent) ? whole : whole.slice(0, own.length))
    }
  },
)
