import type { KVBinding } from '../../../adapters/cloudflare-kv/index.ts'
import type { ConformanceFactory } from '../../../conformance/index.ts'
import { kvFactory } from '../../cloudflare-kv/support/factory.ts'
import { part } from '../../cloudflare-kv/support/part.ts'

/** Each storage on a part of a namespace of its own. */
export function factory({ KV }: { readonly KV: KVBinding }): ConformanceFactory {
  return kvFactory(() => part(KV))
}
