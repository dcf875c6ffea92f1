import { PERSISTENCE, type Section } from '../case.ts'
import { equal, ok } from '../assert.ts'
import { View } from '../scene.ts'

/** Checks of the factory itself: all other cases rely on them. */
export const backend: Section = {
  name: 'backend',
  cases: [
    {
      name: 'the adapter declares the guarantees that the factory names',
      eventual: true,
      async run(t) {
        equal(t.adapter.guarantees, t.guarantees, 'guarantees of the adapter')
      },
    },
    {
      name: 'guarantees make sense',
      eventual: true,
      async run({ guarantees }) {
        ok(guarantees.name !== '', 'the name of the storage is empty')
        for (const name of ['maxBodyBytes', 'maxHeaderBytes', 'maxBatch'] as const) {
          ok(guarantees[name] >= 1, `${name} is ${guarantees[name]}`)
        }
        const { maxBatchBytes, maxBodyBytes, maxHeaderBytes } = guarantees
        ok(
          maxBatchBytes >= maxBodyBytes + maxHeaderBytes,
          `maxBatchBytes is ${maxBatchBytes}: less than one message may have`,
        )
        ok(guarantees.consistentWithinMs >= 0, `consistentWithinMs is ${guarantees.consistentWithinMs}`)
        const isWide = ['origin', 'machine', 'network'].includes(guarantees.sharedBy)
        ok(!isWide || guarantees.durability !== 'none', 'what several processes share outlives one of them')
      },
    },
    {
      name: 'two storages share nothing',
      eventual: true,
      async run(t) {
        const other = await t.another()
        const here = await t.open()
        const there = new View(t, await other.adapter.open('queue'))
        await here.send('here')
        await t.consistent()
        await there.takes([], 'the other storage')
        await here.takes(['here'], 'this storage')
      },
    },
    {
      name: 'a second instance has what the first stored',
      eventual: true,
      async run(t) {
        const here = await t.open()
        const there = await t.openElsewhere()
        await here.send('a')
        await t.consistent()
        await there.takes(['a'], 'the second instance')
      },
    },
    {
      name: 'there is a second instance where more than one process shares the storage',
      eventual: true,
      async run({ backend, guarantees }) {
        const { sharedBy } = guarantees
        const isAlone = sharedBy === 'instance' || sharedBy === 'process'
        ok(isAlone || backend.second !== undefined, `sharedBy is ${sharedBy}, and second is missing`)
        if (backend.second !== undefined) {
          ok((await backend.second()) !== backend.adapter, 'the second instance is the first')
        }
      },
    },
    {
      name: 'the storage obeys the clock',
      async run(t) {
        const q = await t.open()
        await q.send({ body: 'later', delayMs: t.s(10) })
        await t.until(t.s(10), async () => {
          await q.takes([], 'before it is due')
        })
        await q.takes(['later'], 'when it is due')
      },
    },
    {
      name: 'opening again finds what was stored',
      needs: [PERSISTENCE],
      eventual: true,
      async run(t) {
        ok(t.backend.reopen !== undefined, `durability is ${t.guarantees.durability}, and reopen is missing`)
        await (await t.open()).send('a')
        await t.consistent()
        await (await t.reopen()).takes(['a'], 'after opening again')
      },
    },
  ],
}
