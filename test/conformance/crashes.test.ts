import { expect, onTestFinished, test, vi } from 'vitest'
import { MemoryAdapter } from '../../adapters/memory.ts'
import { type CrashProcess, type CrashReport, runCrashes, workUntilKilled } from '../../conformance/index.ts'
import type { NewMessage, QueueStorage, Settlement, StorageAdapter } from '../../src/storage.ts'
import { luck } from '../support/luck.ts'

// The driver of crashes itself, on what stands for processes: work whose calls are never answered any more once it was killed.

interface Flaw {
  /** In place of every tenth append. */
  readonly append?: (messages: readonly NewMessage[]) => unknown
  /** In place of every tenth settling. */
  readonly settle?: (group: string, settlements: readonly Settlement[]) => unknown
  /** After a kill, with what the dead has appended last. */
  readonly crash?: (storage: QueueStorage, messages: readonly NewMessage[]) => Promise<unknown>
}

async function run(flaw: Flaw = {}, acksLast = true): Promise<CrashReport> {
  const adapter = new MemoryAdapter()
  let calls = 0
  let alive = 0
  const start = (first: number): CrashProcess => {
    alive++
    let told = ''
    let isDead = false
    let appended: readonly NewMessage[] = []
    const mortal = (storage: QueueStorage): QueueStorage =>
      new Proxy(storage, {
        get(target, name) {
          const own: unknown = Reflect.get(target, name)
          if (typeof own !== 'function') return own
          return async (...args: readonly never[]) => {
            // Another turn of the event loop, as storages take that are elsewhere.
            await new Promise((resolve) => setImmediate(resolve))
            if (isDead) return await new Promise<never>(() => undefined)
            if (name === 'append') appended = args[0]! as readonly NewMessage[]
            const wrong = ++calls % 10 === 0 && (flaw as Readonly<Record<string | symbol, unknown>>)[name]
            return await (typeof wrong === 'function' ? wrong : own).apply(target, args)
          }
        },
      })
    const within: StorageAdapter = {
      guarantees: adapter.guarantees,
      open: async (queue) => mortal(await adapter.open(queue)),
      queues: () => adapter.queues(),
      close: () => adapter.close(),
    }
    void workUntilKilled(within, { first, tell: (text) => void (told += text) }).catch(() => undefined)
    return {
      told: () => told,
      async kill() {
        if (!isDead) alive--
        isDead = true
        await flaw.crash?.(await adapter.open('work'), appended)
      },
    }
  }
  try {
    return await runCrashes({ start, open: () => adapter, kills: 4, acksLast, random: luck() })
  } finally {
    expect(alive).toBe(0)
  }
}

test('a storage that outlives its processes passes, and it is said how much they have done', async () => {
  const { stored, acked, back } = await run()
  expect(stored).toBeGreaterThan(20)
  expect(acked).toBeGreaterThan(20)
  expect(back).toEqual([])
})

const FORGETS_ACKS: Flaw = {
  settle: (_, settlements) => settlements.map(() => ({ status: 'settled' })),
}

test.for<[string, Flaw, RegExp]>([
  [
    'loses what it said was stored',
    { append: (messages) => messages.map((_, i) => ({ id: `${i}`, status: 'stored' })) },
    /"lost":\[\d+/,
  ],
  ['brings back what it said was acked', FORGETS_ACKS, /"back":\[\d+/],
  [
    'has what it stored twice',
    {
      crash: async (storage, messages) => {
        const bodies = messages.map(({ body }) => ({ body }))
        for (const batchId of [crypto.randomUUID(), crypto.randomUUID()])
          await storage.append(bodies, { batchId })
      },
    },
    /"twice":\[\d+/,
  ],
  ['fails', { append: () => Promise.reject(new Error('out of order')) }, /out of order/],
])('a storage is found out that %s', async ([, flaw, found]) => {
  await expect(run(flaw)).rejects.toThrow(found)
})

test('work that has failed is over, and calls its storage no more', async () => {
  const adapter = new MemoryAdapter()
  let appends = 0
  let claims = 0
  const open = async (queue: string): Promise<QueueStorage> => {
    const storage = await adapter.open(queue)
    const { append, claim } = storage
    return Object.assign(storage, {
      append: async (...args: Parameters<typeof append>) => {
        if (++appends === 3) throw new Error('out of order')
        return await append.apply(storage, args)
      },
      claim: async (...args: Parameters<typeof claim>) => {
        claims++
        return await claim.apply(storage, args)
      },
    })
  }
  const { guarantees } = adapter
  const within = { guarantees, open, queues: () => adapter.queues(), close: () => adapter.close() }
  vi.useFakeTimers()
  onTestFinished(() => void vi.useRealTimers())
  await expect(workUntilKilled(within, { first: 0, tell: () => undefined })).rejects.toThrow('out of order')
  const before = [appends, claims]
  await vi.advanceTimersByTimeAsync(1000)
  expect([appends, claims]).toEqual(before)
})

test('acks that may be lost to a crash are told, and no failure', async () => {
  const { back } = await run(FORGETS_ACKS, false)
  expect(back.length).toBeGreaterThan(0)
})
