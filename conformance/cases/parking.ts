import { DEDUPLICATION, FIFO, IDS_WITH_KEYS, ORDERING_KEYS, PARKING, type Section } from '../case.ts'
import type { Delivery } from '../../src/core/index.ts'
import { equal, ok } from '../assert.ts'
import { type Draft, type Scene, type View, bodiesOf, names, sortedBodies } from '../scene.ts'

const BEHIND = 'behind a dead letter'

/** Sends a message and parks it. Answers with its id. */
async function sendToPark(q: View, draft: Draft, reason?: string): Promise<string> {
  const [id] = await q.send(draft)
  await q.park(await q.takeOne(), reason)
  return id!
}

function parkedOf(q: View): ReturnType<View['list']> {
  return q.list({ states: ['parked'] })
}

/** Messages of one key, the first of which dies and has the next parked. Answers with their ids. */
async function sendBehind(t: Scene, q: View): Promise<string[]> {
  const ids = await q.send(...names('m', 4).map((body) => ({ body, key: 'k' })))
  const held = await q.takeOne({ limit: 1 })
  await t.advance(t.s(1))
  const { receipt } = held
  const statuses = await q.statuses({ receipt, kind: 'dead', reason: 'rejected', parksNext: true })
  equal(statuses, ['settled'], 'statuses')
  return ids
}

export const parking: Section = {
  name: 'parking',
  needs: [PARKING],
  cases: [
    {
      name: 'keeps a message with its reason and data, and hands it to nobody',
      async run(t) {
        const q = await t.open()
        const [id] = await q.send({ body: 'a', headers: { h: '1' }, maxAttempts: 5 })
        const before = (await q.list())[0]!
        await q.retry(await q.takeOne(), { error: 'boom' })
        await q.park(await q.takeOne(), 'no such address', '{"field":"to"}')
        await t.advance(t.s(3600))
        await q.takes([], 'deliveries')
        const [listed, ...others] = await q.list()
        equal(others, [], 'others')
        const { parked, ...rest } = listed!
        equal(
          rest,
          {
            id,
            state: 'parked',
            body: 'a',
            headers: { h: '1' },
            timestamp: before.timestamp,
            attempt: 2,
            maxAttempts: 5,
          },
          'the list',
        )
        equal([parked?.reason, parked?.data], ['no such address', '{"field":"to"}'], 'reason and data')
        equal(await parkedOf(q), [listed], 'the list of what is parked')
        equal(await q.list({ states: ['delayed', 'ready', 'leased', 'blocked', 'dead'] }), [], 'other states')
        equal(await q.list({ ids: [id!] }), [listed], 'the list by its id')
      },
    },
    {
      name: 'says when it was parked, and shows no data where there is none',
      async run(t) {
        const q = await t.open()
        await sendToPark(q, 'a', 'why')
        const [listed] = await parkedOf(q)
        t.isNow(listed!.parked?.at, 'at')
        equal({ ...listed!.parked, at: 0 }, { reason: 'why', at: 0 }, 'parked')
      },
    },
    {
      name: 'counts as parked and as a message, and neither as failed nor as acked',
      async run(t) {
        const q = await t.open()
        await sendToPark(q, 'a')
        await q.count(
          { ready: 0, leased: 0, delayed: 0, blocked: 0, parked: 1, dead: 0, acked: 0, failed: 0 },
          'counts',
        )
        equal((await q.stats()).messages, 1, 'messages')
        const { nextInMs } = await q.claim()
        equal(nextInMs, undefined, 'nextInMs')
      },
    },
    {
      name: 'ends the lease: its receipt is stale',
      async run(t) {
        const q = await t.open()
        await q.send('a')
        const held = await q.takeOne()
        await q.park(held)
        const { receipt } = held
        equal(
          await q.statuses(
            { receipt, kind: 'ack' },
            { receipt, kind: 'park', reason: 'again' },
            { receipt, kind: 'extend', leaseMs: t.s(10) },
            { receipt, kind: 'retry', delayMs: 0 },
          ),
          ['stale', 'stale', 'stale', 'stale'],
          'statuses',
        )
        await q.count({ parked: 1 }, 'counts')
      },
    },
    {
      name: 'takes no receipts of dead letters',
      async run(t) {
        const q = await t.open()
        await q.send('a')
        await q.bury(await q.takeOne())
        const [letter] = await q.dead()
        const statuses = await q.statuses({ receipt: letter!.receipt!, kind: 'park', reason: 'x' })
        equal(statuses, ['stale'], 'statuses')
        await q.count({ parked: 0, dead: 1 }, 'counts')
      },
    },
    {
      name: 'is settled with a late receipt that nobody else has, and with a claim',
      async run(t) {
        const q = await t.open()
        await q.send('a', 'b')
        const held = await q.take({ leaseMs: t.s(10) })
        await t.advance(t.s(10))
        await q.park(held[0]!)
        const { receipt } = held[1]!
        const { settled, deliveries } = await q.claim({ settle: [{ receipt, kind: 'park', reason: 'x' }] })
        equal([settled, deliveries], [[{ status: 'settled' }], []], 'answer of the claim')
        await q.count({ parked: 2 }, 'counts')
      },
    },
    {
      name: 'one that has expired by then becomes a dead letter at once, with the reason as its error',
      async run(t) {
        const q = await t.open()
        await q.send({ body: 'a', expiresInMs: t.s(10) })
        const held = await q.takeOne({ leaseMs: t.s(60) })
        await t.advance(t.s(20))
        await q.park(held, 'why')
        const [letter] = await q.dead()
        equal([letter?.reason, letter?.lastError], ['expired', 'why'], 'the dead letter')
        await q.count({ parked: 0, dead: 1 }, 'counts')
      },
    },
    {
      name: 'a message that is parked expires, with the reason as its error',
      async run(t) {
        const q = await t.open()
        await q.send({ body: 'a', expiresInMs: t.s(10) })
        await q.park(await q.takeOne(), 'why')
        await t.until(t.s(10), async () => {
          equal(await q.afterNothing('before it expires'), [], 'dead letters before')
        })
        await q.count({ parked: 0 }, 'counts before a claim')
        const [letter] = await q.afterNothing('what has expired')
        equal([letter?.reason, letter?.lastError, letter?.attempt], ['expired', 'why', 1], 'the dead letter')
        await q.count({ parked: 0, dead: 1 }, 'counts')
      },
    },
    {
      name: 'blocks its ordering key, and no other',
      needs: [ORDERING_KEYS],
      async run(t) {
        const q = await t.open()
        await q.send({ body: 'a', key: 'k' }, { body: 'b', key: 'k' }, { body: 'other', key: 'l' }, 'none')
        const held = await q.take()
        await q.park(held.find(({ body }) => body === 'a')!)
        await q.send({ body: 'c', key: 'k' })
        await q.takes([], 'behind what is parked')
        await t.advance(t.s(3600))
        equal((await q.take()).length, 2, 'leases that were lost')
        await q.count({ parked: 1, blocked: 2 }, 'counts')
      },
    },
    {
      name: 'frees its ordering key when it expires',
      needs: [ORDERING_KEYS],
      async run(t) {
        const q = await t.open()
        await q.send({ body: 'a', key: 'k', expiresInMs: t.s(10) }, { body: 'b', key: 'k' })
        await q.park(await q.takeOne())
        await q.takes([], 'behind what is parked')
        await t.advance(t.s(10))
        await q.takes(['b'], 'when it has expired')
      },
    },
    {
      name: 'lists what is parked in the order of the queue, page by page',
      needs: [FIFO],
      async run(t) {
        const q = await t.open()
        await q.send(...names('m', 7))
        const held = await q.take()
        for (const one of held.toReversed()) await q.park(one)
        equal(bodiesOf(await q.list({ states: ['parked'], limit: 2 })), names('m', 7), 'bodies')
      },
    },
    {
      name: 'resume: it is due at once, and its attempts are counted anew',
      async run(t) {
        const q = await t.open()
        const [id] = await q.send({ body: 'a', headers: { h: '1' }, maxAttempts: 2 })
        await q.retry(await q.takeOne())
        await q.park(await q.takeOne())
        const there = await t.openElsewhere()
        equal(await there.resume([id!]), [true], 'result')
        await q.count({ parked: 0, ready: 1 }, 'counts')
        const held = await q.takeOne()
        equal(
          [held.id, held.body, held.headers, held.attempt, held.lastError],
          [id, 'a', { h: '1' }, 1, undefined],
          'delivery',
        )
        await q.retry(held)
        await q.ack(await q.takeOne())
      },
    },
    {
      name: 'resume: finds a message by an id of its own, and one that the storage made',
      needs: [DEDUPLICATION],
      async run(t) {
        const q = await t.open()
        const ids = await q.send({ body: 'a', id: 'mine' }, ...names('m', 300))
        for (const held of await q.take({ limit: 400 })) await q.park(held)
        equal(await q.resume(['mine', ids[1]!, ids[300]!]), [true, true, true], 'results')
        equal((await q.take()).length, 3, 'deliveries')
        await q.count({ parked: 298, leased: 3 }, 'counts')
      },
    },
    {
      name: 'resume: answers false where nothing is parked, and changes nothing',
      async run(t) {
        const q = await t.open()
        const [done, leased, dead, retried] = await q.send('done', 'leased', 'dead', 'retried')
        const held = await q.take()
        const of = (body: string): (typeof held)[number] => held.find((one) => one.body === body)!
        await q.ack(of('done'))
        await q.bury(of('dead'))
        await q.retry(of('retried'), { delayMs: t.s(10) })
        const [ready] = await q.send('ready')
        const [delayed] = await q.send({ body: 'delayed', delayMs: t.s(10) })
        const ids = [done!, leased!, dead!, retried!, ready!, delayed!, 'unknown']
        equal(
          await q.resume(ids),
          ids.map(() => false),
          'results',
        )
        equal(await q.resume([]), [], 'nothing')
        await q.count({ ready: 1, leased: 1, delayed: 2, dead: 1, parked: 0 }, 'counts')
      },
    },
    {
      name: 'resume: a second time answers false, and retryNow does as well',
      async run(t) {
        const q = await t.open()
        const id = await sendToPark(q, 'a')
        equal(await q.retryNow(id), [false], 'retryNow')
        await t.advance(t.s(1))
        await q.count({ parked: 1, ready: 0 }, 'counts after retryNow')
        equal(await q.resume([id, id]), [true, false], 'results')
        equal(await q.resume([id]), [false], 'again')
        equal(await q.retryNow(id), [false], 'retryNow of what is due')
        await q.takes(['a'], 'deliveries')
      },
    },
    {
      name: 'resume: in every group, or in one',
      async run(t) {
        const q = await t.open()
        const other = q.as('other')
        await other.claim()
        const [id] = await q.send('a')
        const park = async (): Promise<void> => {
          await q.park(await q.takeOne())
          await other.park(await other.takeOne())
        }
        await park()
        equal(await q.resume([id!], { group: 'other' }), [true], 'in one group')
        await q.takes([], 'in the group where it stays parked')
        equal(await q.resume([id!], { group: 'other' }), [false], 'in one group again')
        equal(await q.resume([id!], { group: 'nobody' }), [false], 'in a group that does not exist')
        await other.park(await other.takeOne())
        equal(await q.resume([id!]), [true], 'in all')
        await park()
        await q.count({ parked: 1 }, 'counts')
      },
    },
    {
      name: 'resume: before those that it blocks',
      needs: [ORDERING_KEYS],
      async run(t) {
        const q = await t.open()
        const [id] = await q.send(...names('m', 3).map((body) => ({ body, key: 'k' })))
        await q.park(await q.takeOne())
        await q.takes([], 'behind what is parked')
        await q.resume([id!])
        for (const body of names('m', 3)) {
          const held = await q.takeOne()
          equal(held.body, body, 'the next of the key')
          await q.ack(held)
        }
      },
    },
    {
      name: 'resume: finds a parked message by an id that a later one has by now, whichever came first',
      needs: [DEDUPLICATION],
      async run(t) {
        const q = await t.open()
        const other = q.as('other')
        await other.claim()
        for (const parksFirst of [true, false]) {
          await q.send({ body: 'old', id: 'x' })
          const held = await q.takeOne()
          const [there] = await other.take()
          if (parksFirst) await q.park(held)
          // Somebody works on it, so that what comes now is news.
          equal(await q.sendOne({ body: 'new', id: 'x', replace: true }), 'stored', 'result')
          if (!parksFirst) await q.park(held)
          await q.ack(await q.takeOne())
          await other.ack(there!, await other.takeOne())
          equal(await other.resume(['x'], { group: 'other' }), [false], 'in another group')
          equal(await q.resume(['x']), [true], 'resumed')
          equal(await q.resume(['x']), [false], 'again')
          await q.ack(...(await q.takes(['old'], 'deliveries')))
          await q.count({ parked: 0, ready: 0 }, 'counts')
        }
      },
    },
    {
      name: 'resume: where several of an id are parked all go on, and of them the last is edited',
      needs: [DEDUPLICATION],
      async run(t) {
        const q = await t.open()
        const hold = async (body: string): Promise<Delivery> => {
          // Somebody works on the one before, so that this is news.
          equal(await q.sendOne({ body, id: 'x', replace: true }), 'stored', `result of ${body}`)
          return await q.takeOne()
        }
        const held = [await hold('a'), await hold('b'), await hold('c')]
        for (const one of held) await q.park(one)
        equal(await q.resume(['x'], { edit: { body: 'C' } }), [true], 'edited')
        await q.count({ parked: 2, ready: 1 }, 'counts')
        equal(await q.resume(['x']), [true], 'resumed')
        equal(sortedBodies(await q.take()), ['C', 'a', 'b'], 'deliveries')
      },
    },
    {
      name: 'resume: not what has expired of those of an id, nor what was purged',
      needs: [DEDUPLICATION],
      async run(t) {
        const q = await t.open()
        const hide = async (draft: { expiresInMs?: number }): Promise<void> => {
          await q.send({ body: 'old', id: 'x', ...draft })
          const held = await q.takeOne()
          await q.sendOne({ body: 'new', id: 'x', replace: true })
          await q.park(held)
          await q.ack(await q.takeOne())
        }
        await hide({ expiresInMs: t.s(10) })
        await t.advance(t.s(10))
        equal(await q.resume(['x']), [false], 'what has expired')
        equal(
          (await q.afterNothing('what has expired')).map(({ reason }) => reason),
          ['expired'],
          'dead letters',
        )
        await hide({})
        await q.storage.purge()
        equal(await q.resume(['x']), [false], 'what was purged')
        await q.takes([], 'deliveries')
      },
    },
    {
      name: 'edit: it carries something else from then on, and nothing of what it carried',
      needs: [DEDUPLICATION],
      async run(t) {
        const q = await t.open()
        const draft = { body: 'old', id: 'x', headers: { a: '1' }, maxAttempts: 2, dedupeMs: t.s(60) }
        const id = await sendToPark(q, draft)
        await t.advance(t.s(5))
        const edit = { body: 'new', headers: { b: '2' }, maxAttempts: 7 }
        equal(await q.resume([id], { edit }), [true], 'result')
        const [listed] = await q.list()
        equal([listed?.body, listed?.headers, listed?.maxAttempts], ['new', { b: '2' }, 7], 'the list')
        const held = await q.takeOne()
        equal(
          [held.id, held.body, held.headers, held.maxAttempts, held.attempt],
          ['x', 'new', { b: '2' }, 7, 1],
          'the delivery',
        )
        t.isNow(held.timestamp, 'timestamp')
        await q.park(held)
        equal(await q.resume([id], { edit: { body: 'newer' } }), [true], 'result of the second edit')
        const again = await q.takeOne({ maxAttempts: 9 })
        equal([again.body, again.headers, again.maxAttempts], ['newer', undefined, 9], 'the second delivery')
        await q.ack(again)
        equal(await q.sendOne({ body: 'dup', id: 'x' }), 'duplicate', 'its id, by its dedupeMs')
      },
    },
    {
      name: 'edit: keeps id and key, and the order of the key',
      needs: [IDS_WITH_KEYS],
      async run(t) {
        const q = await t.open()
        await q.send({ body: 'a', key: 'k', id: 'a' }, { body: 'b', key: 'k' })
        await q.park(await q.takeOne())
        await q.takes([], 'behind what is parked')
        equal(await q.resume(['a'], { edit: { body: 'A' } }), [true], 'result')
        const held = await q.takeOne()
        equal([held.body, held.id, held.key], ['A', 'a', 'k'], 'delivery')
        await q.ack(held)
        await q.takes(['b'], 'the next')
      },
    },
    {
      name: 'edit: of one that was behind its key',
      needs: [ORDERING_KEYS],
      async run(t) {
        const q = await t.open()
        const ids = await q.send(...names('m', 3).map((body) => ({ body, key: 'k' })))
        const first = await q.takeOne()
        await q.takes([], 'behind the first')
        await q.ack(first)
        await q.park(await q.takeOne())
        equal(await q.resume([ids[1]!], { edit: { body: 'M' } }), [true], 'result')
        await q.ack(...(await q.takes(['M'], 'the edited one')))
        await q.takes(['m-2'], 'the last')
      },
    },
    {
      name: 'edit: brings its own time to live, or keeps the one there is',
      async run(t) {
        const q = await t.open()
        const ids = await q.send(
          ...['a', 'b', 'c'].map((body) => ({ body, expiresInMs: body === 'c' ? t.s(3600) : t.s(20) })),
        )
        for (const held of await q.take()) await q.park(held)
        await t.advance(t.s(10))
        equal(await q.resume([ids[0]!], { edit: { body: 'kept' } }), [true], 'with the one there is')
        equal(await q.resume([ids[1]!], { edit: { body: 'longer', expiresInMs: t.s(60) } }), [true], 'longer')
        equal(
          await q.resume([ids[2]!], { edit: { body: 'shorter', expiresInMs: t.s(10) } }),
          [true],
          'shorter',
        )
        await t.until(t.s(10), async () => {
          await q.count({ ready: 3 }, 'counts before two of them expire')
        })
        await q.takes(['longer'], 'deliveries')
        equal(sortedBodies(await q.dead()), ['kept', 'shorter'], 'dead letters')
      },
    },
    {
      name: 'edit: only in the groups in which it was parked',
      async run(t) {
        const q = await t.open()
        const other = q.as('other')
        await other.claim()
        const id = await sendToPark(q, 'old')
        equal(await q.resume([id], { edit: { body: 'new' } }), [true], 'result')
        await q.takes(['new'], 'in its group')
        await other.takes(['old'], 'in the other')
      },
    },
    {
      name: 'edit: not in a group that began before, however much of it that has yet to take over',
      async run(t) {
        const q = await t.open()
        const ids = await q.send(...names('m', 6))
        for (const held of await q.take()) await q.park(held)
        const late = q.as('late')
        await late.claim({ limit: 0 })
        equal(await q.resume([ids[5]!], { edit: { body: 'new' } }), [true], 'result')
        await late.takes(names('m', 6), 'in the later group')
        await q.takes(['new'], 'in its group')
      },
    },
    {
      name: 'edit: a group that begins later, and one that does not exist, get what all that have it were edited to',
      async run(t) {
        const q = await t.open()
        const other = q.as('other')
        await other.claim()
        await q.claim()
        const drafts = [
          { body: 'made' },
          ...(t.guarantees.deduplication ? [{ body: 'own', id: 'own' }] : []),
          { body: 'delayed', delayMs: t.s(1) },
          ...(t.guarantees.orderingKeys
            ? [
                { body: 'keyed', key: 'k' },
                { body: 'behind', key: 'k' },
              ]
            : []),
          { body: 'leased' },
          { body: 'parked' },
          { body: 'retried' },
        ].flatMap((one) =>
          t.guarantees.lanes === false || 'id' in one ? [one] : [one, { ...one, lane: 'l' }],
        )
        const ids = await q.send(...drafts)
        await t.advance(t.s(1))
        const parked = drafts.filter(({ body }) => body !== 'behind')
        for (const group of [q, other])
          for (const one of await group.take({ leaseMs: t.s(600) })) await group.park(one)
        for (const [i, draft] of drafts.entries()) {
          const edit = { body: `new ${draft.body}`, headers: { is: 'edited' } }
          if (parked.includes(draft))
            equal(await q.resume([ids[i]!], { edit }), [true], `the edit of ${draft.body}`)
        }
        for (const one of await q.take({ leaseMs: t.s(600) })) {
          if (one.body === 'new parked') await q.park(one)
          else if (one.body !== 'new leased') await q.retry(one, { delayMs: t.s(60) })
        }
        const expected = drafts.map((one) => (parked.includes(one) ? `new ${one.body}` : one.body)).sort()
        const late = q.as('late')
        equal(sortedBodies(await late.list()), expected, 'the list')
        equal(sortedBodies(await late.list({ ids })), expected, 'the list by ids')
        await late.claim({ limit: 0 })
        equal(sortedBodies(await late.list()), expected, 'the list of one that has begun')
        equal(sortedBodies(await late.list({ ids })), expected, 'the list by ids of one that has begun')
      },
    },
    {
      name: 'edit: in a group that begins later once the last that has it as it was is done, however that ended',
      async run(t) {
        for (const end of ['ack', 'dead', 'delete'] as const) {
          const q = await t.open(end)
          const other = q.as('other')
          await other.claim()
          await q.claim()
          const [id] = await q.send({ body: 'old', expiresInMs: t.s(20) })
          const held = await other.takeOne({ leaseMs: t.s(60) })
          await q.park(await q.takeOne())
          const edit = { body: 'new', expiresInMs: t.s(600) }
          equal(await q.resume([id!], { edit }), [true], 'result')
          const late = q.as('late')
          const shown = bodiesOf(await late.list())
          equal(bodiesOf(await late.list({ ids: [id!] })), shown, 'by its id, while groups differ')
          if (end === 'ack') await other.ack(held)
          else if (end === 'dead') await other.bury(held)
          else await other.storage.deleteGroup(other.group)
          equal(bodiesOf(await late.list()), ['new'], `the list after ${end}`)
          equal(bodiesOf(await late.list({ ids: [id!] })), ['new'], `by its id after ${end}`)
          await t.advance(t.s(30))
          await late.takes(['new'], `in the later group after ${end}`)
          await q.takes(['new'], `in its group after ${end}`)
          if (end !== 'dead') continue
          await other.retry((await other.dead())[0]!)
          await other.takes(['old'], 'what was redriven')
        }
      },
    },
    {
      name: 'what has expired cannot be resumed',
      async run(t) {
        const q = await t.open()
        const id = await sendToPark(q, { body: 'a', expiresInMs: t.s(10) })
        await t.advance(t.s(10))
        equal(await q.resume([id], { edit: { body: 'new', expiresInMs: t.s(60) } }), [false], 'result')
        equal(bodiesOf(await q.afterNothing('what has expired')), ['a'], 'dead letters')
      },
    },
    {
      name: 'a replacement ends it, with or without a delay',
      needs: [DEDUPLICATION],
      async run(t) {
        const q = await t.open()
        const other = q.as('other')
        await other.claim()
        await sendToPark(q, { body: 'old', id: 'x' })
        equal(await q.sendOne({ body: 'dup', id: 'x' }), 'duplicate', 'another of the id')
        equal(await q.sendOne({ body: 'new', id: 'x', replace: true }), 'replaced', 'result')
        await q.count({ parked: 0, ready: 1 }, 'counts')
        const held = await q.takeOne()
        equal([held.body, held.attempt], ['new', 1], 'delivery')
        await q.park(held)
        equal(
          await q.sendOne({ body: 'newer', id: 'x', delayMs: t.s(10), replace: true }),
          'replaced',
          'result with a delay',
        )
        await q.count({ parked: 0, delayed: 1 }, 'counts with a delay')
        await t.advance(t.s(10))
        await q.takes(['newer'], 'after the delay')
        await other.takes(['newer'], 'the other group')
      },
    },
    {
      name: 'cancel ends it, and frees its key and its id',
      needs: [IDS_WITH_KEYS],
      async run(t) {
        const q = await t.open()
        await q.send({ body: 'a', id: 'x', key: 'k' }, { body: 'b', key: 'k' })
        await q.park(await q.takeOne())
        await q.takes([], 'behind what is parked')
        equal(await q.cancel('x'), [true], 'result')
        await q.count({ parked: 0 }, 'counts')
        equal(await q.resume(['x']), [false], 'resume')
        await q.takes(['b'], 'the next of the key')
        equal(await q.sendOne({ body: 'c', id: 'x' }), 'stored', 'the id again')
      },
    },
    {
      name: 'purge and deleteGroup end it',
      async run(t) {
        const q = await t.open()
        const first = await sendToPark(q, 'a')
        await q.storage.purge()
        equal([await parkedOf(q), await q.resume([first])], [[], [false]], 'after purge')
        await q.count({ parked: 0 }, 'counts after purge')
        const second = await sendToPark(q, 'b')
        await q.storage.deleteGroup(q.group)
        equal(await q.resume([second]), [false], 'after deleteGroup')
        equal((await q.stats()).messages, 0, 'messages')
      },
    },
    {
      name: 'a later group gets what another has parked',
      async run(t) {
        const q = await t.open()
        const id = await sendToPark(q, 'a')
        await q.as('late').ack(...(await q.as('late').takes(['a'], 'the later group')))
        await q.count({ parked: 1 }, 'counts of the first')
        equal(await q.resume([id]), [true], 'resume')
        await q.takes(['a'], 'the first group')
        await q.as('late').takes([], 'the later group after the resume')
      },
    },
    {
      name: 'a parked message that became a dead letter is redriven, delivered and done',
      async run(t) {
        const q = await t.open()
        await sendToPark(q, { body: 'a', expiresInMs: t.s(10) })
        await t.advance(t.s(10))
        const [letter] = await q.afterNothing('what has expired')
        await q.retry(letter!)
        await q.ack(await q.takeOne())
        equal([await q.all(), (await q.stats()).messages], [[], 0], 'what is left')
      },
    },
    {
      name: 'parksNext: the next of the key is parked, and those behind it wait',
      needs: [ORDERING_KEYS],
      async run(t) {
        const q = await t.open()
        const ids = await sendBehind(t, q)
        await q.takes([], 'behind the dead letter')
        const [parked, ...others] = await parkedOf(q)
        equal(others, [], 'others that are parked')
        equal(
          [parked?.id, parked?.parked?.reason, parked?.parked?.data, parked?.attempt],
          [ids[1], BEHIND, undefined, 0],
          'what is parked',
        )
        await q.count({ dead: 1, parked: 1, ready: 0, blocked: 2, delayed: 0 }, 'counts')
        equal(await q.resume([ids[1]!]), [true], 'resume')
        for (const body of ['m-1', 'm-2', 'm-3']) await q.ack(...(await q.takes([body], body)))
      },
    },
    {
      name: 'parksNext: whether a claim has passed the next of the key or not',
      needs: [ORDERING_KEYS, FIFO],
      async run(t) {
        for (const passed of [true, false]) {
          const q = await t.open(`passed: ${passed}`)
          await q.send({ body: 'a', key: 'k' }, 'between', { body: 'b', key: 'k' }, { body: 'c', key: 'k' })
          const [held] = await q.take(passed ? {} : { limit: 1 })
          const { receipt } = held!
          await q.statuses({ receipt, kind: 'dead', reason: 'rejected', parksNext: true })
          ok(!bodiesOf(await q.take()).includes('b'), 'b was delivered')
          equal(bodiesOf(await parkedOf(q)), ['b'], 'what is parked')
        }
      },
    },
    {
      name: 'parksNext: the first that comes, where none waits, as long as the dead letter is kept',
      needs: [ORDERING_KEYS],
      async run(t) {
        const q = await t.open()
        for (const gone of [false, true]) {
          await q.send({ body: `a ${gone}`, key: `k ${gone}` })
          const { receipt } = await q.takeOne()
          await q.statuses({ receipt, kind: 'dead', reason: 'rejected', parksNext: true })
          if (gone) await q.ack((await q.dead()).find(({ body }) => body === 'a true')!)
          await q.send({ body: `b ${gone}`, key: `k ${gone}` }, { body: `c ${gone}`, key: `k ${gone}` })
          await t.advance(t.s(1))
          await q.takes(gone ? ['b true'] : [], 'deliveries')
        }
        equal(bodiesOf(await parkedOf(q)), ['b false'], 'what is parked')
      },
    },
    {
      name: 'parksNext: parks nothing of another key, of another group, or without a key',
      needs: [ORDERING_KEYS],
      async run(t) {
        const q = await t.open()
        const other = q.as('other')
        await other.claim()
        await q.send({ body: 'a', key: 'k' }, 'none', { body: 'b', key: 'l' }, { body: 'c', key: 'k' })
        const held = await q.take()
        const [a, none] = ['a', 'none'].map((body) => held.find((one) => one.body === body)!)
        for (const { receipt } of [a!, none!])
          await q.statuses({ receipt, kind: 'dead', reason: 'rejected', parksNext: true })
        await q.send('more', { body: 'd', key: 'l' })
        await q.takes(['more'], 'deliveries')
        equal(bodiesOf(await parkedOf(q)), ['c'], 'what is parked')
        await other.ack(...(await other.take()))
        await other.count({ parked: 0 }, 'counts of the other group')
      },
    },
    {
      name: 'parksNext: also of what a claim finds exhausted or expired',
      needs: [ORDERING_KEYS],
      async run(t) {
        const q = await t.open()
        await q.send(
          { body: 'a', key: 'k', maxAttempts: 1 },
          { body: 'b', key: 'k' },
          { body: 'c', key: 'l', expiresInMs: t.s(20) },
          { body: 'd', key: 'l' },
        )
        for (const held of await q.take({ leaseMs: t.s(10), parksNext: true }))
          if (held.body === 'c') await q.retry(held, { delayMs: t.s(15) })
        await q.takes([], 'before anything dies', { parksNext: true })
        await t.advance(t.s(20))
        await q.takes([], 'when both are dead', { parksNext: true })
        equal(sortedBodies(await q.dead()), ['a', 'c'], 'dead letters')
        equal(sortedBodies(await parkedOf(q)), ['b', 'd'], 'what is parked')
      },
    },
    {
      name: 'parksNext: a dead letter that is redriven goes first, and what it had parked behind it',
      needs: [ORDERING_KEYS],
      async run(t) {
        const q = await t.open()
        await sendBehind(t, q)
        await q.takes([], 'behind the dead letter')
        const [letter] = await q.dead()
        await q.retry(letter!)
        await q.count({ parked: 0 }, 'counts')
        for (const body of names('m', 4)) await q.ack(...(await q.takes([body], body)))
      },
    },
    {
      name: 'parksNext: what waits behind a dead letter that was redriven is dropped by a cancel, and frees nobody',
      needs: [ORDERING_KEYS],
      async run(t) {
        const q = await t.open()
        const ids = await sendBehind(t, q)
        await q.takes([], 'behind the dead letter')
        await q.retry((await q.dead())[0]!)
        equal(await q.cancel(ids[1]!), [true], 'cancel')
        await q.count({ parked: 0 }, 'counts')
        const held = await q.takes(['m-0'], 'the redriven')
        await q.takes([], 'while it is on its way')
        await q.ack(...held)
        for (const body of ['m-2', 'm-3']) await q.ack(...(await q.takes([body], body)))
      },
    },
    {
      name: 'parksNext: a dead letter that is deleted leaves parked what it had parked',
      needs: [ORDERING_KEYS],
      async run(t) {
        const q = await t.open()
        const ids = await sendBehind(t, q)
        await q.takes([], 'behind the dead letter')
        await q.ack((await q.dead())[0]!)
        await q.takes([], 'after it was deleted')
        equal(await q.resume([ids[1]!]), [true], 'resume')
        await q.takes(['m-1'], 'after the resume')
      },
    },
    {
      name: 'without parksNext a dead letter frees its key',
      needs: [ORDERING_KEYS],
      async run(t) {
        const q = await t.open()
        await q.send({ body: 'a', key: 'k' }, { body: 'b', key: 'k' })
        await q.bury(await q.takeOne())
        await q.takes(['b'], 'the next')
        await q.count({ parked: 0 }, 'counts')
      },
    },
  ],
}
