import { ORDERING_KEYS, type Section } from '../case.ts'
import { equal } from '../assert.ts'
import { names } from '../scene.ts'

export const purge: Section = {
  name: 'purge',
  cases: [
    {
      name: 'on an empty queue does nothing',
      async run(t) {
        const q = await t.open()
        await q.storage.purge()
        await q.send('a')
        await q.takes(['a'], 'deliveries')
      },
    },
    {
      name: 'deletes messages in every state, of every group',
      needs: [ORDERING_KEYS],
      async run(t) {
        const q = await t.open()
        const other = q.as('other')
        await q.send('dead', 'retried', 'leased', { body: 'a', key: 'k' }, { body: 'b', key: 'k' })
        for (const delivery of await q.take({ leaseMs: t.s(10) })) {
          if (delivery.body === 'dead') await q.bury(delivery)
          if (delivery.body === 'retried') await q.retry(delivery, { delayMs: t.s(10) })
        }
        await other.bury((await other.take({ limit: 1 }))[0]!)
        await q.send('ready', { body: 'delayed', delayMs: t.s(10) })
        await (await t.openElsewhere()).storage.purge()
        const zero = { ready: 0, leased: 0, delayed: 0, blocked: 0, dead: 0 }
        for (const view of [q, other]) {
          await view.count(zero, `counts of ${view.group}`)
          equal(await view.all(), [], `the list of ${view.group}`)
        }
        const { messages, bytes } = await q.stats()
        equal([messages, bytes], [0, 0], 'messages and bytes')
        await t.advance(t.s(60))
        for (const view of [q, other]) await view.takes([], `deliveries of ${view.group}`)
        equal((await q.claim()).nextInMs, undefined, 'nextInMs')
      },
    },
    {
      name: 'keeps the groups, and the queue goes on',
      async run(t) {
        const q = await t.open()
        const other = q.as('other')
        await other.claim()
        await q.send(...names('m', 20))
        await q.take({ limit: 10 })
        await q.storage.purge()
        equal(Object.keys((await q.stats()).groups).sort(), ['other', 'workers'], 'groups')
        const ids = await q.send('a', { body: 'b', delayMs: t.s(5) })
        equal(new Set(ids).size, 2, 'different ids')
        await t.advance(t.s(5))
        await q.takes(['a', 'b'], 'one group')
        await other.takes(['a', 'b'], 'the other group')
      },
    },
    {
      name: 'deletes what waited for the first group',
      async run(t) {
        const q = await t.open()
        await q.send('a', { body: 'b', delayMs: t.s(5) })
        await q.storage.purge()
        await q.send('c')
        await t.advance(t.s(5))
        await q.takes(['c'], 'the first group')
      },
    },
    {
      name: 'leaves other queues alone',
      async run(t) {
        const here = await t.open('here')
        const there = await t.open('there')
        await here.send('a')
        await there.send('b')
        await here.storage.purge()
        await here.takes([], 'here')
        await there.takes(['b'], 'there')
      },
    },
  ],
}
