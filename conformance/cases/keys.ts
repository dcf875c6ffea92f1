import type { Delivery } from '../../src/core/index.ts'
import { CANCELLATION, FIFO, ORDERING_KEYS, type Section } from '../case.ts'
import { equal, ok, show } from '../assert.ts'
import { type Draft, type View, bodiesOf, names, randomFrom, sortedBodies } from '../scene.ts'

function keyed(key: string, bodies: readonly string[]): Draft[] {
  return bodies.map((body) => ({ body, key }))
}

/**
 * Works through everything: claims, then acknowledges or retries each delivery at random. Checks that never two messages
 * of a key are in flight, and that messages of a key are acknowledged in order. Bodies are `key:number`.
 */
async function workThrough(
  views: readonly View[],
  options: { readonly count: number; readonly limit: number; readonly nack: number; readonly seed: number },
): Promise<void> {
  const random = randomFrom(options.seed)
  const next = new Map<string, number>()
  let held: Delivery[] = []
  let done = 0
  for (let round = 0; done < options.count; round++) {
    ok(round < 50 * options.count, `no progress: ${done} of ${options.count} are done`)
    const view = views[round % views.length]!
    const { deliveries } = await view.claim({
      limit: options.limit,
      leaseMs: 3_600_000,
      maxAttempts: 1_000_000,
    })
    held.push(...deliveries)
    const keys = held.map(({ key }) => key).filter((key) => key !== undefined)
    equal(new Set(keys).size, keys.length, `different keys in flight: ${show(bodiesOf(held))}`)
    const keep: Delivery[] = []
    const [acks, nacks]: [Delivery[], Delivery[]] = [[], []]
    for (const delivery of held) {
      const roll = random()
      if (roll < 0.2) keep.push(delivery)
      else if (roll < 0.2 + options.nack) nacks.push(delivery)
      else acks.push(delivery)
    }
    for (const { body, key } of acks) {
      if (key !== undefined) {
        const number = Number(String(body).slice(key.length + 1))
        equal(number, next.get(key) ?? 0, `the number of the message of key ${key} that is acknowledged next`)
        next.set(key, number + 1)
      }
    }
    await view.ack(...acks)
    for (const delivery of nacks) await view.retry(delivery)
    done += acks.length
    held = keep
  }
  await views[0]!.takes([], 'deliveries in the end')
  equal((await views[0]!.stats()).messages, 0, 'messages in the end')
}

export const keys: Section = {
  name: 'ordering keys',
  needs: [ORDERING_KEYS],
  cases: [
    {
      name: 'one message of a key is in flight, and the next comes after its ack',
      async run(t) {
        const here = await t.open()
        const there = await t.openElsewhere()
        await here.send(...keyed('k', ['a', 'b', 'c']))
        for (const body of ['a', 'b', 'c']) {
          const held = await here.takeOne()
          equal([held.body, held.key, held.attempt], [body, 'k', 1], 'body, key and attempt')
          await there.takes([], `while ${body} is in flight`)
          await here.ack(held)
        }
        await there.takes([], 'in the end')
      },
    },
    {
      name: 'a claim of many takes one of each key',
      needs: [FIFO],
      async run(t) {
        const q = await t.open()
        await q.send(...['a', 'a', 'b', 'a', 'c', 'b'].map((key, i) => ({ body: `${key}${i}`, key })), 'free')
        const first = await q.takes(['a0', 'b2', 'c4', 'free'], 'the first of each key')
        await q.ack(...first)
        const second = await q.takes(['a1', 'b5'], 'the second of each key')
        await q.ack(...second)
        await q.ack(...(await q.takes(['a3'], 'the third')))
      },
    },
    {
      name: 'messages without a key are not held up, nor those of other keys',
      needs: [FIFO],
      async run(t) {
        const q = await t.open()
        await q.send(
          ...keyed('k', ['k1', 'k2']),
          'free 1',
          ...keyed('l', ['l1']),
          ...keyed('k', ['k3']),
          'free 2',
        )
        await q.takes(['k1'], 'the first', { limit: 1 })
        await q.takes(['free 1', 'l1', 'free 2'], 'the others')
        await q.send('free 3', ...keyed('m', ['m1']), ...keyed('k', ['k4']))
        await q.takes(['free 3', 'm1'], 'later ones')
      },
    },
    {
      name: 'a message that waits for a retry blocks its successors',
      async run(t) {
        const q = await t.open()
        await q.send(...keyed('k', ['a', 'b']))
        await q.retry(await q.takeOne(), { delayMs: t.s(10) })
        await t.until(t.s(10), async () => {
          await q.takes([], 'while it waits')
        })
        const again = await q.takeOne()
        equal([again.body, again.attempt], ['a', 2], 'body and attempt')
        await q.ack(again)
        await q.takes(['b'], 'after the ack')
      },
    },
    {
      name: 'a retry with counts: false blocks too',
      async run(t) {
        const q = await t.open()
        await q.send(...keyed('k', ['a', 'b']))
        await q.retry(await q.takeOne(), { counts: false })
        const again = await q.takeOne()
        equal([again.body, again.attempt], ['a', 1], 'body and attempt')
        await q.takes([], 'the next')
      },
    },
    {
      name: 'a lost lease brings the same message first',
      async run(t) {
        const q = await t.open()
        await q.send(...keyed('k', ['a', 'b']))
        for (let attempt = 1; attempt < 4; attempt++) {
          const held = await q.takeOne({ leaseMs: t.s(10) })
          equal([held.body, held.attempt], ['a', attempt], 'body and attempt')
          await t.advance(t.s(10))
        }
      },
    },
    {
      name: 'an extended lease keeps the key',
      async run(t) {
        const q = await t.open()
        await q.send(...keyed('k', ['a', 'b']))
        const held = await q.extend(await q.takeOne({ leaseMs: t.s(10) }), t.s(30))
        await t.advance(t.s(15))
        await q.takes([], 'while the extended lease lives')
        await q.ack(held)
        await q.takes(['b'], 'after the ack')
      },
    },
    {
      name: 'a dead letter frees its key',
      async run(t) {
        const q = await t.open()
        await q.send(...keyed('k', ['a', 'b']))
        await q.bury(await q.takeOne())
        await q.takes(['b'], 'after the death of the first')
      },
    },
    {
      name: 'an exhausted message frees its key',
      async run(t) {
        const q = await t.open()
        await q.send({ body: 'a', key: 'k', maxAttempts: 1 }, { body: 'b', key: 'k' })
        await q.takeOne({ leaseMs: t.s(10) })
        await q.takes([], 'while the first is leased')
        await t.advance(t.s(10))
        await q.takes(['b'], 'after the first is exhausted')
        equal(bodiesOf(await q.dead()), ['a'], 'dead letters')
      },
    },
    {
      name: 'a cancelled message frees its key, leased or waiting for a retry',
      needs: [CANCELLATION],
      async run(t) {
        const q = await t.open()
        await q.send(...keyed('k', ['a', 'b', 'c', 'd']))
        const leased = await q.takeOne()
        await q.takes([], 'while the first is leased')
        equal(await q.cancel(leased.id), [true], 'the cancel')
        const waiting = await q.takeOne()
        equal(waiting.body, 'b', 'the next')
        await q.retry(waiting, { delayMs: t.s(100) })
        await q.takes([], 'while the second waits')
        equal(await q.cancel(waiting.id), [true], 'the cancel')
        equal((await q.takeOne()).body, 'c', 'the next but one')
      },
    },
    {
      name: 'a cancelled message behind its key is passed over',
      needs: [CANCELLATION],
      async run(t) {
        const q = await t.open()
        const ids = await q.send(...keyed('k', ['a', 'b', 'c', 'd', 'e']))
        let held = await q.takeOne()
        await q.takes([], 'while the first is leased')
        equal(await q.cancel(ids[1]!, ids[3]!), [true, true], 'the cancel')
        for (const body of ['c', 'e']) {
          await q.ack(held)
          held = await q.takeOne()
          equal(held.body, body, 'the next')
        }
        await q.ack(held)
        await q.takes([], 'in the end')
        equal((await q.stats()).messages, 0, 'messages left')
      },
    },
    {
      name: 'all messages behind a key can be cancelled, and new ones of the key come',
      needs: [CANCELLATION],
      async run(t) {
        const q = await t.open()
        const ids = await q.send(...keyed('k', names('m', 20)))
        const held = await q.takeOne()
        await q.takes([], 'while the first is leased')
        equal((await q.cancel(...ids)).every(Boolean), true, 'whether all were cancelled')
        equal(await q.statuses({ receipt: held.receipt, kind: 'ack' }), ['stale'], 'the ack of the first')
        await q.send(...keyed('k', ['new']))
        await q.takes(['new'], 'the new one')
      },
    },
    {
      name: 'keys are kept in each group for itself',
      async run(t) {
        const q = await t.open()
        await q.send(...keyed('k', ['a', 'b']))
        const one = await q.as('one').takeOne()
        const two = await q.as('two').takeOne()
        await q.as('one').ack(one)
        await q.as('one').takes(['b'], 'group one')
        await q.as('two').takes([], 'group two')
        await q.as('two').ack(two)
        await q.as('two').takes(['b'], 'group two after its ack')
      },
    },
    {
      name: 'keys are kept in each queue for itself',
      async run(t) {
        const here = await t.open('here')
        const there = await t.open('there')
        await here.send(...keyed('k', ['a']))
        await there.send(...keyed('k', ['b']))
        await here.takes(['a'], 'here')
        await there.takes(['b'], 'there')
      },
    },
    {
      name: 'keys may be any names, and only the same is the same',
      async run(t) {
        const q = await t.open()
        const odd = [
          'k',
          'K',
          ' k',
          'k ',
          '0',
          '00',
          '-0',
          '1',
          '1.0',
          '__proto__',
          'constructor',
          'é',
          'e\u0301',
          '\u0000',
          '😀',
        ]
        await q.send(...odd.flatMap((key) => keyed(key, [`1 ${key}`, `2 ${key}`])))
        const first = await q.take()
        equal(sortedBodies(first), odd.map((key) => `1 ${key}`).sort(), 'the first of each key')
        await q.ack(...first)
        equal(sortedBodies(await q.take()), odd.map((key) => `2 ${key}`).sort(), 'the second of each key')
      },
    },
    {
      name: 'a delayed message of a key blocks only from when it has taken its place',
      async run(t) {
        const q = await t.open()
        await q.send({ body: 'delayed', key: 'k', delayMs: t.s(10) }, ...keyed('k', ['now']))
        const now = await q.takeOne()
        equal(now.body, 'now', 'the first')
        await t.advance(t.s(10))
        await q.takes([], 'while the first is leased')
        await q.ack(now)
        await q.takes(['delayed'], 'after the first')
      },
    },
    {
      name: 'a redriven message of a key is in flight alone, in its turn',
      async run(t) {
        const q = await t.open()
        await q.send(...keyed('k', ['a', 'b', 'c']))
        await q.bury(await q.takeOne())
        const b = await q.takeOne()
        await q.retry((await q.dead())[0]!)
        await q.takes([], 'while the second is leased')
        await q.ack(b)
        const seen: unknown[] = []
        for (let i = 0; i < 2; i++) {
          const held = await q.takeOne()
          seen.push(held.body)
          await q.takes([], 'while another of the key is leased')
          await q.ack(held)
        }
        equal(seen, ['a', 'c'], 'the order')
      },
    },
    {
      name: 'a redriven message of a free key blocks those behind it',
      async run(t) {
        const q = await t.open()
        await q.send(...keyed('k', ['a']))
        await q.bury(await q.takeOne())
        await q.retry((await q.dead())[0]!, { delayMs: t.s(10) })
        await q.send(...keyed('k', ['b']))
        await q.takes([], 'while the redriven one waits')
        await t.advance(t.s(10))
        await q.ack(await q.takeOne())
        await q.takes(['b'], 'after the redriven one')
      },
    },
    {
      name: 'a message that is redriven with a delay behind its key comes not before the delay is over',
      async run(t) {
        const q = await t.open()
        await q.send(...keyed('k', ['a', 'b']))
        await q.bury(await q.takeOne())
        const b = await q.takeOne({ leaseMs: t.s(60) })
        await q.retry((await q.dead())[0]!, { delayMs: t.s(10) })
        await q.ack(b)
        await t.until(t.s(10), async () => {
          await q.takes([], 'before the delay is over')
        })
        await q.takes(['a'], 'after the delay')
      },
    },
    {
      name: '50 claims of two instances, started at once, never get two messages of a key',
      async run(t) {
        const views = [await t.open(), await t.openElsewhere()]
        for (let i = 0; i < 10; i++)
          await views[0]!.send(...names('k', 5).map((key) => ({ body: `${i}`, key })))
        const racers = Array.from({ length: 50 }, (_, i) => views[i % 2]!.claim({ limit: 1 + (i % 3) }))
        const deliveries = (await Promise.all(racers)).flatMap((result) => result.deliveries)
        const rest = await views[0]!.take()
        const inFlight = [...deliveries, ...rest].map(({ key }) => key)
        equal(inFlight.map(String).sort(), names('k', 5), 'keys in flight')
      },
    },
    {
      name: 'a single deep key is worked off in order',
      async run(t) {
        const q = await t.open()
        const count = 600
        for (let i = 0; i < count; i += 100) {
          await q.send(...Array.from({ length: 100 }, (_, n) => ({ body: `k:${i + n}`, key: 'k' })))
        }
        let { deliveries } = await q.claim({ limit: 10 })
        for (let i = 0; i < count; i++) {
          equal(bodiesOf(deliveries), [`k:${i}`], 'the next of the key')
          ;({ deliveries } = await q.claim({
            limit: 10,
            settle: [{ receipt: deliveries[0]!.receipt, kind: 'ack' }],
          }))
        }
        equal(deliveries, [], 'deliveries in the end')
        equal((await q.stats()).messages, 0, 'messages in the end')
      },
    },
    {
      name: 'ten keys in a deep backlog are worked off in order, with retries at random',
      async run(t) {
        const views = [await t.open(), await t.openElsewhere()]
        for (let i = 0; i < 40; i++) {
          await views[0]!.send(...names('k', 10).map((key) => ({ body: `${key}:${i}`, key })))
        }
        await workThrough(views, { count: 400, limit: 20, nack: 0.3, seed: 1 })
      },
    },
    {
      name: 'many keys are worked off in order, with retries at random',
      async run(t) {
        const views = [await t.open(), await t.openElsewhere()]
        for (let i = 0; i < 3; i++) {
          await views[0]!.send(...names('k', 200).map((key) => ({ body: `${key}:${i}`, key })))
        }
        await workThrough(views, { count: 600, limit: 50, nack: 0.2, seed: 2 })
      },
    },
    {
      name: 'keyed and other messages mixed are worked off, the keyed ones in order',
      async run(t) {
        const views = [await t.open(), await t.openElsewhere()]
        const random = randomFrom(3)
        const next = new Map<string, number>()
        for (let i = 0; i < 40; i++) {
          await views[0]!.send(
            ...Array.from({ length: 1 + Math.floor(random() * 10) }, (_, n): Draft => {
              if (random() < 0.5) return `free ${i} ${n}`
              const key = `k${Math.floor(random() * 8)}`
              const number = next.get(key) ?? 0
              next.set(key, number + 1)
              return { body: `${key}:${number}`, key }
            }),
          )
        }
        const { messages: count } = await views[0]!.stats()
        await workThrough(views, { count, limit: 7, nack: 0.3, seed: 4 })
      },
    },
    {
      name: 'a free message behind thousands of one key is found',
      async run(t) {
        const q = await t.open()
        for (let i = 0; i < 3000; i += 500) {
          await q.send(...Array.from({ length: 500 }, (_, n) => ({ body: `${i + n}`, key: 'k' })))
        }
        await q.send('free')
        t.bodies(await q.take(), ['0', 'free'], 'deliveries')
      },
    },
    {
      name: 'messages of a key stay in order when the group is created after them',
      async run(t) {
        const q = await t.open()
        await q.as('first').claim()
        await q.send(...keyed('k', ['a', 'b']))
        await q.as('first').takeOne()
        const late = q.as('late')
        const a = await late.takeOne()
        equal(a.body, 'a', 'the first')
        await late.takes([], 'while it is leased')
        await late.ack(a)
        await late.takes(['b'], 'after the ack')
      },
    },
    {
      name: 'a deleted group leaves no key blocked behind',
      async run(t) {
        const q = await t.open()
        await q.as('other').claim()
        await q.send(...keyed('k', ['a', 'b', 'c']))
        await q.retry(await q.takeOne(), { delayMs: t.s(3600) })
        await q.takes([], 'while the first waits')
        await q.storage.deleteGroup(q.group)
        for (const body of ['a', 'b', 'c']) {
          const held = await q.takeOne()
          equal([held.body, held.attempt], [body, 1], 'body and attempt in the new group')
          await q.ack(held)
        }
      },
    },
  ],
}
