import { CANCELLATION, type Case, FIFO, ORDERING_KEYS, PARKING, type Section } from '../case.ts'
import { equal } from '../assert.ts'
import { bodiesOf, names } from '../scene.ts'

export const expiry: Section = {
  name: 'expiry',
  cases: [
    {
      name: 'an expired message is not delivered but becomes a dead letter; its neighbours are delivered',
      async run(t) {
        const q = await t.open()
        await q.send('before', { body: 'short', expiresInMs: t.s(10), headers: { a: 'b' } }, 'after')
        await t.advance(t.s(10))
        await q.takes(['before', 'after'], 'deliveries')
        const [letter] = await q.dead()
        equal(
          [letter?.body, letter?.reason, letter?.attempt, letter?.headers],
          ['short', 'expired', 0, { a: 'b' }],
          'the dead letter',
        )
        await q.count({ dead: 1, leased: 2, ready: 0 }, 'counts')
      },
    },
    {
      name: 'a message is delivered until just before it expires',
      async run(t) {
        const q = await t.open()
        await q.send({ body: 'a', expiresInMs: t.s(10) })
        await t.until(t.s(10), async () => {
          await q.takes(['a'], 'just before')
        })
      },
    },
    {
      name: 'becomes a dead letter of every group that has not done it',
      async run(t) {
        const q = await t.open()
        for (const group of ['done', 'waiting', 'other']) await q.as(group).claim()
        await q.send({ body: 'a', expiresInMs: t.s(10) })
        await q.as('done').ack(await q.as('done').takeOne())
        await t.advance(t.s(10))
        for (const [group, dead] of [
          ['done', 0],
          ['waiting', 1],
          ['other', 1],
        ] as const) {
          const letters = await q.as(group).afterNothing(`group ${group}`)
          equal(letters.length, dead, `dead letters of group ${group}`)
        }
        equal((await q.stats()).messages, 0, 'messages')
      },
    },
    {
      name: 'expired before any group existed, it becomes a dead letter of the first',
      async run(t) {
        const q = await t.open()
        await q.send({ body: 'short', expiresInMs: t.s(10) }, 'long')
        await t.advance(t.s(10))
        await q.takes(['long'], 'the first group')
        equal(bodiesOf(await q.dead()), ['short'], 'dead letters of the first group')
      },
    },
    {
      name: 'a delayed message expires like any other, before or after a claim has seen it due',
      needs: [FIFO],
      async run(t) {
        const q = await t.open()
        await q.claim()
        await q.send(
          { body: 'never seen', delayMs: t.s(10), expiresInMs: t.s(11) },
          { body: 'in time', delayMs: t.s(10), expiresInMs: t.s(60) },
          { body: 'late', delayMs: t.s(10), expiresInMs: t.s(30) },
        )
        await t.advance(t.s(11))
        await q.takes(['in time'], 'what is due', { limit: 1, leaseMs: t.s(100) })
        await t.advance(t.s(30))
        await q.takes([], 'what is left')
        equal(bodiesOf(await q.dead()), ['never seen', 'late'], 'dead letters')
      },
    },
    {
      name: 'a message that waits for a retry expires, and keeps its last error',
      async run(t) {
        const q = await t.open()
        await q.send({ body: 'a', expiresInMs: t.s(10) })
        await q.retry(await q.takeOne(), { delayMs: t.s(5), error: 'boom' })
        await t.advance(t.s(10))
        const [letter] = await q.afterNothing('deliveries')
        equal(
          [letter?.reason, letter?.attempt, letter?.lastError],
          ['expired', 1, 'boom'],
          'reason, attempts and last error',
        )
      },
    },
    {
      name: 'a retry that would come after the message expires makes it a dead letter at once',
      async run(t) {
        const q = await t.open()
        await q.send({ body: 'a', expiresInMs: t.s(10) }, { body: 'b', expiresInMs: t.s(10) })
        const [a, b] = await q.take()
        await q.retry(a!, { delayMs: t.s(11), error: 'too late' })
        const [letter] = await q.dead()
        equal(
          [letter?.body, letter?.reason, letter?.attempt, letter?.lastError],
          [a!.body, 'expired', 1, 'too late'],
          'the dead letter',
        )
        await q.retry(b!, { delayMs: t.s(9) })
        await t.advance(t.s(9))
        await q.takes([b!.body], 'a retry that comes before')
      },
    },
    {
      name: 'a message under a live lease can be acknowledged after it has expired',
      async run(t) {
        const q = await t.open()
        await q.send({ body: 'a', expiresInMs: t.s(10) })
        const held = await q.takeOne({ leaseMs: t.s(30) })
        await t.advance(t.s(20))
        await q.takes([], 'while the lease lives')
        await q.ack(held)
        await q.takes([], 'after the ack')
        equal(await q.dead(), [], 'dead letters')
      },
    },
    ...(['append', 'cancel', 'stats', 'list', 'a claim of another group', 'nothing'] as const).map(
      (what): Case => ({
        needs: what === 'cancel' ? [CANCELLATION] : [],
        name: `one under a lease that has ended since can, too, as long as nobody claims: ${what} in between`,
        async run(t) {
          const q = await t.open()
          await q.as('others').claim()
          await q.send(
            { body: 'a', expiresInMs: t.s(10) },
            { body: 'b', expiresInMs: t.s(10), key: 'k' },
            { body: 'c', expiresInMs: t.s(10), maxAttempts: 1 },
          )
          const held = await q.take({ leaseMs: t.s(20) })
          await t.advance(t.s(21))
          if (what === 'append') await q.send('d')
          else if (what === 'cancel') await q.storage.cancel(['nobody'])
          else if (what === 'stats') await q.stats()
          else if (what === 'list') await q.list()
          else if (what !== 'nothing') await q.as('others').claim()
          if (t.guarantees.exclusiveLeases) {
            const ready = what === 'append' ? 4 : 3
            await q.count({ ready, leased: 0 }, 'counts in between')
            equal((await q.list()).length, ready, 'messages listed in between')
          }
          const [a, ...others] = held
          await q.extend(a!, t.s(20))
          await q.ack(a!, ...others)
          await q.count({ dead: 0, acked: 3 }, 'counts')
        },
      }),
    ),
    {
      name: 'one that was edited can, too',
      needs: [PARKING],
      async run(t) {
        const q = await t.open()
        const [id] = await q.send('a')
        await q.settle({ receipt: (await q.takeOne()).receipt, kind: 'park', reason: 'a fix' })
        await q.resume([id!], { edit: { body: 'b', expiresInMs: t.s(10) } })
        const held = await q.takeOne({ leaseMs: t.s(20) })
        await t.advance(t.s(21))
        for (let i = 0; i < 3; i++) await q.send('other')
        await q.ack(held)
        await q.count({ dead: 0, acked: 1 }, 'counts')
      },
    },
    {
      name: 'a message that expires under a lease that is lost is not delivered again',
      async run(t) {
        const q = await t.open()
        await q.send({ body: 'a', expiresInMs: t.s(10) })
        await q.takeOne({ leaseMs: t.s(30) })
        await t.advance(t.s(30))
        const [letter] = await q.afterNothing('deliveries')
        equal([letter?.body, letter?.reason, letter?.attempt], ['a', 'expired', 1], 'the dead letter')
      },
    },
    {
      name: 'a lease that ends before the message expires gives it another attempt',
      async run(t) {
        const q = await t.open()
        await q.send({ body: 'a', expiresInMs: t.s(30) })
        await q.takeOne({ leaseMs: t.s(10) })
        await t.advance(t.s(10))
        equal((await q.takeOne({ leaseMs: t.s(5) })).attempt, 2, 'attempt')
        await t.advance(t.s(20))
        equal((await q.afterNothing('deliveries')).length, 1, 'dead letters')
      },
    },
    {
      name: 'a message behind its ordering key expires there, and the key goes on',
      needs: [ORDERING_KEYS],
      async run(t) {
        const q = await t.open()
        await q.send(
          { body: 'head', key: 'k' },
          { body: 'short', key: 'k', expiresInMs: t.s(10) },
          { body: 'last', key: 'k' },
        )
        const head = await q.takeOne({ leaseMs: t.s(60) })
        await t.advance(t.s(10))
        await q.takes([], 'while the head is leased')
        await q.ack(head)
        await q.takes(['last'], 'after the head')
        equal(bodiesOf(await q.dead()), ['short'], 'dead letters')
      },
    },
    {
      name: 'the head of an ordering key that expires frees the next',
      needs: [ORDERING_KEYS],
      async run(t) {
        const q = await t.open()
        await q.send({ body: 'head', key: 'k', expiresInMs: t.s(10) }, { body: 'next', key: 'k' })
        await q.retry(await q.takeOne(), { delayMs: t.s(5) })
        await q.takes([], 'while the head waits')
        await t.advance(t.s(10))
        await q.takes(['next'], 'after the head has expired')
        equal(bodiesOf(await q.dead()), ['head'], 'dead letters')
      },
    },
    {
      name: 'many messages that expire together all become dead letters',
      needs: [FIFO],
      async run(t) {
        const q = await t.open()
        await q.claim()
        const bodies = names('m', 400)
        for (let i = 0; i < 400; i += 40) {
          await q.send(
            ...bodies
              .slice(i, i + 40)
              .map((body, n) => ({ body, expiresInMs: t.s(n % 2 === 0 ? 10 : 3600) })),
          )
        }
        await t.advance(t.s(10))
        const deliveries = await q.take({ limit: 1000 })
        equal(
          bodiesOf(deliveries),
          bodies.filter((_, i) => i % 2 === 1),
          'deliveries',
        )
        equal(
          bodiesOf(await q.dead()),
          bodies.filter((_, i) => i % 2 === 0),
          'dead letters',
        )
      },
    },
    {
      name: 'messages with many different times to live expire one after the other',
      async run(t) {
        const q = await t.open()
        await q.claim()
        await q.send(...Array.from({ length: 30 }, (_, i) => ({ body: `${i}`, expiresInMs: t.s(i + 1) })))
        await t.advance(t.s(20))
        const deliveries = await q.take()
        if (!t.factory.realClock) {
          equal(
            bodiesOf(deliveries),
            Array.from({ length: 10 }, (_, i) => `${i + 20}`),
            'deliveries',
          )
        }
        equal(deliveries.length + (await q.dead()).length, 30, 'deliveries and dead letters')
      },
    },
    {
      name: 'an expired message counts neither as ready nor as delayed, also before any claim',
      async run(t) {
        const q = await t.open()
        await q.claim()
        await q.send(
          { body: 'short', expiresInMs: t.s(10) },
          { body: 'delayed', delayMs: t.s(5), expiresInMs: t.s(10) },
          'long',
        )
        await t.advance(t.s(10))
        await q.count({ ready: 1, delayed: 0, leased: 0, blocked: 0 }, 'counts before a claim')
        equal((await q.stats()).messages, 1, 'messages before a claim')
        await q.takes(['long'], 'deliveries')
        await q.count({ ready: 0, delayed: 0, leased: 1, blocked: 0, dead: 2 }, 'counts after a claim')
      },
    },
  ],
}
