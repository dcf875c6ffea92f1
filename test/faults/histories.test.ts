import { expect, onTestFinished, test } from 'vitest'
import { useBrowsers } from '../browser/support/fixture.ts'
import { bundle } from '../browser/support/bundle.ts'
import { openSite, page } from '../browser/support/site.ts'
import { startWorker } from '../durable-object/support/workerd.ts'
import { smallDisk } from '../fs/small-disk.ts'
import { startPostgres } from '../postgres/support/server.ts'
import { startRedis } from '../redis/support/server.ts'
import { CLOUDFLARE_KV } from './support/cloudflare-kv.ts'
import { type FaultOptions, type FaultReport, runFaults } from './support/driver.ts'
import { FS } from './support/fs.ts'
import { fullDisk } from './support/full-disk.ts'
import { MEMORY } from './support/memory.ts'
import { postgres } from './support/postgres.ts'
import { redis } from './support/redis.ts'
import { report } from './support/report.ts'
import { effort, howMany } from '../support/effort.ts'
import { seedOf } from '../support/lots.ts'

/** `HISTORIES=5000 npx vitest run test/faults` for more. */
const HISTORIES = howMany('HISTORIES', { quick: 10, full: 40 })
/** Of the first history. A violation says its own, for `SEED=… HISTORIES=1`. */
const FIRST = howMany('SEED', { quick: 1 + seedOf('faults'), full: 1 })
const timeout = 300_000 + HISTORIES * 2000

const browsers = useBrowsers()

function expectKept(adapter: string, result: FaultReport, fault = 'every Nth operation fails'): void {
  const { histories, faults, jumps, sent, violations } = result
  report({
    adapter,
    fault: jumps > 0 ? `${fault}; ${jumps} clock jumps of an hour` : fault,
    histories,
    faults,
    messages: sent,
    violations: violations.length,
  })
  expect(violations.slice(0, 3).join('\n\n')).toBe('')
  // A few, each time others, may happen to be quiet.
  const [messages, each] = effort({ quick: [3, 0], full: [10, 3] })
  expect(sent).toBeGreaterThan(histories * messages)
  expect(faults).toBeGreaterThan(histories * each)
}

const options = (share: number): FaultOptions => ({
  seed: FIRST,
  histories: Math.ceil(HISTORIES * share),
  steps: 60,
  jumps: true,
})

test.each([MEMORY, FS])('$name keeps its promises while operations fail', { timeout }, async (storage) => {
  expectKept(storage.name, await runFaults(storage, options(1)))
})

test('fs keeps its promises while its disk is full again and again', { timeout }, async ({ skip }) => {
  const mount = smallDisk(8)
  if (mount === undefined) skip('a tmpfs can only be mounted by root')
  else expectKept('fs', await runFaults(fullDisk(mount), options(0.5)), 'a disk that is full (tmpfs)')
})

test('indexeddb keeps its promises while operations fail', { timeout }, async () => {
  const site = await openSite({ '/faults.js': await bundle('test/browser/pages/faults.ts') })
  site.routes.set('/', page('/faults.js'))
  const context = await browsers.chromium()
  try {
    const tab = await context.newPage()
    await tab.goto(site.origin)
    await tab.waitForFunction(() => 'faults' in globalThis)
    const result = await tab.evaluate(
      (passed) =>
        (globalThis as unknown as { faults: (of: FaultOptions) => Promise<FaultReport> }).faults(passed),
      options(effort({ quick: 0.2, full: 0.3 })),
    )
    expectKept('indexeddb', result)
  } finally {
    await site.close()
  }
})

test('redis keeps its promises while connections break', { timeout }, async () => {
  const server = await startRedis()
  onTestFinished(() => server.stop())
  const storage = redis(server.url)
  expectKept(storage.name, await runFaults(storage, options(0.3)))
})

test('postgres keeps its promises while connections break', { timeout }, async () => {
  const server = await startPostgres({ fsync: false })
  onTestFinished(() => server.stop())
  const storage = postgres(server.url)
  expectKept(storage.name, await runFaults(storage, options(0.3)))
})

test('durable-object keeps its promises while its storage fails and objects end', { timeout }, async () => {
  const worker = await startWorker('test/faults/workers/durable-object.ts', { QUEUE: 'FaultyObject' })
  onTestFinished(() => worker.close())
  expectKept('durable-object', await worker.call<FaultReport>('', options(0.2)))
})

test('cloudflare-kv keeps its promises while operations fail and isolates end', { timeout }, async () => {
  // An isolate that begins anew does not know what time it was for the one before.
  const result = await runFaults(CLOUDFLARE_KV, { ...options(1), jumps: false })
  expectKept(CLOUDFLARE_KV.name, result)
})
