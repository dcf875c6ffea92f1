import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import type { BrowserContext, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { howMany } from '../support/effort.ts'
import { WALL_CLOCK } from '../support/wall-clock.ts'
import { launchChromium, remove, temporaryFolder } from './support/browsers.ts'
import { bundle } from './support/bundle.ts'
import { type Site, openSite, page } from './support/site.ts'

/** How many photos wait: `PHOTOS=1000 npx vitest run test/browser/backlog`. */
const PHOTOS = howMany('PHOTOS', { quick: 12, full: 1000 })
const PHOTO_BYTES = 5_000_000

let site: Site
let arrivedAt = Infinity
beforeAll(async () => {
  site = await openSite({ '/outbox.js': await bundle('test/browser/pages/outbox.ts') })
  site.routes.set('/', page('/outbox.js'))
  // It never answers.
  site.routes.set('/photos', () => {
    arrivedAt = Math.min(arrivedAt, performance.now())
  })
})
afterAll(() => site.close())

async function open(context: BrowserContext): Promise<Page> {
  const tab = await context.newPage()
  await tab.goto(site.origin)
  await tab.waitForFunction(() => 'outbox' in globalThis)
  return tab
}

const of = (pid: string | number, name: string): string => readFileSync(`/proc/${pid}/${name}`, 'utf8')

/** The process that runs the tab's scripts: the largest of those that show pages. */
function renderer(profile: string): number {
  const all = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  const facts = all.flatMap((pid) => {
    try {
      const parent = Number(/PPid:\s+(\d+)/.exec(of(pid, 'status'))![1])
      return [{ pid: Number(pid), parent, command: of(pid, 'cmdline').split('\0').join(' ') }]
    } catch {
      return [] // It has ended meanwhile.
    }
  })
  const ours = new Set(facts.filter(({ command }) => command.includes(profile)).map(({ pid }) => pid))
  for (const { pid, parent } of facts.toSorted((a, b) => a.pid - b.pid)) if (ours.has(parent)) ours.add(pid)
  const renderers = facts.filter(({ pid, command }) => ours.has(pid) && command.includes('--type=renderer'))
  return renderers.toSorted((a, b) => memory(b.pid, 'RSS') - memory(a.pid, 'RSS'))[0]!.pid
}

/** Of a process, in MB: what it has now, or the most that it had since {@link forget}. */
function memory(pid: number, what: 'RSS' | 'HWM'): number {
  return Number(new RegExp(`Vm${what}:\\s+(\\d+)`).exec(of(pid, 'status'))![1]) / 1024
}

function forget(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5')
}

test(`${PHOTOS} photos of 5 MB that wait are not read to know that they do`, WALL_CLOCK, async () => {
  const profile = await temporaryFolder('backlog')
  onTestFinished(() => remove(profile))
  const before = await launchChromium({ profile })
  const writer = await open(before)
  await writer.evaluate(
    async ([count, bytes]) => {
      for (let i = 0; i < count; i++)
        await outbox.store('/photos', { method: 'POST', body: new Uint8Array(bytes).fill(i) })
    },
    [PHOTOS, PHOTO_BYTES] as const,
  )
  await before.close()

  const context = await launchChromium({ profile })
  onTestFinished(() => context.close())
  const tab = await open(context)
  await tab.evaluate(() => openQueue('other').stats())
  const pid = renderer(profile)
  forget(pid)
  const idle = memory(pid, 'RSS')
  await context.setOffline(true)
  const size = await tab.evaluate(async () => {
    outbox.start()
    for (const type of ['pageshow', 'visibilitychange', 'online']) dispatchEvent(new Event(type))
    await outbox.list({ bodies: false, limit: 1000 })
    await outbox.due()
    return await outbox.size()
  })
  expect(size).toBe(PHOTOS)
  expect(memory(pid, 'HWM') - idle).toBeLessThan(30)
  const onlineAt = performance.now()
  await context.setOffline(false)
  await expect.poll(() => arrivedAt).toBeLessThan(Infinity)
  const firstMs = arrivedAt - onlineAt
  expect(memory(pid, 'HWM') - idle).toBeLessThan(30)
  // It takes some 0.2 s; to read a thousand of them first would take longer.
  expect(firstMs).toBeLessThan(10_000)
})
