import type { Section } from '../case.ts'
import { equal, ok } from '../assert.ts'

export const attempts: Section = {
  name: 'attempts',
  cases: [
    {
      name: 'a message whose last lease was lost becomes a dead letter: exhausted',
      async run(t) {
        const q = await t.open()
        await q.send('poison', 'good')
        for (let attempt = 1; attempt <= 3; attempt++) {
          const taken = await q.take({ leaseMs: t.s(10), maxAttempts: 3 })
          const poison = taken.find(({ body }) => body === 'poison')
          equal(poison?.attempt, attempt, 'attempt')
          await q.ack(...taken.filter((one) => one !== poison))
          await t.advance(t.s(10))
        }
        equal((await q.take({ maxAttempts: 3 })).length, 0, 'deliveries after the last attempt')
        const [letter] = await q.dead()
        equal([letter?.body, letter?.reason, letter?.attempt], ['poison', 'exhausted', 3], 'the dead letter')
        await q.count({ ready: 0, leased: 0, dead: 1, acked: 1 }, 'counts')
      },
    },
    {
      name: 'a retry after the last attempt is no further delivery, but a dead letter with its error',
      async run(t) {
        const q = await t.open()
        await q.send('a')
        for (const error of ['first', 'second']) {
          await q.retry(await q.takeOne({ maxAttempts: 2 }), { delayMs: t.s(1), error })
          await t.advance(t.s(1))
        }
        equal((await q.take({ maxAttempts: 2 })).length, 0, 'deliveries after the last attempt')
        const [letter] = await q.dead()
        equal(
          [letter?.reason, letter?.attempt, letter?.lastError],
          ['exhausted', 2, 'second'],
          'reason, attempts and last error',
        )
      },
    },
    {
      name: "a message's own number of attempts goes before that of the group, fewer or more",
      async run(t) {
        const q = await t.open()
        await q.send({ body: 'one', maxAttempts: 1 }, { body: 'group' }, { body: 'five', maxAttempts: 5 })
        const deliveries: Record<string, number> = { one: 0, group: 0, five: 0 }
        for (let round = 0; round < 8; round++) {
          for (const { body, attempt, maxAttempts } of await q.take({ leaseMs: t.s(1), maxAttempts: 3 })) {
            const name = String(body)
            equal(attempt, ++deliveries[name]!, `attempt of ${name}`)
            equal(maxAttempts, { one: 1, group: 3, five: 5 }[name], `maxAttempts of ${name}`)
          }
          await t.advance(t.s(1))
        }
        equal(deliveries, { one: 1, group: 3, five: 5 }, 'deliveries')
        const letters = await q.dead()
        equal(
          Object.fromEntries(letters.map(({ body, reason, attempt }) => [body, [reason, attempt]])),
          { one: ['exhausted', 1], group: ['exhausted', 3], five: ['exhausted', 5] },
          'dead letters',
        )
      },
    },
    {
      name: 'attempts of a message are counted in each group for itself',
      async run(t) {
        const q = await t.open()
        const one = q.as('one')
        const two = q.as('two')
        await q.send('a')
        for (let attempt = 1; attempt <= 2; attempt++) {
          equal((await one.takeOne({ leaseMs: t.s(1), maxAttempts: 2 })).attempt, attempt, 'attempt in one')
          await t.advance(t.s(1))
        }
        equal((await two.takeOne({ maxAttempts: 2 })).attempt, 1, 'attempt in two')
        equal(await one.take({ maxAttempts: 2 }), [], 'deliveries in one')
        await one.count({ dead: 1 }, 'counts of one')
        await two.count({ leased: 1, dead: 0 }, 'counts of two')
      },
    },
    {
      name: 'attempts are counted over instances, retries and lost leases together',
      async run(t) {
        const here = await t.open()
        const there = await t.openElsewhere()
        await here.send('a')
        await here.retry(await here.takeOne({ maxAttempts: 4 }))
        await there.takeOne({ leaseMs: t.s(1), maxAttempts: 4 })
        await t.advance(t.s(1))
        await there.retry(await here.takeOne({ maxAttempts: 4 }))
        equal((await there.takeOne({ leaseMs: t.s(1), maxAttempts: 4 })).attempt, 4, 'attempt')
        await t.advance(t.s(1))
        equal(await here.take({ maxAttempts: 4 }), [], 'deliveries')
        await here.count({ dead: 1 }, 'counts')
      },
    },
    {
      name: 'a late ack of the last attempt settles, as long as nobody has claimed since',
      async run(t) {
        const q = await t.open()
        await q.send('a')
        const held = await q.takeOne({ leaseMs: t.s(10), maxAttempts: 1 })
        await t.advance(t.s(20))
        const dead = (await q.dead()).length
        const [status] = await q.statuses({ receipt: held.receipt, kind: 'ack' })
        // It may be a dead letter the moment its lease ends; what must not happen is both, or neither.
        ok((status === 'settled') === (dead === 0), `${dead} dead letters, and the late ack is ${status}`)
        equal(await q.take({ maxAttempts: 1 }), [], 'deliveries')
        equal((await q.dead()).length, dead, 'dead letters in the end')
      },
    },
    {
      name: 'many exhausted messages do not hide those behind them',
      async run(t) {
        const q = await t.open()
        await q.send(...Array.from({ length: 150 }, (_, i) => ({ body: `${i}`, maxAttempts: 1 })))
        await q.take({ limit: 150, leaseMs: t.s(10) })
        await q.send('good')
        await t.advance(t.s(10))
        await q.takes(['good'], 'deliveries')
        equal((await q.dead()).length, 150, 'dead letters')
      },
    },
  ],
}
