import { onAbort, abortReason } from '../core/aborts.ts'
import type { Clock } from '../clock.ts'
import { type Queue, watch } from '../lean/index.ts'
import { coalesce } from './coalesce.ts'
import type { OutboxPayload } from './request.ts'

/** Leases end without a word, and not every storage can tell of changes: it is looked again this often, in ms. */
const LOOK_MS = 1000

/** Resolves when something is so in a queue: looks now, at each hint, and now and then. Rejects as `isSo` does. */
export function until(
  queue: Queue<OutboxPayload>,
  clock: Clock,
  isSo: () => Promise<boolean>,
  signal?: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let timer: unknown
    const end = (settle: () => void): void => {
      unwatch()
      clock.clearTimeout(timer)
      unhook?.()
      over = true
      settle()
    }
    let over = false
    const abort = (): void => end(() => reject(abortReason(signal!)))
    const look = coalesce(async () => {
      clock.clearTimeout(timer)
      try {
        const so = await isSo()
        if (over) return
        if (so) end(resolve)
        else timer = clock.setTimeout(look, LOOK_MS)
      } catch (error) {
        if (!over) end(() => reject(error))
      }
    })
    const unwatch = watch(queue, look)
    const unhook = signal && onAbort(signal, abort)
    if (signal?.aborted) abort()
    else look()
  })
}
