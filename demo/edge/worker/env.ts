import type { FormQueue } from './form-queue.ts'

/** What `wrangler.jsonc` binds, and the secrets. */
export interface Env {
  readonly TASKS: KVNamespace
  readonly QUEUE: DurableObjectNamespace<FormQueue>
  readonly ASSETS: Fetcher
  /** Where forms are sent on to. */
  readonly DOWNSTREAM: string
  /** The password of the status page. Without it there is none. */
  readonly STATUS_TOKEN?: string
}
