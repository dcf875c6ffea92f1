import { FIFO, type Section } from '../case.ts'
import { MAX_NAME_BYTES } from '../../src/segments/index.ts'
import { equal } from '../assert.ts'
import { names } from '../scene.ts'

/** Names that are easily taken for something else. */
const NAMES: readonly string[] = [
  'plain',
  'PLAIN',
  ' ',
  'plain ',
  ' plain',
  '.',
  '..',
  '../plain',
  '..\\plain',
  '/plain',
  '/etc/passwd',
  'C:\\plain',
  'con',
  'nul',
  'a/b',
  'a:b',
  'a\u0000b',
  'a\nb',
  '*?"<>|',
  '%2e%2e',
  '{plain}',
  '__proto__',
  'constructor',
  'hasOwnProperty',
  '0',
  '00',
  'null',
  'undefined',
  '\u200b',
  'é',
  'e\u0301',
  '漢字',
  '😀',
  '\uffff',
  '\u{10ffff}',
  'n'.repeat(MAX_NAME_BYTES),
  'ü'.repeat(MAX_NAME_BYTES / 2),
  '😀'.repeat(MAX_NAME_BYTES / 4),
  `${'n'.repeat(MAX_NAME_BYTES - 1)}m`,
]

export const queues: Section = {
  name: 'queues',
  cases: [
    {
      name: 'a queue that does not exist is empty',
      eventual: true,
      async run(t) {
        await (await t.open('new')).takes([], 'deliveries')
      },
    },
    {
      name: 'opening a name twice gives two views of the same queue',
      async run(t) {
        const one = await t.open('same')
        const two = await t.open('same')
        await one.send('a')
        const held = await two.takeOne()
        await one.takes([], 'the other view')
        await one.ack(held)
        equal((await two.stats()).messages, 0, 'messages')
      },
    },
    {
      name: 'queues may have any names of up to 256 bytes, and share nothing',
      eventual: true,
      async run(t) {
        for (const name of NAMES) await (await t.open(name)).send(name, `${name}!`)
        await t.consistent()
        for (const name of NAMES) {
          const q = await t.openElsewhere(name)
          await q.takes([name, `${name}!`], `deliveries of the queue ${JSON.stringify(name)}`)
        }
      },
    },
    {
      name: 'what happens in one queue is nothing to another',
      needs: [FIFO],
      async run(t) {
        const here = await t.open('a')
        const there = await t.open('a\u0000')
        await here.send(...names('m', 10))
        await there.send(...names('m', 10), { body: 'later', delayMs: t.s(10) })
        const held = await here.take()
        await here.bury(held[0]!)
        await here.ack(...held.slice(1))
        await here.storage.deleteGroup('workers')
        equal((await there.stats()).messages, 11, 'messages of the other')
        await there.takes(names('m', 10), 'deliveries of the other')
        equal(await there.dead(), [], 'dead letters of the other')
      },
    },
    {
      name: 'groups, ids and keys may have any names of up to 256 bytes',
      async run(t) {
        const q = await t.open()
        const { orderingKeys, idsWithKeys = true } = t.guarantees
        const withKeys = orderingKeys && idsWithKeys
        await q.send(...NAMES.map((name) => ({ body: name, id: name, ...(withKeys && { key: name }) })))
        for (const group of NAMES) await q.as(group).claim({ limit: 1, leaseMs: 1 })
        await t.advance(t.s(1))
        for (const group of NAMES) {
          const deliveries = await q.as(group).take()
          equal(deliveries.length, NAMES.length, `deliveries of group ${JSON.stringify(group)}`)
          for (const { body, id, key } of deliveries) {
            equal([id, key], [body, withKeys ? body : undefined], 'id and key')
          }
          await q.as(group).ack(...deliveries)
        }
        equal((await q.stats()).messages, 0, 'messages left')
      },
    },
    {
      name: 'a hundred queues live side by side',
      async run(t) {
        const many = names('queue', 100)
        await Promise.all(many.map(async (name) => (await t.open(name)).send(name)))
        await Promise.all(
          many.map(async (name) => {
            const q = await t.open(name)
            const held = await q.takeOne()
            equal(held.body, name, 'body')
            await q.ack(held)
          }),
        )
      },
    },
  ],
}
