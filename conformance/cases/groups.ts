import { FIFO, type Section } from '../case.ts'
import { equal, ok } from '../assert.ts'
import { bodiesOf, names, sortedBodies } from '../scene.ts'
import type { Body } from '../../src/core/index.ts'

export const groups: Section = {
  name: 'groups',
  cases: [
    {
      name: 'messages that were sent before any group exists wait for the first',
      eventual: true,
      async run(t) {
        const q = await t.open()
        await q.send('a', 'b')
        await t.consistent()
        await q.takes(['a', 'b'], 'the first group')
      },
    },
    {
      name: "the first group gets everything, also with from: 'latest'",
      eventual: true,
      async run(t) {
        const q = await t.open()
        await q.send('a', 'b')
        await t.consistent()
        await q.takes(['a', 'b'], 'the first group', { from: 'latest' })
      },
    },
    {
      name: 'every group gets every message, inside a group each goes to one consumer',
      needs: [FIFO],
      async run(t) {
        const here = await t.open()
        const there = await t.openElsewhere()
        const bodies = names('m', 10)
        await here.send(...bodies)
        for (const group of ['a', 'b', 'c']) {
          await here.as(group).takes(bodies.slice(0, 5), `group ${group} here`, { limit: 5 })
          await there.as(group).takes(bodies.slice(5), `group ${group} there`)
        }
      },
    },
    {
      name: 'groups go on independently of each other',
      async run(t) {
        const q = await t.open()
        const fast = q.as('fast')
        const slow = q.as('slow')
        await fast.claim()
        await slow.claim()
        for (let i = 0; i < 20; i++) {
          await q.send(`${i}`)
          await fast.ack(await fast.takeOne())
        }
        await fast.count({ acked: 20, ready: 0 }, 'counts of the fast group')
        await slow.count({ acked: 0, ready: 20 }, 'counts of the slow group')
        equal((await slow.take()).length, 20, 'deliveries of the slow group')
      },
    },
    {
      name: 'a later group starts at the earliest message that is still retained',
      needs: [FIFO],
      async run(t) {
        const q = await t.open()
        await q.as('first').claim()
        await q.send(...names('m', 5))
        const held = await q.as('first').take({ limit: 2 })
        await q.as('late').takes(names('m', 5), 'while nothing is done')
        await q.as('first').ack(...held)
        await q.as('later').takes(names('m', 5), 'while one group has done none')
      },
    },
    {
      name: 'a later group gets what is retained only because another waits to retry it',
      async run(t) {
        const q = await t.open()
        await q.send('retried', 'done')
        for (const delivery of await q.take()) {
          if (delivery.body === 'done') await q.ack(delivery)
          else await q.retry(delivery, { delayMs: t.s(10) })
        }
        const bodies = bodiesOf(await q.as('late').take())
        equal(bodies.includes('retried'), true, 'whether the later group gets the message')
      },
    },
    {
      name: 'what all groups have finished is not given to a later one',
      async run(t) {
        const q = await t.open()
        await q.send(...names('m', 5))
        for (const group of ['a', 'b']) await q.as(group).ack(...(await q.as(group).take()))
        await q.send('new')
        await q.as('late').takes(['new'], 'the later group')
      },
    },
    {
      name: "a later group with from: 'latest' starts at messages appended from now on",
      needs: [FIFO],
      async run(t) {
        const q = await t.open()
        await q.as('first').claim()
        await q.send('before')
        const late = q.as('late')
        await late.takes([], 'what was there before', { from: 'latest' })
        await late.count({ ready: 0, delayed: 0 }, 'counts')
        await q.send('after 1', 'after 2')
        await late.takes(['after 1', 'after 2'], 'what came after')
        await q.as('first').takes(['before', 'after 1', 'after 2'], 'the first group')
      },
    },
    {
      name: "a group with from: 'latest' does not get a delayed message that was due before it",
      async run(t) {
        const q = await t.open()
        await q.as('first').claim()
        await q.send({ body: 'due', delayMs: t.s(10) })
        await t.advance(t.s(10))
        await q.as('late').takes([], 'the later group', { from: 'latest' })
        await q.as('first').takes(['due'], 'the first group')
      },
    },
    {
      name: 'a claim of none creates the group, and leases nothing',
      async run(t) {
        const q = await t.open()
        await q.as('first').claim({ limit: 0 })
        await q.send('a')
        equal((await q.as('late').claim({ limit: 0, from: 'latest' })).deliveries, [], 'deliveries')
        equal(Object.keys((await q.stats()).groups).sort(), ['first', 'late'], 'groups')
        await q.as('first').count({ ready: 1, leased: 0 }, 'counts of the first')
        await q.as('late').count({ ready: 0, leased: 0 }, 'counts of the later')
      },
    },
    {
      name: 'where a group starts is decided once, when it is created',
      async run(t) {
        const q = await t.open()
        await q.as('first').claim()
        await q.as('late').claim({ from: 'latest' })
        await q.send('a')
        await q.as('late').takes(['a'], 'the group that exists', { from: 'latest' })
        await q.as('first').takes(['a'], 'the first group', { from: 'latest' })
      },
    },
    {
      name: 'messages are retained until all groups are done, then nothing is left',
      async run(t) {
        const q = await t.open()
        const groups = ['a', 'b', 'c']
        for (const group of groups) await q.as(group).claim()
        await q.send(...names('m', 100))
        for (const [i, group] of groups.entries()) {
          const { messages, bytes } = await q.stats()
          equal(
            [messages, bytes > 0],
            [100, true],
            `messages, and whether bytes are counted, before group ${i}`,
          )
          await q.as(group).ack(...(await q.as(group).take()))
        }
        const { messages, bytes } = await q.stats()
        equal([messages, bytes], [0, 0], 'messages and bytes in the end')
      },
    },
    {
      name: 'a dead letter of one group does not keep the message from being done',
      async run(t) {
        const q = await t.open()
        const [one, two] = [q.as('one'), q.as('two')]
        await two.claim()
        await q.send('a')
        await one.bury(await one.takeOne())
        equal((await q.stats()).messages, 1, 'messages while the other group has it')
        await two.ack(await two.takeOne())
        equal((await q.stats()).messages, 0, 'messages in the end')
        equal((await one.dead()).length, 1, 'dead letters')
      },
    },
    {
      name: 'deleting a group that does not exist is no error and changes nothing',
      async run(t) {
        const q = await t.open()
        await q.send('a')
        await q.storage.deleteGroup('nobody')
        equal(Object.keys((await q.stats()).groups), [], 'groups')
        await q.takes(['a'], 'deliveries')
        await q.storage.deleteGroup('nobody')
        equal(Object.keys((await q.stats()).groups), ['workers'], 'groups')
      },
    },
    {
      name: 'a deleted group is gone, with its position, leases and dead letters',
      needs: [FIFO],
      async run(t) {
        const q = await t.open()
        await q.as('other').claim()
        await q.send('done', 'dead', 'retried', 'leased', 'waiting')
        const held = await q.take({ limit: 4 })
        await q.ack(held[0]!)
        await q.bury(held[1]!)
        await q.retry(held[2]!, { delayMs: t.s(3600) })
        await q.storage.deleteGroup(q.group)
        equal(Object.keys((await q.stats()).groups), ['other'], 'groups')
        equal(await q.dead(), [], 'dead letters')
        await q.takes(['done', 'dead', 'retried', 'leased', 'waiting'], 'the new group')
        await q.count({ acked: 0, dead: 0, failed: 0 }, 'counts of the new group')
      },
    },
    {
      name: 'messages that only the deleted group had not finished are deleted',
      async run(t) {
        const q = await t.open()
        for (const group of ['fast', 'slow']) await q.as(group).claim()
        await q.send(...names('m', 20))
        await q.as('fast').ack(...(await q.as('fast').take()))
        equal((await q.stats()).messages, 20, 'messages while the slow group exists')
        await q.storage.deleteGroup('slow')
        const { messages, bytes } = await q.stats()
        equal([messages, bytes], [0, 0], 'messages and bytes')
        await q.as('new').takes([], 'a later group')
      },
    },
    {
      name: 'what a deleted group had redriven goes to no group that comes after it',
      async run(t) {
        const q = await t.open()
        await q.send('dead', 'other')
        const [dead, other] = await q.take({ limit: 2 })
        await q.bury(dead!)
        await q.retry(other!, { delayMs: t.s(10) })
        // It starts, and does not get what is redriven now.
        await q.claim({ limit: 0, groups: [{ name: 'late' }] })
        await q.retry((await q.dead())[0]!)
        await q.storage.deleteGroup(q.group)
        const bodies = (await q.all()).map(({ body }) => body)
        ok(!bodies.includes('dead'), `the list of a group that does not exist: ${bodies.join()}`)
        await q.claim({ limit: 0 })
        for (const group of [q.group, 'late', 'later']) await q.as(group).takes(['other'], group)
      },
    },
    {
      name: 'a group that comes after many were redriven comes by them, however few it claims at once',
      needs: [FIFO],
      async run(t) {
        const q = await t.open()
        await q.send(...names('m', 9), 'last')
        for (const delivery of await q.take({ limit: 9 })) await q.bury(delivery)
        for (const letter of await q.dead()) await q.retry(letter)
        // Whether what was redriven is for others, too, is open.
        const late = q.as('late')
        const bodies: Body[] = []
        for (
          let taken = await late.take({ limit: 1 });
          taken.length > 0;
          taken = await late.take({ limit: 1 })
        )
          bodies.push(...bodiesOf(taken))
        equal(bodies.at(-1), 'last', 'the last for a group that comes later')
        equal(sortedBodies(await q.take()), ['last', ...names('m', 9)], 'for the group that redrove')
      },
    },
    {
      name: 'what died in a group that has come after a deleted one is dead in no group that comes later',
      needs: [FIFO],
      async run(t) {
        const q = await t.open()
        const late = q.as('late')
        await q.send({ body: 'dies', expiresInMs: t.s(20) }, ...names('m', 5))
        for (const delivery of await q.take()) await q.retry(delivery, { delayMs: t.s(10) })
        await q.claim({ limit: 0, groups: [{ name: 'late' }] })
        await q.storage.deleteGroup(q.group)
        await late.claim({ limit: 0 })
        await t.advance(t.s(20))
        await late.claim({ limit: 0 })
        await late.claim({ limit: 0, groups: [{ name: 'later' }] })
        await q.as('later').takes(names('m', 5), 'what came later')
        equal(await q.as('later').dead(), [], 'dead letters of what came later')
        equal((await late.dead()).length, 1, 'dead letters')
      },
    },
    {
      name: 'deleting the only group deletes what waits; what comes after waits for the next first group',
      async run(t) {
        const q = await t.open()
        await q.send('a', 'b', 'c', { body: 'later', delayMs: t.s(10) }, { body: 'due', delayMs: t.s(5) })
        await q.take({ limit: 1 })
        await t.advance(t.s(5))
        await q.storage.deleteGroup(q.group)
        equal((await q.stats()).messages, 0, 'messages')
        await q.send('d')
        await t.advance(t.s(10))
        await q.takes(['d'], 'the next first group', { from: 'latest' })
      },
    },
    {
      name: 'deleting a group leaves the others as they are',
      async run(t) {
        const q = await t.open()
        const other = q.as('other')
        await q.send(...names('m', 6))
        await q.take({ limit: 3 })
        const held = await other.take({ limit: 3 })
        await other.bury(held[0]!)
        await other.retry(held[1]!, { delayMs: t.s(10) })
        const before = await other.all()
        await q.storage.deleteGroup(q.group)
        if (!t.factory.realClock) equal(await other.all(), before, 'the list of the other group')
        await other.ack(held[2]!)
        equal((await other.take()).length, 3, 'deliveries of the other group')
      },
    },
    {
      name: 'groups may have any names, and only the same is the same',
      async run(t) {
        const q = await t.open()
        const odd = [
          'a',
          'A',
          'a ',
          'ab',
          'a/b',
          '../a',
          'a\u0000b',
          '__proto__',
          'constructor',
          'toString',
          '0',
          '00',
          'é',
          'e\u0301',
          '😀',
        ]
        await q.send('m')
        for (const group of odd) await q.as(group).takes(['m'], `group ${JSON.stringify(group)}`)
        equal(Object.keys((await q.stats()).groups).sort(), odd.toSorted(), 'groups')
        for (const [i, group] of odd.entries()) {
          if (i % 2 === 0) await q.storage.deleteGroup(group)
        }
        const left = odd.filter((_, i) => i % 2 === 1)
        equal(Object.keys((await q.stats()).groups).sort(), left.sort(), 'groups left')
        for (const group of left) await q.as(group).count({ leased: 1 }, `counts of ${JSON.stringify(group)}`)
      },
    },
    {
      name: 'many groups each get everything, and everything is gone when all are done',
      async run(t) {
        const q = await t.open()
        const many = names('group', 25)
        await q.send(...names('m', 10))
        for (const group of many) equal((await q.as(group).take({ limit: 4 })).length, 4, 'deliveries')
        for (const group of many) await q.as(group).storage.deleteGroup(group)
        equal((await q.stats()).messages, 0, 'messages when all groups are deleted')
        await q.send(...names('n', 10))
        for (const group of many) {
          const held = await q.as(group).take()
          equal(sortedBodies(held), names('n', 10).sort(), 'deliveries')
        }
      },
    },
  ],
}
