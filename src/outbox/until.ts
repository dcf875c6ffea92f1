import { abortReason, onceAborted } from '../aborts.ts'
import { type Clock, MAX_TIMEOUT_MS } from '../clock.ts'
import { type Queue, watch } from '../core/lean/index.ts'
import { coalesce } from './coalesce.ts'
import type { OutboxPayload } from './request.ts'

/** Leases end without a word, and not every storage can tell of changes: it is looked again this often, in ms. */
const LOOK_MS = 1000

/**
 * Resolves when something is so in a queue, or after `waitMs`: looks now, at each hint, and now and then. Rejects as `isSo` does, and
 * with the signal's reason.
 */
export function until(
  queue: Queue<OutboxPayload>,
  clock: Clock,
  isSo: () => Promise<boolean>,
  signal?: AbortSignal,
  waitMs: number = Infinity,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let timer: unknown
    let over = false
    const end = (settle: () => void): void => {
      if (over) return
      over = true
      unwatch()
      unhook()
      for (const one of [timer, late]) clock.clearTimeout(one)
      settle()
    }
    const look = coalesce(
      async () => {
        clock.clearTimeout(timer)
        const so = await isSo()
        if (so) end(resolve)
        else if (!over) timer = clock.setTimeout(look, LOOK_MS)
      },
      (error) => end(() => reject(error)),
    )
    const unwatch = watch(queue, look)
    const late = waitMs <= MAX_TIMEOUT_MS ? clock.setTimeout(() => end(resolve), waitMs) : undefined
    let unhook = (): void => undefined
    unhook = onceAborted(signal, () => end(() => reject(abortReason(signal!))))
    if (!over) look()
  })
}
