import { afterAll, beforeAll } from 'vitest'
import type { KVBinding } from '../../adapters/cloudflare-kv/index.ts'
import type { ConformanceFactory } from '../../conformance/index.ts'
import { kvFactory } from '../cloudflare-kv/support/factory.ts'
import { ModelKV } from '../cloudflare-kv/support/model-kv.ts'
import { type Worker, startWorker } from '../cloudflare-kv/support/workerd.ts'
import {
  type RemoteSuite,
  registerConformance,
  registerConformanceIn,
  registerHistories,
  registerHistoriesIn,
} from './register.ts'

const inMemory: Parameters<typeof kvFactory>[0] = (clock): KVBinding => new ModelKV(clock).place()

const declared: ConformanceFactory = kvFactory(inMemory)
/** A namespace without any lag: everything that the adapter does beyond what it may promise. */
const consistent: ConformanceFactory = kvFactory(inMemory, { consistentWithinMs: 0 })

/** A retry is a message of its own group. */
const LATER_GROUPS = 'a later group does not get what others wait to retry'
const EXCEPTIONS = {
  'groups: a later group gets what is retained only because another waits to retry it': LATER_GROUPS,
  'groups: what a deleted group had redriven goes to no group that comes after it': LATER_GROUPS,
  'retryNow: in one group does nothing in another': LATER_GROUPS,
}

registerConformance('cloudflare-kv in memory', declared)
registerConformance('cloudflare-kv in memory, without lag', consistent, { exceptions: EXCEPTIONS })
registerHistories('cloudflare-kv in memory, without lag', consistent, {
  runs: { quick: 100, full: 1000 },
  groups: 1,
})

let worker: Worker
beforeAll(async () => void (worker = await startWorker('test/cloudflare-kv/workers/conformance.ts')))
afterAll(() => worker.close())

function suiteAt(path: string): () => RemoteSuite {
  return () => ({
    cases: () => worker.json(path, ['cases']),
    run: (index) => worker.json(path, ['run', index]),
    histories: (options) => worker.json(path, ['histories', options]),
  })
}

registerConformanceIn('cloudflare-kv in workerd', declared, suiteAt('/'), { quick: 'core' })
registerConformanceIn('cloudflare-kv in workerd, without lag', consistent, suiteAt('/?consistent'), {
  exceptions: EXCEPTIONS,
  quick: 'core',
})
registerHistoriesIn('cloudflare-kv in workerd, without lag', suiteAt('/?consistent'), {
  runs: { quick: 15, full: 100 },
  groups: 1,
})
