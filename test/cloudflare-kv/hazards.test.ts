import { describe, expect, test } from 'vitest'
import type { KVBinding } from '../../adapters/cloudflare-kv/index.ts'
import { expectCode } from '../support/set-up.ts'
import { REAL } from './support/model-kv.ts'
import { Setting, bodies, names } from './support/setting.ts'

const MINUTE = 60_000
/** Until everybody everywhere sees what was written. */
const LAG = 200_000

describe('lists that are behind', () => {
  test('a list that still shows a segment that is gone brings nothing back: each is read before it is handed out', async () => {
    const setting = new Setting({ ...REAL, ownFresh: 1 })
    const first = await setting.isolate().open()
    await first.send('a', 'b')
    setting.pass(MINUTE * 3)
    await first.ack(...(await first.take()))
    expect(setting.namespace.keys().some((key) => key.includes('/s'))).toBe(false)
    setting.pass(31_000)
    const other = await setting.isolate().open()
    expect(await other.take()).toEqual([])
    expect(other.adapter.operations).toMatchObject({ reads: 1 })
  })

  test('a segment that cannot be read yet is passed over, and comes when it can be', async () => {
    const setting = new Setting()
    await (await setting.isolate().open()).send('a')
    let hidden = true
    const isolate = setting.isolate('there', (binding) => ({
      ...binding,
      get: async (keys, options) =>
        hidden ? new Map(keys.map((key) => [key, null])) : await binding.get(keys, options),
    }))
    expect(await (await isolate.open()).take()).toEqual([])
    hidden = false
    setting.pass(20_000)
    expect(bodies(await (await isolate.open()).take())).toEqual(['a'])
  })

  test('no key is read that was neither listed nor written here before: the namespace would remember for long that it was absent', async () => {
    const setting = new Setting()
    const listed = new Set<string>()
    const unlisted: string[] = []
    const watched = (binding: KVBinding): KVBinding => ({
      ...binding,
      list: async (options) => {
        const page = await binding.list(options)
        for (const { name } of page.keys) listed.add(name)
        return page
      },
      put: (key, ...rest) => {
        listed.add(key)
        return binding.put(key, ...rest)
      },
      get: (keys, options) => {
        unlisted.push(...keys.filter((key) => !listed.has(key)))
        return binding.get(keys, options)
      },
    })
    const sender = await setting.isolate().open()
    for (const body of names('m', 150)) await sender.send(body)
    for (let round = 0; round < 3; round++) {
      const view = await setting.isolate('there', watched).open()
      const deliveries = await view.take({ leaseMs: 1000 })
      await view.settle({ receipt: deliveries[0]!.receipt, kind: 'retry', delayMs: 0 })
      await view.settle({ receipt: deliveries[1]!.receipt, kind: 'dead', reason: 'rejected' })
      await view.dead()
      await view.storage.stats()
      setting.pass(LAG)
    }
    expect(unlisted).toEqual([])
  })

  test('own claims, settlements and deletions are laid over lists that lack them', async () => {
    const setting = new Setting({ ...REAL, listMs: 10 * MINUTE })
    const isolate = setting.isolate()
    await (await isolate.open()).send(...names('m', 10))
    setting.pass(5000)
    const held = await (await isolate.open()).take({ limit: 4, leaseMs: MINUTE })
    expect(held).toHaveLength(10)
    setting.pass(25_000)
    // Another invocation of the same isolate, with a list from before the claim.
    expect(await (await isolate.open()).take()).toEqual([])
    const view = await isolate.open()
    expect(await view.ack(...held.slice(0, 5))).toEqual(Array(5).fill('settled'))
    setting.pass(MINUTE)
    expect(bodies(await (await isolate.open()).take({ leaseMs: 1000 }))).toEqual(bodies(held.slice(5)))
  })

  test('own deletions are remembered for as long as lists and reads may not know of them', async () => {
    const setting = new Setting({
      ...REAL,
      ownFresh: 0,
      readMs: 10 * MINUTE,
      toldMs: 10 * MINUTE,
      listMs: 10 * MINUTE,
    })
    await (await setting.isolate('there').open()).send('a')
    setting.pass(5000)
    const isolate = setting.isolate()
    const view = await isolate.open()
    await view.ack(...(await view.take({ leaseMs: 1000 })))
    for (const ms of [25_000, MINUTE, MINUTE]) {
      setting.pass(ms)
      expect(await (await isolate.open()).take()).toEqual([])
    }
    // Longer than anything is known to take.
    setting.pass(MINUTE)
    expect(bodies(await (await isolate.open()).take())).toEqual(['a'])
  })

  test('own sends are there at once, although no list has them', async () => {
    const setting = new Setting({ ...REAL, ownFresh: 1 })
    const isolate = setting.isolate()
    const view = await isolate.open()
    expect(await view.take()).toEqual([])
    await view.send('a')
    expect(bodies(await view.take())).toEqual(['a'])
  })

  test('what was acked with a claim, and saved with a later one, is known for as long as that one is', async () => {
    const setting = new Setting()
    const view = await setting.isolate().open()
    await view.send('a', 'b', 'c')
    const [a] = await view.claim({ limit: 1, leaseMs: 10_000 })
    await view.claim({ limit: 2, leaseMs: 10_000, settle: [{ receipt: a!.receipt, kind: 'ack' }] })
    setting.pass(12_000)
    expect(bodies(await view.claim({ leaseMs: MINUTE }))).toEqual(['b', 'c'])
    setting.pass(190_000)
    expect(bodies(await view.claim())).toEqual(['b', 'c'])
  })

  test('a drain needs one list, however often it claims', async () => {
    const setting = new Setting()
    const sender = await setting.isolate().open()
    for (let i = 0; i < 100; i++) await sender.send(...names(`${i}-`, 3))
    const view = await setting.isolate().open()
    expect(await view.take({ limit: 10 })).toHaveLength(300)
    expect(view.adapter.operations.lists).toBe(1)
  })

  test('what others wrote only comes late', async () => {
    const setting = new Setting(REAL)
    const drainer = setting.isolate('here')
    expect(await (await drainer.open()).take()).toEqual([])
    await (await setting.isolate('there').open()).send('a')
    setting.pass(30_000)
    expect(await (await drainer.open()).take()).toEqual([])
    setting.pass(LAG)
    expect(bodies(await (await drainer.open()).take())).toEqual(['a'])
  })

  test('pages that are empty because all their keys were deleted are walked over', async () => {
    const setting = new Setting()
    const isolate = setting.isolate()
    const view = await isolate.open({ maxOperations: Infinity })
    for (let i = 0; i < 2100; i++) await view.send(`${i}`)
    await view.storage.purge()
    await view.send('last')
    const other = await setting.isolate().open()
    expect(bodies(await other.take())).toEqual(['last'])
    expect(other.adapter.operations.lists).toBe(3)
  })
})

describe('failures', () => {
  test('a claim or settlement that cannot read what it needs does nothing: what it settled comes again at once', async () => {
    const setting = new Setting()
    const sender = await setting.isolate().open()
    await sender.send('a', 'b')
    const [a, b] = await sender.take({ leaseMs: 1000 })
    // It has read nothing yet.
    const view = await setting.isolate().open()
    setting.namespace.before = (operation) => {
      if (operation === 'get') throw new Error('KV GET_BULK failed: 503')
    }
    const retry = { receipt: a!.receipt, kind: 'retry', delayMs: 0 } as const
    await expectCode(view.settle(retry), 'STORAGE_UNAVAILABLE', 'settle')
    const dead = { receipt: b!.receipt, kind: 'dead', reason: 'rejected' } as const
    await expectCode(view.claim({ settle: [dead] }), 'STORAGE_UNAVAILABLE')
    setting.namespace.before = undefined
    expect(await view.settle(retry, dead)).toEqual(['settled', 'settled'])
    expect(bodies(await view.take())).toEqual(['a'])
    expect(await view.dead()).toEqual(['b'])
  })

  test('whatever operation of a settlement is the last one, nothing is lost', async () => {
    let cut = 0
    for (; ; cut++) {
      const setting = new Setting()
      const isolate = setting.isolate()
      const view = await isolate.open()
      await view.send(...names('m', 6))
      await view.send(...names('n', 2))
      const held = await view.take()
      setting.pass(2000)
      let left = cut
      let ended = false
      setting.namespace.before = () => {
        if (left-- > 0) return
        ended = true
        throw new Error('the end')
      }
      const settled = view
        .settle(
          ...held.map(({ receipt }, i) => {
            if (i % 3 === 0) return { receipt, kind: 'ack' } as const
            if (i % 3 === 1) return { receipt, kind: 'retry', delayMs: 5000 } as const
            return { receipt, kind: 'dead', reason: 'rejected' } as const
          }),
        )
        .then(() => true)
      const resolved = await settled.catch(() => false)
      expect(resolved).toBe(!ended)
      setting.namespace.before = undefined
      setting.pass(LAG)
      const after = await setting.isolate().open()
      const found = new Set([...bodies(await after.take()), ...(await after.dead())])
      const unfinished = held.filter((_, i) => i % 3 !== 0).map(({ body }) => String(body))
      expect([...found]).toEqual(expect.arrayContaining(unfinished))
      if (!ended) break
    }
    // Dead letters, two retries that are due alike, two deletions.
    expect(cut).toBe(4)
  })

  test('a segment that all groups have finished and nobody came to delete is deleted by the next claim', async () => {
    const setting = new Setting()
    const isolate = setting.isolate()
    const view = await isolate.open()
    for (const group of ['g', 'other']) await view.claim({ group })
    await view.send('a', 'b')
    await view.ack(...(await view.take()))
    // Two isolates finish the rest, each in part, and none of them sees that nothing is left.
    const [one, two] = [await setting.isolate().open(), await setting.isolate().open()]
    for (const each of [one, two]) await each.claim({ group: 'other', limit: 0 })
    const [a] = await one.claim({ group: 'other', limit: 1, leaseMs: 60_000 })
    const b = (await two.claim({ group: 'other', limit: 2, leaseMs: 60_000 }))[1]
    await one.storage.settle('other', [{ receipt: a!.receipt, kind: 'ack' }])
    await two.storage.settle('other', [{ receipt: b!.receipt, kind: 'ack' }])
    const left = (): string[] => setting.namespace.keys().filter((key) => key.includes('/s'))
    expect(left()).toHaveLength(1)
    setting.pass(LAG)
    expect(await (await setting.isolate().open()).take({ group: 'g' })).toEqual([])
    expect(left()).toEqual([])
  })

  test('what one call is about to copy is not deleted by another, which sees it done', async () => {
    const setting = new Setting()
    let fail: (() => void) | undefined
    const isolate = setting.isolate('here', (binding) => ({
      ...binding,
      put: async (key, ...rest) => {
        if (fail === undefined) return await binding.put(key, ...rest)
        await new Promise<void>((resolve) => (fail = resolve))
        throw new Error('KV PUT failed: 400')
      },
    }))
    const view = await isolate.open()
    await view.claim()
    await view.send('a', 'b')
    const [a, b] = await view.take()
    fail = () => {}
    const retried = view.settle({ receipt: a!.receipt, kind: 'retry', delayMs: 1000 }).catch(() => 'failed')
    await new Promise((resolve) => setImmediate(resolve))
    const putFails = fail
    fail = undefined
    // It finishes the segment as far as it can see.
    expect(await view.ack(b!)).toEqual(['settled'])
    expect(await view.take()).toEqual([])
    putFails()
    expect(await retried).toBe('failed')
    setting.pass(LAG)
    expect(bodies(await (await setting.isolate().open()).take())).toEqual(['a'])
  })

  test('an operation that fails is tried again, and a write that was applied all the same is not doubled', async () => {
    const setting = new Setting()
    let failures = 2
    const isolate = setting.isolate('here', (binding) => ({
      ...binding,
      put: async (...args) => {
        await binding.put(...args)
        if (failures-- > 0) throw new Error('KV PUT failed: 500 Internal Server Error')
      },
    }))
    const view = await isolate.open()
    await view.send('a')
    expect(view.adapter.operations.writes).toBe(3)
    expect(bodies(await (await setting.isolate().open()).take())).toEqual(['a'])
  })

  test('an operation that goes on failing rejects: writes with an unknown outcome, reads as unavailable, never as empty', async () => {
    const setting = new Setting()
    const view = await setting.isolate().open()
    await view.send('a')
    setting.namespace.before = () => {
      throw new Error('KV failed: 503')
    }
    await expectCode(view.send('b'), 'STORAGE_FAILED', 'append', '503')
    setting.pass(30_000)
    await expectCode(view.claim(), 'STORAGE_UNAVAILABLE', 'claim', '503')
    await expectCode(view.storage.stats(), 'STORAGE_UNAVAILABLE')
    setting.namespace.before = undefined
    expect(bodies(await view.take())).toEqual(['a'])
  })

  test('a write to a key that was just written waits for longer than the second that one key must have', async () => {
    const setting = new Setting(REAL)
    const view = await setting.isolate().open()
    await view.send('a')
    // The segment is deleted in the same moment.
    await view.ack(...(await view.take()))
    expect(view.adapter.operations.deletes).toBe(2)
    expect(setting.namespace.keys().some((key) => key.includes('/s'))).toBe(false)
  })
})

describe('several isolates', () => {
  test('two that drain at once both get a message, and it is not lost when one of them fails', async () => {
    const setting = new Setting(REAL)
    await (await setting.isolate('sender').open()).send('a')
    setting.pass(LAG)
    const [one, two] = [await setting.isolate('one').open(), await setting.isolate('two').open()]
    const [mine, theirs] = [await one.take(), await two.take()]
    expect([bodies(mine), bodies(theirs)]).toEqual([['a'], ['a']])
    await one.settle({ receipt: mine[0]!.receipt, kind: 'retry', delayMs: 0 })
    await two.ack(...theirs)
    setting.pass(LAG)
    expect(bodies(await (await setting.isolate('three').open()).take())).toEqual(['a'])
  })

  test('what two have settled is not counted twice: a segment with messages left is not deleted', async () => {
    const setting = new Setting(REAL)
    await (await setting.isolate('sender').open()).send(...names('m', 10))
    setting.pass(LAG)
    const [one, two] = [await setting.isolate('one').open(), await setting.isolate('two').open()]
    const mine = await one.claim({ limit: 6 })
    const theirs = await two.claim({ limit: 6 })
    expect(await one.ack(...mine)).toEqual(Array(6).fill('settled'))
    expect(await two.ack(...theirs)).toEqual(Array(6).fill('settled'))
    setting.pass(LAG)
    expect(bodies(await (await setting.isolate('three').open()).take())).toEqual(names('m', 10).slice(6))
  })

  test('keys of isolates that start in the same millisecond differ', async () => {
    const setting = new Setting()
    const keys = new Set<string>()
    await Promise.all(
      Array.from({ length: 1000 }, async (_, i) => {
        const isolate = setting.isolate('here', (binding) => ({
          ...binding,
          put: (key, ...rest) => {
            keys.add(key)
            return binding.put(key, ...rest)
          },
        }))
        await (await isolate.open({ random: Math.random })).send(`${i}`)
      }),
    )
    expect(keys.size).toBe(1000)
  })

  test('a clock that is ahead delays what it wrote, and loses nothing', async () => {
    const setting = new Setting()
    const ahead = { now: () => setting.clock.now() + 5000 }
    await (await setting.isolate().open({ clock: ahead })).send('a')
    const view = await setting.isolate().open()
    const { deliveries, nextInMs } = await view.storage.claim({
      group: 'g',
      limit: 1,
      leaseMs: 1000,
      maxAttempts: 1,
    })
    expect([deliveries, nextInMs]).toEqual([[], 5000])
    setting.pass(5000)
    expect(bodies(await view.take())).toEqual(['a'])
  })

  test('leases and attempts of a claim with more segments than metadata can name are known elsewhere', async () => {
    const setting = new Setting()
    const sender = await setting.isolate().open()
    for (const body of names('m', 100)) await sender.send(body)
    expect(await (await setting.isolate().open()).claim({ leaseMs: 5 * MINUTE })).toHaveLength(100)
    setting.pass(30_000)
    const elsewhere = setting.isolate()
    expect(await (await elsewhere.open()).take()).toEqual([])
    setting.pass(5 * MINUTE)
    const again = await (await elsewhere.open()).claim({ maxAttempts: 2 })
    expect(again.map(({ attempt }) => attempt)).toEqual(Array(100).fill(2))
    setting.pass(MINUTE)
    const last = await setting.isolate().open()
    expect(await last.take({ maxAttempts: 2 })).toEqual([])
    expect(await last.dead()).toHaveLength(100)
  })
})

describe('limits of an invocation', () => {
  test('a drain stops before it has done too much, with all settled that it claimed, and the next goes on', async () => {
    const setting = new Setting()
    const sender = await setting.isolate().open({ maxOperations: Infinity })
    for (const body of names('m', 2000)) await sender.send(body)
    setting.pass(2000)
    const seen: string[] = []
    for (let drains = 0; seen.length < 2000; drains++) {
      expect(drains).toBeLessThan(4)
      const view = await setting.isolate().open()
      let settle: { receipt: string; kind: 'ack' }[] = []
      for (;;) {
        const deliveries = await view.claim({ settle })
        if (deliveries.length === 0) break
        seen.push(...bodies(deliveries))
        settle = deliveries.map(({ receipt }) => ({ receipt, kind: 'ack' }))
      }
      const { writes, deletes, lists } = view.adapter.operations
      expect(writes + deletes + lists).toBeLessThan(900)
      expect(deletes).toBeGreaterThan(seen.length < 2000 ? 800 : 0)
    }
    expect(seen.sort()).toEqual(names('m', 2000))
  })

  test('a send that is one too many is refused, and nothing of it is stored', async () => {
    const setting = new Setting()
    const isolate = setting.isolate()
    const view = await isolate.open({ maxOperations: 3 })
    for (const body of ['a', 'b', 'c']) await view.send(body)
    await expectCode(view.send('d'), 'STORAGE_UNAVAILABLE', 'append', '3 operations', 'new adapter')
    expect(bodies(await (await isolate.open()).take())).toEqual(['a', 'b', 'c'])
  })

  test('bulk reads have no more keys and bytes than are permitted', async () => {
    const setting = new Setting()
    const calls: number[] = []
    setting.namespace.before = (operation, keys) => void (operation === 'get' && calls.push(keys.length))
    const sender = await setting.isolate().open()
    for (let i = 0; i < 9; i++) await sender.send('x'.repeat(6_000_000))
    const view = await setting.isolate().open()
    expect(await view.take()).toHaveLength(9)
    expect(calls).toEqual([2, 2, 2, 2, 1])
    calls.length = 0
    const { messages } = await (await setting.isolate().open()).storage.list({ group: 'other', limit: 10 })
    expect([messages.length, calls]).toEqual([3, [2, 2]])
    calls.length = 0
    for (const body of names('m', 250)) await sender.send(body)
    setting.pass(20_000)
    expect(await (await setting.isolate().open()).claim({ limit: 250 })).toHaveLength(250)
    expect(calls).toEqual([100, 100, 50])
  })

  test('a purge of more than one invocation may do deletes what it can, and says that there is more', async () => {
    const setting = new Setting()
    const isolate = setting.isolate()
    const sender = await isolate.open({ maxOperations: Infinity })
    for (const body of names('m', 30)) await sender.send(body)
    await expectCode(
      (await isolate.open({ maxOperations: 20 })).storage.purge(),
      'STORAGE_UNAVAILABLE',
      'purge',
    )
    await (await isolate.open({ maxOperations: 20 })).storage.purge()
    expect(await (await isolate.open()).take()).toEqual([])
  })
})
