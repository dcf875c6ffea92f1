import type { Settlement } from '../../src/core/index.ts'
import { CANCELLATION, type Section } from '../case.ts'
import { equal } from '../assert.ts'
import type { Scene } from '../scene.ts'
import { names } from '../scene.ts'

function everyKind(t: Scene, receipt: string): Settlement[] {
  return [
    { receipt, kind: 'ack' },
    { receipt, kind: 'retry', delayMs: 0 },
    { receipt, kind: 'dead', reason: 'rejected' },
    { receipt, kind: 'extend', leaseMs: t.s(60) },
  ]
}

const ALL_STALE = ['stale', 'stale', 'stale', 'stale']

export const receipts: Section = {
  name: 'receipts',
  cases: [
    {
      name: 'a receipt that was settled is stale, whatever it is used for',
      async run(t) {
        const q = await t.open()
        for (const first of ['ack', 'retry', 'dead'] as const) {
          await q.send(first)
          const { receipt } = await q.takeOne()
          const settlement = everyKind(t, receipt).find(({ kind }) => kind === first)!
          equal(
            await q.statuses({ ...settlement, ...(first === 'retry' && { delayMs: t.s(3600) }) }),
            ['settled'],
            first,
          )
          const before = await q.counts()
          equal(await q.statuses(...everyKind(t, receipt)), ALL_STALE, `everything after ${first}`)
          if (!t.factory.realClock) equal(await q.counts(), before, `counts after ${first}`)
        }
        await q.count({ acked: 1, dead: 1, delayed: 1, ready: 0, leased: 0 }, 'counts in the end')
      },
    },
    {
      name: 'the same receipt twice in one call settles once',
      async run(t) {
        const q = await t.open()
        await q.send('a', 'b')
        const [a, b] = await q.take()
        equal(
          await q.statuses(
            { receipt: a!.receipt, kind: 'ack' },
            { receipt: a!.receipt, kind: 'ack' },
            { receipt: b!.receipt, kind: 'retry', delayMs: t.s(5) },
            { receipt: b!.receipt, kind: 'ack' },
          ),
          ['settled', 'stale', 'settled', 'stale'],
          'statuses',
        )
        await q.count({ acked: 1, delayed: 1 }, 'counts')
      },
    },
    {
      name: 'a receipt that was made up is stale and changes nothing',
      async run(t) {
        const q = await t.open()
        await q.send('a')
        const held = await q.takeOne()
        const { receipt } = held
        const forged = [
          '',
          ' ',
          'garbage',
          '0',
          '-1',
          'null',
          '{}',
          '[]',
          '__proto__',
          '\u0000',
          '😀',
          '\ud800',
          '1'.repeat(10_000),
          `${receipt} `,
          ` ${receipt}`,
          `${receipt}0`,
          `${receipt}.1`,
          `${receipt}!`,
          `${receipt}${receipt}`,
          receipt.slice(0, -1),
          receipt.slice(1),
          receipt.slice(0, receipt.length >> 1),
          receipt.replace(/[0-9](?=[^0-9]*$)/, (digit) => `${(Number(digit) + 1) % 10}`),
          receipt.split('').reverse().join(''),
        ].filter((one) => one !== receipt)
        const before = await q.all()
        for (const one of forged) {
          equal(await q.statuses(...everyKind(t, one)), ALL_STALE, `the receipt ${JSON.stringify(one)}`)
        }
        if (!t.factory.realClock) equal(await q.all(), before, 'the list after made-up receipts')
        await q.takes([], 'while the lease lives')
        await q.ack(held)
      },
    },
    {
      name: 'a receipt of another group is stale',
      async run(t) {
        const q = await t.open()
        await q.send('a')
        const one = await q.as('one').takeOne()
        const two = await q.as('two').takeOne()
        equal(await q.as('two').statuses(...everyKind(t, one.receipt)), ALL_STALE, 'of one, in two')
        equal(await q.as('one').statuses(...everyKind(t, two.receipt)), ALL_STALE, 'of two, in one')
        equal(
          await q.as('three').statuses(...everyKind(t, one.receipt)),
          ALL_STALE,
          'in a group that is not there',
        )
        await q.as('one').ack(one)
        await q.as('two').ack(two)
      },
    },
    {
      name: 'a receipt of another queue is stale',
      async run(t) {
        const here = await t.open('here')
        const there = await t.open('there')
        await here.send('a')
        await there.send('b')
        const a = await here.takeOne()
        const b = await there.takeOne()
        equal(await there.statuses(...everyKind(t, a.receipt)), ALL_STALE, 'of here, there')
        equal(await here.statuses(...everyKind(t, b.receipt)), ALL_STALE, 'of there, here')
        await here.ack(a)
        await there.ack(b)
      },
    },
    {
      name: 'settling in a group that does not exist is stale and does not create it',
      async run(t) {
        const q = await t.open()
        await q.send('a')
        equal(await q.statuses(...everyKind(t, 'made up')), ALL_STALE, 'statuses')
        equal(Object.keys((await q.stats()).groups), [], 'groups')
      },
    },
    {
      name: 'stale settlements do not hinder the others of the call, and results are in order',
      async run(t) {
        const q = await t.open()
        await q.send(...names('m', 6))
        const held = await q.take()
        await q.ack(held[1]!, held[4]!)
        const results = await q.statuses(
          ...held.flatMap(({ receipt }): Settlement[] => [
            { receipt: `${receipt}?`, kind: 'ack' },
            { receipt, kind: 'ack' },
          ]),
        )
        equal(
          results,
          held.flatMap((_, i) => ['stale', i === 1 || i === 4 ? 'stale' : 'settled']),
          'statuses',
        )
        await q.count({ acked: 6, leased: 0 }, 'counts')
      },
    },
    {
      name: 'no settlements have no results',
      async run(t) {
        const q = await t.open()
        equal(await q.settle(), [], 'results')
      },
    },
    {
      name: 'of 50 settlements with one receipt, started at once, one settles',
      async run(t) {
        const views = [await t.open(), await t.openElsewhere()]
        await views[0]!.send('a')
        const { receipt } = await views[0]!.takeOne()
        const kinds = everyKind(t, receipt).filter(({ kind }) => kind !== 'extend')
        const racers = Array.from({ length: 50 }, (_, i) => views[i % 2]!.statuses(kinds[i % kinds.length]!))
        const statuses = (await Promise.all(racers)).flat()
        equal(statuses.filter((status) => status === 'settled').length, 1, 'settled')
      },
    },
    {
      name: 'receipts are stale after a purge',
      async run(t) {
        const q = await t.open()
        await q.send('a', 'b')
        const [a, b] = await q.take()
        await q.bury(b!)
        const [letter] = await q.dead()
        await q.storage.purge()
        equal(await q.statuses(...everyKind(t, a!.receipt)), ALL_STALE, 'of a lease')
        equal(await q.statuses(...everyKind(t, letter!.receipt!)), ALL_STALE, 'of a dead letter')
      },
    },
    {
      name: 'receipts are stale after the message was cancelled',
      needs: [CANCELLATION],
      async run(t) {
        const q = await t.open()
        await q.send('a', 'b', 'c')
        const held = await q.take()
        await q.cancel(held[1]!.id)
        equal(await q.statuses(...everyKind(t, held[1]!.receipt)), ALL_STALE, 'of the cancelled one')
        await q.ack(held[0]!, held[2]!)
      },
    },
    {
      name: 'receipts of a deleted group are stale, also in a later group of the same name',
      async run(t) {
        const q = await t.open()
        await q.as('other').claim()
        await q.send('a', 'b')
        const [a, b] = await q.take()
        await q.bury(b!)
        const [letter] = await q.dead()
        await q.storage.deleteGroup(q.group)
        equal(await q.statuses(...everyKind(t, a!.receipt)), ALL_STALE, 'while there is no such group')
        const [again] = await q.take()
        equal(await q.statuses(...everyKind(t, a!.receipt)), ALL_STALE, 'of a lease of the former group')
        equal(
          await q.statuses(...everyKind(t, letter!.receipt!)),
          ALL_STALE,
          'of a dead letter of the former group',
        )
        await q.ack(again!)
      },
    },
  ],
}
