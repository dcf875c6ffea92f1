/**
 * `quayside/durable-object`: queues in Cloudflare Durable Objects. A Worker exports {@link QueueObject}, and reaches it by a
 * {@link DurableObjectAdapter} on its binding.
 */
export { DurableObjectAdapter, type DurableObjectOptions } from './adapter.ts'
export { type Shards, inShards } from './in-shards.ts'
export { QueueObject } from './object.ts'
export type { ObjectNamespace } from './platform.ts'
export type { PushContext, PushOptions } from './push.ts'
