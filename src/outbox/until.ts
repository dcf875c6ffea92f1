import { onceAborted, throwIfAborted } from '../aborts.ts'
import type { Clock } from '../clock.ts'
import { type Queue, watch } from '../core/lean/index.ts'
import type { OutboxPayload } from './request.ts'

/** Leases end without a word, and not every storage can tell of changes: it is looked again this often, in ms. */
const LOOK_MS = 1000

/**
 * Resolves when something is so in a queue, or after `waitMs`: looks now, at each hint, and now and then. Rejects as `isSo` does, and
 * with the signal's reason.
 */
export async function until(
  queue: Queue<OutboxPayload>,
  clock: Clock,
  isSo: () => Promise<boolean>,
  signal?: AbortSignal,
  waitMs: number = Infinity,
): Promise<void> {
  let now = clock.now()
  let end = now + waitMs
  let wake = (): void => undefined
  const stops = [watch(queue, () => wake()), onceAborted(signal, () => wake())]
  try {
    for (;;) {
      throwIfAborted(signal)
      // What changes while it looks has it look again.
      const woken = new Promise<void>((resolve) => (wake = resolve))
      if (await isSo()) return
      // A clock that is set back makes no wait longer.
      end -= Math.max(0, now - (now = clock.now()))
      const leftMs = end - now
      if (leftMs <= 0) return
      const timer = clock.setTimeout(wake, Math.min(LOOK_MS, leftMs))
      await woken
      clock.clearTimeout(timer)
    }
  } finally {
    for (const stop of stops) stop()
  }
}
