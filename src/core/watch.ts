import { soon } from '../clock.ts'
import { checkFunction } from '../check.ts'
import { type Queue, contextOf } from './lean/queue.ts'

/**
 * Calls `listener` when anything changed. See `watch` of the `Queue` of `quayside`, which this is.
 *
 * ```ts
 * const stop = watch(queue, () => console.log('something has changed'))
 * ```
 */
export function watch(queue: Queue, listener: () => void): () => void {
  checkFunction('watch', 'listener', listener)
  const context = contextOf(queue)
  if (context.isClosed) throw context.closedError('watch')
  // Apart from others who watch, whom it must not keep from their hints.
  const unwatch = context.watch(() => soon(listener))
  // Who cannot open the queue learns it from the verbs. The first that can starts the watch.
  context.open('watch').catch(() => undefined)
  return unwatch
}
