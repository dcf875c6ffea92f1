/**
 * What is used of a Workers KV namespace (`env.TASKS`). Structural, so that nobody needs Cloudflare's types; its
 * `KVNamespace` fits.
 */
export interface KVBinding {
  put(key: string, value: string, options?: { metadata?: unknown; expirationTtl?: number }): Promise<void>
  get(
    keys: string[],
    options: { type: 'text'; cacheTtl?: number },
  ): Promise<ReadonlyMap<string, string | null>>
  list(options: { prefix?: string | null; cursor?: string | null }): Promise<KVPage>
  delete(key: string): Promise<void>
}

/** One page of a list. It may have no keys and still not be the last. */
export interface KVPage {
  readonly keys: readonly KVKey[]
  readonly list_complete: boolean
  readonly cursor?: string
}

/** A key, as Workers KV lists it. */
export interface KVKey {
  readonly name: string
  readonly metadata?: unknown
}
