import { CANCELLATION, LANES, ORDERING_KEYS, PARKING, RESULTS, type Section } from '../case.ts'
import { equal } from '../assert.ts'
import { bodiesOf, sortedBodies } from '../scene.ts'
import type { Delivery } from '../../storage.ts'
import { of } from './lanes.ts'

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
  ],
}
