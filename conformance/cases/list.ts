import { DEDUPLICATION, FIFO, ORDERING_KEYS, type Section } from '../case.ts'
import { equal, ok } from '../assert.ts'
import type { Draft, Scene, View } from '../scene.ts'
import { bodiesOf, names, sortedBodies } from '../scene.ts'

/** A queue with a message in every state. Bodies say the state. */
async function everyState(t: Scene): Promise<View> {
  const q = await t.open()
  await q.send('dead', 'retried', 'leased')
  for (const delivery of await q.take({ leaseMs: t.s(60) })) {
    if (delivery.body === 'dead') await q.bury(delivery)
    if (delivery.body === 'retried') await q.retry(delivery, { delayMs: t.s(20), error: 'boom' })
  }
  await q.send({ body: 'head', key: 'k' }, { body: 'blocked', key: 'k' })
  await q.take({ leaseMs: t.s(60) })
  await q.send('ready', { body: 'delayed', delayMs: t.s(10) })
  return q
}

export const list: Section = {
  name: 'list',
  cases: [
    {
      name: 'an empty queue, a group that does not exist and ids that are unknown are empty pages',
      async run(t) {
        const q = await t.open()
        equal(await q.page(), { messages: [] }, 'an empty queue')
        equal(await q.page({ ids: ['a', '', '__proto__'] }), { messages: [] }, 'unknown ids')
        equal(await q.page({ ids: [] }), { messages: [] }, 'no ids')
        equal(await q.page({ states: [] }), { messages: [] }, 'no states')
        equal(Object.keys((await q.stats()).groups), [], 'groups after it')
      },
    },
    {
      name: 'shows a group that does not exist as it would start',
      needs: [FIFO],
      async run(t) {
        const q = await t.open()
        await q.send('a', 'b', { body: 'c', delayMs: t.s(10) })
        const states = (await q.list()).map(({ body, state }) => [body, state])
        equal(
          states,
          [
            ['a', 'ready'],
            ['b', 'ready'],
            ['c', 'delayed'],
          ],
          'before any group',
        )
        await q.as('first').ack(...(await q.as('first').take()))
        await q.send('d')
        equal(bodiesOf(await q.as('late').list({ states: ['ready'] })), ['d'], 'what a later group would get')
        equal(Object.keys((await q.stats()).groups), ['first'], 'groups')
      },
    },
    {
      name: 'shows a group that does not exist what others have taken and not done, in whatever state, once',
      needs: [ORDERING_KEYS],
      async run(t) {
        const q = await t.open()
        const lanes = t.guarantees.lanes !== false
        const other = q.as('other')
        await other.claim()
        await q.claim()
        const drafts: Exclude<Draft, string>[] = [
          { body: 'done' },
          { body: 'dead' },
          { body: 'head', key: 'k' },
          { body: 'behind', key: 'k' },
          { body: 'delayed', delayMs: t.s(1) },
          { body: 'retried' },
          { body: 'parked' },
          { body: 'leased' },
          { body: 'ahead' },
        ]
        const ids = await q.send(...drafts.flatMap((one) => (lanes ? [one, { ...one, lane: 'l' }] : [one])))
        await t.advance(t.s(1))
        for (const group of [q, other]) {
          for (const one of await group.take({ leaseMs: t.s(600) })) {
            const { body } = one
            if (body === 'done') await group.ack(one)
            else if (body === 'dead') await group.bury(one)
            else if (body === 'parked' && t.guarantees.parking !== false) await group.park(one)
            else if (body !== 'leased') await group.retry(one, { delayMs: t.s(60) })
          }
        }
        const expected = drafts.map(({ body }) => body).filter((body) => body !== 'done' && body !== 'dead')
        const all = lanes ? expected.flatMap((body) => [body, body]) : expected
        const late = q.as('late')
        equal(sortedBodies(await late.list()), all.map(String).sort(), 'the list')
        equal(sortedBodies(await late.list({ limit: 1 })), all.map(String).sort(), 'the list, one by one')
        equal(sortedBodies(await late.list({ ids })), all.map(String).sort(), 'by their ids')
        if (lanes)
          equal(sortedBodies(await late.list({ lane: 'l' })), expected.map(String).sort(), 'of a lane')
        equal(sortedBodies(await late.list({ states: ['delayed', 'parked', 'dead'] })), [], 'other states')
        equal(Object.keys((await q.stats()).groups).sort(), ['other', 'workers'], 'groups')
        await late.claim({ limit: 0 })
        equal(sortedBodies(await late.list()), all.map(String).sort(), 'once it has started')
      },
    },
    {
      name: 'shows each state with what belongs to it',
      needs: [ORDERING_KEYS],
      async run(t) {
        const q = await everyState(t)
        const listed = new Map((await q.all()).map((one) => [one.body, one]))
        equal(
          [...listed].map(([body, { state }]) => `${String(body)}: ${state}`).sort(),
          [
            'blocked: blocked',
            'dead: dead',
            'delayed: delayed',
            'head: leased',
            'leased: leased',
            'ready: ready',
            'retried: delayed',
          ],
          'states',
        )
        equal(
          [...listed.values()].map(({ body, attempt }) => `${String(body)}: ${attempt}`).sort(),
          ['blocked: 0', 'dead: 1', 'delayed: 0', 'head: 1', 'leased: 1', 'ready: 0', 'retried: 1'],
          'attempts',
        )
        t.duration(listed.get('leased')!.nextInMs, t.s(60), 'in how many ms the lease ends')
        t.duration(listed.get('delayed')!.nextInMs, t.s(10), 'in how many ms the delayed message is due')
        t.duration(listed.get('retried')!.nextInMs, t.s(20), 'in how many ms the retry is due')
        equal(listed.get('retried')!.lastError, 'boom', 'the last error of the retry')
        equal(listed.get('blocked')!.key, 'k', 'the key of the blocked message')
        for (const [body, { receipt, reason, deadAt, timestamp }] of listed) {
          const has = [receipt, reason, deadAt].map((one) => one !== undefined)
          equal(
            has,
            [body === 'dead', body === 'dead', body === 'dead'],
            `receipt, reason and deadAt of ${String(body)}`,
          )
          t.isNow(timestamp, `the timestamp of ${String(body)}`)
        }
      },
    },
    {
      name: 'shows only the states that are asked for, and by default all but dead',
      needs: [ORDERING_KEYS],
      async run(t) {
        const q = await everyState(t)
        const sorted = async (states?: Parameters<View['list']>[0]): Promise<unknown[]> =>
          sortedBodies(await q.list(states))
        equal(await sorted(), ['blocked', 'delayed', 'head', 'leased', 'ready', 'retried'], 'default')
        equal(await sorted({ states: ['ready'] }), ['ready'], 'ready')
        equal(await sorted({ states: ['leased'] }), ['head', 'leased'], 'leased')
        equal(await sorted({ states: ['delayed'] }), ['delayed', 'retried'], 'delayed')
        equal(await sorted({ states: ['blocked'] }), ['blocked'], 'blocked')
        equal(await sorted({ states: ['dead'] }), ['dead'], 'dead')
        equal(await sorted({ states: ['dead', 'ready', 'dead'] }), ['dead', 'ready'], 'dead and ready')
      },
    },
    {
      name: 'shows what time has made of it: leases that ended and delays that are over are ready',
      async run(t) {
        const q = await t.open()
        await q.send('leased', 'retried')
        for (const delivery of await q.take({ leaseMs: t.s(10) })) {
          if (delivery.body === 'retried') await q.retry(delivery, { delayMs: t.s(10) })
        }
        await q.send({ body: 'delayed', delayMs: t.s(10) })
        await t.until(t.s(10), async () => {
          equal(await q.list({ states: ['ready'] }), [], 'ready before')
        })
        equal(
          sortedBodies(await q.list({ states: ['ready'] })),
          ['delayed', 'leased', 'retried'],
          'ready after',
        )
        equal(await q.list({ states: ['leased', 'delayed'] }), [], 'leased and delayed after')
      },
    },
    {
      name: 'lists ready messages in the order of the queue, over pages of any size, each once',
      needs: [FIFO],
      async run(t) {
        const q = await t.open()
        await q.claim()
        const bodies = names('m', 50)
        for (let i = 0; i < 50; i += 10) await q.send(...bodies.slice(i, i + 10))
        for (const limit of [1, 3, 10, 49, 50, 51, 1000]) {
          equal(bodiesOf(await q.list({ limit })), bodies, `pages of ${limit}`)
        }
      },
    },
    {
      name: 'pages of any size show every message of every state once',
      needs: [ORDERING_KEYS],
      async run(t) {
        const q = await everyState(t)
        await q.send(
          ...names('more', 9),
          ...names('later', 9).map((body) => ({ body, delayMs: t.s(100) })),
          ...names('behind', 9).map((body) => ({ body, key: 'k' })),
        )
        await q.take({ limit: 5, leaseMs: t.s(60) })
        const all = sortedBodies(await q.all({ limit: 1000 }))
        equal(all.length, 34, 'messages on one page')
        for (const limit of [1, 2, 3, 7, 33, 34]) {
          equal(sortedBodies(await q.all({ limit })), all, `pages of ${limit}`)
        }
      },
    },
    {
      name: 'shows only the messages whose ids are given, in the states that are asked for',
      needs: [ORDERING_KEYS],
      async run(t) {
        const q = await everyState(t)
        const [mine] = await q.send({ body: 'mine', id: 'mine' })
        const ids = new Map((await q.all()).map(({ body, id }) => [body, id]))
        const some = ['ready', 'leased', 'delayed', 'blocked', 'retried', 'dead', 'mine'].map((body) =>
          ids.get(body)!,
        )
        equal(some.at(-1), mine, 'the id of its own')
        const wanted = [...some, 'unknown', '__proto__']
        const sorted = async (query: Parameters<View['list']>[0]): Promise<unknown[]> =>
          sortedBodies(await q.list(query))
        equal(
          await sorted({ ids: wanted }),
          ['blocked', 'delayed', 'leased', 'mine', 'ready', 'retried'],
          'default states',
        )
        equal(
          await sorted({ ids: wanted, states: ['dead', 'leased'] }),
          ['dead', 'leased'],
          'dead and leased',
        )
        equal(
          await sorted({ ids: wanted, limit: 2 }),
          ['blocked', 'delayed', 'leased', 'mine', 'ready', 'retried'],
          'pages of 2',
        )
        equal(await sorted({ ids: [ids.get('head')!] }), ['head'], 'one id')
        equal(
          await sorted({ ids: [ids.get('head')!, ids.get('head')!], limit: 1 }),
          ['head'],
          'one id, given twice',
        )
      },
    },
    {
      name: 'a page by ids keeps its limit where an id stands for a dead letter and a later message',
      needs: [DEDUPLICATION],
      async run(t) {
        const q = await t.open()
        for (const id of ['x', 'y']) {
          await q.send({ body: `old ${id}`, id })
          await q.bury(await q.takeOne())
        }
        // Whether an id is free again while its message is a dead letter is open.
        const results = await q.append({ body: 'new x', id: 'x' }, { body: 'new y', id: 'y' })
        const stored = results.filter(({ status }) => status === 'stored').map(({ id }) => `new ${id}`)
        for (const limit of [1, 2, 3, 100]) {
          const listed = await q.all({ ids: ['x', 'y'], limit })
          equal(sortedBodies(listed), [...stored, 'old x', 'old y'].sort(), `pages of ${limit}`)
        }
      },
    },
    {
      name: 'shows each group its own view',
      async run(t) {
        const q = await t.open()
        const [one, two] = [q.as('one'), q.as('two')]
        await two.claim()
        await q.send('a', 'b')
        await one.ack((await one.take({ limit: 1 }))[0]!)
        await two.take({ limit: 2 })
        equal(
          (await one.list()).map(({ state }) => state),
          ['ready'],
          'group one',
        )
        equal(
          (await two.list()).map(({ state }) => state),
          ['leased', 'leased'],
          'group two',
        )
      },
    },
    {
      name: 'never changes anything',
      needs: [ORDERING_KEYS],
      async run(t) {
        const q = await everyState(t)
        const there = await t.openElsewhere()
        const before = await q.stats()
        for (let i = 0; i < 3; i++) {
          const first = await q.all({ limit: 2 })
          if (!t.factory.realClock) equal(await there.all({ limit: 100 }), first, 'the list, listed again')
        }
        if (!t.factory.realClock) equal(await q.stats(), before, 'stats')
        await t.advance(t.s(20))
        for (let i = 0; i < 3; i++) await q.all({ limit: 1 })
        const due = await q.take()
        equal(
          due.map(({ body, attempt }) => `${String(body)} ${attempt}`).sort(),
          ['delayed 1', 'ready 1', 'retried 2'],
          'deliveries and attempts',
        )
      },
    },
    {
      name: 'a cursor that nobody gave is no error',
      async run(t) {
        const q = await t.open()
        await q.send('a', 'b', 'c')
        for (const cursor of [
          '',
          'garbage',
          '0',
          '-1',
          '{}',
          '[]',
          'null',
          '["ready",1]',
          '\ud800',
          '[[[[',
        ]) {
          ok(Array.isArray((await q.page({ cursor })).messages), `the page after ${cursor}`)
          ok(
            Array.isArray((await q.page({ cursor, ids: ['x'] })).messages),
            `the page of ids after ${cursor}`,
          )
        }
      },
    },
    {
      name: 'a message behind its key is blocked once a claim has passed it, and ready when it is free',
      needs: [ORDERING_KEYS],
      async run(t) {
        const q = await t.open()
        await q.send({ body: 'a', key: 'k' }, { body: 'b', key: 'k' }, 'free')
        const taken = await q.take({ leaseMs: t.s(60) })
        equal(
          (await q.list({ states: ['blocked'] })).map(({ body }) => body),
          ['b'],
          'blocked',
        )
        await q.ack(taken.find(({ body }) => body === 'a')!)
        equal(await q.list({ states: ['blocked'] }), [], 'blocked after the ack')
        equal(bodiesOf(await q.list({ states: ['ready'] })), ['b'], 'ready after the ack')
      },
    },
  ],
}
