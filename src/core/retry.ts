/** How often, and after how long, a delivery that failed is tried again. */
export interface RetryPolicy {
  /** Deliveries a message may have, the first included. @defaultValue 4 */
  readonly maxAttempts?: number | undefined
  /** The longest wait before the second attempt, in ms. @defaultValue 1,000 */
  readonly initialMs?: number | undefined
  /** The longest wait before any attempt, in ms. @defaultValue 60,000 */
  readonly maxMs?: number | undefined
  /** By how much the longest wait grows from one attempt to the next. @defaultValue 2 */
  readonly factor?: number | undefined
}

/** A policy with nothing left open. */
export type RetryRules = { readonly [K in keyof RetryPolicy]-?: NonNullable<RetryPolicy[K]> }

export function rulesOf(policy: RetryPolicy = {}): RetryRules {
  const { maxAttempts = 4, initialMs = 1000, maxMs = 60_000, factor = 2 } = policy
  return { maxAttempts, initialMs, maxMs, factor }
}

/**
 * The wait before the attempt after `attempt`, in ms: exponential backoff, capped, then full jitter inside the cap, so
 * that clients that failed together do not come back together, not even at the cap.
 *
 * With the defaults a message waits up to 1, 2 and 4 s before its attempts 2, 3 and 4: 3.5 s in all on average.
 *
 * @param random A number from 0 up to 1.
 * @see Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015 ("full jitter").
 * @example
 * ```ts
 * const delayMs = backoffDelay(message.attempt, Math.random(), { maxAttempts: 10, initialMs: 1000, maxMs: 60_000, factor: 2 })
 * ```
 */
export function backoffDelay(attempt: number, random: number, policy: RetryRules): number {
  // A growth over all numbers must not make NaN of an initial wait of 0.
  const growth = Math.min(Number.MAX_VALUE, policy.factor ** (attempt - 1))
  const cap = Math.min(policy.maxMs, policy.initialMs * growth)
  return Math.floor(random * cap)
}
