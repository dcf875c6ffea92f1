import { DEDUPLICATION, FIFO, IDS_WITH_KEYS, type Section } from '../case.ts'
import { equal } from '../assert.ts'
import { bodiesOf, sortedBodies } from '../scene.ts'

export const replace: Section = {
  name: 'replace',
  needs: [DEDUPLICATION],
  cases: [
    {
      name: 'replaces a waiting message in its place: body, headers, attempts and timestamp',
      needs: [FIFO],
      async run(t) {
        const q = await t.open()
        await q.claim()
        await q.send('before', { body: 'old', id: 'x', headers: { a: '1' }, maxAttempts: 2 }, 'after')
        await t.advance(t.s(5))
        const results = await q.append({
          body: 'new',
          id: 'x',
          headers: { b: '2' },
          maxAttempts: 5,
          replace: true,
        })
        equal(results, [{ id: 'x', status: 'replaced' }], 'result')
        const [, held] = await q.takes(['before', 'new', 'after'], 'deliveries')
        equal(
          [held!.id, held!.headers, held!.maxAttempts, held!.attempt],
          ['x', { b: '2' }, 5, 1],
          'the delivery',
        )
        t.isNow(held!.timestamp, 'the timestamp')
      },
    },
    {
      name: 'what the new message does not say, it does not take over from the old',
      async run(t) {
        const q = await t.open()
        await q.claim()
        await q.send({ body: 'old', id: 'x', headers: { a: '1' }, maxAttempts: 2, expiresInMs: t.s(10) })
        equal(await q.sendOne({ body: 'new', id: 'x', replace: true }), 'replaced', 'result')
        await t.advance(t.s(20))
        const held = await q.takeOne({ maxAttempts: 9 })
        equal([held.body, held.headers, held.maxAttempts], ['new', undefined, 9], 'the delivery')
      },
    },
    {
      name: 'brings its own time to live',
      async run(t) {
        const q = await t.open()
        await q.claim()
        await q.send(
          { body: 'old', id: 'x', expiresInMs: t.s(3600) },
          { body: 'old', id: 'y', expiresInMs: t.s(10) },
        )
        equal(await q.sendOne({ body: 'x', id: 'x', expiresInMs: t.s(10), replace: true }), 'replaced', 'x')
        equal(await q.sendOne({ body: 'y', id: 'y', expiresInMs: t.s(3600), replace: true }), 'replaced', 'y')
        await t.advance(t.s(10))
        await q.takes(['y'], 'deliveries')
        equal(bodiesOf(await q.dead()), ['x'], 'dead letters')
      },
    },
    {
      name: 'counts once in the numbers when it expires, however often it was replaced',
      async run(t) {
        for (const queue of ['with a group', 'without']) {
          const q = (await t.open(queue)).as('g')
          if (queue === 'with a group') await q.claim()
          const draft = { body: 'x', id: 'x', expiresInMs: t.s(10) }
          await q.send(draft, 'long')
          for (let i = 0; i < 3; i++)
            equal(await q.sendOne({ ...draft, replace: true }), 'replaced', 'result')
          await t.advance(t.s(10))
          equal((await q.stats()).messages, 1, `messages ${queue}, before a claim`)
          await q.takes(['long'], 'deliveries')
          await q.count({ ready: 0, leased: 1, dead: 1 }, 'counts after a claim')
        }
      },
    },
    {
      name: 'works before any group exists, and again and again',
      async run(t) {
        const q = await t.open()
        await q.send({ body: '0', id: 'x' })
        for (const body of ['1', '2', '3']) {
          equal(await q.sendOne({ body, id: 'x', replace: true }), 'replaced', body)
        }
        await q.takes(['3'], 'deliveries')
      },
    },
    {
      name: 'stores the message if none of its id is retained, known from before or not',
      async run(t) {
        const q = await t.open()
        equal(
          await q.sendOne({ body: 'a', id: 'x', replace: true, dedupeMs: t.s(3600) }),
          'stored',
          'the first',
        )
        await q.ack(await q.takeOne())
        equal(await q.sendOne({ body: 'b', id: 'x' }), 'duplicate', 'without replace')
        equal(await q.sendOne({ body: 'c', id: 'x', replace: true }), 'stored', 'with replace')
        await q.takes(['c'], 'deliveries')
      },
    },
    {
      name: 'queues the new message behind one that is leased, which its holder can still settle',
      async run(t) {
        const q = await t.open()
        await q.send({ body: 'old', id: 'x' })
        const held = await q.takeOne()
        equal(await q.sendOne({ body: 'new', id: 'x', replace: true }), 'stored', 'result')
        const next = await q.takeOne()
        equal([next.id, next.body, next.attempt], ['x', 'new', 1], 'the new one')
        await q.ack(held)
        await q.ack(next)
        await q.takes([], 'other deliveries')
        equal((await q.stats()).messages, 0, 'messages left')
      },
    },
    {
      name: 'queues the new message for all groups if one of them has done the old',
      async run(t) {
        const q = await t.open()
        const [one, two] = [q.as('one'), q.as('two')]
        await one.claim()
        await two.claim()
        await q.send({ body: 'old', id: 'x' })
        await one.ack(await one.takeOne())
        equal(await q.sendOne({ body: 'new', id: 'x', replace: true }), 'stored', 'result')
        await one.takes(['new'], 'the group that was done')
        equal(bodiesOf(await two.take()).at(-1), 'new', 'the last that the other group gets')
      },
    },
    {
      name: 'replaces a message that waits in every group, wherever it waits',
      needs: [IDS_WITH_KEYS],
      async run(t) {
        const q = await t.open()
        const [fresh, retried, parked] = [q.as('fresh'), q.as('retried'), q.as('parked')]
        for (const view of [fresh, retried, parked]) await view.claim()
        await q.send({ body: 'head', key: 'k' }, { body: 'old', id: 'x', key: 'k' })
        await retried.ack(await retried.takeOne())
        await retried.retry(await retried.takeOne(), { delayMs: t.s(10) })
        const head = await parked.takeOne()
        equal(await q.sendOne({ body: 'new', id: 'x', key: 'k', replace: true }), 'replaced', 'result')
        await t.advance(t.s(10))
        await parked.ack(head)
        await parked.takes(['new'], 'the group that had it behind its key')
        await retried.takes(['new'], 'the group that waited for its retry')
        await fresh.ack(await fresh.takeOne())
        await fresh.takes(['new'], 'the group that had not seen it')
      },
    },
    {
      name: 'gives a delayed message its new delay, longer or shorter',
      async run(t) {
        const q = await t.open()
        await q.claim()
        await q.send({ body: 'a', id: 'a', delayMs: t.s(10) }, { body: 'b', id: 'b', delayMs: t.s(10) })
        await t.advance(t.s(5))
        equal(await q.sendOne({ body: 'A', id: 'a', delayMs: t.s(10), replace: true }), 'replaced', 'longer')
        equal(await q.sendOne({ body: 'B', id: 'b', replace: true }), 'replaced', 'none')
        await q.takes(['B'], 'at once')
        await t.until(t.s(10), async () => {
          await q.takes([], 'before the new delay is over')
        })
        await q.takes(['A'], 'after the new delay')
      },
    },
    {
      name: 'puts a message off at most maxDelayMs, however often it is replaced',
      async run(t) {
        const q = await t.open()
        await q.claim()
        const draft = { id: 'x', delayMs: t.s(10), maxDelayMs: t.s(25), replace: true }
        equal(await q.sendOne({ ...draft, body: '0' }), 'stored', 'the first')
        for (const body of ['1', '2', '3', '4']) {
          await t.advance(t.s(5))
          equal(await q.sendOne({ ...draft, body }), 'replaced', body)
        }
        await t.until(t.s(5), async () => {
          await q.takes([], 'before the first has waited for its longest')
        })
        await q.takes(['4'], 'when the first has waited for its longest')
      },
    },
    {
      name: 'with maxDelayMs waits for its delay where that is shorter',
      async run(t) {
        const q = await t.open()
        await q.claim()
        const draft = { id: 'x', delayMs: t.s(10), maxDelayMs: t.s(3600), replace: true }
        await q.append({ ...draft, body: 'old' })
        await t.advance(t.s(5))
        equal(await q.sendOne({ ...draft, body: 'new' }), 'replaced', 'result')
        await t.until(t.s(10), async () => {
          await q.takes([], 'before it is due')
        })
        await q.takes(['new'], 'when it is due')
      },
    },
    {
      name: 'whose maxDelayMs is over is due at once',
      async run(t) {
        const q = await t.open()
        await q.claim()
        const draft = { id: 'x', delayMs: t.s(10), maxDelayMs: t.s(25), replace: true }
        await q.send({ body: 'ready', id: 'x' })
        await t.advance(t.s(30))
        equal(await q.sendOne({ ...draft, body: 'new' }), 'replaced', 'one that is due')
        await q.ack(...(await q.takes(['new'], 'deliveries')))
        await q.append({ body: 'delayed', id: 'x', delayMs: t.s(60) })
        await t.advance(t.s(30))
        equal(await q.sendOne({ ...draft, body: 'newer' }), 'replaced', 'one that is delayed')
        await q.takes(['newer'], 'deliveries')
      },
    },
    {
      name: 'counts maxDelayMs from the first that waits under the id, whatever those between said',
      async run(t) {
        const q = await t.open()
        await q.claim()
        const draft = { id: 'x', delayMs: t.s(10), replace: true }
        await q.append({ ...draft, body: '0' })
        await t.advance(t.s(5))
        await q.append({ ...draft, body: '1' })
        await t.advance(t.s(5))
        await q.append({ ...draft, body: '2', maxDelayMs: t.s(15) })
        await t.until(t.s(5), async () => {
          await q.takes([], 'before the first has waited for its longest')
        })
        const [held] = await q.takes(['2'], 'when the first has waited for its longest')
        // What comes now is the first again.
        equal(
          await q.sendOne({ ...draft, body: '3', maxDelayMs: t.s(15) }),
          'stored',
          'behind what is leased',
        )
        await t.advance(t.s(9))
        await q.ack(held!)
        equal(await q.sendOne({ ...draft, body: '4', maxDelayMs: t.s(15) }), 'replaced', 'the second time')
        await t.until(t.s(6), async () => {
          await q.takes([], 'before the new first has waited for its longest')
        })
        await q.takes(['4'], 'when it has')
      },
    },
    {
      name: 'does not put off with maxDelayMs what is sent first',
      async run(t) {
        const q = await t.open()
        await q.claim()
        await q.append({ body: 'a', id: 'x', delayMs: t.s(10), maxDelayMs: t.s(5), replace: true })
        await t.until(t.s(10), async () => {
          await q.takes([], 'before it is due')
        })
        await q.takes(['a'], 'when it is due')
      },
    },
    {
      name: 'makes a waiting message wait for its delay',
      async run(t) {
        const q = await t.open()
        await q.claim()
        await q.send({ body: 'old', id: 'x' }, 'other')
        equal(
          await q.sendOne({ body: 'new', id: 'x', delayMs: t.s(10), replace: true }),
          'replaced',
          'result',
        )
        await q.count({ ready: 1, delayed: 1 }, 'counts')
        await t.until(t.s(10), async () => {
          await q.takes(['other'], 'before it is due')
        })
        await q.takes(['new'], 'when it is due')
      },
    },
    {
      name: 'keeps the order of an ordering key',
      needs: [IDS_WITH_KEYS],
      async run(t) {
        const q = await t.open()
        await q.send(
          { body: 'a', id: 'a', key: 'k' },
          { body: 'b', id: 'b', key: 'k' },
          { body: 'c', id: 'c', key: 'k' },
        )
        const a = await q.takeOne()
        equal(await q.sendOne({ body: 'B', id: 'b', key: 'k', replace: true }), 'replaced', 'behind its key')
        await q.ack(a)
        const b = await q.takeOne()
        equal(b.body, 'B', 'the next')
        await q.retry(b, { delayMs: t.s(5) })
        equal(
          await q.sendOne({ body: 'BB', id: 'b', key: 'k', replace: true }),
          'replaced',
          'the head that waits',
        )
        await t.advance(t.s(5))
        const bb = await q.takeOne()
        equal(bb.body, 'BB', 'the next')
        await q.ack(bb)
        await q.takes(['c'], 'the last')
      },
    },
    {
      name: 'can change the ordering key',
      needs: [IDS_WITH_KEYS],
      async run(t) {
        const q = await t.open()
        await q.send({ body: 'head', key: 'k' }, { body: 'old', id: 'x', key: 'k' })
        const head = await q.takeOne()
        equal(await q.sendOne({ body: 'new', id: 'x', key: 'l', replace: true }), 'replaced', 'result')
        const held = await q.takeOne()
        equal([held.body, held.key], ['new', 'l'], 'the new one, free of the old key')
        await q.ack(head, held)
        await q.takes([], 'other deliveries')
        equal((await q.stats()).messages, 0, 'messages left')
      },
    },
    {
      name: 'replaces it for later groups too, wherever it waited in those that exist',
      needs: [IDS_WITH_KEYS],
      async run(t) {
        const q = await t.open()
        await q.send({ body: 'old', id: 'x' }, { body: 'head', key: 'k' }, { body: 'old', id: 'y', key: 'k' })
        const held = await q.take({ leaseMs: t.s(60) })
        await q.retry(
          held.find(({ id }) => id === 'x')!,
          { delayMs: t.s(10) },
        )
        equal(
          await q.sendOne({ body: 'X', id: 'x', replace: true }),
          'replaced',
          'one that waits for a retry',
        )
        equal(
          await q.sendOne({ body: 'Y', id: 'y', key: 'k', replace: true }),
          'replaced',
          'one behind its key',
        )
        const late = q.as('late')
        const first = await late.take()
        equal(sortedBodies(first), ['X', 'head'], 'the later group')
        await late.ack(...first)
        await late.takes(['Y'], 'the later group after the head')
      },
    },
    {
      name: 'replaces a redriven message once, where it expired before its group had come so far',
      async run(t) {
        const q = await t.open()
        await q.send('first', { body: 'old', id: 'x', expiresInMs: t.s(10) })
        await t.advance(t.s(10))
        await q.takes(['first'], 'deliveries', { limit: 1 })
        // When exactly it becomes a dead letter is open.
        const letters = await q.dead()
        for (const letter of letters) {
          await q.retry(letter)
          equal(await q.sendOne({ body: 'new', id: 'x', replace: true }), 'replaced', 'result')
        }
        await q.takes(
          letters.map(() => 'new'),
          'deliveries',
        )
        await q.takes([], 'further deliveries')
      },
    },
    {
      name: 'is done once, whatever waits beside it',
      async run(t) {
        const q = await t.open()
        await q.send({ body: 'a', id: 'a' }, { body: 'b', id: 'b' }, 'c', { body: 'd', id: 'd' })
        const results = await q.append(
          { body: 'A', id: 'a', replace: true },
          { body: 'new' },
          { body: 'dup', id: 'b' },
          { body: 'D', id: 'd', replace: true },
        )
        equal(
          results.map(({ status }) => status),
          ['replaced', 'stored', 'duplicate', 'replaced'],
          'statuses',
        )
        equal(sortedBodies(await q.take()), ['A', 'D', 'b', 'c', 'new'], 'deliveries')
        await t.advance(t.s(31))
        equal((await q.take()).length, 5, 'deliveries after the leases')
      },
    },
  ],
}
