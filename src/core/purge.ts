import { type Queue, contextOf } from './lean/queue.ts'

/**
 * Deletes every message. See `purge` of the `Queue` of `quayside`, which this is.
 *
 * ```ts
 * await purge(queue)
 * ```
 */
export async function purge(queue: Queue): Promise<void> {
  const context = contextOf(queue)
  await context.useAsItIs('purge', (view) => view.purge())
  context.doubt()
  context.gone()
}
