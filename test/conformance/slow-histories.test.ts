import * as fc from '../support/fast-check.ts'
import { expect, test } from 'vitest'
import { type CaseClock, type ConformanceFactory, historySteps, runHistory } from '../../conformance/index.ts'
import type { QueueStorage, StorageAdapter } from '../../src/storage.ts'
import { howMany } from '../support/effort.ts'
import { factory as memory } from './factories/memory.ts'
import { type Flaw, referenceWith } from './reference.ts'

// A storage whose verbs take 50 ms on its own clock: leases of 50 ms end while it is asked.

const VERB_MS = 50

/** A clock that goes on while the storage works, and the storage that does it. */
function slow(tested: ConformanceFactory): {
  readonly clock: CaseClock
  readonly factory: ConformanceFactory
} {
  let now = Date.UTC(2026, 0, 1)
  const slowed = (storage: QueueStorage): QueueStorage =>
    new Proxy(storage, {
      get(target, name) {
        const verb: unknown = Reflect.get(target, name)
        if (typeof verb !== 'function') return verb
        return async (...args: readonly unknown[]) => {
          now += VERB_MS * 0.6
          const answer: unknown = await verb.apply(target, args)
          now += VERB_MS * 0.4
          return answer
        }
      },
    })
  const over = (adapter: StorageAdapter): StorageAdapter => ({
    guarantees: adapter.guarantees,
    open: async (queue) => slowed(await adapter.open(queue)),
    queues: () => adapter.queues(),
    close: () => adapter.close(),
  })
  const clock = {
    now: () => now,
    advance: (ms: number) => {
      now += ms
      return Promise.resolve()
    },
  }
  return {
    clock,
    factory: {
      guarantees: tested.guarantees,
      async create(options) {
        const backend = await tested.create(options)
        return { adapter: over(backend.adapter), destroy: () => backend.destroy() }
      },
    },
  }
}

const SCALE = 20_000

/** What is wrong with the first history that is, of random ones. */
async function wrong(tested: ConformanceFactory, runs: number, scale?: number): Promise<string | undefined> {
  const property = fc.asyncProperty(historySteps(fc, 25), (steps) => {
    const { clock, factory } = slow(tested)
    return runHistory(factory, steps, { clock, ...(scale !== undefined && { scale }) })
  })
  const { failed, errorInstance } = await fc.check(property, { numRuns: runs, endOnFailure: true })
  return failed ? String(errorInstance) : undefined
}

test('random histories of a slow storage are as the model permits, with a scale', async () => {
  const runs = howMany('RUNS', { quick: 100, full: 2000 })
  expect(await wrong(memory(), runs, SCALE)).toBeUndefined()
})

test('without one, a slow storage seems to break what it keeps', async () => {
  expect(await wrong(memory(), 100)).toBeDefined()
})

test.for<Flaw>([
  'never ends a lease',
  'does not count a lost lease as an attempt',
  'extends from the old end of the lease',
  'delivers what has expired',
  'delivers delayed messages in the order of append',
  'delivers one too many',
  'says nothing of leases in nextInMs',
])('with one, a storage is found out that %s', async (flaw) => {
  expect(await wrong(referenceWith(flaw), 1000, SCALE)).toBeDefined()
})

test('a scale that is too small says which would do', async () => {
  const { clock, factory } = slow(memory())
  const steps = [{ verb: 'purge', view: 0 }] as const
  const tried = (scale: number): Promise<void> => runHistory(factory, steps, { clock, scale })
  const error: unknown = await tried(100).catch((one: unknown) => one)
  const needed = /give a scale of (\d+) or more/.exec(String(error))?.[1]
  expect(Number(needed)).toBe(400)
  await tried(8000)
})

test('a storage with a clock of its own needs one', async () => {
  const factory = { ...memory(), realClock: true }
  await expect(runHistory(factory, [])).rejects.toThrow(/scale must be given/)
})
