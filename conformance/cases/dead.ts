import { FIFO, type Section } from '../case.ts'
import { equal, ok } from '../assert.ts'
import { type View, bodiesOf, names } from '../scene.ts'

/** Sends messages and makes all of them dead letters. */
async function sendToDeath(q: View, bodies: readonly string[]): Promise<void> {
  await q.send(...bodies)
  for (const delivery of await q.take({ limit: bodies.length })) await q.bury(delivery)
}

export const dead: Section = {
  name: 'dead letters',
  cases: [
    {
      name: 'keep message, reason, error, attempts, and when they died',
      async run(t) {
        const q = await t.open()
        for (const reason of ['rejected', 'unreadable', 'exhausted', 'expired'] as const) {
          const [id] = await q.send({ body: reason, headers: { why: reason } })
          const sentAt = (await q.list())[0]!.timestamp
          await q.retry(await q.takeOne())
          await t.advance(t.s(1))
          await q.bury(await q.takeOne(), reason, `error ${reason}`)
          const [letter, ...others] = await q.dead()
          equal(others, [], 'other dead letters')
          const { receipt, deadAt, ...rest } = letter!
          equal(
            rest,
            {
              id,
              state: 'dead',
              body: reason,
              headers: { why: reason },
              timestamp: sentAt,
              attempt: 2,
              reason,
              lastError: `error ${reason}`,
            },
            'the dead letter',
          )
          t.isNow(deadAt, 'deadAt')
          ok(typeof receipt === 'string' && receipt !== '', `the receipt is ${receipt}`)
          await q.ack(letter!)
        }
      },
    },
    {
      name: 'are not delivered and not listed unless asked for',
      async run(t) {
        const q = await t.open()
        await sendToDeath(q, ['a'])
        await t.advance(t.s(60))
        await q.takes([], 'deliveries')
        equal(await q.list(), [], 'the list without states')
        equal(
          await q.list({ states: ['ready', 'leased', 'delayed', 'blocked'] }),
          [],
          'the list of other states',
        )
        equal((await q.list({ states: ['ready', 'dead'] })).length, 1, 'the list with dead letters')
      },
    },
    {
      name: 'do not count as messages, and hold nothing back',
      async run(t) {
        const q = await t.open()
        await sendToDeath(q, names('m', 10))
        const { messages } = await q.stats()
        equal(messages, 0, 'messages')
        await q.count({ ready: 0, leased: 0, delayed: 0, blocked: 0, dead: 10 }, 'counts')
      },
    },
    {
      name: 'are listed by their place in the queue, over pages of any size',
      needs: [FIFO],
      async run(t) {
        const q = await t.open()
        const bodies = names('m', 20)
        await q.send(...bodies)
        const held = await q.take()
        // They die in another order.
        for (let i = 0; i < 20; i++) await q.bury(held[(i * 7) % 20]!)
        for (const limit of [1, 3, 20, 100]) {
          equal(bodiesOf(await q.dead({ limit })), bodies, `dead letters in pages of ${limit}`)
        }
      },
    },
    {
      name: 'redriven, come again from their first attempt on, which knows nothing of those before',
      async run(t) {
        const q = await t.open()
        await q.send('a')
        await q.retry(await q.takeOne({ maxAttempts: 2 }))
        await q.takeOne({ maxAttempts: 2, leaseMs: t.s(1) })
        await t.advance(t.s(1))
        equal(await q.take({ maxAttempts: 2 }), [], 'deliveries of the exhausted message')
        const [letter] = await q.dead()
        await q.retry(letter!)
        await q.count({ dead: 0, ready: 1 }, 'counts after the redrive')
        const first = await q.takeOne({ maxAttempts: 2 })
        equal(
          [first.id, first.attempt, first.lastError],
          [letter!.id, 1, undefined],
          'id, attempt and last error',
        )
        await q.retry(first)
        equal((await q.takeOne({ maxAttempts: 2 })).attempt, 2, 'the attempt after it')
      },
    },
    {
      name: 'redriven with a delay, come after it',
      async run(t) {
        const q = await t.open()
        await sendToDeath(q, ['a'])
        await q.retry((await q.dead())[0]!, { delayMs: t.s(10) })
        await q.count({ dead: 0, delayed: 1 }, 'counts')
        await t.until(t.s(10), async () => {
          await q.takes([], 'before it is due')
        })
        await q.takes(['a'], 'when it is due')
      },
    },
    {
      name: 'a redriven message can be acknowledged, and die and be redriven again',
      async run(t) {
        const q = await t.open()
        await sendToDeath(q, ['a'])
        const old: string[] = []
        for (let round = 0; round < 4; round++) {
          const [letter, ...others] = await q.dead()
          equal(others, [], 'other dead letters')
          ok(!old.includes(letter!.receipt!), 'the receipt of an earlier death is in use again')
          old.push(letter!.receipt!)
          await q.retry(letter!)
          equal(await q.dead(), [], 'dead letters after the redrive')
          const held = await q.takeOne()
          if (round < 3) await q.bury(held)
          else await q.ack(held)
        }
        for (const receipt of old) {
          equal(
            await q.statuses({ receipt, kind: 'retry', delayMs: 0 }, { receipt, kind: 'ack' }),
            ['stale', 'stale'],
            'old receipts of dead letters',
          )
        }
        const { messages } = await q.stats()
        equal(messages, 0, 'messages left')
      },
    },
    {
      name: 'are deleted by an ack of their receipt',
      async run(t) {
        const q = await t.open()
        await sendToDeath(q, ['a', 'b', 'c'])
        const letters = await q.dead()
        const [first] = letters
        await q.ack(first!)
        equal(bodiesOf(await q.dead()).includes(first!.body), false, 'whether the deleted one is listed')
        await q.count({ dead: 2 }, 'counts')
        equal(
          await q.statuses(
            { receipt: first!.receipt!, kind: 'ack' },
            { receipt: first!.receipt!, kind: 'retry', delayMs: 0 },
          ),
          ['stale', 'stale'],
          'the receipt of the deleted one',
        )
        await q.takes([], 'deliveries')
      },
    },
    {
      name: 'some of many are redriven and some deleted in one call, with made-up receipts among them',
      async run(t) {
        const q = await t.open()
        await sendToDeath(q, names('m', 30))
        const letters = await q.dead()
        const statuses = await q.statuses(
          ...letters.map(({ receipt }, i) => {
            if (i % 3 === 0) return { receipt: receipt!, kind: 'ack' } as const
            if (i % 3 === 1) return { receipt: receipt!, kind: 'retry', delayMs: 0 } as const
            return { receipt: `${receipt}x`, kind: 'ack' } as const
          }),
        )
        equal(
          statuses,
          letters.map((_, i) => (i % 3 === 2 ? 'stale' : 'settled')),
          'statuses',
        )
        equal((await q.dead()).length, 10, 'dead letters left')
        equal((await q.take()).length, 10, 'deliveries')
      },
    },
    {
      name: 'belong to one group: others go on with the message, and cannot settle its dead letter',
      async run(t) {
        const q = await t.open()
        const one = q.as('one')
        const two = q.as('two')
        await two.claim()
        await sendToDeath(one, ['a'])
        const [letter] = await one.dead()
        equal(await two.dead(), [], 'dead letters of the other group')
        equal(
          await two.statuses({ receipt: letter!.receipt!, kind: 'retry', delayMs: 0 }),
          ['stale'],
          'the redrive by the other group',
        )
        await two.ack(await two.takeOne())
        await one.retry(letter!)
        await two.takes([], 'the other group after the redrive')
        await one.takes(['a'], 'its own group after the redrive')
      },
    },
    {
      name: 'of 20 redrives of one dead letter, started at once, one settles',
      async run(t) {
        const views = [await t.open(), await t.openElsewhere()]
        await sendToDeath(views[0]!, ['a'])
        const [letter] = await views[1]!.dead()
        const { receipt } = letter!
        const racers = Array.from({ length: 20 }, (_, i) =>
          views[i % 2]!.statuses({ receipt: receipt!, kind: 'retry', delayMs: 0 }),
        )
        const statuses = (await Promise.all(racers)).flat()
        equal(statuses.filter((status) => status === 'settled').length, 1, 'settled')
        equal((await views[0]!.take()).length, 1, 'deliveries')
      },
    },
    {
      name: 'a message that expired is delivered after its redrive: whoever redrives it wants it',
      async run(t) {
        const q = await t.open()
        await q.claim()
        await q.send({ body: 'a', expiresInMs: t.s(10) })
        await t.advance(t.s(10))
        const [letter] = await q.afterNothing('the expired message')
        equal(letter?.reason, 'expired', 'reason')
        await q.retry(letter!)
        const held = await q.takeOne()
        equal([held.body, held.attempt], ['a', 1], 'body and attempt')
        await q.ack(held)
        equal(await q.dead(), [], 'dead letters in the end')
      },
    },
    {
      name: 'stay when everything else is done',
      async run(t) {
        const q = await t.open()
        await q.send(...names('m', 300))
        const held = await q.take({ limit: 300 })
        await q.bury(held[7]!)
        await q.bury(held[290]!)
        await q.ack(...held.filter((_, i) => i !== 7 && i !== 290))
        await q.send('more')
        await q.ack(await q.takeOne())
        const letters = await q.dead()
        equal(bodiesOf(letters), [held[7]!.body, held[290]!.body], 'dead letters')
        for (const letter of letters) await q.retry(letter)
        equal((await q.take()).length, 2, 'deliveries after the redrive')
      },
    },
  ],
}
