import type { Page } from 'playwright-core'
import { inChromium } from '../browser/open.ts'
import type { Bench } from '../browser/worker.ts'
import { type Latency, differences, pauses, percentiles } from './figures.ts'

declare const bench: Bench

/** In Chromium: in one tab, and from one to another. */
export async function inTabs(count: number): Promise<Latency[] | undefined> {
  return await inChromium(async (open) => {
    const rows: Latency[] = []
    for (const durability of ['relaxed', 'strict'] as const) {
      for (const place of ['same tab', 'another tab'] as const) {
        const name = `IndexedDB, ${place}, ${durability}`
        const shared = { database: name, durability }
        const sender = await open()
        const listener = place === 'same tab' ? sender : await open()
        await listener.evaluate((shared) => bench.listen(shared), shared)
        const sent = await sender.evaluate((what) => bench.sendAtTimes(what), {
          shared,
          pauses: pauses(count),
        })
        const heard = await allHeard(listener, count)
        rows.push(
          percentiles(
            {
              name,
              role: 'quayside',
              durability: durability === 'strict' ? 'power cut' : 'SIGKILL',
              apart: listener !== sender,
            },
            differences(sent, heard),
          ),
        )
        await sender.close()
        if (listener !== sender) await listener.close()
      }
    }
    return rows
  })
}

async function allHeard(listener: Page, count: number): Promise<Map<number, number>> {
  for (const deadline = Date.now() + 30_000; Date.now() < deadline;) {
    const heard = await listener.evaluate(() => bench.heard())
    if (heard.length >= count) return new Map(heard)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error('a tab did not hear all messages within 30 s')
}
