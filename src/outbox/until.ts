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
  let isHinted = false
  let rests = false
  let wake = (): void => undefined
  const sleep = async (ms: number): Promise<void> => {
    if (signal?.aborted || ms <= 0) return
    const woken = new Promise<void>((resolve) => (wake = resolve))
    const timer = clock.setTimeout(wake, ms)
    await woken
    clock.clearTimeout(timer)
  }
  const hint = (): void => {
    isHinted = true
    if (!rests) wake()
  }
  const stops = [watch(queue, hint), onceAborted(signal, () => wake())]
  try {
    for (;;) {
      throwIfAborted(signal)
      // What changes while it looks has it look again.
      isHinted = false
      const before = clock.now()
      if (await isSo()) return
      // A clock that is set back makes no wait longer.
      end -= Math.max(0, now - (now = clock.now()))
      const mostMs = Math.min(LOOK_MS, end - now)
      if (mostMs <= 0) return
      // A busy queue hints all the time: as long as it looks it leaves others alone.
      rests = true
      await sleep(Math.min(now - before, mostMs))
      rests = false
      if (!isHinted) await sleep(mostMs)
    }
  } finally {
    for (const stop of stops) stop()
  }
}
