import { describe, expect, test } from 'vitest'
import type { Delivery, Settlement } from '../../src/index.ts'
import { type View, Setting, bodies, names } from './support/setting.ts'

const LAG = 200_000

const ack = ({ receipt }: Delivery): Settlement => ({ receipt, kind: 'ack' })

/** Works as a consumer with little concurrency does. Answers with what it has seen; `dies` ends it with a message in hand. */
async function work(
  view: View,
  limit: number,
  dies: (body: string) => boolean = () => false,
): Promise<string[]> {
  const seen: string[] = []
  let settle: Settlement[] = []
  for (;;) {
    const deliveries = await view.claim({ limit, settle, maxAttempts: 3, leaseMs: 60_000 })
    if (deliveries.length === 0) return seen
    seen.push(...bodies(deliveries))
    if (seen.some(dies)) return seen
    settle = deliveries.map(ack)
  }
}

describe('small claims of a large batch', () => {
  test('cost one record and one deletion together', async () => {
    const setting = new Setting()
    await (await setting.isolate().open()).send(...names('m', 1000))
    setting.pass(2000)
    const view = await setting.isolate().open()
    expect(await work(view, 3)).toEqual(names('m', 1000))
    // The group and one record; the segment.
    expect(view.adapter.operations).toEqual({ reads: 1, writes: 2, deletes: 1, lists: 1 })
  })

  test.each<[string, (view: View, b: Delivery) => Promise<unknown>]>([
    [
      'a claim finds nothing',
      async (view, b) => {
        const [c] = await view.claim({ limit: 1, settle: [ack(b)] })
        await view.claim({ limit: 1, settle: [{ receipt: c!.receipt, kind: 'extend', leaseMs: 1000 }] })
      },
    ],
    ['somebody settles', (view, b) => view.ack(b)],
    [
      'the view is closed',
      async (view, b) => {
        await view.claim({ limit: 1, settle: [ack(b)] })
        await view.storage.close()
      },
    ],
  ])('what is acknowledged is saved when %s', async (_, end) => {
    const setting = new Setting()
    await (await setting.isolate().open()).send('a', 'b', 'c')
    const view = await setting.isolate().open()
    const [a] = await view.claim({ limit: 1 })
    const [b] = await view.claim({ limit: 1, settle: [ack(a!)] })
    await end(view, b!)
    setting.pass(LAG)
    expect(bodies(await (await setting.isolate().open()).take())).toEqual(['c'])
  })

  test('what is acknowledged is saved at least every half minute', async () => {
    const setting = new Setting()
    await (await setting.isolate().open()).send(...names('m', 100))
    const view = await setting.isolate().open()
    let settle: Settlement[] = []
    for (let i = 0; i < 50; i++) {
      settle = (await view.claim({ limit: 1, settle, leaseMs: 3_600_000 })).map(ack)
      setting.pass(1000)
    }
    setting.pass(3_600_000)
    const left = await (await setting.isolate().open()).take()
    expect(left.length).toBeLessThanOrEqual(100 - 50 + 32)
  })

  test('a message that kills its isolate each time ends as a dead letter, and those of its batch come', async () => {
    const setting = new Setting()
    await (await setting.isolate().open()).send(...names('m', 20))
    const seen: string[] = []
    for (let round = 0; round < 8; round++) {
      setting.pass(LAG)
      seen.push(...(await work(await setting.isolate().open(), 1, (body) => body === 'm0007')))
    }
    const view = await setting.isolate().open()
    expect(await view.dead()).toEqual(['m0007'])
    expect([...new Set(seen)].sort()).toEqual(names('m', 20))
    // As far as it was in stock, one attempt is not counted.
    const deadly = seen.filter((body) => body === 'm0007').length
    expect(deadly).toBeGreaterThanOrEqual(3)
    expect(deadly).toBeLessThanOrEqual(4)
    expect((await view.storage.stats()).messages).toBe(0)
  })

  test('two views of one isolate share the stock, and no message', async () => {
    const setting = new Setting()
    const isolate = setting.isolate()
    await (await isolate.open()).send(...names('m', 100))
    const views = [await isolate.open(), await isolate.open()]
    const seen = (await Promise.all(views.map((view) => work(view, 2)))).flat()
    expect(seen.sort()).toEqual(names('m', 100))
  })

  test('a stock whose lease is half over is leased anew', async () => {
    const setting = new Setting()
    await (await setting.isolate().open()).send('a', 'b', 'c')
    const view = await setting.isolate().open()
    const writes = (): number => view.adapter.operations.writes
    await view.claim({ limit: 1, leaseMs: 60_000 })
    const before = writes()
    setting.pass(30_000)
    await view.claim({ limit: 1, leaseMs: 60_000 })
    expect(writes()).toBe(before)
    setting.pass(1)
    expect(bodies(await view.claim({ limit: 1, leaseMs: 60_000 }))).toEqual(['c'])
    expect(writes()).toBe(before + 1)
  })
})
