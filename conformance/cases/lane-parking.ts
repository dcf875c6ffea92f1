import { CANCELLATION, IDS_WITH_KEYS, LANES, ORDERING_KEYS, PARKING, RESULTS, type Section } from '../case.ts'
import { equal } from '../assert.ts'
import { type Draft, type View, bodiesOf, names, sortedBodies } from '../scene.ts'
import type { Delivery } from '../../src/core/index.ts'
import { of } from './lanes.ts'

const BEHIND = 'behind a dead letter'

/** Sends a message of a lane and parks it. Answers with its id. */
async function sendToPark(q: View, draft: Draft): Promise<string> {
  const [id] = await q.send(draft)
  await q.park(await q.takeOne(), 'why')
  return id!
}

/** Has one die, and the next of its key parked. */
async function killAhead(q: View, { receipt }: { readonly receipt: string }): Promise<void> {
  equal(
    await q.statuses({ receipt, kind: 'dead', reason: 'rejected', parksNext: true }),
    ['settled'],
    'the status of the death',
  )
}

async function numbersOf(q: View): Promise<unknown> {
  return (await q.lanes()).map(({ lane, waiting, leased }) => [lane, waiting, leased])
}

/** Where lanes and parked messages, or what is kept of messages, meet. */
export const laneParking: Section = {
  name: 'lanes and what is parked or kept',
  needs: [LANES],
  cases: [
    {
      name: 'a parked message waits in its lane, and takes no place of it',
      needs: [PARKING],
      async run(t) {
        const q = await t.open()
        await q.send(...of('a', 3), ...of('b', 1))
        const lanes = { concurrency: 1 }
        const first = await q.take({ lanes })
        await q.park(first.find(({ lane }) => lane === 'a')!)
        const shown = (await q.lanes()).map(({ lane, waiting, leased }) => [lane, waiting, leased])
        equal(
          shown,
          [
            ['a', 3, 0],
            ['b', 0, 1],
          ],
          'lanes',
        )
        equal(bodiesOf(await q.take({ lanes })), ['a-1'], 'the next of its lane')
        equal(bodiesOf(await q.list({ lane: 'a', states: ['parked'] })), ['a-0'], 'the list of its lane')
        equal(await q.list({ lane: 'b', states: ['parked'] }), [], 'the list of another')
        await q.count({ parked: 1, ready: 1, leased: 2 }, 'the numbers')
      },
    },
    {
      name: 'a resumed message goes in its lane, and has turns with first deliveries',
      needs: [PARKING],
      async run(t) {
        const q = await t.open()
        const [id] = await q.send(...of('a', 4))
        await q.park((await q.take({ limit: 1 }))[0]!)
        equal(await q.resume([id!]), [true], 'the answer')
        const taken = await q.take({ limit: 2 })
        equal(sortedBodies(taken), ['a-0', 'a-1'], 'the next two')
        const again = taken.find(({ body }) => body === 'a-0')!
        equal([again.lane, again.attempt], ['a', 1], 'its lane and attempt')
      },
    },
    {
      name: 'an edited message keeps its lane',
      needs: [PARKING],
      async run(t) {
        const q = await t.open()
        const [id] = await q.send(...of('a', 1))
        await q.park(await q.takeOne())
        equal(await q.resume([id!], { edit: { body: 'new' } }), [true], 'the answer')
        const { body, lane } = await q.takeOne()
        equal([body, lane], ['new', 'a'], 'what comes')
      },
    },
    {
      name: 'what is resumed under a hold waits for its end',
      needs: [PARKING],
      async run(t) {
        const q = await t.open()
        const [id] = await q.send(...of('a', 2))
        await q.park((await q.take({ limit: 1 }))[0]!)
        await q.hold({ lane: 'a' })
        equal(await q.resume([id!]), [true], 'the answer')
        await q.takes([], 'under the hold')
        await q.release({ lane: 'a' })
        equal(sortedBodies(await q.take()), ['a-0', 'a-1'], 'after it')
      },
    },
    {
      name: 'a message that is leased under a hold can be parked, and the last of a lane leaves nothing ready',
      needs: [PARKING],
      async run(t) {
        const q = await t.open()
        const [id] = await q.send(...of('a', 1))
        const delivery = await q.takeOne()
        await q.hold({ lane: 'a' })
        await q.park(delivery)
        await q.release({ lane: 'a' })
        await q.takes([], 'what is parked')
        await t.advance(t.s(100))
        await q.takes([], 'what is parked still')
        await q.resume([id!])
        await q.takes(['a-0'], 'what is resumed')
      },
    },
    {
      name: 'a probe that is parked leaves the next to go alone',
      needs: [PARKING],
      async run(t) {
        const q = await t.open()
        await q.send(...of('a', 4))
        await q.hold({ lane: 'a' })
        await q.release({ lane: 'a', probe: true })
        await q.park(await q.takeOne())
        const second = await q.takeOne()
        await q.takes([], 'while the second is out')
        await q.ack(second)
        equal((await q.take()).length, 2, 'the rest')
      },
    },
    {
      name: 'a parked message blocks its key in its own lane only',
      needs: [PARKING, ORDERING_KEYS],
      async run(t) {
        const q = await t.open()
        const key = 'k'
        const [id] = await q.send(...of('a', 2, { key }), ...of('b', 2, { key }))
        const first = await q.take()
        const at = (lane: string): Delivery => first.find((one) => one.lane === lane)!
        await q.park(at('a'))
        await q.ack(at('b'))
        await q.takes(['b-1'], 'the next of the other lane')
        await q.resume([id!])
        await q.ack(await q.takeOne())
        await q.takes(['a-1'], 'the next of its lane')
      },
    },
    {
      name: 'a dead letter parks the next of its key in its own lane',
      needs: [PARKING, ORDERING_KEYS],
      async run(t) {
        const q = await t.open()
        const key = 'k'
        await q.send(...of('a', 2, { key }), ...of('b', 2, { key }))
        const first = await q.take()
        for (const { receipt, lane } of first) {
          await q.settle({ receipt, kind: 'dead', reason: 'rejected', parksNext: lane === 'a' })
        }
        await q.takes(['b-1'], 'the next of the other lane')
        equal(bodiesOf(await q.list({ states: ['parked'] })), ['a-1'], 'what is parked')
      },
    },
    {
      name: 'a parked message of a lane expires, or is cancelled',
      needs: [PARKING, CANCELLATION],
      async run(t) {
        const q = await t.open()
        const [, second] = await q.send(...of('a', 1, { expiresInMs: t.s(5) }), ...of('b', 1))
        for (const delivery of await q.take()) await q.park(delivery)
        equal(await q.cancel(second!), [true], 'the answer')
        await t.advance(t.s(5))
        await q.takes([], 'nothing')
        equal(
          (await q.dead()).map(({ lane, reason }) => [lane, reason]),
          [['a', 'expired']],
          'dead letters',
        )
        equal(await q.lanes(), [], 'lanes that are left')
        await q.ack(...(await q.dead()))
        const { messages, bytes } = await q.stats()
        equal([messages, bytes], [0, 0], 'what is left')
      },
    },
    {
      name: 'a late group gets what another has parked in a lane',
      needs: [PARKING],
      async run(t) {
        const q = await t.open()
        await q.send(...of('a', 2))
        for (const delivery of await q.take()) await q.park(delivery)
        equal(sortedBodies(await q.as('late').take()), ['a-0', 'a-1'], 'what it gets')
        await q.takes([], 'the group that parked them')
      },
    },
    {
      name: 'what is kept of a message of a lane is found, and listed by its lane',
      needs: [RESULTS],
      async run(t) {
        const q = await t.open()
        const [id] = await q.send(...of('a', 1, { keepMs: t.s(60) }), ...of('b', 1))
        const { receipt } = (await q.take()).find(({ lane }) => lane === 'a')!
        equal(await q.statuses({ receipt, kind: 'ack', value: 'well' }), ['settled'], 'the ack')
        const kept = await q.result(id!)
        equal([kept?.status, (kept as { value?: unknown })?.value], ['done', 'well'], 'the outcome')
        equal(
          (await q.list({ lane: 'a', states: ['done'] })).map((one) => [one.id, one.lane]),
          [[id, 'a']],
          'the list of its lane',
        )
        equal(await q.list({ lane: 'b', states: ['done'] }), [], 'the list of another')
        equal(
          (await q.lanes()).map(({ lane }) => lane),
          ['b'],
          'lanes: what is kept is in none',
        )
      },
    },
    {
      name: 'a replacement ends that it is parked',
      needs: [PARKING, IDS_WITH_KEYS],
      async run(t) {
        const q = await t.open()
        await sendToPark(q, { body: 'x', id: 'mine', lane: 'a' })
        equal(await q.sendOne({ body: 'y', id: 'mine', lane: 'a', replace: true }), 'replaced', 'in its lane')
        await q.park(await q.takeOne())
        equal(await q.sendOne({ body: 'z', id: 'mine', lane: 'b', replace: true }), 'replaced', 'in another')
        equal(await numbersOf(q), [['b', 1, 0]], 'lanes')
        const held = await q.takeOne()
        equal([held.body, held.lane], ['z', 'b'], 'the delivery')
      },
    },
    {
      name: 'the next of the key of a dead letter is parked, of its lane, and goes on behind a redrive',
      needs: [PARKING, ORDERING_KEYS],
      async run(t) {
        const q = await t.open()
        const ofKey = (lane: string): Draft[] => names(lane, 3).map((body) => ({ body, key: 'k', lane }))
        await q.send(...ofKey('a'), ...ofKey('b'))
        const [first, other] = await q.take()
        await killAhead(q, first!)
        await q.ack(other!)
        equal(bodiesOf(await q.take()), ['b-1'], 'deliveries')
        const [parked] = await q.list({ states: ['parked'] })
        equal([parked?.body, parked?.parked?.reason], ['a-1', BEHIND], 'what is parked')
        equal(
          await numbersOf(q),
          [
            ['a', 2, 0],
            ['b', 1, 1],
          ],
          'lanes',
        )
        await q.retry((await q.dead())[0]!)
        for (const body of names('a', 3)) {
          const held = await q.takeOne({ only: 'a' })
          equal(held.body, body, 'the next of the key')
          await q.ack(held)
        }
      },
    },
    {
      name: 'the first that comes behind a dead letter is parked, though nothing was left in its lane',
      needs: [PARKING, ORDERING_KEYS],
      async run(t) {
        const q = await t.open()
        const draft = { key: 'k', lane: 'a' }
        await q.send({ ...draft, body: 'x' })
        await killAhead(q, await q.takeOne())
        await q.takes([], 'nothing')
        equal(await q.lanes(), [], 'lanes')
        const [id] = await q.send({ ...draft, body: 'y' }, { ...draft, body: 'z' })
        await q.takes([], 'behind the dead letter')
        await q.count({ parked: 1, blocked: 1 }, 'counts')
        equal(await q.resume([id!]), [true], 'resume')
        for (const body of ['y', 'z']) {
          const held = await q.takeOne()
          equal(held.body, body, 'the next of the key')
          await q.ack(held)
        }
        equal(await q.lanes(), [], 'lanes in the end')
      },
    },
    {
      name: 'outcomes of messages of lanes are kept, whatever is acked besides',
      needs: [RESULTS],
      async run(t) {
        const q = await t.open()
        const keepMs = t.s(60)
        const ids = await q.send(
          ...of('a', 3, { keepMs }),
          ...of('b', 3),
          ...of('c', 2, { keepMs, delayMs: t.s(1) }),
        )
        await t.advance(t.s(1))
        const held = await q.take()
        const settlements = held.map(
          ({ receipt, body }) => ({ receipt, kind: 'ack', value: `value of ${String(body)}` }) as const,
        )
        equal(
          await q.statuses(...settlements),
          held.map(() => 'settled'),
          'statuses',
        )
        const outcomes = await q.results(...ids)
        equal(
          outcomes.map((one) => one?.status === 'done' && one.value),
          [
            ...names('a', 3).map((body) => `value of ${body}`),
            false,
            false,
            false,
            ...names('c', 2).map((body) => `value of ${body}`),
          ],
          'values',
        )
        const listed = await q.list({ states: ['done'] })
        equal(
          listed.map(({ lane }) => String(lane)).sort(),
          ['a', 'a', 'a', 'c', 'c'],
          'lanes of what is done',
        )
        equal((await q.list({ states: ['done'], lane: 'c' })).length, 2, 'what is done of a lane')
        equal(
          (await q.list({ states: ['done'], ids })).map(({ id }) => id).sort(),
          ids.filter((_, i) => i < 3 || i > 5).sort(),
          'by their ids',
        )
        equal(await q.lanes(), [], 'lanes')
        await t.advance(keepMs)
        await q.takes([], 'deliveries')
        equal(await q.list({ states: ['done'] }), [], 'when its time is over')
      },
    },
    {
      name: 'tells how far the handler of a message of a lane is, and why it died',
      needs: [RESULTS],
      async run(t) {
        const q = await t.open()
        const [id] = await q.send({ body: 'x', lane: 'a', keepMs: t.s(60) })
        const { receipt, keepMs } = await q.takeOne()
        equal(keepMs, t.s(60), 'keepMs')
        await q.statuses({ receipt, kind: 'extend', leaseMs: t.s(60), progress: '50 %' })
        equal({ ...(await q.result(id!)), at: 0 }, { status: 'running', progress: '50 %', at: 0 }, 'progress')
        const [listed] = await q.list()
        equal([listed?.lane, listed?.outcome?.status], ['a', 'running'], 'the list')
        await t.advance(t.s(60))
        equal(await q.result(id!), undefined, 'when the lease is over')
        await q.bury(await q.takeOne(), 'rejected', 'no')
        equal(
          { ...(await q.result(id!)), at: 0 },
          { status: 'dead', reason: 'rejected', error: 'no', at: 0 },
          'the outcome',
        )
        await q.ack((await q.dead())[0]!)
        const [done] = await q.list({ states: ['done'] })
        equal([done?.lane, done?.outcome?.status], ['a', 'dead'], 'once the dead letter is gone')
      },
    },
    {
      name: 'a replacement in a lane is put off no further than maxDelayMs says',
      needs: [IDS_WITH_KEYS],
      async run(t) {
        const q = await t.open()
        const draft = { id: 'mine', lane: 'a', delayMs: t.s(10), maxDelayMs: t.s(25), replace: true }
        equal(await q.sendOne({ ...draft, body: 'm-0' }), 'stored', 'the first')
        for (const body of ['m-1', 'm-2', 'm-3']) {
          await t.advance(t.s(8))
          equal(await q.sendOne({ ...draft, body }), 'replaced', body)
        }
        await t.until(t.s(1), () => q.takes([], 'before').then(() => undefined))
        const held = await q.takeOne()
        equal([held.body, held.lane], ['m-3', 'a'], 'the delivery')
      },
    },
    {
      name: 'purge and deleteGroup leave nothing of it',
      needs: [PARKING],
      async run(t) {
        const q = await t.open()
        await sendToPark(q, { body: 'x', lane: 'a', key: t.guarantees.orderingKeys ? 'k' : undefined })
        await q.storage.purge()
        equal([await q.lanes(), await q.list()], [[], []], 'after a purge')
        await q.count({ parked: 0, blocked: 0, leased: 0 }, 'counts after it')
        await sendToPark(q, { body: 'y', lane: 'a' })
        await q.storage.deleteGroup(q.group)
        equal([await q.lanes(), await q.list()], [[], []], 'after the group was deleted')
        await q.send({ body: 'z', lane: 'a' })
        await q.takes(['z'], 'deliveries')
      },
    },
  ],
}
