import { CANCELLATION, DEDUPLICATION, IDS_WITH_KEYS, type Section } from '../case.ts'
import { equal } from '../assert.ts'
import { names } from '../scene.ts'

export const cancel: Section = {
  name: 'cancel',
  needs: [CANCELLATION],
  cases: [
    {
      name: 'drops a waiting message, by an id of its own or one that the storage made',
      async run(t) {
        const q = await t.open()
        await q.claim()
        const ids = await q.send('a', { body: 'b', id: 'mine' }, 'c', 'd')
        equal(await (await t.openElsewhere()).cancel(ids[2]!, 'mine'), [true, true], 'result')
        await q.count({ ready: 2 }, 'counts')
        await q.takes(['a', 'd'], 'deliveries')
      },
    },
    {
      name: 'drops messages before any group exists',
      async run(t) {
        const q = await t.open()
        const ids = await q.send('a', { body: 'b', id: 'mine' }, 'c')
        equal(await q.cancel(ids[0]!, 'mine'), [true, true], 'result')
        equal((await q.stats()).messages, 1, 'messages')
        await q.takes(['c'], 'deliveries')
      },
    },
    {
      name: 'drops a delayed message',
      async run(t) {
        const q = await t.open()
        await q.claim()
        const ids = await q.send(...names('m', 5).map((body) => ({ body, delayMs: t.s(10) })), {
          body: 'mine',
          id: 'mine',
          delayMs: t.s(10),
        })
        equal(await q.cancel(ids[1]!, 'mine', ids[3]!), [true, true, true], 'result')
        await q.count({ delayed: 3 }, 'counts')
        await t.advance(t.s(10))
        await q.takes(['m-0', 'm-2', 'm-4'], 'deliveries')
      },
    },
    {
      name: 'drops a delayed message that has become due, before and after a claim has seen it',
      async run(t) {
        const q = await t.open()
        await q.claim()
        const ids = await q.send(...names('m', 5).map((body) => ({ body, delayMs: t.s(10) })))
        await t.advance(t.s(10))
        equal(await q.cancel(ids[1]!), [true], 'before')
        const [first] = await q.take({ limit: 1 })
        equal(await q.cancel(ids[3]!, first!.id), [true, true], 'after')
        equal((await q.take()).length, 2, 'deliveries')
      },
    },
    {
      name: 'drops a leased message, and its receipt is stale',
      async run(t) {
        const q = await t.open()
        await q.send('a', 'b', 'c')
        const held = await q.take()
        equal(await q.cancel(held[1]!.id), [true], 'result')
        equal(
          await q.statuses(...held.map(({ receipt }) => ({ receipt, kind: 'ack' }) as const)),
          ['settled', 'stale', 'settled'],
          'acks',
        )
        await t.advance(t.s(31))
        await q.takes([], 'deliveries after the lease')
        await q.count({ acked: 2, leased: 0, ready: 0 }, 'counts')
      },
    },
    {
      name: 'drops a message whose lease has ended',
      async run(t) {
        const q = await t.open()
        await q.send('a')
        const held = await q.takeOne({ leaseMs: t.s(10) })
        await t.advance(t.s(10))
        equal(await q.cancel(held.id), [true], 'result')
        await q.takes([], 'deliveries')
        equal(await q.statuses({ receipt: held.receipt, kind: 'ack' }), ['stale'], 'the late ack')
      },
    },
    {
      name: 'drops a message that waits for a retry, due or not, or is leased again after it',
      async run(t) {
        const q = await t.open()
        await q.send('due', 'leased', 'waiting', { body: 'mine', id: 'mine' })
        const held = await q.take()
        const idOf = (body: string): string => held.find((one) => one.body === body)!.id
        for (const delivery of held) {
          await q.retry(delivery, { delayMs: delivery.body === 'waiting' ? t.s(60) : 0 })
        }
        const again = await q.take({ leaseMs: t.s(60) })
        for (const delivery of again) if (delivery.body !== 'leased') await q.retry(delivery)
        equal(
          await q.cancel(idOf('due'), idOf('leased'), idOf('waiting'), 'mine'),
          [true, true, true, true],
          'result',
        )
        await t.advance(t.s(61))
        await q.takes([], 'deliveries')
        await q.count({ ready: 0, leased: 0, delayed: 0 }, 'counts')
        equal((await q.stats()).messages, 0, 'messages left')
      },
    },
    {
      name: 'drops a message behind its ordering key',
      needs: [IDS_WITH_KEYS],
      async run(t) {
        const q = await t.open()
        const ids = await q.send(
          { body: 'a', key: 'k' },
          { body: 'b', key: 'k' },
          { body: 'mine', id: 'mine', key: 'k' },
          { body: 'd', key: 'k' },
        )
        const a = await q.takeOne()
        await q.count({ blocked: 3 }, 'counts before')
        equal(await q.cancel(ids[1]!, 'mine'), [true, true], 'result')
        await q.count({ blocked: 1 }, 'counts after')
        await q.ack(a)
        await q.takes(['d'], 'the rest')
      },
    },
    {
      name: 'drops a message in every group, wherever it stands there',
      async run(t) {
        const q = await t.open()
        const views = ['ahead', 'leased', 'retried', 'done'].map((group) => q.as(group))
        const [, leased, retried, done] = views
        for (const view of views) await view.claim()
        const [id] = await q.send('a')
        const held = await leased!.takeOne()
        await retried!.retry(await retried!.takeOne(), { delayMs: t.s(10) })
        await done!.ack(await done!.takeOne())
        equal(await q.cancel(id!), [true], 'result')
        equal(await leased!.statuses({ receipt: held.receipt, kind: 'ack' }), ['stale'], 'the ack')
        await t.advance(t.s(40))
        for (const view of views) {
          await view.takes([], `deliveries of ${view.group}`)
          equal(await view.all(), [], `the list of ${view.group}`)
        }
        const { messages } = await q.stats()
        equal(messages, 0, 'messages left')
      },
    },
    {
      name: 'answers false for what is not there: unknown, done, or cancelled already',
      async run(t) {
        const q = await t.open()
        const ids = await q.send('a', { body: 'b', id: 'mine' }, 'c')
        const held = await q.take()
        await q.ack(...held.filter(({ body }) => body !== 'c'))
        equal(
          await q.cancel(ids[0]!, 'mine', 'unknown', ids[2]!, ids[2]!),
          [false, false, false, true, false],
          'results',
        )
        equal(await q.cancel(ids[2]!), [false], 'again')
        equal(await q.cancel(), [], 'nothing')
        for (const id of [
          '',
          '__proto__',
          'constructor',
          `${ids[0]}0`,
          ids[0]!.slice(0, -1),
          ids[0]!.toUpperCase().replace(/.$/, '!'),
        ]) {
          equal(await q.cancel(id), [false], `the id ${id}`)
        }
      },
    },
    {
      name: 'leaves dead letters alone',
      async run(t) {
        const q = await t.open()
        await q.send({ body: 'a', id: 'mine' })
        await q.bury(await q.takeOne())
        equal(await q.cancel('mine'), [false], 'result')
        const [letter] = await q.dead()
        await q.retry(letter!)
        await q.takes(['a'], 'after its redrive')
      },
    },
    {
      name: 'a message that is dead in one group and waits in another is dropped in that one',
      async run(t) {
        const q = await t.open()
        const [one, two] = [q.as('one'), q.as('two')]
        await two.claim()
        const [id] = await q.send('a')
        await one.bury(await one.takeOne())
        equal(await q.cancel(id!), [true], 'result')
        await two.takes([], 'the group where it waited')
        equal((await one.dead()).length, 1, 'dead letters of the other')
      },
    },
    {
      name: 'drops a redriven message',
      async run(t) {
        const q = await t.open()
        const ids = await q.send('a', { body: 'b', id: 'mine' })
        for (const delivery of await q.take()) await q.bury(delivery)
        for (const letter of await q.dead()) await q.retry(letter)
        equal(await q.cancel(...ids), [true, true], 'results')
        await q.takes([], 'deliveries')
        equal((await q.stats()).messages, 0, 'messages left')
      },
    },
    {
      name: 'drops a redriven message that has expired, died by its key or is still known by dedupeMs',
      needs: [DEDUPLICATION, IDS_WITH_KEYS],
      async run(t) {
        const q = await t.open()
        await q.send(
          { body: 'head', key: 'k' },
          { body: 'a', id: 'expired', key: 'k', expiresInMs: t.s(10) },
          { body: 'b', id: 'known', dedupeMs: t.s(3600) },
        )
        await t.advance(t.s(10))
        const held = await q.take({ leaseMs: t.s(60) })
        await q.bury(held.find(({ id }) => id === 'known')!)
        for (const letter of await q.dead()) await q.retry(letter)
        equal(await q.sendOne({ body: 'c', id: 'known' }), 'duplicate', 'an append of the redriven id')
        equal(await q.cancel('expired', 'known'), [true, true], 'results')
        await q.ack(held.find(({ body }) => body === 'head')!)
        await q.takes([], 'deliveries')
      },
    },
    {
      name: 'drops a redriven message that expired before its group had come so far',
      async run(t) {
        const q = await t.open()
        const other = q.as('other')
        await other.claim()
        await q.send(
          'first',
          { body: 'a', expiresInMs: t.s(10) },
          { body: 'b', id: 'b', expiresInMs: t.s(10) },
        )
        await t.advance(t.s(10))
        await q.takes(['first'], 'deliveries', { limit: 1 })
        // When exactly they become dead letters is open.
        const redriven = new Set<string>()
        for (const view of [q, other]) {
          for (const letter of await view.dead()) {
            await view.retry(letter)
            redriven.add(letter.id)
          }
        }
        for (const id of redriven) equal(await q.cancel(id), [true], `cancel of ${id}`)
        await other.takes(['first'], 'deliveries of the other group')
        await q.takes([], 'deliveries after the cancel')
      },
    },
    {
      name: 'leaves its neighbours and their order as they are',
      async run(t) {
        const q = await t.open()
        await q.claim()
        const bodies = names('m', 600)
        const ids: string[] = []
        for (let i = 0; i < 600; i += 200) ids.push(...(await q.send(...bodies.slice(i, i + 200))))
        const out = (i: number): boolean => i % 3 === 1 || (i > 210 && i < 500)
        const cancelled = ids.filter((_, i) => out(i))
        equal((await q.cancel(...cancelled)).every(Boolean), true, 'whether all were there')
        const rest = bodies.filter((_, i) => !out(i))
        await q.count({ ready: rest.length }, 'counts')
        t.bodies(await q.list(), rest, 'the list')
        await q.ack(...(await q.takes(rest, 'deliveries', { limit: 1000 })))
        const { messages, bytes } = await q.stats()
        equal([messages, bytes], [0, 0], 'messages and bytes left')
      },
    },
    {
      name: 'cancelled messages are not given to a later group',
      async run(t) {
        const q = await t.open()
        await q.as('first').claim()
        const ids = await q.send('a', 'b', 'c')
        equal(await q.cancel(ids[1]!), [true], 'result')
        await q.as('late').takes(['a', 'c'], 'the later group')
        await q.as('late').count({ ready: 0, leased: 2 }, 'counts of the later group')
      },
    },
    {
      name: 'everything can be cancelled, and the queue goes on',
      async run(t) {
        const q = await t.open()
        await q.claim()
        equal(
          (await q.cancel(...(await q.send(...names('m', 50))))).every(Boolean),
          true,
          'whether all were there',
        )
        equal((await q.stats()).messages, 0, 'messages')
        await q.takes([], 'deliveries')
        await q.send('new')
        await q.takes(['new'], 'a new one')
      },
    },
    {
      name: 'of 20 cancels of one message, started at once, one finds it',
      needs: [DEDUPLICATION],
      async run(t) {
        const views = [await t.open(), await t.openElsewhere()]
        await views[0]!.send({ body: 'a', id: 'x' })
        const racers = Array.from({ length: 20 }, (_, i) => views[i % 2]!.cancel('x'))
        equal((await Promise.all(racers)).flat().filter(Boolean).length, 1, 'found')
      },
    },
  ],
}
