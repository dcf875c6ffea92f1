import { expect, test } from 'vitest'
import { MemoryAdapter } from '../../adapters/memory.ts'
import { Queue } from '../../src/index.ts'
import { Outbox, type OutboxPayload } from '../../src/outbox/index.ts'
import { ManualClock } from '../../src/testing/index.ts'
import { howMany } from '../support/effort.ts'
import { settle } from '../support/settle.ts'

// People log in and out, in two tabs and a worker, while requests are under way: at random, from a seed.

/** 1,000 of them take two minutes. */
const LIVES = howMany('LIVES', { quick: 50, full: 1000 })
const PEOPLE = ['A', 'B']

function randomFrom(seed: number): () => number {
  let state = seed * 2_654_435_761 + 1
  return () => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) | 0
    return ((state ^ (state >>> 13)) >>> 0) / 2 ** 32
  }
}

/** What should not have been. */
async function live(seed: number): Promise<readonly string[]> {
  const wrong: string[] = []
  const random = randomFrom(seed)
  const below = (most: number): number => Math.floor(random() * most)
  const clock = new ManualClock()
  const storage = new MemoryAdapter({ clock })
  /** What all contexts have in common: who is logged in, and so whose token goes with a request. */
  let session = PEOPLE[0]!
  const taken: { readonly text: string; readonly token: string }[] = []
  const yields = async (): Promise<void> => {
    for (let turns = below(4); turns > 0; turns--) await Promise.resolve()
    if (below(4) === 0) await settle()
  }
  const queues: Queue<OutboxPayload>[] = []
  const context = (isAsync: boolean): Outbox => {
    const queue = new Queue<OutboxPayload>('outbox', { storage, clock, random: () => 0.5 })
    queues.push(queue)
    return new Outbox(queue, {
      clock,
      retry: { initialMs: 0 },
      owner: isAsync
        ? async () => {
            await yields()
            return session
          }
        : () => session,
      before: yields,
      fetch: async (request, { signal }) => {
        const token = session
        const text = await request.text()
        await yields()
        signal!.throwIfAborted()
        if (below(5) === 0) throw new TypeError('Failed to fetch')
        taken.push({ text, token })
        return new Response(null, { status: 201 })
      },
    })
  }
  const contexts = [context(false), context(false), context(true)]
  const [tab, other, worker] = contexts as [Outbox, Outbox, Outbox]
  const stops = [tab.start(), other.start()]
  const stored: Record<string, string[]> = { A: [], B: [] }
  for (let step = 0; step < 12; step++) {
    const kind = below(8)
    if (kind < 4) {
      const text = `${session} ${step}`
      stored[session]!.push(text)
      await contexts[below(3)]!.store('http://a.example/x', { method: 'POST', body: text, key: 'k' })
    } else if (kind < 6) {
      void worker.drain().catch(() => undefined)
    } else {
      const whose = session
      const drops = kind === 7 && below(3) === 0
      await contexts[below(3)]!.signOut(drops ? 'drop' : 'keep')
      if (drops) {
        const queue = queues[0]!
        const all = await queue.list({
          state: ['ready', 'leased', 'delayed', 'blocked', 'parked', 'dead', 'done'],
        })
        const left = all.messages.filter(
          ({ lane, outcome }) =>
            lane?.startsWith(`${whose} `) || JSON.stringify(outcome ?? '').includes(`"owner":"${whose}"`),
        )
        for (const { id } of left) wrong.push(`left of ${whose}: ${id}`)
        stored[whose] = [...new Set(taken.map(({ text }) => text).filter((text) => text.startsWith(whose)))]
      }
      await yields()
      session = PEOPLE[1 - PEOPLE.indexOf(session)]!
    }
    await yields()
  }
  for (let turn = 0; turn < 2; turn++) {
    await Promise.all(contexts.map((one) => one.resume()))
    await tab.drain()
    await worker.drain()
    for (let i = 0; i < 200 && (await worker.size()) > 0; i++) {
      await clock.advance(2000)
      await worker.drain()
    }
    if (turn === 0) {
      await tab.signOut('keep')
      session = PEOPLE[1 - PEOPLE.indexOf(session)]!
    }
  }
  for (const { text, token } of taken) if (text[0] !== token) wrong.push(`${text} went as ${token}`)
  for (const person of PEOPLE) {
    const once = [...new Set(taken.map(({ text }) => text).filter((text) => text.startsWith(person)))]
    if (once.join() !== stored[person]!.join())
      wrong.push(`${once.join()} arrived, not ${stored[person]!.join()}`)
  }
  await Promise.all(stops.map((stop) => stop()))
  await Promise.all(queues.map((queue) => queue.close()))
  return wrong.map((what) => `SEED=${seed}: ${what}`)
}

test(`${LIVES} lives: nothing goes under the token of another, all arrives in order, what is dropped is gone`, async () => {
  const only = Number(process.env['SEED'] ?? 0)
  const wrong: string[] = []
  // In the last one a tab hears that somebody has come when they leave.
  const seeds = only ? [only] : [...Array.from({ length: LIVES }, (_, i) => i + 1), 329]
  for (const seed of seeds) wrong.push(...(await live(seed)))
  expect(wrong).toEqual([])
}, 600_000)
