import { FIFO, ORDERING_KEYS, type Section } from '../case.ts'
import { equal, ok } from '../assert.ts'
import type { Scene, View } from '../scene.ts'

/** Claims until nothing is found, and answers with when to look again. */
async function nextIn(q: View): Promise<number | undefined> {
  for (let round = 0; round < 1000; round++) {
    const { nextInMs, deliveries } = await q.claim()
    if (deliveries.length === 0 && nextInMs !== 0) return nextInMs
  }
  throw new Error('claims answer nextInMs: 0 for ever')
}

/** Checks that `nextInMs` is right: waiting a ms less finds nothing, waiting so long finds the message. */
async function comesIn(t: Scene, q: View, expected: number, body: string): Promise<void> {
  const next = await nextIn(q)
  t.duration(next, expected, `nextInMs before ${body}`)
  await t.until(next!, async () => {
    await q.takes([], `just before ${body}`)
  })
  await q.takes([body], `after nextInMs`)
}

export const next: Section = {
  name: 'nextInMs',
  cases: [
    {
      name: 'is absent when nothing will come by itself',
      async run(t) {
        const q = await t.open()
        equal(await nextIn(q), undefined, 'on an empty queue')
        await q.send('a')
        await q.ack(await q.takeOne())
        equal(await nextIn(q), undefined, 'when all is done')
        await q.send('b')
        await q.bury(await q.takeOne())
        equal(await nextIn(q), undefined, 'with a dead letter')
      },
    },
    {
      name: 'is when the lease ends, also that of the same claim',
      async run(t) {
        const q = await t.open()
        await q.send('a')
        const { nextInMs } = await q.claim({ leaseMs: t.s(10) })
        t.duration(nextInMs, t.s(10), 'nextInMs of the claim that got the message')
        await t.advance(t.s(4))
        await comesIn(t, await t.openElsewhere(), t.s(6), 'a')
      },
    },
    {
      name: 'is when an extended lease ends',
      async run(t) {
        const q = await t.open()
        await q.send('a')
        const held = await q.takeOne({ leaseMs: t.s(10) })
        await t.advance(t.s(5))
        await q.extend(held, t.s(20))
        await comesIn(t, q, t.s(20), 'a')
      },
    },
    {
      name: 'is when a delayed message is due',
      async run(t) {
        const q = await t.open()
        await q.claim()
        await q.send({ body: 'a', delayMs: t.s(10) })
        await comesIn(t, q, t.s(10), 'a')
      },
    },
    {
      name: 'is when a delayed message is due that was sent before any group existed',
      async run(t) {
        const q = await t.open()
        await q.send({ body: 'a', delayMs: t.s(10) })
        await comesIn(t, q, t.s(10), 'a')
      },
    },
    {
      name: 'is when a retry is due',
      async run(t) {
        const q = await t.open()
        await q.send('a')
        await q.retry(await q.takeOne(), { delayMs: t.s(10) })
        await comesIn(t, q, t.s(10), 'a')
      },
    },
    {
      name: 'is when a redriven dead letter is due',
      async run(t) {
        const q = await t.open()
        await q.send('a')
        await q.bury(await q.takeOne())
        await q.retry((await q.dead())[0]!, { delayMs: t.s(10) })
        await comesIn(t, q, t.s(10), 'a')
      },
    },
    {
      name: 'is the first of several',
      needs: [FIFO],
      async run(t) {
        const q = await t.open()
        await q.send('retry 3', 'lease 7', { body: 'delay 5', delayMs: t.s(5) })
        const [first] = await q.take({ limit: 1 })
        await q.retry(first!, { delayMs: t.s(3) })
        await q.take({ limit: 1, leaseMs: t.s(7) })
        await comesIn(t, q, t.s(3), 'retry 3')
        await comesIn(t, q, t.s(2), 'delay 5')
        await comesIn(t, q, t.s(2), 'lease 7')
      },
    },
    {
      name: 'is when the head of a key comes again, not those behind it',
      needs: [ORDERING_KEYS],
      async run(t) {
        const q = await t.open()
        await q.send({ body: 'a', key: 'k' }, { body: 'b', key: 'k' })
        await q.retry(await q.takeOne(), { delayMs: t.s(10) })
        await comesIn(t, q, t.s(10), 'a')
      },
    },
    {
      name: 'is 0 when the limit left something behind',
      async run(t) {
        const q = await t.open()
        await q.send('a', 'b', 'c')
        for (let left = 2; left >= 0; left--) {
          const { deliveries, nextInMs } = await q.claim({ limit: 1 })
          equal(deliveries.length, 1, 'deliveries')
          if (left > 0) equal(nextInMs, 0, `nextInMs with ${left} left`)
          else ok(nextInMs !== undefined, 'nextInMs is absent although a lease will end')
        }
      },
    },
    {
      name: 'is 0 when the limit left retries or ended leases behind',
      async run(t) {
        const q = await t.open()
        await q.send('a', 'b', 'c', 'd')
        const held = await q.take({ leaseMs: t.s(10) })
        await q.retry(held[0]!, { delayMs: t.s(10) })
        await q.retry(held[1]!, { delayMs: t.s(10) })
        await t.advance(t.s(10))
        for (let left = 3; left > 0; left--) {
          const { deliveries, nextInMs } = await q.claim({ limit: 1, leaseMs: t.s(60) })
          equal([deliveries.length, nextInMs], [1, 0], `deliveries and nextInMs with ${left} left`)
        }
      },
    },
    {
      name: 'is of the group that claims',
      async run(t) {
        const q = await t.open()
        const [one, two] = [q.as('one'), q.as('two')]
        await two.claim()
        await q.send('a')
        await one.retry(await one.takeOne(), { delayMs: t.s(5) })
        await two.ack(await two.takeOne())
        t.duration(await nextIn(one), t.s(5), 'of the group that waits')
        equal(await nextIn(two), undefined, 'of the group that is done')
      },
    },
  ],
}
