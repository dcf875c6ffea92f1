import { CANCELLATION, FIFO, ORDERING_KEYS, SETTABLE_CLOCK, type Section } from '../case.ts'
import { equal, ok } from '../assert.ts'
import { names } from '../scene.ts'

export const stats: Section = {
  name: 'stats',
  cases: [
    {
      name: 'a new queue has nothing',
      async run(t) {
        equal(
          await (await t.open()).stats(),
          { groups: {}, messages: 0, bytes: 0, sent: 0, holds: [] },
          'stats',
        )
      },
    },
    {
      name: 'without groups all messages count, also delayed ones',
      async run(t) {
        const q = await t.open()
        await q.send('a', 'b', { body: 'c', delayMs: t.s(10) })
        const { messages, sent, groups } = await q.stats()
        equal([messages, sent, groups], [3, 3, {}], 'messages, sent and groups')
        await t.advance(t.s(10))
        equal((await q.stats()).messages, 3, 'messages when the delayed one is due')
      },
    },
    {
      name: 'a new group has zeros',
      async run(t) {
        const q = await t.open()
        await q.claim()
        equal(
          await q.counts(),
          { ready: 0, leased: 0, delayed: 0, blocked: 0, parked: 0, dead: 0, acked: 0, failed: 0 },
          'counts',
        )
      },
    },
    {
      name: 'follows a message through its states',
      async run(t) {
        const q = await t.open()
        const there = await t.openElsewhere()
        const zero = { ready: 0, leased: 0, delayed: 0, blocked: 0, dead: 0, acked: 0, failed: 0 }
        const counts = async (expected: Partial<typeof zero>, what: string): Promise<void> => {
          await there.count({ ...zero, ...expected }, what)
          const { ready = 0, leased = 0, delayed = 0, blocked = 0 } = expected
          equal((await there.stats()).messages, ready + leased + delayed + blocked, `messages, ${what}`)
        }
        await q.claim()
        await q.send({ body: 'a', delayMs: t.s(10) })
        await counts({ delayed: 1 }, 'delayed')
        await t.advance(t.s(10))
        await counts({ ready: 1 }, 'due')
        let held = await q.takeOne({ leaseMs: t.s(10) })
        await counts({ leased: 1 }, 'leased')
        await t.advance(t.s(10))
        await counts({ ready: 1 }, 'after its lease')
        held = await q.takeOne({ leaseMs: t.s(10) })
        await counts({ leased: 1, failed: 1 }, 'leased again')
        await q.retry(held, { delayMs: t.s(10) })
        await counts({ delayed: 1, failed: 2 }, 'waiting for a retry')
        await t.advance(t.s(10))
        await counts({ ready: 1, failed: 2 }, 'its retry is due')
        await q.bury(await q.takeOne())
        await counts({ dead: 1, failed: 3 }, 'dead')
        await q.retry((await q.dead())[0]!, { delayMs: t.s(10) })
        await counts({ delayed: 1, failed: 3 }, 'redriven')
        await t.advance(t.s(10))
        await q.ack(await q.takeOne())
        await counts({ acked: 1, failed: 3 }, 'acknowledged')
      },
    },
    {
      name: 'counts as failed what a delivery ended in, not what dies undelivered',
      async run(t) {
        const q = await t.open()
        await q.claim()
        const bodies = ['leased', 'retried', 'given back']
        await q.send(...bodies.map((body) => ({ body, expiresInMs: t.s(10) })))
        const [, retried, back] = await q.takes(bodies, 'at first', { leaseMs: t.s(5) })
        await q.retry(retried!, { delayMs: t.s(5) })
        // It dies of that.
        await q.retry(back!, { delayMs: t.s(20), counts: false })
        await q.send(
          { body: 'never', expiresInMs: t.s(10) },
          { body: 'delayed', delayMs: t.s(5), expiresInMs: t.s(10) },
        )
        await t.advance(t.s(10))
        await q.takes([], 'of what has expired')
        await q.count({ dead: 5, failed: 3 }, 'after all have expired')
      },
    },
    {
      name: 'counts messages behind their key as blocked once a claim has passed them',
      needs: [ORDERING_KEYS],
      async run(t) {
        const q = await t.open()
        await q.claim()
        await q.send(...names('m', 5).map((body) => ({ body, key: 'k' })), 'free')
        await q.count({ ready: 6, blocked: 0 }, 'before a claim')
        const taken = await q.take()
        await q.count({ ready: 0, leased: 2, blocked: 4 }, 'after a claim')
        await q.ack(taken.find(({ key }) => key !== undefined)!)
        await q.count({ ready: 1, leased: 1, blocked: 3 }, 'after the ack of the first')
        equal((await q.stats()).messages, 5, 'messages')
      },
    },
    {
      name: 'messages is the number in the group that is furthest behind',
      async run(t) {
        const q = await t.open()
        const [one, two] = [q.as('one'), q.as('two')]
        await one.claim()
        await two.claim()
        await q.send(...names('m', 10))
        const held = await one.take()
        await one.ack(...held.slice(0, 7))
        equal((await q.stats()).messages, 10, 'while the other group has done none')
        await two.ack(...(await two.take()))
        equal((await q.stats()).messages, 3, 'when the other group is done')
      },
    },
    {
      name: 'sent counts what was stored, not what was a duplicate',
      async run(t) {
        const q = await t.open()
        await q.send('a', { body: 'b', delayMs: t.s(10) })
        if (t.guarantees.deduplication) {
          await q.append({ body: 'c', id: 'x' }, { body: 'd', id: 'x' })
          await q.append({ body: 'e', id: 'x' })
        } else await q.send('c')
        equal((await q.stats()).sent, 3, 'sent')
        await q.ack(...(await q.take()))
        equal((await q.stats()).sent, 3, 'sent when they are done')
      },
    },
    {
      name: 'bytes are about the size of what is retained, and zero when all is done',
      async run(t) {
        const q = await t.open()
        await q.claim()
        const size = Math.min(10_000, t.guarantees.maxBodyBytes)
        for (let i = 0; i < 10; i++) await q.send('x'.repeat(size), { body: new Uint8Array(size) })
        const { bytes } = await q.stats()
        ok(bytes >= 19 * size && bytes < 40 * size, `bytes of 20 bodies of ${size}: ${bytes}`)
        const held = await q.take()
        await q.ack(...held)
        equal((await q.stats()).bytes, 0, 'bytes when all is done')
      },
    },
    {
      name: 'oldestMs is the age of the oldest message that is not done, and absent without one',
      needs: [FIFO],
      async run(t) {
        const q = await t.open()
        await q.claim()
        equal([(await q.counts()).oldestMs, (await q.stats()).oldestMs], [undefined, undefined], 'of nothing')
        await q.send('a')
        await t.advance(t.s(10))
        await q.send('b')
        await t.advance(t.s(5))
        if (!t.factory.realClock) {
          equal(
            [(await q.counts()).oldestMs, (await q.stats()).oldestMs],
            [t.s(15), t.s(15)],
            'while both wait',
          )
        }
        const [a] = await q.take({ limit: 1 })
        await q.ack(a!)
        if (!t.factory.realClock) equal((await q.counts()).oldestMs, t.s(5), 'when the first is done')
        await q.ack(await q.takeOne())
        equal(
          [(await q.counts()).oldestMs, (await q.stats()).oldestMs],
          [undefined, undefined],
          'when both are done',
        )
      },
    },
    {
      name: 'oldestMs counts a message that is leased or waits for a retry',
      async run(t) {
        const q = await t.open()
        await q.send('a')
        await t.advance(t.s(10))
        const held = await q.takeOne({ leaseMs: t.s(60) })
        ok(
          ((await q.counts()).oldestMs ?? 0) >= t.s(10),
          'the age of a leased message is missing or too small',
        )
        await q.retry(held, { delayMs: t.s(60) })
        await q.send('b')
        ok(
          ((await q.counts()).oldestMs ?? 0) >= t.s(10),
          'the age of a waiting message is missing or too small',
        )
      },
    },
    {
      name: 'never changes anything',
      async run(t) {
        const q = await t.open()
        await q.send('a', { body: 'b', delayMs: t.s(10) }, { body: 'c', expiresInMs: t.s(5) })
        await q.take({ limit: 1, leaseMs: t.s(10) })
        for (let i = 0; i < 4; i++) {
          for (let n = 0; n < 3; n++) await q.stats()
          await t.advance(t.s(3))
        }
        const due = await q.take()
        equal(
          due.map(({ body, attempt }) => `${String(body)} ${attempt}`).sort(),
          ['a 2', 'b 1'],
          'deliveries and attempts',
        )
        equal((await q.dead()).length, 1, 'dead letters')
      },
    },
    {
      name: 'what expired at many different times does not count, also before any claim',
      needs: [SETTABLE_CLOCK],
      async run(t) {
        for (const queue of ['with a group', 'without']) {
          const q = (await t.open(queue)).as('g')
          if (queue === 'with a group') await q.claim()
          await q.send(...names('m', 400).map((body, i) => ({ body, expiresInMs: 1000 + i })), 'stays')
          await t.advance(2000)
          equal((await q.stats()).messages, 1, `messages ${queue}`)
        }
      },
    },
    {
      name: 'counts of each group are its own',
      needs: [FIFO],
      async run(t) {
        const q = await t.open()
        const [one, two] = [q.as('one'), q.as('two')]
        await one.claim()
        await two.claim()
        await q.send(...names('m', 6))
        const held = await one.take({ limit: 4 })
        await one.ack(held[0]!)
        await one.bury(held[1]!)
        await one.retry(held[2]!, { delayMs: t.s(10) })
        await one.count({ ready: 2, leased: 1, delayed: 1, dead: 1, acked: 1, failed: 2 }, 'group one')
        await two.count({ ready: 6, leased: 0, delayed: 0, dead: 0, acked: 0, failed: 0 }, 'group two')
      },
    },
    {
      name: 'what was cancelled counts no more, in any state',
      needs: [CANCELLATION],
      async run(t) {
        const q = await t.open()
        await q.claim()
        const ids = await q.send('leased', 'ready', { body: 'delayed', delayMs: t.s(10) })
        await q.take({ limit: 1 })
        for (const id of ids) equal(await q.cancel(id), [true], 'cancel')
        await q.count({ ready: 0, leased: 0, delayed: 0, dead: 0, acked: 0 }, 'counts')
        equal((await q.stats()).messages, 0, 'messages')
      },
    },
    {
      name: 'numbers agree with the list in every state, after much has happened',
      needs: [ORDERING_KEYS],
      async run(t) {
        const q = await t.open()
        await q.claim()
        for (let round = 0; round < 12; round++) {
          await q.send(
            ...names(`m${round}`, 6).map((body, i) => ({
              body,
              ...(i % 2 === 0 && { key: `k${i % 4}` }),
              ...(i % 3 === 1 && { delayMs: t.s(round + i) }),
            })),
          )
          const held = await q.take({ limit: 5, leaseMs: t.s(7) })
          for (const [i, delivery] of held.entries()) {
            if (i === 0) await q.ack(delivery)
            if (i === 1) await q.retry(delivery, { delayMs: t.s(4) })
            if (i === 2 && round % 3 === 0) await q.bury(delivery)
          }
          await t.advance(t.s(3))
          if (t.factory.realClock) continue
          const listed = await q.all()
          const number = (state: string): number => listed.filter((one) => one.state === state).length
          await q.count(
            {
              ready: number('ready'),
              leased: number('leased'),
              delayed: number('delayed'),
              blocked: number('blocked'),
              dead: number('dead'),
            },
            `round ${round}`,
          )
        }
      },
    },
  ],
}
