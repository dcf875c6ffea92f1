import { CANCELLATION, DEDUPLICATION, type Section } from '../case.ts'
import { equal } from '../assert.ts'
import { MAX_DURATION_MS } from '../../src/segments/index.ts'

const INSTANTS = ['s@1', 's@2', 's@3']

/** What schedules rely on: a message beside the queue that is handed back until it is due again, and ids of instants. */
export const schedules: Section = {
  name: 'schedules',
  needs: [DEDUPLICATION],
  cases: [
    {
      name: 'what several contexts send at once under ids of instants is stored once, and known after it is done',
      async run(t) {
        const q = await t.open()
        const views = [q, await t.openElsewhere(), await t.open(), await t.openElsewhere()]
        await q.claim()
        const drafts = INSTANTS.map((id) => ({ body: id, id, dedupeMs: t.s(100) }))
        const fire = async (): Promise<number> => {
          const results = await Promise.all(views.map((view) => view.append(...drafts)))
          return results.flat().filter(({ status }) => status === 'stored').length
        }
        equal(await fire(), INSTANTS.length, 'how many are stored')
        await q.ack(...(await q.takes(INSTANTS, 'deliveries')))
        equal(await fire(), 0, 'how many are stored once they are done')
        await q.takes([], 'deliveries once they are done')
        await t.advance(t.s(100))
        equal(await fire(), INSTANTS.length, 'how many are stored when the ids are over')
      },
    },
    {
      name: 'what is handed back says why, for as long as it waits, and takes no attempt',
      async run(t) {
        const q = await t.open()
        await q.send({ body: 'tick', id: 'x' })
        for (let i = 0; i < 3; i++) {
          const held = await q.takeOne()
          equal([held.attempt, held.lastError], [1, i === 0 ? undefined : `waits ${i - 1}`], 'the delivery')
          const { receipt } = held
          await q.settle({ receipt, kind: 'retry', delayMs: t.s(50), error: `waits ${i}`, counts: false })
          const [listed] = await q.list({ ids: ['x'] })
          equal([listed?.state, listed?.lastError], ['delayed', `waits ${i}`], 'the list')
          await t.advance(t.s(50))
        }
      },
    },
    {
      name: 'what waits for a retry and is replaced with a delay is due after that, as if it were new',
      async run(t) {
        const q = await t.open()
        await q.send({ body: 'old', id: 'x' })
        await q.retry(await q.takeOne(), { delayMs: t.s(1000), error: 'waits' })
        equal(
          await q.sendOne({ body: 'new', id: 'x', delayMs: t.s(10), replace: true }),
          'replaced',
          'result',
        )
        const [listed, ...others] = await q.list({ ids: ['x'] })
        equal([listed?.body, listed?.lastError, others], ['new', undefined, []], 'the list')
        await t.until(t.s(10), async () => {
          await q.takes([], 'before the delay is over')
        })
        const { body, attempt, lastError } = await q.takeOne()
        equal([body, attempt, lastError], ['new', 1, undefined], 'the delivery')
      },
    },
    {
      name: 'an id leads to what has replaced a message while that was leased, also once that is handed back',
      async run(t) {
        const q = await t.open()
        const there = await t.openElsewhere()
        await q.send({ body: 'old', id: 'x', headers: { revision: '1' } })
        const { receipt } = await q.takeOne()
        const draft = { body: 'new', id: 'x', headers: { revision: '2' }, delayMs: t.s(1), replace: true }
        equal(await there.sendOne(draft), 'stored', 'result')
        // The older one may be told as well.
        const shows = async (): Promise<boolean> =>
          (await q.list({ ids: ['x'] })).some(({ headers }) => headers?.['revision'] === '2')
        equal(await shows(), true, 'the list has it')
        equal(
          await q.statuses({ receipt, kind: 'retry', delayMs: t.s(1000), counts: false }),
          ['settled'],
          'status',
        )
        equal(await shows(), true, 'the list has it when the old one was handed back')
        await t.advance(t.s(1))
        await q.ack(...(await q.takes(['new'], 'deliveries')))
      },
    },
    {
      name: 'what is put off by the longest delay is replaced again and again, says when, and is cancelled',
      needs: [CANCELLATION],
      async run(t) {
        const q = await t.open()
        await q.claim()
        for (let i = 0; i < 5; i++) {
          const headers = { mark: String(i) }
          await q.append({ body: '0', id: 'x', headers, delayMs: MAX_DURATION_MS, replace: true })
          const [listed, ...others] = await q.list({ ids: ['x'] })
          equal([listed?.state, listed?.headers, others], ['delayed', headers, []], 'the list')
          t.isNow(listed!.timestamp, 'timestamp')
          await t.advance(t.s(10))
        }
        equal((await q.stats()).messages, 1, 'messages')
        equal(await q.cancel('x'), [true], 'cancelled')
        equal(await q.list(), [], 'the list')
      },
    },
  ],
}
