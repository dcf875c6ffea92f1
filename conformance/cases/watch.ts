import type { Section } from '../case.ts'
import { equal, ok } from '../assert.ts'
import { breathe } from '../clock.ts'
import type { View } from '../scene.ts'

/** A hint may be lost, but not all of so many. */
const TRIES = 6
const WAIT_MS = 300

/** Waits until a condition holds, some of the time that a hint may take. */
async function soon(condition: () => boolean): Promise<boolean> {
  for (const end = Date.now() + WAIT_MS; Date.now() < end;) {
    if (condition()) return true
    await breathe()
  }
  return condition()
}

/** Whether watchers of one view hear of changes that another makes. */
export async function hears(watching: View, change: (i: number) => Promise<unknown>): Promise<boolean> {
  let calls = 0
  const stop = watching.storage.watch!(() => calls++)
  try {
    for (let i = 0; i < TRIES; i++) {
      await change(i)
      if (await soon(() => calls > 0)) return true
    }
    return false
  } finally {
    stop()
  }
}

export const watch: Section = {
  name: 'watch',
  cases: [
    {
      name: 'hears of appends in its own view, another view and another instance',
      eventual: true,
      async run(t) {
        const here = await t.open()
        if (here.storage.watch === undefined) return
        for (const [who, there] of [
          ['its own view', here],
          ['another view', await t.open()],
          ['another instance', await t.openElsewhere()],
        ] as const) {
          ok(await hears(here, (i) => there.send(`${i}`)), `nothing heard of ${TRIES} appends in ${who}`)
        }
      },
    },
    {
      name: 'hears of settlements and of what is freed by them',
      async run(t) {
        const here = await t.open()
        if (here.storage.watch === undefined) return
        const there = await t.openElsewhere()
        await here.send(...Array.from({ length: 2 * TRIES }, (_, i) => `${i}`))
        const held = await there.take()
        ok(await hears(here, (i) => there.ack(held[i]!)), `nothing heard of ${TRIES} acks`)
        ok(await hears(here, (i) => there.retry(held[TRIES + i]!)), `nothing heard of ${TRIES} retries`)
      },
    },
    {
      name: 'is silent where claims find nothing, also where what they are to do with dead letters differs',
      async run(t) {
        const here = await t.open()
        if (here.storage.watch === undefined) return
        const there = await t.open()
        const turns = async (): Promise<void> => {
          await here.takes([], 'at first')
          const { parking = true } = t.guarantees
          await there.takes([], 'in other terms', { deadForMs: t.s(60), parksNext: parking })
        }
        await turns()
        await breathe()
        let calls = 0
        const stop = here.storage.watch(() => calls++)
        // What the first of them have still to tell.
        await soon(() => false)
        const before = calls
        for (let i = 0; i < TRIES; i++) await turns()
        await soon(() => calls > before)
        stop()
        // Those who wait would claim each time, and so wake each other without end.
        equal(calls, before, 'calls')
      },
    },
    {
      name: 'is silent once it is stopped, and stopping twice is no error',
      async run(t) {
        const q = await t.open()
        if (q.storage.watch === undefined) return
        let calls = 0
        const stop = q.storage.watch(() => calls++)
        await q.send('a')
        await soon(() => calls > 0)
        stop()
        stop()
        await breathe()
        const before = calls
        for (let i = 0; i < 5; i++) await q.send(`${i}`)
        for (let i = 0; i < 5; i++) await breathe()
        equal(calls, before, 'calls after it was stopped')
      },
    },
    {
      name: 'the same listener, given twice, is stopped one by one',
      async run(t) {
        const q = await t.open()
        if (q.storage.watch === undefined) return
        let calls = 0
        const listener = (): void => {
          calls++
        }
        const stops = [q.storage.watch(listener), q.storage.watch(listener)]
        stops[0]!()
        let heard = false
        for (let i = 0; i < TRIES && !heard; i++) {
          await q.send(`${i}`)
          heard = await soon(() => calls > 0)
        }
        ok(heard, 'the second watch was stopped with the first')
        stops[1]!()
      },
    },
  ],
}
