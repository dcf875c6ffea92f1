import type { Delivery } from '../../src/core/index.ts'
import { FIFO, type Section } from '../case.ts'
import { equal } from '../assert.ts'
import { type View, bodiesOf, names, sortedBodies } from '../scene.ts'

const MANY = 10_000

async function sendMany(q: View, bodies: readonly string[]): Promise<void> {
  const size = Math.min(MANY, q.scene.guarantees.maxBatch)
  for (let i = 0; i < bodies.length; i += size) await q.send(...bodies.slice(i, i + size))
}

export const bulk: Section = {
  name: 'bulk',
  cases: [
    {
      name: '10,000 messages go in and out in order, settled and claimed by hundreds',
      needs: [FIFO],
      async run(t) {
        const q = await t.open()
        const bodies = names('m', MANY)
        await sendMany(q, bodies)
        const seen: unknown[] = []
        let held: readonly Delivery[] = []
        do {
          const settle = held.map(({ receipt }) => ({ receipt, kind: 'ack' }) as const)
          const { deliveries, settled } = await q.claim({ limit: 100, leaseMs: 3_600_000, settle })
          equal(settled?.filter(({ status }) => status === 'settled').length, held.length, 'acks that settle')
          seen.push(...bodiesOf(deliveries))
          held = deliveries
        } while (held.length > 0)
        equal(seen.length, MANY, 'deliveries')
        equal(
          seen.findIndex((body, i) => body !== bodies[i]),
          -1,
          'the first delivery out of order',
        )
        const { messages, bytes } = await q.stats()
        equal([messages, bytes], [0, 0], 'messages and bytes left')
      },
    },
    {
      name: '10,000 messages are claimed at once and settled at once',
      async run(t) {
        const q = await t.open()
        await sendMany(q, names('m', MANY))
        const held = await q.take({ limit: MANY, leaseMs: 3_600_000 })
        equal(new Set(bodiesOf(held)).size, MANY, 'different messages')
        // Settled in another order than claimed.
        await q.ack(...held.filter((_, i) => i % 2 === 0), ...held.filter((_, i) => i % 2 === 1).reverse())
        equal((await q.stats()).messages, 0, 'messages left')
      },
    },
    {
      name: 'every third of 3,000 messages is retried, dies or is acknowledged',
      async run(t) {
        const q = await t.open()
        await sendMany(q, names('m', 3000))
        const held = await q.take({ limit: 3000, leaseMs: 3_600_000 })
        const results = await q.statuses(
          ...held.map(({ receipt }, i) => {
            if (i % 3 === 0) return { receipt, kind: 'retry', delayMs: 0 } as const
            if (i % 3 === 1) return { receipt, kind: 'dead', reason: 'rejected' } as const
            return { receipt, kind: 'ack' } as const
          }),
        )
        equal(results.filter((status) => status === 'settled').length, 3000, 'settled')
        await q.count({ ready: 1000, dead: 1000, acked: 1000, leased: 0 }, 'counts')
        const again = await q.take({ limit: 3000, leaseMs: 3_600_000 })
        const retried = held.filter((_, i) => i % 3 === 0)
        equal(sortedBodies(again), sortedBodies(retried), 'deliveries')
        equal((await q.dead({ limit: 333 })).length, 1000, 'dead letters')
      },
    },
    {
      name: 'a list of 10,000 messages is read in pages',
      needs: [FIFO],
      async run(t) {
        const q = await t.open()
        const bodies = names('m', MANY)
        await sendMany(q, bodies)
        const listed = bodiesOf(await q.list({ limit: 999 }))
        equal(listed.length, MANY, 'messages')
        equal(
          listed.findIndex((body, i) => body !== bodies[i]),
          -1,
          'the first out of order',
        )
      },
    },
  ],
}
