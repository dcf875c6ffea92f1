import { beforeAll, describe, expect, test } from 'vitest'
import { conformanceCases, runHistory } from '../../conformance/index.ts'
import { effort } from '../support/effort.ts'
import { smallOf } from './core.ts'
import { factory } from './factories/memory.ts'
import { FLAWS, referenceWith } from './reference.ts'
import { registerCases, registerHistories } from './register.ts'

// The suite itself: it must pass a storage that keeps the contract, and find every mistake.

const ALL = conformanceCases(referenceWith())
/** Cases of thousands of messages or calls are slow on a storage this plain, and find nothing that small ones do not. */
const SMALL: ReadonlySet<unknown> = new Set(smallOf(ALL))

registerCases('reference', effort({ quick: smallOf(ALL), full: ALL }))
registerHistories('reference', referenceWith(), { runs: { quick: 50, full: 300 } })

test('a delivery that is parked or given back in the very ms that it expires in may have failed', async () => {
  const claim = {
    verb: 'claim',
    view: 0,
    group: 0,
    limit: 2,
    leaseMs: 50,
    from: 'earliest',
    settle: [],
  } as const
  const messages = [{ expiresInMs: 50 }, { expiresInMs: 50 }]
  const settlements = [
    { receipt: 0, kind: 'park', ms: 0 },
    { receipt: 1, kind: 'retry', ms: 0, counts: false },
  ] as const
  const steps = [
    { verb: 'append', view: 0, messages },
    claim,
    { verb: 'advance', ms: 50 },
    { verb: 'settle', view: 0, group: undefined, settlements },
    { verb: 'append', view: 0, messages: [{}] },
  ] as const
  await expect(runHistory(factory(), steps)).resolves.toBeUndefined()
})

describe('a storage is found out that', () => {
  /** Cases by their place, the shortest first: what is wrong is found in little time. Without those of bulk, which find nothing more. */
  let shortestFirst: readonly number[]
  beforeAll(async () => {
    const took: { readonly place: number; readonly ms: number }[] = []
    for (const [place, one] of ALL.entries()) {
      if (!SMALL.has(one)) continue
      const began = performance.now()
      await one.run()
      took.push({ place, ms: performance.now() - began })
    }
    // What takes long is the last resort: some mistakes show only there.
    const long = [...ALL.keys()].filter(
      (place) => !SMALL.has(ALL[place]) && !ALL[place]!.name.startsWith('bulk'),
    )
    shortestFirst = [...took.toSorted((a, b) => a.ms - b.ms).map(({ place }) => place), ...long]
  })

  test.for(FLAWS)('%s', async (flaw) => {
    const cases = conformanceCases(referenceWith(flaw))
    let found: string | undefined
    for (const place of shortestFirst) {
      try {
        await cases[place]!.run()
      } catch {
        found = cases[place]!.name
        break
      }
    }
    expect(found).toBeDefined()
  })
})
