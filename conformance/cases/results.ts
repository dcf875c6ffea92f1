import { CANCELLATION, DEDUPLICATION, FIFO, RESULTS, type Section } from '../case.ts'
import { equal, ok } from '../assert.ts'
import { breathe } from '../clock.ts'
import { type Draft, type View, bodiesOf, names } from '../scene.ts'
import type { Hint, Outcome } from '../../src/core/index.ts'

/** Sends a message whose outcome is kept, and acknowledges it with a value. Answers with its id. */
async function sendAndFinish(q: View, draft: Exclude<Draft, string>, value = 'v'): Promise<string> {
  const [id] = await q.send({ keepMs: q.scene.s(60), ...draft })
  await q.finish(await q.takeOne(), value)
  return id!
}

function doneOf(q: View): ReturnType<View['list']> {
  return q.list({ states: ['done'] })
}

/** Lanes of a message, and of a later one of its id. */
const COMBINATIONS: readonly (readonly [string | undefined, string | undefined])[] = [
  [undefined, undefined],
  ['lane', undefined],
  [undefined, 'lane'],
  ['lane', 'lane'],
]

function valueOf(outcome: Outcome | undefined): unknown {
  return outcome?.status === 'done' ? outcome.value : outcome?.status
}

async function redrive(q: View): Promise<void> {
  const [letter] = await q.dead()
  equal(
    await q.statuses({ receipt: letter!.receipt!, kind: 'retry', delayMs: 0 }),
    ['settled'],
    'the redrive',
  )
}

export const results: Section = {
  name: 'results',
  needs: [RESULTS],
  cases: [
    {
      name: 'keeps what an ack brings, text and bytes, and tells it anywhere',
      async run(t) {
        const q = await t.open()
        const there = await t.openElsewhere()
        const bytes = new Uint8Array([0, 255, 10])
        for (const value of ['text', '', bytes]) {
          const [id] = await q.send({ body: 'a', keepMs: t.s(60) })
          await q.finish(await q.takeOne(), value)
          const outcome = await there.result(id!)
          t.isNow(outcome?.at, 'at')
          equal({ ...outcome, at: 0 }, { status: 'done', value, at: 0 }, 'the outcome')
        }
      },
    },
    {
      name: 'keeps that a message is done, without a value as well',
      async run(t) {
        const q = await t.open()
        const [id] = await q.send({ body: 'a', keepMs: t.s(60) })
        await q.ack(await q.takeOne())
        equal({ ...(await q.result(id!)), at: 0 }, { status: 'done', at: 0 }, 'the outcome')
      },
    },
    {
      name: 'finds a message by an id of its own, and ones that the storage made',
      needs: [DEDUPLICATION],
      async run(t) {
        const q = await t.open()
        const ids = await q.send(
          { body: 'a', id: 'mine', keepMs: t.s(60) },
          ...names('m', 200).map((body) => ({ body, keepMs: t.s(60) })),
          { body: 'z', delayMs: t.s(1), keepMs: t.s(60) },
        )
        await t.advance(t.s(1))
        for (const held of await q.take({ limit: 300 })) await q.finish(held, `value of ${String(held.body)}`)
        const outcomes = await q.results('mine', 'unknown', ids[1]!, ids[200]!, ids[201]!)
        equal(
          outcomes.map((one) => one?.status === 'done' && one.value),
          ['value of a', false, 'value of m-0', 'value of m-199', 'value of z'],
          'values',
        )
        equal(
          (await q.results(...ids.slice(0, 200))).filter((one) => one === undefined),
          [],
          'without an outcome',
        )
        equal(await q.results(), [], 'nothing')
      },
    },
    {
      name: 'keeps it for keepMs and no longer, and nothing is left then',
      async run(t) {
        const q = await t.open()
        const id = await sendAndFinish(q, { body: 'a', keepMs: t.s(10) })
        await t.until(t.s(10), async () => {
          equal((await q.result(id))?.status, 'done', 'before its time is over')
          equal((await doneOf(q)).length, 1, 'the list before')
        })
        equal([await q.result(id), await doneOf(q)], [undefined, []], 'when its time is over')
        await q.takes([], 'deliveries')
        equal([await q.result(id), await doneOf(q)], [undefined, []], 'after a claim')
      },
    },
    {
      name: 'keeps nothing without keepMs',
      async run(t) {
        const q = await t.open()
        const ids = await q.send('a', 'b', 'c')
        const held = await q.take()
        const [first, second, third] = ids.map((id) => held.find((one) => one.id === id)!)
        const { receipt } = third!
        await q.statuses({ receipt, kind: 'extend', leaseMs: t.s(10), progress: '50 %' })
        equal(await q.results(...ids), [undefined, undefined, undefined], 'while they are leased')
        await q.finish(first!, 'value')
        await q.bury(second!)
        equal(await q.results(...ids), [undefined, undefined, undefined], 'results')
        equal(await doneOf(q), [], 'the list')
      },
    },
    {
      name: 'says nothing of messages that wait, in whatever way',
      async run(t) {
        const q = await t.open()
        const keepMs = t.s(60)
        const [leased, retried] = await q.send({ body: 'leased', keepMs }, { body: 'retried', keepMs })
        const held = await q.take()
        await q.retry(
          held.find(({ id }) => id === retried)!,
          { delayMs: t.s(10) },
        )
        const [ready, delayed] = await q.send(
          { body: 'ready', keepMs },
          { body: 'delayed', delayMs: t.s(10), keepMs },
        )
        const ids = [leased!, retried!, ready!, delayed!]
        equal(
          await q.results(...ids),
          ids.map(() => undefined),
          'results',
        )
        equal(
          await q.as('nobody').results(...ids),
          ids.map(() => undefined),
          'of a group that does not exist',
        )
      },
    },
    {
      name: 'belongs to one group',
      async run(t) {
        const q = await t.open()
        const other = q.as('other')
        await other.claim()
        const id = await sendAndFinish(q, { body: 'a' }, 'mine')
        equal(await other.result(id), undefined, 'in the other group')
        await other.finish(await other.takeOne(), 'theirs')
        equal(
          [await q.result(id), await other.result(id)].map((one) => one?.status === 'done' && one.value),
          ['mine', 'theirs'],
          'values',
        )
        const late = q.as('late')
        await late.claim()
        equal(await late.result(id), undefined, 'in a later group')
      },
    },
    {
      name: 'tells why a message died, for keepMs, whatever becomes of the dead letter',
      async run(t) {
        const q = await t.open()
        const keepMs = t.s(60)
        const [a, b, c] = await q.send(
          { body: 'a', keepMs },
          { body: 'b', keepMs, maxAttempts: 1 },
          { body: 'c', keepMs, expiresInMs: t.s(10) },
        )
        const held = await q.take({ leaseMs: t.s(10) })
        await q.bury(
          held.find(({ id }) => id === a)!,
          'unreadable',
          'boom',
          t.s(5),
        )
        const dead = await q.result(a!)
        t.isNow(dead?.at, 'at')
        equal(
          { ...dead, at: 0 },
          { status: 'dead', reason: 'unreadable', error: 'boom', at: 0 },
          'the outcome',
        )
        await t.advance(t.s(20))
        await q.takes([], 'deliveries')
        const reasons = (await q.results(a!, b!, c!)).map((one) => one?.status === 'dead' && one.reason)
        equal(reasons, ['unreadable', 'exhausted', 'expired'], 'reasons')
        await q.ack(...(await q.dead()))
        equal(
          (await q.results(a!, b!, c!)).filter((one) => one?.status !== 'dead'),
          [],
          'without an outcome',
        )
        await t.advance(t.s(60))
        equal(await q.results(a!, b!, c!), [undefined, undefined, undefined], 'when their time is over')
      },
    },
    {
      name: 'a redriven message has no outcome until it ends again',
      async run(t) {
        const q = await t.open()
        const [id] = await q.send({ body: 'a', keepMs: t.s(60) })
        await q.bury(await q.takeOne())
        equal((await q.result(id!))?.status, 'dead', 'status')
        await q.retry((await q.dead())[0]!)
        equal(await q.result(id!), undefined, 'after the redrive')
        const held = await q.takeOne()
        equal(held.keepMs, t.s(60), 'keepMs')
        await q.finish(held, 'at last')
        const outcome = await q.result(id!)
        equal(outcome?.status === 'done' && outcome.value, 'at last', 'value')
      },
    },
    {
      name: 'a stale receipt brings no outcome, and changes none',
      async run(t) {
        const q = await t.open()
        const [id] = await q.send({ body: 'a', keepMs: t.s(60) })
        const old = await q.takeOne({ leaseMs: t.s(10) })
        await t.advance(t.s(10))
        const held = await q.takeOne()
        equal(await q.statuses({ receipt: old.receipt, kind: 'ack', value: 'old' }), ['stale'], 'status')
        equal(await q.result(id!), undefined, 'the outcome while it is leased')
        await q.finish(held, 'new')
        equal(await q.statuses({ receipt: held.receipt, kind: 'ack', value: 'again' }), ['stale'], 'again')
        const outcome = await q.result(id!)
        equal(outcome?.status === 'done' && outcome.value, 'new', 'value')
      },
    },
    {
      name: 'a message that is stored under an id forgets what was kept of earlier ones',
      needs: [DEDUPLICATION],
      async run(t) {
        const q = await t.open()
        for (const replace of [undefined, true]) {
          await sendAndFinish(q, { body: 'old', id: 'x' })
          equal((await q.result('x'))?.status, 'done', 'status')
          equal(await q.sendOne({ body: 'new', id: 'x', replace }), 'stored', 'the id again')
          equal([await q.result('x'), await doneOf(q)], [undefined, []], 'while the new one waits')
          await q.ack(await q.takeOne())
          equal(await q.result('x'), undefined, 'when the new one, which keeps nothing, is done')
        }
      },
    },
    {
      name: 'an earlier message of an id that ends later is not taken for the new one',
      needs: [DEDUPLICATION],
      async run(t) {
        const q = await t.open()
        await q.send({ body: 'old', id: 'x', keepMs: t.s(60) })
        const old = await q.takeOne()
        equal(
          await q.sendOne({ body: 'new', id: 'x', keepMs: t.s(60), replace: true }),
          'stored',
          'the new one',
        )
        await q.finish(old, 'of the old')
        equal([await q.result('x'), await doneOf(q)], [undefined, []], 'while the new one waits')
        await q.finish(await q.takeOne(), 'of the new')
        const outcome = await q.result('x')
        equal(outcome?.status === 'done' && outcome.value, 'of the new', 'value')
      },
    },
    {
      name: 'what a redriven message of an id ends with does not count once a later one has ended, whatever their lanes',
      needs: [DEDUPLICATION],
      async run(t) {
        const q = await t.open()
        const lanes = t.guarantees.lanes !== false && t.guarantees.idsWithKeys !== false
        for (const [i, [lane, next]] of COMBINATIONS.entries()) {
          if ((lane ?? next) !== undefined && !lanes) continue
          const id = `x${i}`
          await q.send({ body: 'old', id, lane, keepMs: t.s(1) })
          await q.bury(await q.takeOne())
          await t.advance(t.s(1))
          equal(await q.sendOne({ body: 'new', id, lane: next, keepMs: t.s(60) }), 'stored', 'result')
          await q.finish(await q.takeOne(), 'new')
          await redrive(q)
          await q.finish(await q.takeOne(), 'old')
          equal(valueOf(await q.result(id)), 'new', `the outcome in ${lane}, and then in ${next}`)
          const done = (await doneOf(q)).filter((one) => one.id === id)
          equal(
            done.map(({ outcome }) => valueOf(outcome)),
            ['new'],
            `what is listed in ${lane}, and then in ${next}`,
          )
        }
      },
    },
    {
      name: 'what a message dies with, and ends with after a redrive, does not count once a later one of its id has ended',
      needs: [DEDUPLICATION],
      async run(t) {
        const q = await t.open()
        await q.send({ body: 'old', id: 'x', keepMs: t.s(60) })
        const held = await q.takeOne()
        equal(await q.sendOne({ body: 'new', id: 'x', replace: true }), 'stored', 'result')
        await q.finish(await q.takeOne(), 'new')
        await q.bury(held)
        equal(await q.result('x'), undefined, 'the outcome of its death')
        await redrive(q)
        await q.finish(await q.takeOne(), 'old')
        equal(await q.result('x'), undefined, 'the outcome after the redrive')
        equal(await doneOf(q), [], 'what is listed')
      },
    },
    {
      name: 'what was kept under an id that the storage made is forgotten when a message is stored under it',
      needs: [DEDUPLICATION],
      async run(t) {
        const q = await t.open()
        const lanes = t.guarantees.lanes !== false && t.guarantees.idsWithKeys !== false
        for (const draft of [{}, { delayMs: t.s(1) }, ...(lanes ? [{ lane: 'lane' }] : [])]) {
          const [id] = await q.send({ body: 'old', keepMs: t.s(60), ...draft })
          await t.advance(t.s(1))
          await q.finish(await q.takeOne(), 'old')
          equal(valueOf(await q.result(id!)), 'old', 'the outcome before')
          equal(await q.sendOne({ body: 'new', id: id! }), 'stored', 'result')
          equal(await q.result(id!), undefined, 'the outcome while the new one waits')
          equal(await doneOf(q), [], 'what is listed while the new one waits')
          await q.ack(await q.takeOne())
          equal(await q.result(id!), undefined, 'the outcome when the new one is done')
        }
      },
    },
    {
      name: 'what a message ends with does not count once another was stored under its id that the storage made, whichever ends first',
      needs: [DEDUPLICATION],
      async run(t) {
        const { guarantees } = t
        const lanes = guarantees.lanes !== false && guarantees.idsWithKeys !== false
        const drafts: readonly Partial<Exclude<Draft, string>>[] = [
          {},
          { delayMs: t.s(1) },
          ...(lanes ? [{ lane: 'lane' }] : []),
          ...(guarantees.orderingKeys && guarantees.idsWithKeys !== false ? [{ key: 'key' }] : []),
        ]
        for (const [i, draft] of drafts.entries()) {
          for (const first of ['old', 'new'] as const) {
            for (const end of ['ack', 'dead', 'retry'] as const) {
              const what = `${JSON.stringify(draft)}, ${first} first, old ends by ${end}`
              const q = await t.open(`${i} ${first} ${end}`)
              const [id] = await q.send({ body: 'old', keepMs: t.s(60), ...draft })
              await t.advance(t.s(1))
              let old = await q.takeOne()
              equal(await q.sendOne({ body: 'new', id: id!, replace: true }), 'stored', `status, ${what}`)
              const endOld = async (): Promise<void> => {
                if (end === 'dead') return await q.bury(old)
                if (end === 'retry') {
                  await q.retry(old)
                  old = (await q.take()).find(({ body }) => body === 'old')!
                }
                await q.finish(old, 'of the old')
              }
              const fresh = await q.takeOne()
              if (first === 'old') await endOld()
              const named = bodiesOf(await q.list({ ids: [id!] }))
              equal(named, ['new'], `what the id leads to, ${what}`)
              await q.ack(fresh)
              if (first === 'new') await endOld()
              equal([await q.result(id!), await doneOf(q)], [undefined, []], `the outcome, ${what}`)
            }
          }
        }
      },
    },
    {
      name: 'does not make an id known longer than dedupeMs says',
      needs: [DEDUPLICATION],
      async run(t) {
        const q = await t.open()
        await sendAndFinish(q, { body: 'a', id: 'x' })
        equal(await q.sendOne({ body: 'b', id: 'x' }), 'stored', 'the id again')
        await q.ack(await q.takeOne())
        await sendAndFinish(q, { body: 'c', id: 'y', dedupeMs: t.s(30) })
        equal(await q.sendOne({ body: 'd', id: 'y' }), 'duplicate', 'within dedupeMs')
        await t.advance(t.s(30))
        equal((await q.result('y'))?.status, 'done', 'after dedupeMs')
        equal(await q.sendOne({ body: 'e', id: 'y' }), 'stored', 'the id after dedupeMs')
        await t.advance(t.s(3600))
      },
    },
    {
      name: 'stays where the message is cancelled in another group',
      needs: [CANCELLATION, DEDUPLICATION],
      async run(t) {
        const q = await t.open()
        await q.as('other').claim()
        for (const draft of [{ body: 'a' }, { body: 'b', id: 'x' }]) {
          const id = await sendAndFinish(q, draft)
          equal(await q.cancel(id), [true], 'cancel')
          equal((await q.result(id))?.status, 'done', 'status')
          equal(await q.cancel(id), [false], 'cancel again')
        }
        equal(await q.sendOne({ body: 'c', id: 'x' }), 'stored', 'the id that was cancelled')
        equal(await q.result('x'), undefined, 'of the new one')
      },
    },
    {
      name: 'a message that was cancelled has none',
      needs: [CANCELLATION],
      async run(t) {
        const q = await t.open()
        const [id] = await q.send({ body: 'a', keepMs: t.s(60) })
        const { receipt } = await q.takeOne()
        await q.statuses({ receipt, kind: 'extend', leaseMs: t.s(60), progress: 'some' })
        await q.cancel(id!)
        equal([await q.result(id!), await doneOf(q)], [undefined, []], 'results')
      },
    },
    {
      name: 'purge, deleteGroup and delete take them along',
      async run(t) {
        const q = await t.open()
        for (const verb of ['purge', 'deleteGroup', 'delete'] as const) {
          const id = await sendAndFinish(q, { body: 'a' })
          equal((await q.result(id))?.status, 'done', 'status')
          await q.storage[verb](q.group)
          equal([await q.result(id), await doneOf(q)], [undefined, []], `after ${verb}`)
          await q.claim()
          equal([await q.result(id), await doneOf(q)], [undefined, []], `after ${verb} and a claim`)
        }
      },
    },
    {
      name: 'lists what is done in the order of the queue, page by page, if asked',
      needs: [FIFO],
      async run(t) {
        const q = await t.open()
        const ids = await q.send(
          ...names('m', 7).map((body) => ({ body, headers: { h: '1' }, keepMs: t.s(60) })),
        )
        const { timestamp } = (await q.list())[0]!
        const held = await q.take()
        for (const one of held.toReversed()) await q.finish(one, `value of ${String(one.body)}`)
        equal(await q.list(), [], 'the list without states')
        const listed = await q.list({ states: ['done'], limit: 2 })
        equal(
          listed.map(({ id }) => id),
          ids,
          'ids',
        )
        equal(
          { ...listed[3], outcome: { ...listed[3]!.outcome, at: 0 } },
          {
            id: ids[3],
            state: 'done',
            body: '',
            timestamp,
            attempt: 1,
            outcome: { status: 'done', value: 'value of m-3', at: 0 },
          },
          'one of them',
        )
        const some = await q.list({ states: ['done'], ids: [ids[5]!, 'unknown', ids[2]!] })
        equal(
          new Map(some.map(({ id }) => [id, 1])),
          new Map([ids[2], ids[5]].map((id) => [id, 1])),
          'by their ids',
        )
        equal(await q.list({ ids: [ids[5]!] }), [], 'by its id, without states')
      },
    },
    {
      name: 'lists a dead letter as such, and as done once it is deleted',
      async run(t) {
        const q = await t.open()
        await q.send({ body: 'a', keepMs: t.s(60) })
        await q.bury(await q.takeOne(), 'rejected', 'boom')
        const states = ['dead', 'done'] as const
        equal(
          (await q.list({ states })).map(({ state }) => state),
          ['dead'],
          'states',
        )
        await q.ack((await q.dead())[0]!)
        const [listed, ...others] = await q.list({ states })
        equal([listed?.state, listed?.outcome?.status, others], ['done', 'dead', []], 'after it was deleted')
        await q.count({ dead: 0, acked: 0 }, 'counts')
      },
    },
    {
      name: 'progress is shown while the message is leased, and after an extension',
      async run(t) {
        const q = await t.open()
        const [id] = await q.send({ body: 'a', keepMs: t.s(60) })
        let held = await q.takeOne({ leaseMs: t.s(10) })
        equal(held.keepMs, t.s(60), 'keepMs of the delivery')
        const [result] = await q.settle({
          receipt: held.receipt,
          kind: 'extend',
          leaseMs: t.s(10),
          progress: '50 %',
        })
        equal(result?.status, 'settled', 'status')
        const running = await q.result(id!)
        t.isNow(running?.at, 'at')
        equal({ ...running, at: 0 }, { status: 'running', progress: '50 %', at: 0 }, 'the outcome')
        equal((await q.list())[0]?.outcome, running, 'in the list')
        await t.advance(t.s(5))
        held = await q.extend(held, t.s(10))
        equal(await q.result(id!), running, 'after an extension')
        equal(await doneOf(q), [], 'what is done')
        await q.finish(held, 'all')
        const outcome = await q.result(id!)
        equal(outcome?.status === 'done' && outcome.value, 'all', 'value')
      },
    },
    {
      name: 'progress is forgotten when the lease ends, is given back, or is lost',
      async run(t) {
        const q = await t.open()
        const [id] = await q.send({ body: 'a', keepMs: t.s(60) })
        for (const end of ['retry', 'lost', 'again'] as const) {
          const held = await q.takeOne({ leaseMs: t.s(10) })
          await q.settle({ receipt: held.receipt, kind: 'extend', leaseMs: t.s(10), progress: end })
          equal((await q.result(id!))?.status, 'running', 'status')
          if (end === 'retry') await q.retry(held)
          else await t.advance(t.s(10))
          if (end === 'again') await q.takeOne()
          equal(await q.result(id!), undefined, `after: ${end}`)
        }
        equal((await q.list())[0]?.outcome, undefined, 'in the list')
      },
    },
    {
      name: 'watchers hear which messages are finished, if the storage says so',
      async run(t) {
        const here = await t.open()
        if (here.storage.watch === undefined) return
        const there = await t.openElsewhere()
        const heard: Hint[] = []
        const stop = here.storage.watch((hint) => heard.push(hint ?? {}))
        const ids: string[] = []
        for (let i = 0; i < 6 && !heard.some(({ finished }) => finished !== undefined); i++) {
          ids.push(await sendAndFinish(there, { body: `${i}` }))
          for (let round = 0; round < 20; round++) await breathe()
        }
        stop()
        for (const { finished } of heard) {
          if (finished === undefined || finished === 'many') continue
          ok(finished.length <= 64, `a hint of ${finished.length} ids`)
          for (const id of finished) ok(ids.includes(id), `a hint says that ${id} is finished`)
        }
      },
    },
  ],
}
