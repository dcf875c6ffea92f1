import { checkHistories } from '../../conformance/check.ts'
import { factory } from '../../conformance/factories/indexeddb.ts'
import type { RemoteSuite } from '../../conformance/register.ts'
import { suiteOf } from '../../runtimes/inside/suite.ts'

// What the tests of the conformance suite call, in a page or a worker.

const relaxed = factory({ durability: 'relaxed' })

const suite: RemoteSuite = {
  ...suiteOf(relaxed),
  histories: async (options) => (await checkHistories('indexeddb', relaxed, options)) ?? null,
}

Object.assign(globalThis, { suite })
