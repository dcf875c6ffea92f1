import {
  CANCELLATION,
  DEDUPLICATION,
  EXCLUSIVE_LEASES,
  FIFO,
  IDS_WITH_KEYS,
  LANES,
  ORDERING_KEYS,
  QUEUE_LIMITS,
  type Section,
} from '../case.ts'
import { equal, ok } from '../assert.ts'
import { type ClaimOptions, type Draft, type View, bodiesOf, names, sortedBodies } from '../scene.ts'
import type { Delivery } from '../../src/core/index.ts'

/** `count` messages of a lane, called `lane-0` and so on. */
export function of(lane: string, count: number, more: Omit<Draft & object, 'body'> = {}): Draft[] {
  return names(lane, count).map((body) => ({ ...more, body, lane }))
}

/** The lanes of deliveries, in order; `-` for none. */
export function lanesOf(deliveries: readonly Delivery[]): string {
  return deliveries.map(({ lane }) => lane ?? '-').join(' ')
}

/** The lanes of so many claims of one. */
async function oneByOne(q: View, count: number, options: ClaimOptions = {}): Promise<string> {
  const taken: Delivery[] = []
  for (let i = 0; i < count; i++) taken.push(...(await q.take({ limit: 1, ...options })))
  return lanesOf(taken)
}

export const lanes: Section = {
  name: 'lanes',
  needs: [LANES],
  cases: [
    {
      name: 'a message comes with its lane',
      async run(t) {
        const q = await t.open()
        await q.send({ body: 'a', lane: 'tenant-7' }, 'b', { body: 'c', lane: 'Größe: 5, "x".y' })
        const lanesByBody = (
          all: readonly { readonly body: unknown; readonly lane?: string | undefined }[],
        ): unknown[] => ['a', 'b', 'c'].map((body) => [body, all.find((one) => one.body === body)?.lane])
        const expected = [
          ['a', 'tenant-7'],
          ['b', undefined],
          ['c', 'Größe: 5, "x".y'],
        ]
        equal(lanesByBody(await q.list()), expected, 'lanes in a list')
        equal(lanesByBody(await q.take()), expected, 'lanes of deliveries')
      },
    },
    {
      name: 'a group that starts has nothing of what all had finished in a lane, however it ended and whatever expired since',
      async run(t) {
        for (const end of ['ack', 'dead', 'cancel'] as const) {
          if (end === 'cancel' && !t.guarantees.cancellation) continue
          const q = await t.open(`queue ${end}`)
          const [id] = await q.send(
            { body: 'a', lane: 'l', expiresInMs: t.s(10) },
            { body: 'b', lane: 'l', expiresInMs: t.s(90) },
          )
          const [{ receipt }] = (await q.take({ limit: 1 })) as [Delivery]
          await q.as('late').take({ from: 'latest' })
          await t.advance(t.s(10))
          if (end === 'cancel') equal(await q.cancel(id!), [true], 'the cancellation')
          else if (end === 'ack') await q.ack({ receipt })
          else await q.bury({ receipt })
          await q.as('late').take()
          const groups = [{ name: 'new', from: 'earliest' }] as const
          await q.appendWith({ groups }, { body: 'c', lane: 'other' })
          const fresh = q.as('new')
          await fresh.count({ ready: 2, dead: 0 }, `the numbers after ${end}`)
          equal(sortedBodies(await fresh.list()), ['b', 'c'], `the list after ${end}`)
          const shown = (await fresh.lanes()).map(({ lane, waiting }) => [lane, waiting])
          equal(
            shown,
            [
              ['l', 1],
              ['other', 1],
            ],
            `the lanes after ${end}`,
          )
          equal(sortedBodies(await fresh.take()), ['b', 'c'], `what it gets after ${end}`)
        }
      },
    },
    {
      name: 'one of a lane is next, whatever waits in another',
      async run(t) {
        const q = await t.open()
        await q.send(...of('A', 300))
        await q.take({ limit: 10 })
        await q.send({ body: 'b', lane: 'B' })
        const taken = await q.take({ limit: 10 })
        ok(bodiesOf(taken).slice(0, 2).includes('b'), `b is not among the first two of ${lanesOf(taken)}`)
      },
    },
    {
      name: 'lanes have turns by name, round and round, within a claim',
      async run(t) {
        const q = await t.open()
        await q.send(...of('b', 3), ...of('c', 1), ...of('a', 2))
        equal(lanesOf(await q.take()), 'a b c a b b', 'the lanes of one claim')
      },
    },
    {
      name: 'turns go on from claim to claim',
      async run(t) {
        const q = await t.open()
        await q.send(...of('a', 5), ...of('b', 5), ...of('c', 5))
        equal(await oneByOne(q, 4), 'a b c a', 'claims of one')
        equal(lanesOf(await q.take({ limit: 4 })), 'b c a b', 'a claim of four')
        equal(lanesOf(await q.take({ limit: 2 })), 'c a', 'a claim of two')
      },
    },
    {
      name: 'turns go on where somebody else claims',
      async run(t) {
        const q = await t.open()
        const other = await t.openElsewhere()
        await q.send(...of('a', 3), ...of('b', 3), ...of('c', 3))
        equal(await oneByOne(q, 1), 'a', 'the first')
        equal(await oneByOne(other, 1), 'b', 'the second')
        equal(await oneByOne(q, 2), 'c a', 'the third and fourth')
      },
    },
    {
      name: 'messages without a lane are one more lane, and the first',
      needs: [FIFO],
      async run(t) {
        const q = await t.open()
        await q.send(...of('a', 3), 'x-0', 'x-1', 'x-2', ...of('b', 3))
        equal(lanesOf(await q.take()), '- a b - a b - a b', 'the lanes of one claim')
        await q.send(...names('again', 3).map((body) => ({ body, lane: 'c' })))
        await q.send('y-0', 'y-1', 'y-2')
        const one = await oneByOne(q, 6)
        ok(one === '- c - c - c' || one === 'c - c - c -', `claims of one by turns, got ${one}`)
      },
    },
    {
      name: 'a lane that has something again waits for one round at most',
      async run(t) {
        const q = await t.open()
        await q.send(...of('a', 1), ...of('b', 9), ...of('c', 9))
        equal(await oneByOne(q, 3), 'a b c', 'the first round')
        await q.send({ body: 'again', lane: 'a' })
        equal(await oneByOne(q, 4), 'a b c b', 'the next rounds')
        await q.send({ body: 'once more', lane: 'a' })
        equal(await oneByOne(q, 3), 'c a b', 'it has its turn where it is in the order')
      },
    },
    {
      name: 'each lane keeps the order of append',
      async run(t) {
        const q = await t.open()
        await q.send(...of('a', 3), ...of('b', 2), 'x-0')
        await q.send({ body: 'a-3', lane: 'a' }, 'x-1', { body: 'b-2', lane: 'b' })
        const taken = [...(await q.take({ limit: 2 })), ...(await q.take({ limit: 3 })), ...(await q.take())]
        for (const [lane, expected] of [
          ['a', names('a', 4)],
          ['b', names('b', 3)],
          [undefined, names('x', 2)],
        ] as const) {
          t.bodies(
            taken.filter((one) => one.lane === lane),
            expected,
            `of the lane ${lane}`,
          )
        }
      },
    },
    {
      name: 'a lane has as many turns as its weight says',
      async run(t) {
        const q = await t.open()
        await q.send(...of('a', 10), ...of('b', 10), ...of('c', 10))
        const rules = { names: { b: { weight: 2 }, c: { weight: 4 } } }
        equal(lanesOf(await q.take({ limit: 14, lanes: rules })), 'a b b c c c c a b b c c c c', 'one claim')
      },
    },
    {
      name: 'weights hold for claims of one, and for claims that end within a turn',
      async run(t) {
        const q = await t.open()
        await q.send(...of('a', 10), ...of('b', 20), ...of('c', 40))
        const rules = { names: { b: { weight: 2 }, c: { weight: 4 } } }
        equal(await oneByOne(q, 14, { lanes: rules }), 'a b b c c c c a b b c c c c', 'claims of one')
        let taken = ''
        for (const limit of [2, 3, 4, 5]) taken += `${lanesOf(await q.take({ limit, lanes: rules }))} `
        equal(taken.trim(), 'a b b c c c c a b b c c c c', 'claims of 2, 3, 4 and 5')
      },
    },
    {
      name: 'a turn ends with what the lane has',
      async run(t) {
        const q = await t.open()
        await q.send(...of('a', 2), ...of('b', 9))
        const rules = { weight: 3 }
        equal(lanesOf(await q.take({ limit: 6, lanes: rules })), 'a a b b b b', 'the first')
        await q.send({ body: 'new', lane: 'a' })
        const next = await q.take({ limit: 3, lanes: rules })
        ok(lanesOf(next).includes('a'), `a has a turn: ${lanesOf(next)}`)
      },
    },
    {
      name: 'retries and first deliveries of a lane take turns',
      async run(t) {
        const q = await t.open()
        await q.send(...of('a', 12))
        for (const delivery of await q.take({ limit: 4 })) await q.retry(delivery)
        const again = (deliveries: readonly Delivery[]): string =>
          deliveries.map(({ attempt }) => attempt).join('')
        const inOne = again(await q.take({ limit: 4 }))
        ok(['1212', '2121'].includes(inOne), `one claim gives attempts ${inOne}, they should take turns`)
        let inMany = inOne.at(-1)!
        for (let i = 0; i < 4; i++) inMany += again(await q.take({ limit: 1 }))
        ok(
          ['12121', '21212'].includes(inMany),
          `claims of one give attempts ${inMany}, they should take turns`,
        )
      },
    },
    {
      name: 'ended leases and first deliveries of a lane take turns',
      async run(t) {
        const q = await t.open()
        await q.send(...of('a', 12))
        await q.take({ limit: 3, leaseMs: t.s(1) })
        await t.advance(t.s(1))
        const attempts = (await q.take({ limit: 6 })).map(({ attempt }) => attempt).join('')
        ok(['121212', '212121'].includes(attempts), `attempts ${attempts}, they should take turns`)
      },
    },
    {
      name: 'a delayed message takes its place at the end of its lane',
      async run(t) {
        const q = await t.open()
        await q.send(
          { body: 'late', lane: 'a', delayMs: t.s(5) },
          { body: 'later', lane: 'b', delayMs: t.s(5) },
          ...of('a', 2),
        )
        t.bodies(await q.take({ limit: 1 }), ['a-0'], 'before')
        await t.advance(t.s(5))
        await q.send({ body: 'last', lane: 'a' })
        const taken = await q.take()
        t.bodies(
          taken.filter(({ lane }) => lane === 'a'),
          ['a-1', 'late', 'last'],
          'of its lane',
        )
        equal(taken.find(({ body }) => body === 'later')?.lane, 'b', 'the lane of the other')
      },
    },
    {
      name: 'a key belongs to its lane',
      needs: [ORDERING_KEYS],
      async run(t) {
        const q = await t.open()
        const key = 'k'
        await q.send({ body: 'a1', lane: 'a', key }, { body: 'a2', lane: 'a', key })
        await q.send({ body: 'b1', lane: 'b', key }, { body: 'x1', key }, { body: 'x2', key })
        const first = await q.take()
        equal(sortedBodies(first), ['a1', 'b1', 'x1'], 'one of each')
        const at = (body: string): Delivery => first.find((one) => one.body === body)!
        await q.retry(at('a1'), { delayMs: t.s(5) })
        await q.ack(at('b1'), at('x1'))
        await q.takes(['x2'], 'a retry blocks its key in its own lane only')
        await t.advance(t.s(5))
        await q.ack(await q.takeOne())
        await q.takes(['a2'], 'in order')
      },
    },
    {
      name: 'an id belongs to the queue, whatever the lane',
      needs: [DEDUPLICATION, IDS_WITH_KEYS],
      async run(t) {
        const q = await t.open()
        equal(await q.sendOne({ body: 'one', id: 'i', lane: 'a' }), 'stored', 'the first')
        equal(await q.sendOne({ body: 'two', id: 'i', lane: 'b' }), 'duplicate', 'in another lane')
        equal(await q.sendOne({ body: 'three', id: 'i' }), 'duplicate', 'in none')
        await q.takes(['one'], 'one is there')
      },
    },
    {
      name: 'a lost id in a lane is known for its dedupeMs',
      needs: [DEDUPLICATION, IDS_WITH_KEYS],
      async run(t) {
        const q = await t.open()
        await q.send({ body: 'one', id: 'i', lane: 'a', dedupeMs: t.s(10) })
        await q.ack(await q.takeOne())
        equal(await q.sendOne({ body: 'two', id: 'i', lane: 'b' }), 'duplicate', 'within its time')
        await t.advance(t.s(10))
        equal(await q.sendOne({ body: 'three', id: 'i', lane: 'b' }), 'stored', 'after it')
      },
    },
    {
      name: 'a replacement in the same lane keeps its place',
      needs: [DEDUPLICATION, IDS_WITH_KEYS],
      async run(t) {
        const q = await t.open()
        await q.send({ body: 'old', id: 'i', lane: 'a' }, ...of('a', 1))
        equal(await q.sendOne({ body: 'new', id: 'i', lane: 'a', replace: true }), 'replaced', 'the status')
        await q.takes(['new', 'a-0'], 'in its place')
      },
    },
    {
      name: 'a replacement in another lane goes to its end',
      needs: [DEDUPLICATION, IDS_WITH_KEYS],
      async run(t) {
        const q = await t.open()
        await q.claim({ limit: 0 })
        await q.send({ body: 'old', id: 'i', lane: 'a' }, ...of('a', 1), ...of('b', 1), 'x')
        equal(await q.sendOne({ body: 'new', id: 'i', lane: 'b', replace: true }), 'replaced', 'the status')
        await q.count({ ready: 4 }, 'nothing is there twice')
        const taken = await q.take()
        t.bodies(
          taken.filter(({ lane }) => lane === 'b'),
          ['b-0', 'new'],
          'of its lane',
        )
        equal(sortedBodies(taken), ['a-0', 'b-0', 'new', 'x'], 'all')
        await q.ack(...taken)
        await q.send({ body: 'one', id: 'j' })
        equal(
          await q.sendOne({ body: 'two', id: 'j', lane: 'c', replace: true }),
          'replaced',
          'from none into one',
        )
        equal(await q.sendOne({ body: 'three', id: 'j', replace: true }), 'replaced', 'and back')
        const last = await q.takeOne()
        equal([last.body, last.lane], ['three', undefined], 'what is left')
      },
    },
    {
      name: 'what is cancelled in a lane is gone',
      needs: [CANCELLATION],
      async run(t) {
        const q = await t.open()
        const [first, second, third] = await q.send(...of('a', 4))
        const delivery = (await q.take({ limit: 1 }))[0]!
        equal(await q.cancel(first!, second!), [true, true], 'the leased and the next')
        equal(await q.statuses({ receipt: delivery.receipt, kind: 'ack' }), ['stale'], 'its receipt')
        await q.count({ ready: 2, leased: 0 }, 'after it')
        const [next] = await q.takes(['a-2', 'a-3'], 'the others')
        await q.retry(next!, { delayMs: t.s(5) })
        equal(await q.cancel(third!), [true], 'one that waits for a retry')
        await t.advance(t.s(5))
        await q.takes([], 'nothing')
      },
    },
    {
      name: 'what expires in a lane is a dead letter, and goes back to its lane',
      async run(t) {
        const q = await t.open()
        await q.claim({ limit: 0 })
        await q.send(...of('a', 2, { expiresInMs: t.s(5) }), { body: 'stays', lane: 'a' })
        await t.advance(t.s(5))
        await q.takes(['stays'], 'what has not expired')
        const dead = await q.dead()
        equal(
          dead.map(({ body, lane, reason }) => [body, lane, reason]),
          [
            ['a-0', 'a', 'expired'],
            ['a-1', 'a', 'expired'],
          ],
          'dead letters',
        )
        await q.retry(dead[0]!)
        const again = await q.takeOne()
        equal([again.body, again.lane, again.attempt], ['a-0', 'a', 1], 'redriven')
      },
    },
    {
      name: 'what has used its attempts up in a lane is a dead letter',
      async run(t) {
        const q = await t.open()
        await q.send(...of('a', 1, { maxAttempts: 1 }), ...of('b', 1, { maxAttempts: 1 }))
        const taken = await q.take({ leaseMs: t.s(1) })
        await q.bury(taken[0]!)
        await t.advance(t.s(1))
        await q.takes([], 'nothing')
        equal(
          (await q.dead()).map(({ lane, reason }) => `${lane} ${reason}`).sort(),
          ['a rejected', 'b exhausted'],
          'dead letters',
        )
      },
    },
    {
      name: 'a retry of a lane is brought forward',
      async run(t) {
        const q = await t.open()
        const [id] = await q.send(...of('a', 1))
        await q.retry(await q.takeOne(), { delayMs: t.s(100) })
        equal(await q.retryNow(id!), [true], 'the answer')
        equal((await q.takeOne()).attempt, 2, 'the attempt')
      },
    },
    {
      name: 'a late group sees lanes from their start',
      async run(t) {
        const q = await t.open()
        await q.send(...of('a', 3), ...of('b', 2), 'x')
        const [one] = await q.take({ limit: 1 })
        const late = q.as('late')
        equal(sortedBodies(await late.take()), ['a-0', 'a-1', 'a-2', 'b-0', 'b-1', 'x'], 'what it gets')
        await q.ack(one!)
        await late.count({ leased: 6, ready: 0 }, 'its numbers')
      },
    },
    {
      name: 'a group that starts at the latest sees lanes from now on',
      async run(t) {
        const q = await t.open()
        await q.send(...of('a', 3), ...of('b', 2))
        await q.take({ limit: 1 })
        const late = q.as('late')
        await late.takes([], 'at its start', { from: 'latest' })
        await late.count({ ready: 0 }, 'its numbers')
        await q.send({ body: 'new', lane: 'a' })
        await late.takes(['new'], 'what came later')
        equal((await q.take()).length, 5, 'the first group has the others')
      },
    },
    {
      name: 'each group has turns and positions of its own',
      async run(t) {
        const q = await t.open()
        const other = q.as('other')
        await q.claim({ limit: 0, groups: [{ name: 'other' }] })
        await q.send(...of('a', 2), ...of('b', 2))
        equal(await oneByOne(q, 3), 'a b a', 'of one')
        equal(await oneByOne(other, 4), 'a b a b', 'of the other')
        equal(await oneByOne(q, 2), 'b', 'of the first')
      },
    },
    {
      name: 'a message stays until all groups have done it, and leaves nothing then',
      async run(t) {
        const q = await t.open()
        const other = q.as('other')
        await q.claim({ limit: 0, groups: [{ name: 'other' }] })
        await q.send(...of('a', 2), ...of('b', 1))
        await q.ack(...(await q.take()))
        equal((await q.stats()).messages, 3, 'messages that the other has to do')
        await other.ack(...(await other.take()))
        const { messages, bytes, oldestMs } = await q.stats()
        equal([messages, bytes, oldestMs], [0, 0, undefined], 'what is left')
      },
    },
    {
      name: 'what was replaced in another lane does not age a group that has nothing to do',
      needs: [DEDUPLICATION, IDS_WITH_KEYS],
      async run(t) {
        const q = await t.open()
        await q.append({ body: 'a', id: 'x', lane: 'a' })
        await q.claim({ limit: 0 })
        await q.append({ body: 'b', id: 'x', replace: true })
        const [held] = await q.take({ limit: 1, groups: [{ name: 'other' }] })
        await q.ack(held!)
        equal((await q.counts()).oldestMs, undefined, 'the age of nothing')
      },
    },
    {
      name: 'a deleted group leaves nothing in lanes',
      async run(t) {
        const q = await t.open()
        const other = q.as('other')
        await q.claim({ limit: 0, groups: [{ name: 'other' }] })
        await q.send(...of('a', 3), ...of('b', 2))
        await other.take({ limit: 2 })
        await q.ack(...(await q.take({ limit: 2 })))
        await q.storage.deleteGroup('other')
        await q.ack(...(await q.take()))
        const { messages, bytes } = await q.stats()
        equal([messages, bytes], [0, 0], 'what is left')
        await q.send({ body: 'new', lane: 'a' })
        await other.takes(['new'], 'the group made anew')
      },
    },
    {
      name: 'a purge empties all lanes',
      async run(t) {
        const q = await t.open()
        await q.claim({ limit: 0 })
        await q.send(...of('a', 3), ...of('b', 2, { delayMs: t.s(5) }), 'x')
        const [one] = await q.take({ limit: 1 })
        await q.storage.purge()
        equal(await q.statuses({ receipt: one!.receipt, kind: 'ack' }), ['stale'], 'a receipt from before')
        await t.advance(t.s(5))
        await q.takes([], 'nothing is left')
        equal(await q.lanes(), [], 'no lane is left')
        await q.send(...of('c', 1), ...of('a', 1))
        equal(sortedBodies(await q.take()), ['a-0', 'c-0'], 'the queue goes on')
      },
    },
    {
      name: 'a deleted queue has no lanes',
      async run(t) {
        const q = await t.open()
        await q.send(...of('a', 3))
        await q.take({ limit: 1 })
        await q.storage.delete()
        equal((await q.stats()).groups, {}, 'groups')
        await q.takes([], 'messages')
        equal(await q.lanes(), [], 'lanes')
      },
    },
    {
      name: 'only the lanes of a prefix',
      async run(t) {
        const q = await t.open()
        await q.send('x', ...of('t/a', 2), ...of('t/b', 1), ...of('u', 1), ...of('t', 1))
        equal(sortedBodies(await q.take({ only: 't/' })), ['t/a-0', 't/a-1', 't/b-0'], 'of the prefix')
        equal(sortedBodies(await q.take({ only: 'nobody' })), [], 'of no lane')
        equal(sortedBodies(await q.take({ only: '' })), ['t-0', 'u-0'], 'of all lanes')
        await q.takes(['x'], 'the rest')
      },
    },
    {
      name: 'only the lanes of these names',
      async run(t) {
        const q = await t.open()
        await q.send('x', ...of('a', 2), ...of('ab', 1), ...of('b', 1), ...of('c', 1))
        equal(sortedBodies(await q.take({ only: ['a', 'c', 'none'] })), ['a-0', 'a-1', 'c-0'], 'of the names')
        equal(sortedBodies(await q.take({ only: [] })), [], 'of no names')
        equal(sortedBodies(await q.take()), ['ab-0', 'b-0', 'x'], 'the rest')
      },
    },
    {
      name: 'a filter has turns of its own, and the group goes on where it was',
      async run(t) {
        const q = await t.open()
        await q.send(...of('a', 6), ...of('b', 6), ...of('c', 6))
        equal(await oneByOne(q, 1), 'a', 'the group')
        let position: string | undefined
        const taken: Delivery[] = []
        for (let i = 0; i < 4; i++) {
          const result = await q.claim({ only: ['b', 'c'], limit: 1, position })
          taken.push(...result.deliveries)
          position = result.position
        }
        equal(lanesOf(taken), 'b c b c', 'the filter')
        equal(await oneByOne(q, 3), 'b c a', 'the group')
        const { deliveries } = await q.claim({ only: '', limit: 1, position: 'made up' })
        equal(lanesOf(deliveries), 'a', 'a position that nobody gave begins anew')
      },
    },
    {
      name: 'a filter of a prefix has turns, with weights',
      async run(t) {
        const q = await t.open()
        await q.send(...of('o', 6), ...of('p1', 6), ...of('p2', 6), ...of('q', 6))
        let position: string | undefined
        const taken: Delivery[] = []
        for (let i = 0; i < 6; i++) {
          const result = await q.claim({
            only: 'p',
            limit: 1,
            position,
            lanes: { names: { p2: { weight: 2 } } },
          })
          taken.push(...result.deliveries)
          position = result.position
        }
        equal(lanesOf(taken), 'p1 p2 p2 p1 p2 p2', 'the filter')
      },
    },
    {
      name: 'a filter hears of its own lanes in nextInMs',
      async run(t) {
        const q = await t.open()
        await q.send(
          { body: 'a', lane: 'a' },
          { body: 'b', lane: 'b', delayMs: t.s(3) },
          { body: 'x', delayMs: t.s(1) },
        )
        const { deliveries, nextInMs } = await q.claim({ only: ['b'] })
        equal(deliveries, [], 'what it finds')
        ok(nextInMs !== undefined && nextInMs <= t.s(3), `nextInMs is ${nextInMs}`)
        await t.advance(t.s(3))
        await q.takes(['b'], 'when it is due', { only: ['b'] })
      },
    },
    {
      name: 'lanes of a group, by name, with what waits and what is leased',
      needs: [FIFO],
      async run(t) {
        const q = await t.open()
        await q.claim({ limit: 0, groups: [{ name: 'other' }] })
        await q.send(...of('b', 3), ...of('a', 1), 'x', ...of('c', 2))
        const taken = await q.take({ limit: 4 })
        await q.ack(taken.find(({ lane }) => lane === 'a')!)
        await q.retry(
          taken.find(({ lane }) => lane === 'c')!,
          { delayMs: t.s(5) },
        )
        const shown = (await q.lanes()).map(({ lane, waiting, leased }) => [lane, waiting, leased])
        equal(
          shown,
          [
            ['b', 2, 1],
            ['c', 2, 0],
          ],
          'of the group',
        )
        const theirs = (await q.as('other').lanes()).map(({ lane, waiting, leased }) => [
          lane,
          waiting,
          leased,
        ])
        equal(
          theirs,
          [
            ['a', 1, 0],
            ['b', 3, 0],
            ['c', 2, 0],
          ],
          'of the other',
        )
      },
    },
    {
      name: 'lanes of a group that does not exist count what it would get, whatever others have made of it',
      needs: [ORDERING_KEYS],
      async run(t) {
        const q = await t.open()
        const other = q.as('other')
        await other.claim()
        await q.claim()
        const kinds = [
          'done',
          'dead',
          'retried',
          'leased',
          'parked',
          'head',
          'behind',
          'late',
          'apart',
          'ahead',
        ]
        await q.send(
          ...kinds.flatMap((kind) => [
            {
              body: kind,
              lane: kind,
              ...((kind === 'head' || kind === 'behind') && { key: 'k', lane: 'keyed' }),
              ...(kind === 'late' && { delayMs: t.s(1) }),
            },
            {
              body: kind,
              lane: 'all',
              ...((kind === 'head' || kind === 'behind') && { key: 'k' }),
              ...(kind === 'late' && { delayMs: t.s(1) }),
            },
          ]),
        )
        await t.advance(t.s(1))
        for (const group of [q, other]) {
          for (const one of await group.take({ leaseMs: t.s(600) })) {
            const { body } = one
            // What one has done and another has not is to be had.
            if (body === 'done' || (body === 'apart' && group === q)) await group.ack(one)
            else if (body === 'dead') await group.bury(one)
            else if (body === 'parked' && t.guarantees.parking !== false) await group.park(one)
            else if (body !== 'leased') await group.retry(one, { delayMs: t.s(60) })
          }
        }
        await q.send({ body: 'new', lane: 'all' }, { body: 'new', lane: 'ahead' })
        const late = q.as('late-comer')
        const expected = [
          ['ahead', 2, 0],
          ['all', 9, 0],
          ['apart', 1, 0],
          ['keyed', 2, 0],
          ['late', 1, 0],
          ['leased', 1, 0],
          ['parked', 1, 0],
          ['retried', 1, 0],
        ]
        const shown = async (limit: number): Promise<unknown[]> =>
          (await late.lanes({ limit })).map(({ lane, waiting, leased }) => [lane, waiting, leased])
        equal(await shown(100), expected, 'before it has started')
        equal(await shown(1), expected, 'one by one')
        equal(
          (await late.lanes({ prefix: 'p' })).map(({ lane, waiting }) => [lane, waiting]),
          [['parked', 1]],
          'of a prefix',
        )
        await late.claim({ limit: 0 })
        equal(await shown(100), expected, 'once it has started')
      },
    },
    {
      name: 'lanes come in pages, of a prefix if wanted',
      async run(t) {
        const q = await t.open()
        await q.claim({ limit: 0 })
        const all = Array.from({ length: 25 }, (_, i) => `p${String(i).padStart(2, '0')}`)
        await q.send(...all.map((lane) => ({ body: lane, lane })), ...of('o', 1), ...of('q', 1))
        equal(
          (await q.lanes({ limit: 4 })).map(({ lane }) => lane),
          ['o', ...all, 'q'],
          'all, by four',
        )
        equal(
          (await q.lanes({ limit: 5, prefix: 'p' })).map(({ lane }) => lane),
          all,
          'of the prefix, by five',
        )
        equal(await q.lanes({ prefix: 'nobody' }), [], 'of no lane')
      },
    },
    {
      name: 'lanes are sorted by the bytes of their names',
      async run(t) {
        const q = await t.open()
        await q.claim({ limit: 0 })
        const sorted = ['A', 'a', 'a ', 'a-', 'aa', 'é', '\uff5e', '\u{1f600}']
        await q.send(...sorted.toReversed().map((lane) => ({ body: lane, lane })))
        equal(
          (await q.lanes({ limit: 3 })).map(({ lane }) => lane),
          sorted,
          'the lanes',
        )
        equal(sortedBodies(await q.take()), sorted.toSorted(), 'all can be had')
      },
    },
    {
      name: 'an empty lane is not known',
      async run(t) {
        const q = await t.open()
        await q.send(...of('a', 2), ...of('b', 1, { expiresInMs: t.s(60) }))
        await q.ack(...(await q.take({ lanes: { rate: { count: 1000, perMs: t.s(1) }, concurrency: 5 } })))
        equal(await q.lanes(), [], 'of the group')
        equal(await q.list({ lane: 'a' }), [], 'a list of the lane')
      },
    },
    {
      name: 'a list of one lane, in order',
      needs: [FIFO],
      async run(t) {
        const q = await t.open()
        await q.send(...of('a', 5), 'x-0', ...of('b', 2), 'x-1')
        await q.take({ limit: 2 })
        t.bodies(
          await q.list({ lane: 'a', limit: 2, states: ['ready'] }),
          ['a-1', 'a-2', 'a-3', 'a-4'],
          'of a lane',
        )
        equal(sortedBodies(await q.list({ lane: 'a' })), names('a', 5), 'in all states')
        equal(sortedBodies(await q.list({ lane: '' })), ['x-0', 'x-1'], 'without a lane')
        equal(await q.list({ lane: 'nobody' }), [], 'of no lane')
        equal(
          sortedBodies(await q.list({ limit: 3 })),
          [...names('a', 5), 'b-0', 'b-1', 'x-0', 'x-1'],
          'of all, in pages',
        )
      },
    },
    {
      name: 'a list finds messages of lanes by their ids',
      async run(t) {
        const q = await t.open()
        const ids = await q.send(...of('a', 2), ...of('b', 2), 'x')
        const found = await q.list({ ids: [ids[1]!, ids[2]!, ids[4]!, 'unknown'] })
        equal(sortedBodies(found), ['a-1', 'b-0', 'x'], 'what it finds')
        equal(sortedBodies(await q.list({ ids, lane: 'b' })), ['b-0', 'b-1'], 'of one lane')
      },
    },
    {
      name: 'stats count lanes exactly',
      async run(t) {
        const q = await t.open()
        await q.claim({ limit: 0 })
        await q.send(...of('a', 5), ...of('b', 3), 'x', ...of('c', 1, { delayMs: t.s(5) }))
        await q.count({ ready: 9, leased: 0, delayed: 1, dead: 0 }, 'at first')
        const taken = await q.take({ limit: 6 })
        await q.count({ ready: 3, leased: 6, delayed: 1 }, 'with leases')
        await q.retry(taken[0]!, { delayMs: t.s(5) })
        await q.bury(taken[1]!)
        await q.ack(taken[2]!)
        await q.count({ ready: 3, leased: 3, delayed: 2, dead: 1, acked: 1, failed: 2 }, 'with ends')
        equal((await q.stats()).messages, 8, 'messages')
        equal((await q.stats()).sent, 10, 'sent')
        await t.advance(t.s(5))
        await q.count({ ready: 5, leased: 3, delayed: 0 }, 'with what is due')
      },
    },
    {
      name: 'a limit of messages counts those of lanes',
      needs: [QUEUE_LIMITS],
      async run(t) {
        const q = await t.open()
        await q.claim({ limit: 0 })
        await q.send(...of('a', 3), ...of('b', 1))
        const results = await q.appendWith({ maxMessages: 5 }, ...of('c', 1))
        equal(results[0]!.status, 'stored', 'the fifth')
        let code: unknown
        try {
          await q.appendWith({ maxMessages: 5 }, ...of('d', 1))
        } catch (error) {
          code = (error as { code?: unknown }).code
        }
        equal(code, 'QUOTA_EXCEEDED', 'the sixth')
      },
    },
    {
      name: 'settlements of several lanes go together',
      async run(t) {
        const q = await t.open()
        await q.send(...of('a', 2), ...of('b', 2), ...of('c.d', 1), 'x')
        const taken = await q.take()
        const settle = taken.map(({ receipt }) => ({ receipt, kind: 'ack' as const }))
        const { settled, deliveries } = await q.claim({
          settle: [...settle, { receipt: 'made up', kind: 'ack' }],
        })
        equal(
          settled?.map(({ status }) => status),
          [...taken.map(() => 'settled'), 'stale'],
          'with the next claim',
        )
        equal(deliveries, [], 'what it finds')
        await q.count({ acked: 6, ready: 0, leased: 0 }, 'the numbers')
      },
    },
    {
      name: 'a receipt is good for its own delivery only',
      async run(t) {
        const q = await t.open()
        await q.send(...of('a', 1), ...of('b', 1))
        const [a] = await q.take({ limit: 1, leaseMs: t.s(1) })
        await t.advance(t.s(1))
        await q.take()
        equal(await q.statuses({ receipt: a!.receipt, kind: 'ack' }), ['stale'], 'after another had it')
        equal(
          await q.as('other').statuses({ receipt: a!.receipt, kind: 'ack' }),
          ['stale'],
          'in another group',
        )
      },
    },
    {
      name: 'leases in lanes can be extended and end',
      async run(t) {
        const q = await t.open()
        await q.send(...of('a', 1), ...of('b', 1))
        const [a] = await q.take({ leaseMs: t.s(2) })
        await t.advance(t.s(1))
        const longer = await q.extend(a!, t.s(10))
        await t.advance(t.s(1))
        t.bodies(await q.take({ leaseMs: t.s(60) }), ['b-0'], 'the lease that ended')
        await q.ack(longer)
      },
    },
    {
      name: 'two who claim at once never get the same',
      needs: [EXCLUSIVE_LEASES],
      async run(t) {
        const q = await t.open()
        const other = await t.openElsewhere()
        await q.send(...of('a', 20), ...of('b', 20), ...of('c', 20))
        const claims = await Promise.all(
          Array.from({ length: 12 }, (_, i) => (i % 2 === 0 ? q : other).take({ limit: 5 })),
        )
        const taken = claims.flat()
        equal(new Set(bodiesOf(taken)).size, taken.length, 'different messages')
        equal(taken.length, 60, 'all messages')
      },
    },
    {
      name: 'a thousand lanes of a few messages each are all delivered',
      needs: [FIFO],
      async run(t) {
        const q = await t.open()
        await q.claim({ limit: 0 })
        for (let round = 0; round < 3; round++) {
          for (let from = 0; from < 1000; from += 250) {
            await q.send(
              ...Array.from({ length: 250 }, (_, i) => ({
                body: `${from + i}/${round}`,
                lane: `lane-${from + i}`,
              })),
            )
          }
        }
        const seen = new Set<string>()
        for (let round = 0; round < 3; round++) {
          const ofRound = new Set<string>()
          for (let i = 0; i < 4; i++) {
            const taken = await q.take({ limit: 250 })
            for (const { body, lane } of taken) {
              seen.add(String(body))
              ofRound.add(lane!)
            }
            await q.ack(...taken)
          }
          equal(ofRound.size, 1000, 'lanes of a round')
        }
        equal(seen.size, 3000, 'messages')
        const { messages, bytes } = await q.stats()
        equal([messages, bytes], [0, 0], 'what is left')
        equal(await q.lanes(), [], 'lanes that are left')
      },
    },
  ],
}
