import type { Section } from '../case.ts'
import { equal } from '../assert.ts'
import { names } from '../scene.ts'

/** How long dead letters are kept. */
export const retention: Section = {
  name: 'retention of dead letters',
  cases: [
    {
      name: 'one that was settled with deadForMs is deleted after it',
      async run(t) {
        const q = await t.open()
        await q.send('short', 'long', 'ever')
        for (const delivery of await q.take()) {
          const deadForMs = { short: t.s(10), long: t.s(30) }[String(delivery.body)]
          await q.bury(delivery, 'rejected', 'no', deadForMs)
        }
        await t.until(t.s(10), async () => {
          await q.takes([], 'deliveries')
          equal((await q.dead()).length, 3, 'dead letters before it is over')
        })
        await q.takes([], 'deliveries')
        equal(
          (await q.dead()).map(({ body }) => body),
          ['long', 'ever'],
          'dead letters after it',
        )
        await q.count({ dead: 2 }, 'counts')
        await t.advance(t.s(20))
        await q.takes([], 'deliveries')
        equal(
          (await q.dead()).map(({ body }) => body),
          ['ever'],
          'what is kept for ever',
        )
      },
    },
    {
      name: 'what a claim finds exhausted or expired is kept for the deadForMs of that claim',
      async run(t) {
        const q = await t.open()
        await q.send({ body: 'exhausted', maxAttempts: 1 }, { body: 'expired', expiresInMs: t.s(5) })
        await q.take({ limit: 1, leaseMs: t.s(5) })
        await t.advance(t.s(5))
        const deadForMs = t.s(20)
        await q.takes([], 'deliveries', { deadForMs })
        equal((await q.dead()).length, 2, 'dead letters')
        await t.advance(t.s(20))
        await q.takes([], 'deliveries', { deadForMs })
        equal(await q.dead(), [], 'dead letters after it')
        await q.count({ dead: 0, ready: 0 }, 'counts')
      },
    },
    {
      name: 'one that was redriven is delivered, and kept anew if it dies again',
      async run(t) {
        const q = await t.open()
        await q.send('a')
        await q.bury(await q.takeOne(), 'rejected', undefined, t.s(10))
        const [letter] = await q.dead()
        await q.retry(letter!)
        await t.advance(t.s(10))
        const again = await q.takeOne({ leaseMs: t.s(100) })
        await q.bury(again, 'rejected', undefined, t.s(30))
        await t.until(t.s(20), async () => {
          await q.takes([], 'deliveries')
          equal((await q.dead()).length, 1, 'dead letters')
        })
        equal((await q.dead()).length, 1, 'dead letters later')
        await t.advance(t.s(10))
        await q.takes([], 'deliveries')
        equal(await q.dead(), [], 'dead letters in the end')
      },
    },
    {
      name: 'many go in bounded steps, and none that is kept for longer',
      async run(t) {
        const q = await t.open()
        const bodies = names('m', 300)
        await q.send(...bodies)
        const held = await q.take({ limit: 300, leaseMs: t.s(1000) })
        await q.settle(
          ...held.map(({ receipt }, i) => {
            const deadForMs = i % 3 === 0 ? undefined : t.s(i % 3)
            return { receipt, kind: 'dead', reason: 'rejected', deadForMs } as const
          }),
        )
        await t.advance(t.s(2))
        for (let i = 0; i < 5; i++) await q.takes([], 'deliveries')
        await q.count({ dead: 100 }, 'counts')
        equal((await q.dead()).length, 100, 'dead letters')
      },
    },
  ],
}
