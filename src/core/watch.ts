import { soon } from '../clock.ts'
import { checkFunction } from '../check.ts'
import type { Hint } from '../storage.ts'
import { type Queue, contextOf } from './lean/queue.ts'

/**
 * Calls `listener` when anything changed, with what the storage says of it, if it does. See `watch` of the `Queue` of `quayside`, which this is.
 *
 * ```ts
 * const stop = watch(queue, () => console.log('something has changed'))
 * ```
 */
export function watch(queue: Queue, listener: (hint?: Hint) => void): () => void {
  checkFunction('watch', 'listener', listener)
  const context = contextOf(queue)
  if (context.isClosed) throw context.closedError('watch')
  // Apart from others who watch, whom it must not keep from their hints.
  const unwatch = context.watch((hint) => soon(() => listener(hint)))
  // Who cannot open the queue learns it from the verbs. The first that can starts the watch.
  context.open('watch').catch(() => undefined)
  return unwatch
}
