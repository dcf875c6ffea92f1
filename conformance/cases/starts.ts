import { FIFO, type Section } from '../case.ts'
import { equal } from '../assert.ts'
import { names } from '../scene.ts'

/** Groups that somebody declares with a verb about something else. */
export const starts: Section = {
  name: 'groups that a verb makes',
  cases: [
    {
      name: 'an append makes the groups it names, before its messages are stored',
      async run(t) {
        const q = await t.open()
        await q.appendWith({ groups: [{ name: 'billing' }, { name: 'audit', from: 'latest' }] }, 'a', 'b')
        equal(Object.keys((await q.stats()).groups).sort(), ['audit', 'billing'], 'groups')
        for (const group of ['billing', 'audit']) {
          const held = await q.as(group).takes(['a', 'b'], `deliveries of ${group}`)
          await q.as(group).ack(...held)
        }
        equal((await q.stats()).messages, 0, 'messages left')
      },
    },
    {
      name: 'a group that was declared has its messages kept when another is done with them',
      async run(t) {
        const q = await t.open()
        await q.appendWith({ groups: [{ name: 'one' }, { name: 'two' }] }, ...names('m', 3))
        await q.as('one').ack(...(await q.as('one').take()))
        await q.as('two').takes(names('m', 3), 'the other group')
      },
    },
    {
      name: "the first group that is declared gets everything, a later one with from: 'latest' what comes",
      needs: [FIFO],
      async run(t) {
        const q = await t.open()
        await q.send('before')
        const groups = [
          { name: 'first', from: 'latest' },
          { name: 'second', from: 'latest' },
          { name: 'third', from: 'earliest' },
        ] as const
        await q.appendWith({ groups }, 'after')
        await q.as('first').takes(['before', 'after'], 'the first group')
        await q.as('second').takes(['after'], 'the second group')
        await q.as('third').takes(['before', 'after'], 'the third group')
      },
    },
    {
      name: 'groups that exist stay as they are, however often they are declared',
      needs: [FIFO],
      async run(t) {
        const q = await t.open()
        await q.send(...names('m', 4))
        await q.ack(...(await q.take({ limit: 2 })))
        const groups = [{ name: q.group }, { name: q.group, from: 'latest' as const }]
        await q.appendWith({ groups }, 'n')
        await q.takes(['m-2', 'm-3', 'n'], 'deliveries', { groups })
        await q.count({ acked: 2 }, 'acked')
      },
    },
    {
      name: 'a claim makes the groups it names, before it settles and before its own',
      async run(t) {
        const q = await t.open()
        await q.send('a')
        const [held] = await q.take()
        const settle = [{ receipt: held!.receipt, kind: 'ack' as const }]
        const { settled } = await q.claim({ settle, groups: [{ name: 'late' }] })
        equal(settled, [{ status: 'settled' }], 'the ack')
        await q.as('late').takes(['a'], 'the group that was made before the ack')
      },
    },
    {
      name: 'a claim of a group that does not exist makes it after those it names',
      async run(t) {
        const q = await t.open()
        await q.send('a')
        await q
          .as('own')
          .takes([], 'the second group', { from: 'latest', groups: [{ name: 'first', from: 'latest' }] })
        await q.as('first').takes(['a'], 'the first group')
      },
    },
    {
      name: 'a group that was declared without a claim is shown in lists and numbers',
      async run(t) {
        const q = await t.open()
        await q.appendWith({ groups: [{ name: q.group }] }, 'a', { body: 'b', delayMs: t.s(10) })
        await q.count({ ready: 1, delayed: 1, leased: 0, dead: 0 }, 'counts')
        equal((await q.all()).map(({ state }) => state).sort(), ['delayed', 'ready'], 'states')
      },
    },
  ],
}
