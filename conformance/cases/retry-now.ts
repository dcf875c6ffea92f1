import { ORDERING_KEYS, type Section } from '../case.ts'
import { equal } from '../assert.ts'
import { names } from '../scene.ts'

export const retryNow: Section = {
  name: 'retryNow',
  cases: [
    {
      name: 'ends the wait for a retry, which stays the attempt that it is, with its error',
      async run(t) {
        const q = await t.open()
        const [first] = await q.send('a', 'b')
        for (const held of await q.take()) await q.retry(held, { delayMs: t.s(10), error: 'boom' })
        equal(await (await t.openElsewhere()).retryNow(first!), [true], 'result')
        await q.count({ ready: 1, delayed: 1 }, 'counts')
        const { body, attempt, lastError } = await q.takeOne()
        equal([body, attempt, lastError], ['a', 2, 'boom'], 'delivery')
        await q.takes([], 'the other one')
        await t.advance(t.s(10))
        await q.takes(['b'], 'the other one, after its delay')
      },
    },
    {
      name: 'finds a message by an id of its own, and one that the storage made',
      async run(t) {
        const q = await t.open()
        const ids = await q.send({ body: 'a', id: 'mine' }, ...names('m', 300))
        for (const held of await q.take({ limit: 400 })) await q.retry(held, { delayMs: t.s(10) })
        equal(await q.retryNow('mine', ids[1]!, ids[300]!), [true, true, true], 'results')
        equal((await q.take()).length, 3, 'deliveries')
      },
    },
    {
      name: 'in one group does nothing in another',
      async run(t) {
        const q = await t.open()
        const other = q.as('other')
        const [id] = await q.send('a')
        await q.retry(await q.takeOne(), { delayMs: t.s(10) })
        await other.retry(await other.takeOne(), { delayMs: t.s(10) })
        equal(await q.retryNow(id!), [true], 'result')
        await other.takes([], 'in the other group')
        await q.takes(['a'], 'in the group')
      },
    },
    {
      name: 'answers false where nothing waits for a retry, and changes nothing',
      async run(t) {
        const q = await t.open()
        const [done, leased, dead] = await q.send('done', 'leased', 'dead')
        const held = await q.take()
        await q.ack(held[0]!)
        await q.bury(held[2]!)
        const [ready] = await q.send('ready')
        const [delayed] = await q.send({ body: 'delayed', delayMs: t.s(10) })
        const ids = [done!, leased!, dead!, ready!, delayed!, 'unknown']
        equal(
          await q.retryNow(...ids),
          ids.map(() => false),
          'results',
        )
        equal(await q.retryNow(), [], 'nothing')
        equal(await q.as('nobody').retryNow(ready!), [false], 'a group that does not exist')
        await q.count({ ready: 1, leased: 1, delayed: 1, dead: 1 }, 'counts')
      },
    },
    {
      name: 'a second time answers false',
      async run(t) {
        const q = await t.open()
        const [id] = await q.send('a')
        await q.retry(await q.takeOne(), { delayMs: t.s(10) })
        equal(await q.retryNow(id!, id!), [true, false], 'results')
        equal(await q.retryNow(id!), [false], 'again')
        await q.takes(['a'], 'deliveries')
      },
    },
    {
      name: 'a message with a key comes before those that it blocks',
      needs: [ORDERING_KEYS],
      async run(t) {
        const q = await t.open()
        const [first, second] = await q.send(...names('m', 3).map((body) => ({ body, key: 'k' })))
        await q.retry(await q.takeOne(), { delayMs: t.s(10) })
        await q.takes([], 'while the first waits')
        equal(await q.retryNow(second!, first!), [false, true], 'results')
        for (const body of names('m', 3)) {
          const held = await q.takeOne()
          equal(held.body, body, 'the next of the key')
          await q.ack(held)
        }
      },
    },
    {
      name: 'wakes those who wait',
      async run(t) {
        const q = await t.open()
        const [id] = await q.send('a')
        await q.retry(await q.takeOne(), { delayMs: t.s(10) })
        const { nextInMs } = await q.claim()
        equal(nextInMs === undefined || nextInMs <= t.s(10), true, 'nextInMs before')
        await q.retryNow(id!)
        equal((await q.claim()).deliveries.length, 1, 'deliveries after')
      },
    },
  ],
}
