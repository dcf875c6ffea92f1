import { CANCELLATION, LANES, PERSISTENCE, type Section } from '../case.ts'
import { equal, ok } from '../assert.ts'
import { type View, bodiesOf, sortedBodies } from '../scene.ts'
import type { Delivery } from '../../src/core/index.ts'
import { MAX_HOLDS } from '../../src/segments/index.ts'
import { of } from './lanes.ts'
import { hears } from './watch.ts'

/** What goes now, by body. */
async function goes(q: View): Promise<string[]> {
  return sortedBodies(await q.take())
}

/** A lane whose hold is over, with its probe out. */
async function probed(q: View, count = 4): Promise<Delivery> {
  await q.send(...of('a', count))
  await q.hold({ lane: 'a' })
  equal(await q.release({ lane: 'a', probe: true }), true, 'a release with a probe')
  const probe = await q.takeOne()
  equal(await goes(q), [], 'while the probe is out')
  return probe
}

export const holds: Section = {
  name: 'holds',
  needs: [LANES],
  cases: [
    {
      name: 'a lane that is held is not handed out, until it is released',
      async run(t) {
        const q = await t.open()
        await q.send(...of('a', 2), ...of('b', 1), 'x')
        await q.hold({ lane: 'a' })
        equal(await goes(q), ['b-0', 'x'], 'what goes')
        await t.advance(t.s(100))
        const { deliveries, nextInMs } = await q.claim({ limit: 1 })
        t.bodies(deliveries, [deliveries[0]!.body], 'what ended')
        ok(deliveries[0]!.lane !== 'a', 'the lane is held still')
        ok(nextInMs === undefined || nextInMs >= 0, `nextInMs is ${nextInMs}`)
        equal(await q.release({ lane: 'a' }), true, 'there was a hold')
        ok((await goes(q)).includes('a-0'), 'what goes when it is released')
      },
    },
    {
      name: 'nobody needs to look while all is held',
      async run(t) {
        const q = await t.open()
        await q.send(...of('a', 2))
        await q.hold({ lane: 'a' })
        await q.takes([], 'nothing')
        const { nextInMs } = await q.claim()
        ok(nextInMs === undefined || nextInMs >= t.s(1), `nextInMs is ${nextInMs}`)
      },
    },
    {
      name: 'what comes into a lane that is held waits',
      async run(t) {
        const q = await t.open()
        await q.hold({ lane: 'a' })
        await q.send(...of('a', 2), { body: 'late', lane: 'a', delayMs: t.s(1) }, ...of('b', 1))
        equal(await goes(q), ['b-0'], 'what goes')
        await t.advance(t.s(1))
        equal(await goes(q), [], 'what is due')
        await q.release({ lane: 'a' })
        t.bodies(await q.take(), ['a-0', 'a-1', 'late'], 'in order')
      },
    },
    {
      name: 'a hold with a time ends by itself',
      async run(t) {
        const q = await t.open()
        await q.send(...of('a', 2))
        await q.hold({ lane: 'a', forMs: t.s(5) })
        await q.takes([], 'while it lasts')
        t.duration((await q.claim()).nextInMs, t.s(5), 'nextInMs')
        await t.until(t.s(5), async () => {
          await q.takes([], 'just before its end')
        })
        await q.takes(['a-0', 'a-1'], 'after it')
        equal(await q.holds(), [], 'holds in stats')
        equal(await q.release({ lane: 'a' }), false, 'there is none to release')
      },
    },
    {
      name: 'a lane is held in one group, or in all',
      async run(t) {
        const q = await t.open()
        const other = q.as('other')
        await q.claim({ limit: 0, groups: [{ name: 'other' }] })
        await q.send(...of('a', 1), ...of('b', 1))
        await q.hold({ lane: 'a' })
        equal(await goes(q), ['b-0'], 'in its group')
        await q.hold({ group: undefined, lane: 'b' })
        equal(await goes(other), ['a-0'], 'in the other')
        equal(await q.release({ group: undefined, lane: 'b' }), true, 'the hold of all')
        equal(await goes(other), ['b-0'], 'of all')
        equal(await q.release({ group: undefined, lane: 'a' }), false, 'another place')
        await q.release({ lane: 'a' })
        equal(await goes(q), ['a-0'], 'in its group again')
      },
    },
    {
      name: 'a group is held as a whole',
      async run(t) {
        const q = await t.open()
        const other = q.as('other')
        await q.claim({ limit: 0, groups: [{ name: 'other' }] })
        await q.send(...of('a', 1), 'x')
        await q.hold({ forMs: t.s(5) })
        equal(await goes(q), [], 'what goes in it')
        equal(await goes(other), ['a-0', 'x'], 'in the other')
        t.duration((await q.claim()).nextInMs, t.s(5), 'nextInMs')
        await q.send('y', ...of('b', 1))
        await t.advance(t.s(5))
        equal(await goes(q), ['a-0', 'b-0', 'x', 'y'], 'after it')
      },
    },
    {
      name: 'the queue is held as a whole',
      async run(t) {
        const q = await t.open()
        const other = q.as('other')
        await q.claim({ limit: 0, groups: [{ name: 'other' }] })
        await q.send(...of('a', 1), 'x')
        await q.storage.hold({})
        equal([await goes(q), await goes(other)], [[], []], 'what goes')
        equal(await q.release(), false, 'the group itself is not held')
        equal(await q.storage.release({}), true, 'the queue was')
        equal(
          [await goes(q), await goes(other)],
          [
            ['a-0', 'x'],
            ['a-0', 'x'],
          ],
          'what goes then',
        )
        equal(await q.storage.release({}), false, 'the queue is not held any more')
      },
    },
    {
      name: 'what is held at several places goes when the last is over',
      async run(t) {
        const q = await t.open()
        await q.send(...of('a', 1), ...of('b', 1), 'x')
        const places = [
          { group: undefined },
          { group: q.group },
          { group: undefined, lane: 'a' },
          { group: q.group, lane: 'a' },
        ]
        for (const place of places) await q.storage.hold(place)
        equal((await q.holds()).length, 4, 'holds')
        equal(await q.storage.release(places[0]!), true, 'the queue')
        equal(await goes(q), [], 'with three')
        equal(await q.storage.release(places[1]!), true, 'the group')
        equal(await goes(q), ['b-0', 'x'], 'with two')
        equal(await q.storage.release(places[2]!), true, 'the lane in all groups')
        equal(await goes(q), [], 'with one')
        equal(await q.storage.release(places[3]!), true, 'the lane in the group')
        equal(await goes(q), ['a-0'], 'with none')
      },
    },
    {
      name: 'a second hold takes the place of the first',
      async run(t) {
        const q = await t.open()
        await q.send(...of('a', 1))
        await q.hold({ lane: 'a', forMs: t.s(5), reason: 'one' })
        await t.advance(t.s(1))
        await q.hold({ lane: 'a', forMs: t.s(10), reason: 'two' })
        const [hold, ...others] = await q.holds()
        equal([hold!.reason, others.length], ['two', 0], 'holds')
        await t.advance(t.s(5))
        await q.takes([], 'after the time of the first')
        await t.advance(t.s(5))
        equal(await goes(q), ['a-0'], 'after the time of the second')
        await q.send({ body: 'next', lane: 'a' })
        await q.hold({ lane: 'a' })
        await q.hold({ lane: 'a', forMs: t.s(5) })
        await t.advance(t.s(5))
        equal(await goes(q), ['next'], 'a shorter one as well')
      },
    },
    {
      name: 'stats tell of holds',
      async run(t) {
        const q = await t.open()
        await q.claim({ limit: 0 })
        await q.hold({ lane: 'a', forMs: t.s(60), reason: 'too many requests', probe: true })
        await q.hold({ group: undefined, lane: 'b' })
        await q.hold({ reason: 'maintenance' })
        const shown = await q.holds()
        const find = (lane: string | undefined) => shown.find((hold) => hold.lane === lane)!
        equal(shown.length, 3, 'how many')
        const { since, endsInMs, ...first } = find('a')
        equal(
          first,
          { group: q.group, lane: 'a', reason: 'too many requests', probe: true },
          'with all it says',
        )
        t.isNow(since, 'since')
        t.duration(endsInMs, t.s(60), 'endsInMs')
        const { since: _b, ...second } = find('b')
        equal(second, { lane: 'b', probe: false }, 'of all groups')
        const { since: _c, ...third } = find(undefined)
        equal(third, { group: q.group, reason: 'maintenance', probe: false }, 'of a group')
        await q.count({ ready: 0 }, 'the numbers of the group')
        equal(await (await t.openElsewhere()).holds().then(({ length }) => length), 3, 'seen by another')
      },
    },
    {
      name: 'stats tell of so many holds at most, those of groups first',
      async run(t) {
        const q = await t.open()
        await q.claim({ limit: 0 })
        for (let i = 0; i < MAX_HOLDS + 5; i++) await q.hold({ lane: `lane-${i}` })
        await q.hold()
        await q.storage.hold({})
        const shown = await q.holds()
        equal(shown.length, MAX_HOLDS, 'how many')
        equal(
          shown.slice(0, 2).map(({ lane }) => lane),
          [undefined, undefined],
          'the first two',
        )
      },
    },
    {
      name: 'a lane that is held is shown with its holds, although it is empty',
      async run(t) {
        const q = await t.open()
        await q.claim({ limit: 0, groups: [{ name: 'other' }] })
        await q.send(...of('b', 2))
        await q.hold({ lane: 'a', reason: 'one' })
        await q.hold({ group: undefined, lane: 'b', forMs: t.s(60) })
        await q.hold({ lane: 'b' })
        await q.as('other').hold({ lane: 'c' })
        const shown = (await q.lanes()).map(({ lane, waiting, leased, holds }) => [
          lane,
          waiting,
          leased,
          holds.length,
        ])
        equal(
          shown,
          [
            ['a', 0, 0, 1],
            ['b', 2, 0, 2],
          ],
          'of the group',
        )
        equal((await q.lanes())[0]!.holds[0]!.reason, 'one', 'what its hold says')
        equal(
          (await q.as('other').lanes()).map(({ lane }) => lane),
          ['b', 'c'],
          'of the other',
        )
        await q.release({ lane: 'b' })
        t.duration((await q.lanes({ prefix: 'b' }))[0]!.restsForMs, t.s(60), 'restsForMs')
        await q.release({ lane: 'a' })
        equal(
          (await q.lanes()).map(({ lane }) => lane),
          ['b'],
          'when it is released',
        )
      },
    },
    {
      name: 'what is held counts and is listed as ready',
      async run(t) {
        const q = await t.open()
        await q.send(...of('a', 3))
        await q.hold({ lane: 'a' })
        await q.takes([], 'nothing')
        await q.count({ ready: 3, delayed: 0, blocked: 0 }, 'the numbers')
        t.bodies(await q.list({ states: ['ready'] }), ['a-0', 'a-1', 'a-2'], 'the list')
      },
    },
    {
      name: 'leases under a hold go on, and can be settled',
      async run(t) {
        const q = await t.open()
        await q.send(...of('a', 5))
        const [one, two, three, four] = await q.take({ limit: 4, leaseMs: t.s(30) })
        await q.hold({ lane: 'a' })
        await q.ack(one!)
        await q.retry(two!)
        await q.bury(three!)
        await q.extend(four!, t.s(60))
        await q.takes([], 'what is due again is held as well')
        await t.advance(t.s(60))
        await q.takes([], 'what was lost is held as well')
        await q.release({ lane: 'a' })
        equal(await goes(q), ['a-1', 'a-3', 'a-4'], 'what goes then')
      },
    },
    {
      name: 'what expires under a hold is a dead letter',
      async run(t) {
        const q = await t.open()
        await q.send(...of('a', 1, { expiresInMs: t.s(5) }), { body: 'stays', lane: 'a' })
        await q.hold({ lane: 'a' })
        await q.takes([], 'nothing')
        await t.advance(t.s(5))
        await q.takes([], 'nothing')
        equal(
          (await q.dead()).map(({ body, reason }) => [body, reason]),
          [['a-0', 'expired']],
          'dead letters',
        )
        await q.release({ lane: 'a' })
        await q.takes(['stays'], 'the other')
      },
    },
    {
      name: 'a message under a hold can be cancelled',
      needs: [CANCELLATION],
      async run(t) {
        const q = await t.open()
        const [id] = await q.send(...of('a', 2))
        await q.hold({ lane: 'a' })
        await q.takes([], 'nothing')
        equal(await q.cancel(id!), [true], 'the answer')
        await q.release({ lane: 'a' })
        await q.takes(['a-1'], 'the other')
      },
    },
    {
      name: 'holds are effective wherever the queue is open',
      async run(t) {
        const q = await t.open()
        const elsewhere = await t.openElsewhere()
        await q.send(...of('a', 1))
        await elsewhere.hold({ lane: 'a' })
        await q.takes([], 'held elsewhere')
        equal(await q.release({ lane: 'a' }), true, 'released here')
        await elsewhere.takes(['a-0'], 'free there')
      },
    },
    {
      name: 'groups and lanes that do not exist can be held',
      async run(t) {
        const q = await t.open()
        await q.storage.hold({ group: 'later' })
        await q.storage.hold({ group: 'late', lane: 'a' })
        await q.send(...of('a', 1), 'x')
        equal(await goes(q.as('later')), [], 'the group')
        equal(await goes(q.as('late')), ['x'], 'the lane of a group')
        equal(await q.storage.release({ group: 'later' }), true, 'there was a hold')
        equal(await goes(q.as('later')), ['a-0', 'x'], 'the group when it is released')
        equal(await q.storage.release({ group: 'nobody' }), false, 'there was none')
      },
    },
    {
      name: 'holds survive a purge, and what comes then waits',
      async run(t) {
        const q = await t.open()
        await q.send(...of('a', 2), 'x')
        await q.hold({ lane: 'a' })
        await q.as('other').hold()
        await q.storage.purge()
        equal((await q.holds()).length, 2, 'holds')
        await q.send(...of('a', 1), 'y')
        equal(await goes(q), ['y'], 'what goes')
        equal(await goes(q.as('other')), [], 'what goes in the other')
        await q.release({ lane: 'a' })
        equal(await goes(q), ['a-0'], 'what goes then')
      },
    },
    {
      name: 'a deleted group takes its holds along',
      async run(t) {
        const q = await t.open()
        const other = q.as('other')
        await q.claim({ limit: 0, groups: [{ name: 'other' }] })
        await q.send(...of('a', 1), 'x')
        await other.hold()
        await other.hold({ lane: 'a' })
        await q.hold({ lane: 'a' })
        await q.hold({ group: undefined, lane: 'b' })
        await q.storage.deleteGroup('other')
        equal(
          (await q.holds()).map(({ group, lane }) => [group, lane]),
          [
            [q.group, 'a'],
            [undefined, 'b'],
          ],
          'holds',
        )
        equal(await goes(other), ['a-0', 'x'], 'what goes in one made anew')
      },
    },
    {
      name: 'a deleted queue has no holds',
      async run(t) {
        const q = await t.open()
        await q.storage.hold({})
        await q.hold({ lane: 'a' })
        await q.storage.delete()
        equal(await q.holds(), [], 'holds')
        await q.send(...of('a', 1))
        equal(await goes(q), ['a-0'], 'what goes')
      },
    },
    {
      name: 'holds survive the end of the adapter',
      needs: [PERSISTENCE],
      async run(t) {
        const q = await t.open()
        await q.send(...of('a', 1), ...of('b', 3), 'x')
        await q.hold({ lane: 'a', forMs: t.s(60) })
        await q.hold({ lane: 'b' })
        await q.release({ lane: 'b', probe: true })
        const again = await t.reopen()
        equal((await again.holds()).length, 2, 'holds')
        equal(await goes(again), ['b-0', 'x'], 'what goes: one as a probe')
        await t.advance(t.s(60))
        ok((await goes(again)).includes('a-0'), 'what goes in time')
      },
    },
    {
      name: 'with a probe one goes first, and the rest when it was acked',
      async run(t) {
        const q = await t.open()
        await q.send(...of('a', 4), ...of('b', 1))
        await q.hold({ lane: 'a', forMs: t.s(5), probe: true })
        equal(await goes(q), ['b-0'], 'while it lasts')
        await t.advance(t.s(5))
        const [hold] = await q.holds()
        equal([hold?.probing, hold?.endsInMs], [true, undefined], 'what stats tell when it is over')
        const probe = await q.takeOne()
        equal(probe.body, 'a-0', 'the probe')
        equal(await goes(q), [], 'while it is out')
        await q.ack(probe)
        equal(await q.holds(), [], 'holds when it was acked')
        await q.takes(['a-1', 'a-2', 'a-3'], 'the rest')
      },
    },
    {
      name: 'a claim that settles the probe takes the rest',
      async run(t) {
        const q = await t.open()
        const probe = await probed(q)
        const { deliveries } = await q.claim({ settle: [{ receipt: probe.receipt, kind: 'ack' }] })
        t.bodies(deliveries, ['a-1', 'a-2', 'a-3'], 'the rest')
      },
    },
    {
      name: 'a probe that is retried leaves the next to go alone',
      async run(t) {
        const q = await t.open()
        const probe = await probed(q)
        await q.retry(probe, { delayMs: t.s(50) })
        const second = await q.takeOne()
        equal(await goes(q), [], 'while the second is out')
        await q.retry(second, { counts: false, delayMs: t.s(50) })
        const third = await q.takeOne()
        await q.ack(third)
        equal((await goes(q)).length, 1, 'the rest')
        await t.advance(t.s(50))
        ok((await goes(q)).length >= 2, 'those that were retried')
      },
    },
    {
      name: 'a probe that dies leaves the next to go alone',
      async run(t) {
        const q = await t.open()
        await q.bury(await probed(q))
        const second = await q.takeOne()
        equal(await goes(q), [], 'while the second is out')
        await q.ack(second)
        equal((await goes(q)).length, 2, 'the rest')
      },
    },
    {
      name: 'a probe that loses its lease leaves the next to go alone',
      async run(t) {
        const q = await t.open()
        const probe = await probed(q)
        await q.extend(probe, t.s(60))
        await t.advance(t.s(59))
        equal(await goes(q), [], 'while it is extended')
        await t.advance(t.s(1))
        const second = await q.takeOne()
        equal(await goes(q), [], 'while the second is out')
        await q.ack(second)
        ok((await goes(q)).length >= 2, 'the rest')
      },
    },
    {
      name: 'a probe that is cancelled leaves the next to go alone',
      needs: [CANCELLATION],
      async run(t) {
        const q = await t.open()
        const probe = await probed(q)
        equal(await q.cancel(probe.id), [true], 'the answer')
        const second = await q.takeOne()
        equal(await goes(q), [], 'while the second is out')
        await q.ack(second)
        equal((await goes(q)).length, 2, 'the rest')
      },
    },
    {
      name: 'leases from before a hold are no probes',
      async run(t) {
        const q = await t.open()
        await q.send(...of('a', 5))
        const [before, other] = await q.take({ limit: 2 })
        await q.hold({ lane: 'a' })
        await q.release({ lane: 'a', probe: true })
        const probe = await q.takeOne()
        await q.ack(before!)
        equal(await goes(q), [], 'after the ack of an older lease')
        await q.ack(probe)
        equal((await goes(q)).length, 2, 'the rest')
        await q.ack(other!)
      },
    },
    {
      name: 'a release ends a hold that probes, and says that there was one',
      async run(t) {
        const q = await t.open()
        await probed(q)
        equal(await q.release({ lane: 'a', probe: true }), true, 'with a probe: it stays')
        equal(await goes(q), [], 'one is out still')
        equal(await q.release({ lane: 'a' }), true, 'without')
        equal((await goes(q)).length, 3, 'the rest')
        equal(await q.release({ lane: 'a' }), false, 'there is none any more')
        equal(await q.release({ lane: 'a', probe: true }), false, 'not with a probe either')
        await q.send({ body: 'x', lane: 'a' }, { body: 'y', lane: 'a' })
        equal(await goes(q), ['x', 'y'], 'a release of nothing asks for no probe')
      },
    },
    {
      name: 'a release without a probe ends a hold with one',
      async run(t) {
        const q = await t.open()
        await q.send(...of('a', 3))
        await q.hold({ lane: 'a', forMs: t.s(5), probe: true })
        equal(await q.release({ lane: 'a' }), true, 'there was one')
        equal((await goes(q)).length, 3, 'all go')
      },
    },
    {
      name: 'a hold takes the place of one that probes',
      async run(t) {
        const q = await t.open()
        const probe = await probed(q)
        await q.hold({ lane: 'a' })
        const [hold] = await q.holds()
        equal([hold?.probing, hold?.probe], [undefined, false], 'what stats tell')
        await q.ack(probe)
        equal(await goes(q), [], 'the ack of its probe ends nothing')
        await q.release({ lane: 'a' })
        equal((await goes(q)).length, 3, 'the rest')
      },
    },
    {
      name: 'a group that probes lets one of all its lanes go',
      async run(t) {
        const q = await t.open()
        await q.send(...of('a', 2), ...of('b', 2), 'x')
        await q.hold({ forMs: t.s(5), probe: true })
        await t.advance(t.s(5))
        const probe = await q.takeOne()
        equal(await goes(q), [], 'while it is out')
        await q.ack(probe)
        equal((await goes(q)).length, 4, 'the rest')
      },
    },
    {
      name: 'where all groups are held each has a probe of its own',
      async run(t) {
        const q = await t.open()
        const other = q.as('other')
        await q.claim({ limit: 0, groups: [{ name: 'other' }] })
        await q.send(...of('a', 3))
        await q.hold({ group: undefined, lane: 'a' })
        equal(await q.release({ group: undefined, lane: 'a', probe: true }), true, 'there was one')
        const [one, theirs] = [await q.takeOne(), await other.takeOne()]
        await q.ack(one)
        equal((await goes(q)).length, 2, 'the rest of the group whose probe was acked')
        equal(await goes(other), [], 'the other waits')
        equal(
          (await q.holds()).map(({ probing }) => probing),
          [true],
          'holds',
        )
        await other.ack(theirs)
        equal((await goes(other)).length, 2, 'the rest of the other')
        equal(await q.holds(), [], 'holds when all are done')
      },
    },
    {
      name: 'a queue that probes lets one go in each group',
      async run(t) {
        const q = await t.open()
        const other = q.as('other')
        await q.claim({ limit: 0, groups: [{ name: 'other' }] })
        await q.send(...of('a', 1), 'x', 'y')
        await q.storage.hold({ forMs: t.s(5), probe: true })
        await t.advance(t.s(5))
        const [one, theirs] = [await q.takeOne(), await other.takeOne()]
        await other.ack(theirs)
        equal(await goes(q), [], 'one waits')
        equal((await goes(other)).length, 2, 'the rest of the other')
        await q.ack(one)
        equal((await goes(q)).length, 2, 'the rest of the first')
      },
    },
    {
      name: 'one delivery is the probe of all holds that probe',
      async run(t) {
        const q = await t.open()
        await q.send(...of('a', 3))
        await q.hold({ lane: 'a' })
        await q.hold()
        await q.release({ lane: 'a', probe: true })
        await q.release({ probe: true })
        const probe = await q.takeOne()
        equal(await goes(q), [], 'while it is out')
        await q.ack(probe)
        equal((await goes(q)).length, 2, 'the rest')
        equal(await q.holds(), [], 'holds')
      },
    },
    {
      name: 'a probe keeps to the limits of its lane',
      async run(t) {
        const q = await t.open()
        const lanes = { rate: { count: 1, perMs: t.s(10) } }
        await q.send(...of('a', 3))
        await q.ack(...(await q.take({ lanes })))
        await q.hold({ lane: 'a' })
        await q.release({ lane: 'a', probe: true })
        equal(bodiesOf(await q.take({ lanes })), [], 'before its token')
        await t.advance(t.s(10))
        equal(bodiesOf(await q.take({ lanes })), ['a-1'], 'with it')
      },
    },
    {
      name: 'a hundred holds that end at once let all go',
      async run(t) {
        const q = await t.open()
        await q.claim({ limit: 0 })
        const all = Array.from({ length: 150 }, (_, i) => `lane-${i}`)
        await q.send(...all.map((lane) => ({ body: lane, lane })))
        for (const lane of all) await q.hold({ lane, forMs: t.s(5) })
        await q.takes([], 'while they last')
        await t.advance(t.s(5))
        const taken = []
        for (let i = 0; i < 15; i++) taken.push(...(await q.take({ limit: 10 })))
        equal(sortedBodies(taken), all.toSorted(), 'what goes')
      },
    },
    {
      name: 'a hold wakes nobody early, and a release tells those who watch',
      async run(t) {
        const q = await t.open()
        if (q.storage.watch === undefined) return
        await q.send(...of('a', 1))
        await q.hold({ lane: 'a' })
        const elsewhere = await t.openElsewhere()
        const release = async (i: number): Promise<void> => {
          if (i > 0) await q.hold({ lane: 'a' })
          await q.release({ lane: 'a' })
        }
        ok(await hears(elsewhere, release), 'nothing heard of releases')
        await elsewhere.takes(['a-0'], 'what goes')
      },
    },
  ],
}
