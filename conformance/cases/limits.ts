import { DEDUPLICATION, ORDERING_KEYS, QUEUE_LIMITS, type Section } from '../case.ts'
import { equal, rejects } from '../assert.ts'
import { names } from '../scene.ts'

/** What a queue may retain, as a send says. */
export const limits: Section = {
  name: 'limits of a queue',
  needs: [QUEUE_LIMITS],
  cases: [
    {
      name: 'an append that would retain more than maxMessages is refused whole',
      async run(t) {
        const q = await t.open()
        await q.appendWith({ maxMessages: 5 }, ...names('a', 3))
        await rejects(q.appendWith({ maxMessages: 5 }, ...names('b', 3)), 'QUOTA_EXCEEDED', 'three more')
        await q.appendWith({ maxMessages: 5 }, ...names('c', 2))
        await rejects(q.appendWith({ maxMessages: 5 }, 'd'), 'QUOTA_EXCEEDED', 'one more')
        equal((await q.stats()).messages, 5, 'messages')
        await q.takes([...names('a', 3), ...names('c', 2)], 'deliveries')
      },
    },
    {
      name: 'whatever is not done counts: leased, delayed, waiting for a retry, behind its key; dead letters do not',
      needs: [ORDERING_KEYS],
      async run(t) {
        const q = await t.open()
        await q.claim()
        await q.send('leased', 'retried', 'dead', { body: 'a', key: 'k' }, { body: 'b', key: 'k' })
        for (const delivery of await q.take()) {
          if (delivery.body === 'retried') await q.retry(delivery, { delayMs: t.s(100) })
          if (delivery.body === 'dead') await q.bury(delivery)
        }
        await q.send({ body: 'delayed', delayMs: t.s(100) })
        await rejects(q.appendWith({ maxMessages: 5 }, 'c'), 'QUOTA_EXCEEDED', 'a sixth message')
        await q.appendWith({ maxMessages: 6 }, 'c')
      },
    },
    {
      name: 'there is room again when messages are done in the group that is furthest behind',
      async run(t) {
        const q = await t.open()
        const slow = q.as('slow')
        await slow.claim()
        await q.claim()
        await q.appendWith({ maxMessages: 2 }, 'a', 'b')
        await q.ack(...(await q.take()))
        await rejects(
          q.appendWith({ maxMessages: 2 }, 'c'),
          'QUOTA_EXCEEDED',
          'while one group has two to do',
        )
        await slow.ack((await slow.take())[0]!)
        await q.appendWith({ maxMessages: 2 }, 'c')
      },
    },
    {
      name: 'duplicates and replacements need no room',
      needs: [DEDUPLICATION],
      async run(t) {
        const q = await t.open()
        await q.appendWith({ maxMessages: 1 }, { body: 'a', id: 'x' })
        const again = await q.appendWith({ maxMessages: 1 }, { body: 'b', id: 'x' })
        equal(again[0]!.status, 'duplicate', 'the status of the same id')
        const [replaced] = await q.appendWith({ maxMessages: 1 }, { body: 'c', id: 'x', replace: true })
        equal(replaced!.status, 'replaced', 'the status of the replacement')
        await q.takes(['c'], 'deliveries')
      },
    },
    {
      name: 'an append that would retain more than maxBytes is refused whole',
      async run(t) {
        const q = await t.open()
        const kB = 'x'.repeat(1000)
        await q.appendWith({ maxBytes: 5000 }, kB, { body: kB, delayMs: t.s(100) })
        await rejects(q.appendWith({ maxBytes: 5000 }, kB, kB, kB, kB), 'QUOTA_EXCEEDED', 'four kB more')
        await q.appendWith({ maxBytes: 5000 }, kB)
        equal((await q.take()).length, 2, 'deliveries')
      },
    },
    {
      name: 'an append without limits is not refused',
      async run(t) {
        const q = await t.open()
        await q.appendWith({ maxMessages: 1 }, 'a')
        await q.send('b', 'c')
        await q.takes(['a', 'b', 'c'], 'deliveries')
      },
    },
  ],
}
