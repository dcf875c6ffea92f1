import { describe, expect, test } from 'vitest'
import { conformanceCases } from '../../src/conformance/index.ts'
import { FLAWS, referenceWith } from './reference.ts'
import { registerConformance, registerHistories } from './register.ts'

// The suite itself: it must pass a storage that keeps the contract, and find every mistake.

registerConformance('reference', referenceWith())
registerHistories('reference', referenceWith(), { runs: { quick: 300, full: 300 } })

/** Cases with thousands of messages are slow on a storage this plain, and find nothing that small ones do not. */
const QUICK = conformanceCases(referenceWith()).flatMap(({ name }, i) => (name.startsWith('bulk') ? [] : [i]))

describe('a storage is found out that', () => {
  test.for(FLAWS)('%s', async (flaw) => {
    const cases = conformanceCases(referenceWith(flaw))
    let found: string | undefined
    for (const i of QUICK) {
      try {
        await cases[i]!.run()
      } catch {
        found = cases[i]!.name
        break
      }
    }
    expect(found).toBeDefined()
  })
})
