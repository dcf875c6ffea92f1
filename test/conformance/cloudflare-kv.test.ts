import type { KVBinding } from '../../adapters/cloudflare-kv/index.ts'
import type { ConformanceFactory } from '../../src/conformance/index.ts'
import { ModelKV } from '../cloudflare-kv/support/model-kv.ts'
import { kvFactory } from '../cloudflare-kv/support/factory.ts'
import { registerConformance, registerHistories } from './register.ts'

const inMemory: Parameters<typeof kvFactory>[0] = (clock): KVBinding => new ModelKV(clock).place()

const declared: ConformanceFactory = kvFactory(inMemory)
/** A namespace without any lag: everything that the adapter does beyond what it may promise. */
const consistent: ConformanceFactory = kvFactory(inMemory, { consistentWithinMs: 0 })

/** A retry is a message of its own group. */
const LATER_GROUPS = 'a later group does not get what others wait to retry'
const EXCEPTIONS = {
  'groups: a later group gets what is retained only because another waits to retry it': LATER_GROUPS,
  'retryNow: in one group does nothing in another': LATER_GROUPS,
}

registerConformance('cloudflare-kv', declared)
registerConformance('cloudflare-kv without lag', consistent, EXCEPTIONS)
registerHistories('cloudflare-kv without lag', consistent, { runs: 1000, groups: 1 })
