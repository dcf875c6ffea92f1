import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Outbox } from '../../src/outbox/index.ts'
import { report } from '../faults/support/report.ts'
import { launchChromium, remove, temporaryFolder } from './support/browsers.ts'
import { bundle } from './support/bundle.ts'
import { kill } from './support/kill.ts'
import { type Site, openSite, page } from './support/site.ts'
import { howMany } from '../support/effort.ts'
import { luck } from '../support/luck.ts'

/** How often the browser is killed: `KILLS=100 npx vitest run test/browser/kill-outbox`. */
const KILLS = howMany('KILLS', { quick: 2, full: 20 })

let site: Site
/** Whose storing was acknowledged. */
const stored = new Set<string>()
const accepted = new Set<string>()
let random: () => number
/** The idempotency keys of all deliveries of a request. */
const keys = new Map<string, string[]>()

beforeAll(async () => {
  site = await openSite({ '/crash-outbox.js': await bundle('test/browser/pages/crash-outbox.ts') })
  site.routes.set('/', page('/crash-outbox.js'))
  site.routes.set('/stored', async (request, response) => {
    stored.add(await text(request))
    response.writeHead(204).end()
  })
  site.routes.set('/order', async (request, response) => {
    const id = await text(request)
    keys.set(id, [...(keys.get(id) ?? []), String(request.headers['idempotency-key'])])
    const lot = random()
    // A fifth never gets an answer.
    if (lot < 0.1) response.destroy()
    else if (lot < 0.2) response.writeHead(503).end()
    else if (lot < 0.8) {
      accepted.add(id)
      response.writeHead(201).end()
    }
  })
})
afterAll(() => site.close())

test(
  `a browser that is killed ${KILLS} times while it stores, sends and acks loses no request`,
  { timeout: 600_000 + KILLS * 15_000 },
  async () => {
    random = luck()
    const profile = await temporaryFolder('killed-outbox')
    try {
      for (let round = 0; round < KILLS; round++) {
        const context = await launchChromium({ profile })
        const tab = await context.newPage()
        await tab.goto(site.origin)
        const target = stored.size + 5 + Math.floor(random() * 40)
        while (stored.size < target) await new Promise((resolve) => setTimeout(resolve, random() * 20))
        await kill(context, profile)
      }
      const context = await launchChromium({ profile })
      const tab = await context.newPage()
      await tab.goto(`${site.origin}/?rest`)
      await tab.waitForFunction(() => 'outbox' in globalThis)
      const left = (): Promise<number> =>
        tab.evaluate(() => (globalThis as unknown as { outbox: Outbox }).outbox.size())
      // A fifth gets no answer, and then a destination rests: that takes its time, more on a busy machine.
      await expect.poll(left, { timeout: 300_000 + KILLS * 1000, interval: 200 }).toBe(0)
      await context.close()
    } finally {
      await remove(profile)
    }
    const lost = [...stored].filter((id) => !accepted.has(id))
    const repeated = [...keys.values()].filter((all) => all.length > 1)
    report({
      adapter: 'indexeddb, outbox',
      fault: `SIGKILL of the browser at work; ${repeated.length} requests sent more than once`,
      kills: KILLS,
      messages: stored.size,
      violations: lost.length,
    })
    expect(lost).toEqual([])
    expect(repeated.length).toBeGreaterThan(0)
    for (const all of keys.values()) expect(new Set(all).size).toBe(1)
    const all = [...keys.values()].map(([key]) => key)
    expect(new Set(all).size).toBe(all.length)
  },
)
