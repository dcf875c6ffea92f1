import { v7 as uuid } from 'uuid'
import type { QueueStorage } from '../../src/core/index.ts'
import type { Section } from '../case.ts'
import { equal, ok, rejects } from '../assert.ts'
import { names } from '../scene.ts'

/** Calls every verb, each of which must reject with CLOSED. */
async function allRejected(storage: QueueStorage, what: string): Promise<void> {
  const verbs: Record<string, () => Promise<unknown>> = {
    append: () => storage.append([{ body: 'x' }], { batchId: uuid() }),
    claim: () => storage.claim({ group: 'workers', limit: 1, leaseMs: 1000, maxAttempts: 1 }),
    settle: () => storage.settle('workers', [{ receipt: 'x', kind: 'ack' }]),
    list: () => storage.list({ group: 'workers', limit: 1 }),
    stats: () => storage.stats(),
    retryNow: () => storage.retryNow('workers', ['x']),
    cancel: () => storage.cancel(['x']),
    deleteGroup: () => storage.deleteGroup('workers'),
    purge: () => storage.purge(),
  }
  for (const [name, verb] of Object.entries(verbs)) await rejects(verb(), 'CLOSED', `${name} ${what}`)
}

export const closing: Section = {
  name: 'closing',
  cases: [
    {
      name: 'a closed view rejects every verb with CLOSED; other views go on',
      eventual: true,
      async run(t) {
        const one = await t.open()
        const two = await t.open()
        await one.send('a')
        await one.storage.close()
        await allRejected(one.storage, 'on a closed view')
        await t.consistent()
        await two.takes(['a'], 'the other view')
      },
    },
    {
      name: 'closing a view twice is once',
      eventual: true,
      async run(t) {
        const one = await t.open()
        const two = await t.open()
        await one.storage.close()
        await one.storage.close()
        await two.send('a')
        await t.consistent()
        await two.takes(['a'], 'the other view')
      },
    },
    {
      name: 'a closed adapter rejects with CLOSED: its views, and opening a queue',
      eventual: true,
      async run(t) {
        const other = await t.another()
        const view = await other.adapter.open('queue')
        await view.append([{ body: 'a' }], { batchId: uuid() })
        await other.adapter.close()
        await allRejected(view, 'on a closed adapter')
        await rejects(other.adapter.open('queue'), 'CLOSED', 'open on a closed adapter')
        await rejects(other.adapter.open('new'), 'CLOSED', 'open on a closed adapter')
        await other.adapter.close()
        await view.close()
      },
    },
    {
      name: 'an adapter that was never used can be closed',
      eventual: true,
      async run(t) {
        const other = await t.another()
        await other.adapter.close()
        await rejects(other.adapter.open('queue'), 'CLOSED', 'open on a closed adapter')
      },
    },
    {
      name: 'verbs under way finish before a view is closed',
      async run(t) {
        const q = await t.open()
        const there = await t.open()
        const appends = Array.from({ length: 10 }, (_, i) => q.send(`${i}`))
        await q.storage.close()
        await Promise.all(appends)
        equal((await there.stats()).messages, 10, 'messages')
      },
    },
    {
      name: 'when the last view is closed and the queue opened again, everything is there',
      async run(t) {
        const q = await t.open()
        await q.send(...names('m', 5), { body: 'later', delayMs: t.s(10) })
        const [first, second] = await q.take({ limit: 2 })
        await q.ack(first!)
        await q.bury(second!)
        await q.storage.close()
        const again = await t.open()
        await t.advance(t.s(10))
        equal((await again.take()).length, 4, 'deliveries')
        equal((await again.dead()).length, 1, 'dead letters')
        await again.storage.close()
        const third = await t.open()
        await third.send('new')
        await third.storage.close()
        ok((await (await t.open()).stats()).messages > 0, 'nothing is left after the third opening')
      },
    },
    {
      name: 'a queue can be opened again while its last view is closing',
      async run(t) {
        for (let i = 0; i < 5; i++) {
          const q = await t.open()
          await q.send(`${i}`)
          const closed = q.storage.close()
          const again = await t.open()
          await closed
          equal((await again.stats()).messages, i + 1, 'messages')
          await again.storage.close()
        }
      },
    },
  ],
}
