import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { report } from '../faults/support/report.ts'
import { launchChromium, remove, temporaryFolder } from './support/browsers.ts'
import { bundle } from './support/bundle.ts'
import { kill } from './support/kill.ts'
import { type Site, openSite, page } from './support/site.ts'
import { howMany } from '../support/effort.ts'
import { luck } from '../support/luck.ts'

/** How often the browser is killed: `KILLS=100 npx vitest run test/browser/kill`. */
const KILLS = howMany('KILLS', { quick: 2, full: 20 })

let site: Site
const sent = new Set<string>()
const acking = new Set<string>()
const acked = new Set<string>()
const failures: string[] = []

beforeAll(async () => {
  site = await openSite({
    '/crash.js': await bundle('test/browser/pages/crash.ts'),
    '/quayside.js': await bundle('test/browser/pages/quayside.ts'),
  })
  site.routes.set('/crash', page('/crash.js'))
  site.routes.set('/', page('/quayside.js'))
  const note = (path: string, add: (line: string) => void): void => {
    site.routes.set(path, async (request, response) => {
      for (const line of (await text(request)).split('\n')) add(line)
      response.writeHead(204).end()
    })
  }
  note('/sent', (id) => sent.add(id))
  note('/acking', (id) => acking.add(id))
  note('/acked', (id) => acked.add(id))
  note('/failed', (reason) => failures.push(reason))
})
afterAll(() => site.close())

describe.each(['strict', 'relaxed'])('with durability %s', (durability) => {
  test(
    `a browser that is killed at random moments loses nothing, ${KILLS / 2} times`,
    { timeout: 300_000 + KILLS * 30_000 },
    async () => {
      sent.clear()
      acking.clear()
      acked.clear()
      const random = luck()
      const profile = await temporaryFolder('killed')
      let lost = 0
      let back = 0
      let torn = 0
      try {
        for (let round = 0; round < KILLS / 2; round++) {
          const context = await launchChromium({ profile })
          const tab = await context.newPage()
          const before = sent.size
          await tab.goto(`${site.origin}/crash?durability=${durability}`)
          // At some moment after some work.
          const target = before + 20 + Math.floor(random() * 200)
          while (sent.size < target && failures.length === 0) {
            await new Promise((resolve) => setTimeout(resolve, random() * 20))
          }
          await kill(context, profile)
        }
        const context = await launchChromium({ profile })
        const tab = await context.newPage()
        await tab.goto(site.origin)
        await tab.waitForFunction(() => 'quayside' in globalThis)
        const { left, results } = await tab.evaluate(
          async (ids) => {
            const { Queue, IndexedDBAdapter } = quayside
            const queue = new Queue<string>('q', { storage: new IndexedDBAdapter() })
            const outcomes = await Promise.all(ids.map((id) => queue.result(id)))
            const ended = ids.filter((id, i) => outcomes[i]?.status === 'done' && outcomes[i].value === id)
            for (const { group, lane } of (await queue.stats()).holds) await queue.release({ group, lane })
            const parked = await queue.list({ state: 'parked', limit: 100_000 })
            await queue.resume(parked.messages.map(({ id }) => id))
            const consumer = queue.createConsumer('default', { leaseMs: 60_000 })
            const payloads: string[] = []
            await new Promise((resolve) => setTimeout(resolve, 50)) // until the leases of the dead have ended
            for (;;) {
              const messages = await consumer.receiveBatch(1000)
              if (messages.length === 0) break
              payloads.push(...messages.map(({ payload }) => payload))
              await consumer.ackBatch(messages)
            }
            const dead = await queue.deadLetters().list({ limit: 100_000 })
            return {
              left: [...payloads, ...dead.messages.map(({ payload }) => payload!)],
              results: ended,
            }
          },
          [...sent],
        )
        await context.close()
        const found = new Set(left)
        lost = [...sent].filter((id) => !acking.has(id) && !found.has(id)).length
        back = left.filter((id) => acked.has(id)).length
        const kept = new Set(results)
        // Each has ended with its result, or has not ended.
        torn = [...sent].filter((id) => found.has(id) === kept.has(id)).length
        report({
          adapter: `indexeddb, ${durability}`,
          fault: `SIGKILL of the browser at work; ${acked.size} messages acked`,
          kills: KILLS / 2,
          messages: sent.size,
          violations: lost + back + torn,
        })
      } finally {
        await remove(profile)
      }
      expect(failures).toEqual([])
      expect(lost).toBe(0)
      expect(back).toBe(0)
      expect(torn).toBe(0)
      expect(acked.size).toBeGreaterThan(KILLS)
    },
  )
})
