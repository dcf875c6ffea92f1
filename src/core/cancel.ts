import { type Queue, contextOf } from './lean/queue.ts'
import { inParts } from './parts.ts'

/**
 * Drops messages that are not done, in every group. See `cancel` of the `Queue` of `quayside`, which this is.
 *
 * ```ts
 * const [wasThere] = await cancel(queue, [id])
 * ```
 */
export async function cancel(queue: Queue, ids: readonly string[]): Promise<boolean[]> {
  const context = contextOf(queue)
  context.require('cancel', 'cancellation')
  return await inParts(context, 'cancel', ids, async (view, part) => {
    const found = await view.cancel(part)
    context.gone(new Set(part.filter((_, i) => found[i])))
    return found
  })
}
