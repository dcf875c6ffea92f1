import { v7 as uuid } from 'uuid'
import { FIFO, ORDERING_KEYS, type Section } from '../case.ts'
import { equal, ok } from '../assert.ts'
import { breathe } from '../clock.ts'
import { names } from '../scene.ts'

export const append: Section = {
  name: 'append',
  cases: [
    {
      name: 'answers for each message, in order, that it is stored and under which id',
      eventual: true,
      async run(t) {
        const q = await t.open()
        const results = await q.append({ body: 'a', id: 'x' }, 'b', { body: 'c', id: 'y' })
        equal(
          results.map(({ status }) => status),
          ['stored', 'stored', 'stored'],
          'statuses',
        )
        equal([results[0]!.id, results[2]!.id], ['x', 'y'], 'ids that the sender chose')
        await t.consistent()
        const deliveries = await q.takes(['a', 'b', 'c'], 'all')
        equal(
          deliveries.map(({ id }) => id).sort(),
          results.map(({ id }) => id).sort(),
          'ids of the deliveries',
        )
      },
    },
    {
      name: 'makes ids of the first 28 characters of the batch id and 8 hexadecimal digits',
      eventual: true,
      async run(t) {
        const q = await t.open()
        for (const count of [1, 3, 300]) {
          const batchId = uuid()
          const messages = names('m', Math.min(count, t.guarantees.maxBatch)).map((body, i) =>
            i % 3 === 2 ? { body, delayMs: t.s(60) } : { body },
          )
          for (const { id } of await q.storage.append(messages, { batchId })) {
            equal(id.slice(0, 28), batchId.slice(0, 28), 'the first 28 characters')
            ok(
              /^[0-9a-f]{8}$/.test(id.slice(28)),
              `the last characters of ${id} are not 8 hexadecimal digits`,
            )
          }
        }
      },
    },
    {
      name: 'makes ids that are unique in the queue',
      eventual: true,
      async run(t) {
        const q = await t.open()
        const ids = new Set<string>()
        for (const delayMs of [0, t.s(60), t.s(60), 0]) {
          for (const id of await q.send(...names('m', 50).map((body) => ({ body, delayMs })))) ids.add(id)
        }
        equal(ids.size, 200, 'different ids of 200 messages')
      },
    },
    {
      name: 'first deliveries are in the order of append, over batches, instances and claims',
      needs: [FIFO],
      async run(t) {
        const here = await t.open()
        const there = await t.openElsewhere()
        for (let i = 0; i < 60; i += 6) {
          await here.send(`${i}`, `${i + 1}`, `${i + 2}`)
          await there.send(`${i + 3}`)
          await here.send(`${i + 4}`, `${i + 5}`)
        }
        const seen: unknown[] = []
        for (let limit = 1; seen.length < 60; limit++) {
          const deliveries = await (limit % 2 === 0 ? here : there).take({ limit })
          ok(deliveries.length > 0, `nothing came after ${seen.length} of 60`)
          seen.push(...deliveries.map(({ body }) => Number(body)))
        }
        equal(
          seen,
          Array.from({ length: 60 }, (_, i) => i),
          'the order of delivery',
        )
      },
    },
    {
      name: 'batches that are appended at once keep their order inside',
      needs: [FIFO],
      async run(t) {
        const views = [await t.open(), await t.openElsewhere()]
        await Promise.all(
          Array.from({ length: 20 }, (_, batch) => views[batch % 2]!.send(...names(`${batch}`, 7))),
        )
        const deliveries = await views[0]!.take({ limit: 1000 })
        equal(deliveries.length, 140, 'messages of 20 batches of 7')
        for (let batch = 0; batch < 20; batch++) {
          const own = deliveries
            .map(({ body }) => String(body))
            .filter((body) => body.startsWith(`${batch}-`))
          equal(own, names(`${batch}`, 7), `the order inside batch ${batch}`)
        }
      },
    },
    {
      name: 'a batch is there whole or not at all, whoever looks meanwhile',
      async run(t) {
        const here = await t.open()
        const there = await t.openElsewhere()
        const size = Math.min(100, t.guarantees.maxBatch)
        const progress = { done: false }
        const appends = async (): Promise<void> => {
          for (let i = 0; i < 10; i++) await here.send(...names(`${i}`, size))
          progress.done = true
        }
        const looks = async (): Promise<void> => {
          for (let i = 1; !progress.done; i++) {
            const { messages, sent } = await there.stats()
            equal(
              [messages % size, sent % size],
              [0, 0],
              `parts of a batch of ${size} in ${messages} messages`,
            )
            // Appends may need more than promises to go on.
            if (i % 10 === 0) await breathe()
          }
        }
        await Promise.all([appends(), looks(), looks(), looks()])
        equal((await there.stats()).messages, 10 * size, 'messages in the end')
      },
    },
    {
      name: 'the timestamp is when it was appended, also of a delayed message',
      async run(t) {
        const q = await t.open()
        await t.advance(1234)
        await q.send('now', { body: 'later', delayMs: t.s(10) })
        t.isNow((await q.takeOne()).timestamp, 'the timestamp')
        const [listed] = await q.list({ states: ['delayed'] })
        t.isNow(listed!.timestamp, 'the timestamp in the list')
        const appended = listed!.timestamp
        await t.advance(t.s(10))
        equal((await q.takeOne()).timestamp, appended, 'the timestamp of the delayed message')
      },
    },
    {
      name: 'each message of a batch has options of its own',
      needs: [ORDERING_KEYS],
      async run(t) {
        const q = await t.open()
        await q.send(
          { body: 'plain' },
          { body: 'keyed', key: 'k', headers: { a: '1' } },
          { body: 'tough', maxAttempts: 7 },
          { body: 'short', expiresInMs: t.s(5) },
          { body: 'later', delayMs: t.s(10), headers: { b: '2' } },
        )
        await t.advance(t.s(6))
        const first = await q.takes(['plain', 'keyed', 'tough'], 'what is due', { maxAttempts: 3 })
        const found = first.map(({ body, key, headers, maxAttempts }) => ({
          body,
          key,
          headers,
          maxAttempts,
        }))
        const expected = [
          { body: 'keyed', key: 'k', headers: { a: '1' }, maxAttempts: 3 },
          { body: 'plain', maxAttempts: 3 },
          { body: 'tough', maxAttempts: 7 },
        ]
        equal(
          found.sort((a, b) => (a.body < b.body ? -1 : 1)),
          expected,
          'options',
        )
        await t.advance(t.s(4))
        equal((await q.takeOne()).headers, { b: '2' }, 'headers of the delayed message')
        equal(
          (await q.dead()).map(({ body }) => body),
          ['short'],
          'expired messages',
        )
      },
    },
    {
      name: 'a delayed message takes its place at the end of the queue at the time when it is due',
      needs: [FIFO],
      async run(t) {
        const q = await t.open()
        await q.send({ body: '20 s', delayMs: t.s(20) }, { body: '10 s', delayMs: t.s(10) }, 'at once')
        await t.advance(t.s(5))
        await q.send('after 5 s')
        await t.advance(t.s(10))
        await q.send('after 15 s')
        await t.advance(t.s(10))
        await q.send('after 25 s')
        await q.takes(['at once', 'after 5 s', '10 s', 'after 15 s', '20 s', 'after 25 s'], 'order')
      },
    },
    {
      name: 'delayed messages that are due at the same time come in the order of append',
      needs: [FIFO],
      async run(t) {
        const q = await t.open()
        const bodies = names('m', 30)
        for (let i = 0; i < 30; i += 3) {
          await q.send(...bodies.slice(i, i + 3).map((body) => ({ body, delayMs: t.s(10) })))
        }
        await t.advance(t.s(10))
        const deliveries = await q.take()
        if (!t.factory.realClock)
          equal(
            deliveries.map(({ body }) => body),
            bodies,
            'order',
          )
        equal(deliveries.length, 30, 'deliveries')
      },
    },
    {
      name: 'a delayed message that is due is delivered to every group',
      async run(t) {
        const q = await t.open()
        await q.as('a').takes([], 'group a')
        await q.send({ body: 'later', delayMs: t.s(10) })
        await q.as('b').takes([], 'group b')
        await t.until(t.s(10), async () => {
          await q.as('a').takes([], 'group a before it is due')
        })
        await q.as('a').takes(['later'], 'group a')
        await q.as('b').takes(['later'], 'group b')
      },
    },
    {
      name: 'many messages with many different delays each come when they are due',
      async run(t) {
        const q = await t.open()
        // 0 to 19 s, not in order
        const delays = Array.from({ length: 20 }, (_, i) => (i * 7) % 20)
        await q.send(...delays.map((delay) => ({ body: `${delay}`, delayMs: t.s(delay) })))
        for (let second = 0; second < 20; second++) {
          if (!t.factory.realClock) await q.takes([`${second}`], `after ${second} s`)
          await t.advance(t.s(1))
        }
        if (t.factory.realClock) equal((await q.take()).length, 20, 'deliveries')
      },
    },
  ],
}
