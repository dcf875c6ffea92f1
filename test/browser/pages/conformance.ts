import type { ConformanceFactory } from '../../../conformance/index.ts'
import { checkHistories } from '../../conformance/check.ts'
import { factory } from '../../conformance/factories/indexeddb.ts'
import type { RemoteSuite } from '../../conformance/register.ts'
import { suiteOf } from '../../runtimes/inside/suite.ts'

// What the tests of the conformance suite call, in a page or a worker.

const relaxed = factory({ durability: 'relaxed' })

/** So little at once that short histories take several steps for what time, a purge or a group that ends leave behind. */
const inSmallSteps = factory(
  { durability: 'relaxed' },
  { atOnce: 2, passed: 3, looked: 20, shared: 2, near: { l: 3, k: 5 } },
)

const remote = (storage: ConformanceFactory): RemoteSuite => ({
  ...suiteOf(storage),
  histories: async (options) => (await checkHistories('indexeddb', storage, options)) ?? null,
})

Object.assign(globalThis, { suite: remote(relaxed), smallSteps: remote(inSmallSteps) })
