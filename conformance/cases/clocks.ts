import { DEDUPLICATION, FIFO, SETTABLE_CLOCK, type Case, type Section } from '../case.ts'
import type { Delivery, Settlement } from '../../src/core/index.ts'
import { equal, ok, show } from '../assert.ts'
import { type Scene, type View, bodiesOf, names, randomFrom, sortedBodies } from '../scene.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR

/** What a message can wait for, each for 30 s. */
const WAITS: Readonly<Record<string, (t: Scene, q: View) => Promise<void>>> = {
  'under a lease': async (t, q) => {
    await q.send('a')
    await q.takeOne({ leaseMs: t.s(30) })
  },
  'under an extended lease': async (t, q) => {
    await q.send('a')
    await q.extend(await q.takeOne({ leaseMs: t.s(5) }), t.s(30))
  },
  'with a delay': async (t, q) => {
    await q.send({ body: 'a', delayMs: t.s(30) })
  },
  'for a retry': async (t, q) => {
    await q.send('a')
    await q.retry(await q.takeOne(), { delayMs: t.s(30) })
  },
  'for its redrive': async (t, q) => {
    await q.send('a')
    await q.bury(await q.takeOne())
    await q.retry((await q.dead())[0]!, { delayMs: t.s(30) })
  },
}

/** Sends and works at random while the clock is set to and fro. All leases and delays are at most a minute. */
async function wreakHavoc(t: Scene, views: readonly View[], random: () => number): Promise<void> {
  const number = (below: number): number => Math.floor(random() * below)
  const { orderingKeys } = t.guarantees
  let held: Delivery[] = []
  for (let step = 0; step < 60; step++) {
    const q = views[number(2)]!
    const roll = random()
    if (roll < 0.3) {
      await q.send({
        body: `${step}`,
        ...(random() < 0.5 && { delayMs: number(60_000) }),
        ...(orderingKeys && random() < 0.5 && { key: `${number(3)}` }),
      })
    } else if (roll < 0.6) {
      const leaseMs = 1 + number(60_000)
      held.push(...(await q.take({ limit: 1 + number(5), leaseMs, maxAttempts: 1_000_000 })))
    } else if (roll < 0.8) {
      await q.settle(
        ...held.map(({ receipt }): Settlement => {
          const kind = random()
          if (kind < 0.4) return { receipt, kind: 'ack' }
          if (kind < 0.8) return { receipt, kind: 'retry', delayMs: number(60_000) }
          return { receipt, kind: 'extend', leaseMs: 1 + number(60_000) }
        }),
      )
      held = []
    } else if (roll < 0.9) await t.advance(number(60_000))
    else t.jump(Math.round((random() - 0.5) * [1000, 100_000, HOUR, 100 * DAY][number(4)]!))
  }
}

function afterJump(kind: string, what: string, ms: number): Case {
  return {
    name: `a message that waits ${kind} comes after its 30 s at the latest when the clock is set ${what}`,
    needs: [SETTABLE_CLOCK],
    async run(t) {
      const q = await t.open()
      await q.claim()
      await WAITS[kind]!(t, q)
      t.jump(ms)
      // Time that nobody saw pass cannot be told from the jump: the 30 s count from the first look.
      const early = await q.take()
      if (ms < 0) equal(early, [], 'deliveries right after the jump back')
      await t.until(t.s(30), async () => {
        if (ms < 0) await q.takes([], 'before the 30 s are over')
      })
      const held = early.length > 0 ? early : await q.take()
      equal(bodiesOf(held), ['a'], 'deliveries')
      await q.ack(held[0]!)
      equal((await q.stats()).messages, 0, 'messages left')
    },
  }
}

export const clocks: Section = {
  name: 'clocks',
  cases: [
    ...Object.keys(WAITS).flatMap((kind) => [
      afterJump(kind, 'an hour forward', HOUR),
      afterJump(kind, 'an hour back', -HOUR),
      afterJump(kind, 'ten years back', -3650 * DAY),
    ]),
    {
      name: 'ready messages are delivered after any jump, in order',
      needs: [SETTABLE_CLOCK, FIFO],
      async run(t) {
        const q = await t.open()
        for (const jump of [-HOUR, HOUR, -DAY, 10 * DAY, -365 * DAY]) {
          await q.send('a', 'b')
          t.jump(jump)
          await q.send('c')
          await q.ack(...(await q.takes(['a', 'b', 'c'], `after a jump of ${jump / HOUR} hours`)))
        }
      },
    },
    {
      name: 'a lease that is given after a jump back lasts its time',
      needs: [SETTABLE_CLOCK],
      async run(t) {
        const q = await t.open()
        await q.send('a')
        t.jump(-HOUR)
        await q.takeOne({ leaseMs: t.s(30) })
        await t.until(t.s(30), async () => {
          await q.takes([], 'while the lease lives')
        })
        await q.takes(['a'], 'after the lease')
      },
    },
    {
      name: 'a receipt settles after a jump back, and after a jump forward if nobody else has the message',
      needs: [SETTABLE_CLOCK],
      async run(t) {
        const q = await t.open()
        for (const jump of [-HOUR, HOUR, -DAY]) {
          await q.send('a')
          const held = await q.takeOne()
          t.jump(jump)
          await q.ack(held)
          await q.takes([], 'deliveries after the ack')
        }
      },
    },
    {
      name: 'a message expires within its time after a jump back, and not before a claim can see it',
      needs: [SETTABLE_CLOCK],
      async run(t) {
        const q = await t.open()
        await q.claim()
        await q.send({ body: 'a', expiresInMs: t.s(30) }, { body: 'b', expiresInMs: t.s(30) })
        t.jump(-HOUR)
        equal((await q.take({ limit: 1 })).length, 1, 'deliveries right after the jump')
        await t.advance(t.s(30))
        await q.takes([], 'deliveries after 30 s')
        equal((await q.dead()).length, 2, 'dead letters')
      },
    },
    {
      name: 'messages that are sent with a delay before and after a jump back all come in their time',
      needs: [SETTABLE_CLOCK],
      async run(t) {
        const q = await t.open()
        await q.claim()
        await q.send({ body: 'before', delayMs: t.s(30) })
        t.jump(-HOUR)
        await q.send({ body: 'after', delayMs: t.s(30) })
        await t.advance(t.s(30))
        equal(sortedBodies(await q.take()), ['after', 'before'], 'deliveries')
      },
    },
    {
      name: 'replacements put a message off no further than they may, after a jump back too',
      needs: [SETTABLE_CLOCK, DEDUPLICATION],
      async run(t) {
        const q = await t.open()
        const draft = { body: 'a', id: 'a', delayMs: t.s(20), maxDelayMs: t.s(30), replace: true }
        await q.send(draft)
        t.jump(-HOUR)
        for (let i = 0; i < 3; i++) {
          await q.append(draft)
          await t.advance(t.s(15))
        }
        await q.takes(['a'], 'after 45 s')
      },
    },
    {
      name: 'jumps back and forth lose nothing',
      needs: [SETTABLE_CLOCK],
      async run(t) {
        const q = await t.open()
        await q.claim()
        const seen: unknown[] = []
        const jumps = [HOUR, -HOUR, -HOUR, 2 * HOUR, -DAY, DAY, -60_000, 60_000, -500, 500]
        for (const [i, jump] of jumps.entries()) {
          await q.send(`now ${i}`, { body: `later ${i}`, delayMs: t.s(20) })
          for (const [n, delivery] of (await q.take()).entries()) {
            if (n % 3 === 0) await q.retry(delivery, { delayMs: t.s(10) })
            if (n % 3 === 1) {
              seen.push(delivery.body)
              await q.ack(delivery)
            }
          }
          t.jump(jump)
          await t.advance(t.s(5))
        }
        await t.advance(t.s(60))
        seen.push(...bodiesOf(await q.take({ maxAttempts: 1000 })))
        equal(
          seen.map(String).sort(),
          [...names('now', 10), ...names('later', 10)].map((name) => name.replace('-', ' ')).sort(),
          'messages',
        )
        equal(await q.dead(), [], 'dead letters')
      },
    },
    {
      name: 'whatever the clock does, every message is done once everybody works and time goes on',
      needs: [SETTABLE_CLOCK],
      async run(t) {
        for (let seed = 1; seed <= 25; seed++) {
          const q = (await t.open(`queue ${seed}`)).as('g')
          const there = (await t.openElsewhere(`queue ${seed}`)).as('g')
          await wreakHavoc(t, [q, there], randomFrom(seed))
          // Nothing waits longer than a minute from now; a key may have its messages one after the other.
          for (let round = 0; (await q.stats()).messages > 0; round++) {
            ok(round < 100, `seed ${seed}: ${show(await q.list())} are not done after ${round} minutes`)
            await q.ack(...(await q.take({ maxAttempts: 1_000_000 })))
            await t.advance(60_000)
          }
          equal(await q.dead(), [], 'dead letters')
        }
      },
    },
    {
      name: 'a clock that goes back a little, again and again, freezes nothing',
      needs: [SETTABLE_CLOCK],
      async run(t) {
        const q = await t.open()
        const there = await t.openElsewhere()
        await q.send('a')
        await q.takeOne({ leaseMs: t.s(30) })
        // Two contexts whose clocks differ by 20 ms take turns.
        for (let i = 0; i < 100; i++) {
          t.jump(i % 2 === 0 ? -20 : 20)
          await (i % 2 === 0 ? there : q).claim()
        }
        await t.advance(t.s(29))
        await there.takes([], 'while the lease lives')
        await t.advance(t.s(2))
        await there.takes(['a'], 'after the lease')
      },
    },
    {
      name: 'times of a message are on the clock as it is, after a jump back too',
      needs: [SETTABLE_CLOCK],
      async run(t) {
        const q = await t.open()
        await q.send('a')
        await q.ack(await q.takeOne())
        t.jump(-HOUR)
        await q.send('b')
        const held = await q.takeOne()
        t.isNow(held.timestamp, 'the timestamp')
        await q.bury(held)
        t.isNow((await q.dead())[0]!.deadAt, 'deadAt')
      },
    },
  ],
}
