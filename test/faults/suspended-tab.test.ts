import type { BrowserContext, Page } from 'playwright-core'
import { expect, onTestFinished, test } from 'vitest'
import { useSite } from '../browser/support/fixture.ts'
import { report } from './support/report.ts'

const fixture = useSite()
const LEASE_MS = 1000
const MESSAGES = 20
const HELD = 10

/** What the tab to be suspended leaves behind in its globals. */
interface Held {
  /** Acks all that it holds. Answers with how each ended. */
  settle(): Promise<string[]>
  /** The longest time in ms that no timer ran. */
  longestPause(): number
}

/** The process that a tab runs in: the one that is busy when the tab is. */
async function processOf(context: BrowserContext, tab: Page): Promise<number> {
  const devtools = await context.browser()!.newBrowserCDPSession()
  const times = async (): Promise<Map<number, number>> => {
    const { processInfo } = await devtools.send('SystemInfo.getProcessInfo')
    const renderers = processInfo.filter(({ type }) => type === 'renderer')
    return new Map(renderers.map(({ id, cpuTime }) => [id, cpuTime]))
  }
  const before = await times()
  await tab.evaluate(() => {
    const end = Date.now() + 1000
    while (Date.now() < end);
  })
  const used = [...(await times())].map(([id, time]) => [id, time - (before.get(id) ?? 0)] as const)
  return used.toSorted(([, a], [, b]) => b - a)[0]![0]
}

test('a tab that is suspended past its leases loses them to another, and does nothing twice', async () => {
  const context = await fixture.browser()
  const tab = await fixture.open(context)
  const other = await fixture.open(context)
  const pid = await processOf(context, tab)
  expect(await processOf(context, other)).not.toBe(pid)
  await tab.evaluate(
    async ({ count, limit, leaseMs }) => {
      const { Queue, IndexedDBAdapter } = quayside
      const queue = new Queue<number>('q', { storage: new IndexedDBAdapter() })
      await queue.createProducer().sendBatch(Array.from({ length: count }, (_, payload) => ({ payload })))
      const held = await queue.createConsumer('default', { leaseMs }).receiveBatch(limit)
      let [last, longest] = [performance.now(), 0]
      setInterval(() => {
        longest = Math.max(longest, performance.now() - last)
        last = performance.now()
      }, 10)
      const settle = (): Promise<string[]> => {
        const acks = held.map(async (message) => {
          try {
            await message.ack()
            return 'acked'
          } catch (error) {
            return (error as { code: string }).code
          }
        })
        return Promise.all(acks)
      }
      Object.assign(globalThis, { settle, longestPause: () => longest })
    },
    { count: MESSAGES, limit: HELD, leaseMs: LEASE_MS },
  )
  process.kill(pid, 'SIGSTOP')
  let isStopped = true
  const resume = (): void => {
    if (isStopped) process.kill(pid, 'SIGCONT')
    isStopped = false
  }
  onTestFinished(resume)
  const done = await other.evaluate(async (count) => {
    const { Queue, IndexedDBAdapter } = quayside
    const consumer = new Queue<number>('q', { storage: new IndexedDBAdapter() }).createConsumer()
    const payloads: number[] = []
    while (payloads.length < count) {
      for (const message of await consumer.receiveBatch(count, { waitMs: 1000 })) {
        await message.ack()
        payloads.push(message.payload)
      }
    }
    return payloads
  }, MESSAGES)
  // On the clock of the browser: until the leases of the tab have ended.
  await new Promise((resolve) => setTimeout(resolve, LEASE_MS))
  resume()
  const late = await tab.evaluate(() => (globalThis as unknown as Held).settle())
  // It stood still indeed.
  await expect
    .poll(() => tab.evaluate(() => (globalThis as unknown as Held).longestPause()))
    .toBeGreaterThan(LEASE_MS * 0.9)
  const left = await other.evaluate(async () => {
    const { Queue, IndexedDBAdapter } = quayside
    const queue = new Queue<number>('q', { storage: new IndexedDBAdapter() })
    return (await queue.stats()).messages
  })
  report({
    adapter: 'indexeddb',
    fault: 'a tab suspended past its leases',
    faults: 1,
    messages: MESSAGES,
    violations: done.length - new Set(done).size + left,
  })
  expect(done.toSorted((a, b) => a - b)).toEqual(Array.from({ length: MESSAGES }, (_, i) => i))
  expect(late).toEqual(Array.from({ length: HELD }, () => 'STALE_RECEIPT'))
  expect(left).toBe(0)
})
