import type { Section } from '../case.ts'
import { FIFO } from '../case.ts'
import { equal } from '../assert.ts'
import { bodiesOf, names, sortedBodies } from '../scene.ts'

export const retry: Section = {
  name: 'retry',
  cases: [
    {
      name: 'comes again after its delay, as the next attempt, with the error of the last',
      async run(t) {
        const q = await t.open()
        const there = await t.openElsewhere()
        await q.send('a')
        await q.retry(await q.takeOne(), { delayMs: t.s(10), error: 'boom 💥' })
        await t.until(t.s(10), async () => {
          await there.takes([], 'before it is due')
        })
        const { attempt, lastError } = await there.takeOne()
        equal([attempt, lastError], [2, 'boom 💥'], 'attempt and last error')
      },
    },
    {
      name: 'without a delay comes again at once',
      async run(t) {
        const q = await t.open()
        await q.send('a')
        for (let attempt = 1; attempt < 6; attempt++) {
          const held = await q.takeOne()
          equal(held.attempt, attempt, 'attempt')
          await q.retry(held)
        }
      },
    },
    {
      name: 'the last error is that of the attempt before, and absent where that gave none',
      async run(t) {
        const q = await t.open()
        await q.send('a')
        await q.retry(await q.takeOne(), { error: 'first' })
        const second = await q.takeOne()
        equal(second.lastError, 'first', 'after an error')
        await q.retry(second)
        const third = await q.takeOne()
        equal(third.lastError, undefined, 'after none')
        await q.retry(third, { error: '' })
        equal((await q.takeOne()).lastError, '', 'after an empty one')
      },
    },
    {
      name: 'counts: false gives the attempt back',
      async run(t) {
        const q = await t.open()
        await q.send('a')
        for (let round = 0; round < 5; round++) {
          const held = await q.takeOne({ maxAttempts: 2 })
          equal(held.attempt, 1, 'attempt')
          await q.retry(held, { counts: false, delayMs: t.s(1) })
          await t.advance(t.s(1))
        }
        await q.retry(await q.takeOne({ maxAttempts: 2 }), { counts: true })
        equal((await q.takeOne({ maxAttempts: 2 })).attempt, 2, 'attempt after one that counts')
      },
    },
    {
      name: 'counts: false at the last attempt leaves one',
      async run(t) {
        const q = await t.open()
        await q.send('a')
        await q.retry(await q.takeOne({ maxAttempts: 2 }))
        await q.retry(await q.takeOne({ maxAttempts: 2 }), { counts: false })
        equal((await q.takeOne({ maxAttempts: 2 })).attempt, 2, 'attempt')
      },
    },
    {
      name: 'waiting for a retry holds nobody up',
      needs: [FIFO],
      async run(t) {
        const q = await t.open()
        await q.send('a', 'b', 'c')
        await q.retry(await q.take({ limit: 1 }).then((taken) => taken[0]!), { delayMs: t.s(10) })
        await q.takes(['b', 'c'], 'the others')
        await q.send('d')
        await q.takes(['d'], 'a later one')
        await t.advance(t.s(10))
        await q.takes(['a'], 'the retry')
      },
    },
    {
      name: 'a retry that is due comes although others wait',
      async run(t) {
        const q = await t.open()
        await q.send(...names('m', 50))
        const [first] = await q.take({ limit: 1 })
        await q.retry(first!, { delayMs: t.s(5) })
        await t.advance(t.s(5))
        equal(bodiesOf(await q.take()).includes(first!.body), true, 'whether a claim of all has it')
      },
    },
    {
      name: 'each message of a claim has its own delay',
      async run(t) {
        const q = await t.open()
        await q.send('6 s', '2 s', '4 s', 'acked')
        const held = await q.take()
        await q.settle(
          ...held.map(({ receipt, body }) =>
            body === 'acked'
              ? ({ receipt, kind: 'ack' } as const)
              : ({ receipt, kind: 'retry', delayMs: t.s(Number.parseInt(String(body), 10)) } as const),
          ),
        )
        for (const body of ['2 s', '4 s', '6 s']) {
          await t.advance(t.s(2))
          await q.takes([body], `after ${body}`)
        }
      },
    },
    {
      name: 'many retries that are due together all come',
      async run(t) {
        const q = await t.open()
        await q.send(...names('m', 200))
        const held = await q.take({ limit: 1000 })
        await q.settle(...held.map(({ receipt }) => ({ receipt, kind: 'retry', delayMs: t.s(3) }) as const))
        await t.advance(t.s(3))
        const again = await q.take({ limit: 1000 })
        equal(sortedBodies(again), names('m', 200).sort(), 'deliveries')
        equal(new Set(again.map(({ attempt }) => attempt)).size, 1, 'different attempts')
        await q.ack(...again)
        equal((await q.stats()).messages, 0, 'messages left')
      },
    },
    {
      name: 'one group retries, and another is not touched by it',
      async run(t) {
        const q = await t.open()
        await q.as('two').claim()
        await q.send('a')
        await q.as('one').retry(await q.as('one').takeOne(), { delayMs: t.s(10), error: 'only here' })
        const other = await q.as('two').takeOne()
        equal([other.attempt, other.lastError], [1, undefined], 'attempt and last error of the other group')
        await q.as('two').ack(other)
        await t.advance(t.s(10))
        equal((await q.as('one').takeOne()).attempt, 2, 'attempt')
        await q.as('two').takes([], 'the other group')
      },
    },
    {
      name: 'a retried message can be retried, lost, extended and acknowledged like any other',
      async run(t) {
        const q = await t.open()
        await q.send('a')
        await q.retry(await q.takeOne())
        await q.retry(await q.takeOne(), { delayMs: t.s(1) })
        await t.advance(t.s(1))
        await q.takeOne({ leaseMs: t.s(2) })
        await t.advance(t.s(2))
        const held = await q.extend(await q.takeOne({ leaseMs: t.s(2) }), t.s(10))
        equal(held.attempt, 4, 'attempt')
        await t.until(t.s(10), async () => {
          await q.takes([], 'while the extended lease lives')
        })
        const last = await q.takeOne()
        equal(last.attempt, 5, 'attempt')
        equal(await q.statuses({ receipt: held.receipt, kind: 'ack' }), ['stale'], 'the old receipt')
        await q.ack(last)
        equal((await q.stats()).messages, 0, 'messages left')
      },
    },
  ],
}
