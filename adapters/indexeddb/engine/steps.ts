/** How much one step does at most, so that others have their turn within some ms. */
export interface Steps {
  readonly atOnce: number
  readonly passed: number
  readonly looked: number
  /** So many messages that are stored at once share a row. */
  readonly shared: number
  /** So many leases stand in the row of the queue at most, and so many keys and what is blocked behind them, each with the rows that they are in. */
  readonly near: { readonly l: number; readonly k: number }
}

/** Each of them waits some times for the browser: on a busy machine, 1 ms and more. */
export const STEPS: Steps = {
  atOnce: 256,
  passed: 512,
  looked: 20_000,
  shared: 8,
  near: { l: 48, k: 320 },
}
