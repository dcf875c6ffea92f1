import type { BrowserContext, Worker } from 'playwright-core'
import { launchChromium, remove, temporaryFolder } from '../../browser/support/browsers.ts'
import { bundle } from '../../browser/support/bundle.ts'
import { type Site, openSite, page, serve } from '../../browser/support/site.ts'
import type { Bench } from '../browser/worker.ts'
import {
  type Contestant,
  type Options,
  amount,
  atLeast,
  atMost,
  compete,
  heading,
  median,
  print,
  printRates,
  printTable,
} from '../harness.ts'

/** IndexedDB in a service worker of Chromium, on its default back end: quayside, workbox-background-sync, raw IndexedDB. */
export async function browser(options: Options): Promise<void> {
  const site = await openSite({ '/bench.js': await bundle('test/bench/browser/worker.ts') })
  site.routes.set('/', serve('text/html', '<!doctype html><title>bench</title>'))
  site.routes.set('/cold', page('/bench.js'))
  const profile = await temporaryFolder('bench')
  try {
    const { context, worker } = await open(profile, site)
    await contests(worker, options)
    await backlog(worker, options)
    await worker.evaluate((count) => bench.fillForLater(count), 100_000)
    await context.close()
    const cold: number[] = []
    for (let i = 0; i < options.slices; i++) cold.push(await firstClaim(profile, site))
    heading('browser: first claim of a browser that was just started, 100,000 waiting')
    print(`${cold.map((ms) => ms.toFixed(1)).join(', ')} ms\n`)
    atMost('first claim from cold', median(cold), 100, ' ms')
  } finally {
    await site.close()
    await remove(profile)
  }
}

declare const bench: Bench

async function open(profile: string, site: Site): Promise<{ context: BrowserContext; worker: Worker }> {
  const context = await launchChromium({ profile })
  const tab = await context.newPage()
  const running = context.waitForEvent('serviceworker')
  await tab.goto(site.origin)
  await tab.evaluate(async () => {
    await navigator.serviceWorker.register('/bench.js', { type: 'module' })
    await navigator.serviceWorker.ready
  })
  return { context, worker: await running }
}

/** In a page of a browser that was just started. */
async function firstClaim(profile: string, site: Site): Promise<number> {
  const context = await launchChromium({ profile })
  const tab = await context.newPage()
  await tab.goto(`${site.origin}/cold`)
  await tab.waitForFunction(() => 'bench' in globalThis)
  const ms = await tab.evaluate(() => bench.firstClaim())
  await context.close()
  return ms
}

type Durability = 'strict' | 'relaxed'

function contestant(
  worker: Worker,
  role: Contestant['role'],
  name: string,
  durability: Durability,
): Contestant {
  return {
    name: `${name}, ${durability}`,
    role,
    async setup() {
      await worker.evaluate((chosen) => bench.setup(chosen), { name, durability })
      return { step: () => worker.evaluate(() => bench.step()) }
    },
  }
}

/** The peer has the durability that is the browser's default, `relaxed`; so has quayside here, and `strict` beside it. */
async function contests(worker: Worker, options: Options): Promise<void> {
  const race = async (
    title: string,
    entries: [Contestant['role'], string, Durability][],
    factor?: number,
    limit?: [name: string, factor: number],
  ): Promise<void> => {
    heading(`browser: ${title}`)
    const results = await compete(
      entries.map(([role, name, durability]) => contestant(worker, role, name, durability)),
      options,
    )
    printRates(results)
    if (factor !== undefined) atLeast(results, factor)
    if (limit !== undefined) atLeast(results, limit[1], `${limit[0]}, relaxed`)
  }
  await race(
    '100 concurrent sends',
    [
      ['quayside', 'quayside: 100 sends', 'relaxed'],
      ['part', 'quayside: 100 sends', 'strict'],
      ['peer', 'workbox: 100 sends', 'relaxed'],
      ['limit', 'raw: 100 puts, a transaction each', 'relaxed'],
      ['limit', 'raw: 100 adds in one transaction', 'relaxed'],
      ['limit', 'raw: 100 messages in one put', 'relaxed'],
    ],
    10,
    ['raw: 100 adds in one transaction', 0.8],
  )
  await race(
    'lifecycle, one at a time',
    [
      ['quayside', 'quayside: send, receive, ack', 'relaxed'],
      ['part', 'quayside: send, receive, ack', 'strict'],
      ['peer', 'workbox: push, shift', 'relaxed'],
      ['limit', 'raw: add; read, lease; read, delete', 'relaxed'],
    ],
    2.2,
    ['raw: add; read, lease; read, delete', 0.9],
  )
  await race('one send at a time', [
    ['quayside', 'quayside: one send at a time', 'relaxed'],
    ['part', 'quayside: one send at a time', 'strict'],
    ['peer', 'workbox: one push at a time', 'relaxed'],
    ['limit', 'raw: one put at a time', 'relaxed'],
  ])
}

async function backlog(worker: Worker, { slices }: Options): Promise<void> {
  heading('browser: claim and ack of 100, relaxed')
  const kinds = {
    'none waiting': { waiting: 0, keys: 0, ids: false },
    '100,000 waiting': { waiting: 100_000, keys: 0, ids: false },
    '10 ordering keys': { waiting: 0, keys: 10, ids: false },
    "caller's ids": { waiting: 0, keys: 0, ids: true },
  }
  const rates: Record<string, number[]> = { "append of 100 with caller's ids": [] }
  for (const name of Object.keys(kinds)) rates[name] = []
  for (let round = 0; round < slices; round++) {
    for (const [name, kind] of Object.entries(kinds)) {
      rates[name]!.push(await worker.evaluate((what) => bench.claimAndAck(what), { kind, rounds: 100 }))
    }
    rates["append of 100 with caller's ids"]!.push(await worker.evaluate(() => bench.sendWithIds(30)))
  }
  printTable(
    ['', 'messages/s', 'from–to'],
    Object.entries(rates).map(([name, all]) => [
      name,
      amount(median(all)),
      `${amount(Math.min(...all))}–${amount(Math.max(...all))}`,
    ]),
  )
  print('')
  const rate = (name: string): number => median(rates[name]!)
  atMost('µs per message, claim and ack of 100', 1e6 / rate('none waiting'), 83)
  atMost('cost with 100,000 waiting', rate('none waiting') / rate('100,000 waiting'), 1.4, '×')
  atMost('µs per message, 10 ordering keys', 1e6 / rate('10 ordering keys'), 250)
  atMost("µs per message, claim and ack with caller's ids", 1e6 / rate("caller's ids"), 100)
  atMost("µs per message, append with caller's ids", 1e6 / rate("append of 100 with caller's ids"), 100)
}
