import type { QueueStorage } from '../../src/storage.ts'

/** Where all processes count what is in flight in each lane, and what they have acked. */
export interface LaneLedger {
  /** Counts each of these lanes once more, or less. Answers with how much is in flight in them now. */
  change(lanes: readonly string[], by: 1 | -1): Promise<{ lane: string; n: number }[]>
  /** What all have acked. */
  acked(): Promise<number>
  addAcked(count: number): Promise<void>
}

/**
 * Claims and acks what lanes have, with a concurrency, until all is done. It counts what is in flight in a ledger, from after the claim to
 * before the ack, and prints `over LANE` where more of a lane are than may be; in the end `acked COUNT`.
 */
export async function workLanes(
  queue: QueueStorage,
  ledger: LaneLedger,
  { concurrency, total }: { readonly concurrency: number; readonly total: number },
): Promise<void> {
  let acked = 0
  while ((await ledger.acked()) < total) {
    const { deliveries } = await queue.claim({
      group: 'g',
      limit: 10,
      leaseMs: 600_000,
      maxAttempts: 1,
      lanes: { concurrency },
    })
    const lanes = deliveries.map(({ lane }) => lane!)
    for (const { lane, n } of await ledger.change(lanes, 1))
      if (n > concurrency) process.stdout.write(`over ${lane}\n`)
    // Others have their turn.
    await new Promise((resolve) => setTimeout(resolve, 1))
    await ledger.change(lanes, -1)
    const results = await queue.settle(
      'g',
      deliveries.map(({ receipt }) => ({ receipt, kind: 'ack' })),
    )
    const settled = results.filter(({ status }) => status === 'settled').length
    await ledger.addAcked(settled)
    acked += settled
  }
  process.stdout.write(`acked ${acked}\n`)
}
