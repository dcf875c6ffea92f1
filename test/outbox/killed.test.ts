import { expect, test } from 'vitest'
import { MemoryAdapter } from '../../adapters/memory.ts'
import { Queue, type QueueStorage, type StorageAdapter } from '../../src/index.ts'
import { Outbox, type OutboxPayload } from '../../src/outbox/index.ts'
import { ManualClock } from '../../src/testing/index.ts'
import { settle } from '../support/settle.ts'

// Families of requests, and contexts that are killed at any time, from a seed.

const KILLS = 300

function randomFrom(seed: number): () => number {
  let state = seed * 2_654_435_761 + 1
  return () => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) | 0
    return ((state ^ (state >>> 13)) >>> 0) / 2 ** 32
  }
}

const never = (): Promise<never> => new Promise(() => {})

/** A storage of which nothing comes any more, as for a process that is gone. */
class Mortal {
  isDead = false
  readonly adapter: StorageAdapter

  constructor(storage: StorageAdapter) {
    const guarded = <O extends object>(of: O, change: (name: string, result: unknown) => unknown): O =>
      new Proxy(of, {
        get: (target, name) => {
          const value = Reflect.get(target, name) as unknown
          if (typeof value !== 'function') return value
          return (...args: readonly unknown[]) => {
            if (this.isDead) return name === 'watch' ? () => undefined : never()
            return change(String(name), Reflect.apply(value, target, args))
          }
        },
      })
    const late = (_: string, result: unknown): unknown =>
      result instanceof Promise ? result.then((answer) => (this.isDead ? never() : answer)) : result
    this.adapter = guarded(storage, (name, result) =>
      name === 'open' ? (result as Promise<QueueStorage>).then((view) => guarded(view, late)) : result,
    )
  }
}

test(`a create, three edits and a delete, of which the server sees real ids only and no child before its parent: ${KILLS} kills`, async () => {
  const random = randomFrom(7)
  const below = (most: number): number => Math.floor(random() * most)
  const clock = new ManualClock()
  const storage = new MemoryAdapter({ clock })
  /** The server: what it has made, by the key of the request that made it, and what it was asked. */
  const made = new Map<string, number>()
  const seen: string[] = []
  const wrong: string[] = []
  const serve = (request: Request, body: string): Response => {
    const { pathname } = new URL(request.url)
    if (request.method === 'POST') {
      const id = made.get(body) ?? made.size + 100
      made.set(body, id)
      return Response.json({ id })
    }
    const id = Number(pathname.slice(1))
    if (![...made.values()].includes(id)) wrong.push(`${request.method} ${pathname}`)
    seen.push(`${id} ${request.method} ${body}`)
    return new Response(null, { status: 204 })
  }
  const open = (): { outbox: Outbox; mortal: Mortal } => {
    const mortal = new Mortal(storage)
    const queue = new Queue<OutboxPayload>('outbox', { storage: mortal.adapter, clock, random: () => 0.5 })
    const outbox = new Outbox(queue, {
      clock,
      leaseMs: 1000,
      retry: { initialMs: 10 },
      before: async (request, _, { response } = { response: undefined }) => {
        if (response === undefined) return request
        const { id } = (await response.json()) as { readonly id: number }
        return new Request(request.url.replace('tmp', `${id}`), request)
      },
      fetch: async (request) => {
        const body = await request.text()
        if (below(3) === 0) await settle()
        if (mortal.isDead) return await never()
        if (below(6) === 0) throw new TypeError('Failed to fetch')
        const response = serve(request, body)
        // It has arrived, and the context dies, or the answer is lost.
        if (below(10) === 0) throw new TypeError('Failed to fetch')
        return response
      },
    })
    return { outbox, mortal }
  }
  let { outbox, mortal } = open()
  outbox.start()
  let families = 0
  for (let kills = 0; kills < KILLS;) {
    const kind = below(6)
    if (kind < 2 && families < 60) {
      const parent = `p${families++}`
      const send = async (method: string, path: string, body: string, init: object): Promise<unknown> =>
        await outbox.store(`http://a.example/${path}`, { method, ...(body && { body }), ...init })
      await send('POST', 'new', parent, { id: parent })
      for (const edit of ['1', '2', '3']) await send('PUT', 'tmp', `${parent} ${edit}`, { after: parent })
      await send('DELETE', 'tmp', '', { after: parent, key: below(2) === 0 ? parent : undefined })
    } else if (kind < 4) {
      for (let turns = below(6); turns > 0; turns--) await settle()
    } else if (kind === 4) await clock.advance(below(3000))
    else {
      mortal.isDead = true
      kills++
      ;({ outbox, mortal } = open())
      outbox.start()
    }
  }
  for (let i = 0; i < 3000 && (await outbox.size()) > 0; i++) await clock.advance(5000)
  expect(await outbox.size()).toBe(0)
  expect(wrong).toEqual([])
  expect(made.size).toBe(families)
  for (const [parent, id] of made) {
    const own = seen.filter((text) => text.startsWith(`${id} `)).map((text) => text.slice(`${id} `.length))
    const once = own.filter((text, i) => own[i - 1] !== text)
    expect(once, parent).toEqual([`PUT ${parent} 1`, `PUT ${parent} 2`, `PUT ${parent} 3`, 'DELETE '])
  }
}, 120_000)
