import { CANCELLATION, FIFO, ORDERING_KEYS, type Section } from '../case.ts'
import { equal, ok } from '../assert.ts'
import { type Draft, type View, bodiesOf, names, randomFrom } from '../scene.ts'
import { MAX_ANSWER_BYTES } from '../../src/segments/index.ts'

/** Sends drafts in batches as large as the storage takes. */
async function sendAll(q: View, drafts: readonly Draft[]): Promise<void> {
  const size = Math.min(1000, q.scene.guarantees.maxBatch)
  for (let i = 0; i < drafts.length; i += size) await q.send(...drafts.slice(i, i + size))
}

/** Messages that are all due after five seconds, each at a time of its own as far as the clock has as many. */
function delayed(q: View, count: number, more: Partial<Exclude<Draft, string>> = {}): Draft[] {
  const times = q.scene.s(5)
  return Array.from({ length: count }, (_, i) => {
    return { body: `late-${i}`, delayMs: 1 + Math.floor((i * times) / count), ...more }
  })
}

/** What is right for three messages must be right for thousands, after an outage, a holiday, a slow week. */
export const backlog: Section = {
  name: 'backlog',
  cases: [
    {
      name: 'what is sent while much is overdue comes behind it',
      needs: [FIFO, ORDERING_KEYS],
      async run(t) {
        const q = await t.open()
        await q.claim()
        await sendAll(q, delayed(q, 1200, { key: 'k' }))
        await t.advance(t.s(5))
        await q.send({ body: 'new-0', key: 'k' }, 'other-0')
        await q.send({ body: 'new-1', key: 'k' }, 'other-1')
        const seen: string[] = []
        for (;;) {
          const deliveries = await q.take({ limit: 100, leaseMs: t.s(1000) })
          if (deliveries.length === 0) break
          seen.push(...deliveries.map(({ body }) => String(body)))
          await q.ack(...deliveries)
        }
        const ofKey = seen.filter((body) => !body.startsWith('other'))
        equal(ofKey.length, 1202, 'deliveries of the key')
        const at = ofKey.findIndex((body, i) => body !== (i < 1200 ? `late-${i}` : `new-${i - 1200}`))
        equal(at, -1, 'the first delivery of the key that is out of order')
        ok(seen.indexOf('other-0') < seen.indexOf('other-1'), 'two without a key changed places')
      },
    },
    {
      name: 'messages without a key that are sent while much is overdue come behind it, too',
      needs: [FIFO],
      async run(t) {
        const q = await t.open()
        await sendAll(q, delayed(q, 1200))
        await t.advance(t.s(5))
        await sendAll(q, names('new', 50))
        const bodies = bodiesOf(await q.take({ limit: 5000, leaseMs: t.s(1000) }))
        equal(bodies, [...names('late', 1200), ...names('new', 50)], 'deliveries')
      },
    },
    {
      name: 'a claim fills up with what is overdue',
      async run(t) {
        const q = await t.open()
        await q.claim()
        await sendAll(q, delayed(q, 1200))
        await t.advance(t.s(5))
        let claims = 0
        let taken = 0
        while (taken < 1200) {
          const { deliveries } = await q.claim({ limit: 100, leaseMs: t.s(1000) })
          taken += deliveries.length
          ok(++claims <= 24, `${claims} claims of 100 have taken ${taken} of 1,200`)
        }
      },
    },
    {
      name: 'numbers are right, however much is overdue',
      async run(t) {
        const q = await t.open()
        await q.claim()
        await q.as('other').claim()
        await sendAll(q, delayed(q, 5000))
        await q.count({ ready: 0, delayed: 5000 }, 'counts before')
        await t.advance(t.s(5))
        await q.count({ ready: 5000, delayed: 0 }, 'counts when all is due')
        await q.ack(...(await q.take({ limit: 10, leaseMs: t.s(1000) })))
        await q.count({ ready: 4990, delayed: 0, acked: 10 }, 'counts after ten were taken')
        await q.as('other').count({ ready: 5000, delayed: 0 }, 'counts of the other group')
        equal((await q.stats()).messages, 5000, 'messages')
      },
    },
    {
      name: 'numbers are right, however much has expired',
      async run(t) {
        const q = await t.open()
        await q.claim()
        await q.as('other').claim()
        const times = t.s(5)
        await sendAll(
          q,
          Array.from({ length: 5000 }, (_, i): Draft => {
            return { body: `m-${i}`, expiresInMs: 1 + Math.floor((i * times) / 5000) }
          }),
        )
        await q.send('stays')
        await t.advance(t.s(5))
        for (const view of [q, q.as('other')]) {
          const { ready, dead } = await view.counts()
          equal([ready, dead > 5000], [1, false], `what is ready for ${view.group}`)
        }
        await q.takes(['stays'], 'deliveries')
      },
    },
    {
      name: 'a group that starts at the latest while much is overdue gets what is sent after it',
      needs: [FIFO],
      async run(t) {
        const q = await t.open()
        await q.claim()
        await sendAll(q, delayed(q, 1200))
        await t.advance(t.s(5))
        const late = q.as('late')
        await late.takes([], 'at its start', { from: 'latest' })
        await q.send('new')
        await late.takes(['new'], 'deliveries')
        equal((await q.take({ limit: 2000, leaseMs: t.s(1000) })).length, 1201, 'the other group')
      },
    },
    {
      name: 'a group that starts at the earliest while much is overdue gets it all, in order',
      needs: [FIFO],
      async run(t) {
        const q = await t.open()
        await q.claim()
        await q.send('first')
        await sendAll(q, delayed(q, 1200))
        await t.advance(t.s(5))
        const bodies = bodiesOf(await q.as('late').take({ limit: 2000, leaseMs: t.s(1000) }))
        equal(bodies, ['first', ...names('late', 1200)], 'deliveries')
      },
    },
    {
      name: 'a later group gets what others wait to retry, once, also what they finish while it starts',
      needs: [ORDERING_KEYS],
      async run(t) {
        const q = await t.open()
        const other = q.as('other')
        await other.claim()
        const keyed = Array.from({ length: 300 }, (_, i): Draft => ({ body: `k-${i}`, key: `${i % 50}` }))
        await sendAll(q, [...names('m', 900), ...keyed])
        for (const view of [q, other]) {
          const held = await view.take({ limit: 2000, leaseMs: t.s(1000) })
          const settlements = held.map(({ receipt }) => ({ receipt, kind: 'retry', delayMs: 0 }) as const)
          await view.settle(...settlements)
        }
        const late = q.as('late')
        const first = await late.claim({ limit: 10, leaseMs: t.s(1000) })
        for (const view of [q, other]) {
          for (;;) {
            const deliveries = await view.take({ limit: 100, leaseMs: t.s(1000) })
            if (deliveries.length === 0) break
            await view.ack(...deliveries)
          }
        }
        const seen = bodiesOf(first.deliveries).map(String)
        await late.ack(...first.deliveries)
        for (;;) {
          const deliveries = await late.take({ limit: 100, leaseMs: t.s(1000) })
          if (deliveries.length === 0) break
          seen.push(...deliveries.map(({ body }) => String(body)))
          await late.ack(...deliveries)
        }
        equal(
          seen.toSorted(),
          [...names('m', 900), ...names('k', 300)].sort(),
          'deliveries of the later group',
        )
        const ofKey = seen.filter((body) => body.startsWith('k-') && Number(body.slice(2)) % 50 === 7)
        equal(
          ofKey,
          [7, 57, 107, 157, 207, 257].map((i) => `k-${i}`),
          'the order of one key',
        )
        equal((await q.stats()).messages, 0, 'messages left')
      },
    },
    {
      name: 'many messages in flight, leased one by one, are settled, extended and lost as one is',
      needs: [ORDERING_KEYS],
      async run(t) {
        const q = await t.open()
        const many = 600
        await sendAll(
          q,
          Array.from({ length: many }, (_, i): Draft => {
            return { body: `m-${i}`, key: i % 2 === 0 ? `key-${i}` : undefined }
          }),
        )
        await q.send({ body: 'behind', key: 'key-0' })
        const held = []
        while (held.length < many) {
          held.push(...(await q.take({ limit: held.length % 3 === 0 ? 1 : 7, leaseMs: t.s(60) })))
        }
        await q.count({ leased: many }, 'counts')
        equal((await q.all({ states: ['leased'] })).length, many, 'the list of what is leased')
        const random = randomFrom(1)
        const shuffled = held.toSorted(() => random() - 0.5)
        const [acked, extended, lost] = [
          shuffled.slice(0, 200),
          shuffled.slice(200, 400),
          shuffled.slice(400),
        ]
        await q.ack(...acked)
        for (const delivery of extended.slice(0, 20)) await q.extend(delivery, t.s(300))
        await q.settle(
          ...extended
            .slice(20)
            .map(({ receipt }) => ({ receipt, kind: 'extend', leaseMs: t.s(300) }) as const),
        )
        const wasFree = acked.some(({ body }) => body === 'm-0')
        await q.count({ leased: 400, acked: 200 }, 'counts after acks')
        await t.advance(t.s(60))
        const again = await q.take({ limit: 1000, leaseMs: t.s(1000) })
        const expected = [...lost.map(({ body }) => String(body)), ...(wasFree ? ['behind'] : [])]
        equal(again.map(({ body }) => String(body)).sort(), expected.sort(), 'what comes again')
        equal(
          (await q.statuses(...lost.map(({ receipt }) => ({ receipt, kind: 'ack' }) as const))).filter(
            (status) => status !== 'stale',
          ),
          [],
          'acks of lost leases',
        )
        await q.ack(...again)
        for (const { body } of await q.all({ states: ['leased'] }))
          ok(
            extended.some((one) => one.body === body),
            `${String(body)} is leased`,
          )
      },
    },
    {
      name: 'one message in flight holds back nothing of what is done',
      async run(t) {
        const q = await t.open()
        await q.send('slow')
        const slow = await q.takeOne({ leaseMs: t.s(1000) })
        const kB = 'x'.repeat(1000)
        for (let i = 0; i < 40; i++) {
          await q.send(...Array.from({ length: 100 }, () => kB))
          await q.ack(...(await q.take({ leaseMs: t.s(1000) })))
        }
        const { bytes, messages } = await q.stats()
        equal(messages, 1, 'messages')
        ok(bytes < 2_000_000, `${bytes} bytes are retained for one message`)
        await q.ack(slow)
        equal((await q.stats()).messages, 0, 'messages in the end')
      },
    },
    {
      name: 'thousands of cancelled messages hide nothing',
      needs: [CANCELLATION, FIFO],
      async run(t) {
        const q = await t.open()
        await q.claim()
        const ids: string[] = []
        const size = Math.min(1000, t.guarantees.maxBatch)
        while (ids.length < 3000) ids.push(...(await q.send(...names(`m${ids.length}`, size))))
        await q.send('last')
        for (let i = 0; i < ids.length; i += 256) {
          const some = ids.slice(i, i + 256)
          equal(
            await q.cancel(...some),
            some.map(() => true),
            'cancel',
          )
        }
        await q.count({ ready: 1 }, 'counts')
        await q.takes(['last'], 'deliveries')
      },
    },
    {
      name: 'answers are bounded in bytes, and lists without bodies carry none',
      async run(t) {
        const q = await t.open()
        const MB = 'x'.repeat(1_000_000)
        const count = 20
        if (t.guarantees.maxBodyBytes < MB.length) return
        for (let i = 0; i < count; i++) await q.send(`${i}:${MB}`)
        const sizeOf = (all: readonly { readonly body: unknown }[]): number =>
          all.reduce((sum, { body }) => sum + String(body).length, 0)
        const page = await q.page({ limit: 100 })
        ok(
          sizeOf(page.messages) < MAX_ANSWER_BYTES + 2 * MB.length,
          `a page has ${sizeOf(page.messages)} bytes`,
        )
        equal((await q.list({ limit: 100 })).length, count, 'messages on all pages')
        const bare = await q.list({ limit: 100, bodies: false })
        equal([bare.length, sizeOf(bare)], [count, 0], 'messages and bytes of a list without bodies')
        const { deliveries, nextInMs } = await q.claim({ leaseMs: t.s(1000) })
        ok(sizeOf(deliveries) < MAX_ANSWER_BYTES + 2 * MB.length, `a claim has ${sizeOf(deliveries)} bytes`)
        if (deliveries.length < count) equal(nextInMs, 0, 'nextInMs where some are left')
        equal(deliveries.length + (await q.take({ leaseMs: t.s(1000) })).length, count, 'all deliveries')
        const leased = await q.list({ limit: 100, bodies: false, states: ['leased'] })
        equal([leased.length, sizeOf(leased)], [count, 0], 'messages and bytes of what is leased')
      },
    },
  ],
}
