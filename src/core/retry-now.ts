import { checkIds, checkName, checkOptions } from '../check.ts'
import { DEFAULT_GROUP, type Queue, contextOf } from './lean/queue.ts'
import { countPages } from './listed.ts'
import { STEP } from './parts.ts'
import type { ListQuery } from '../storage.ts'

/** Whose retries end their wait. */
export interface RetryNowOptions {
  /** Whose retries. @defaultValue 'default' */
  readonly group?: string | undefined
}

/**
 * Ends the wait of messages for their retry. See `retryNow` of the `Queue` of `quayside`, which this is.
 *
 * ```ts
 * await retryNow(queue)
 * ```
 */
export async function retryNow(
  queue: Queue,
  ids?: readonly string[],
  options: RetryNowOptions = {},
): Promise<number> {
  const tried = 'retryNow'
  checkOptions(tried, options, { group: checkName })
  if (ids !== undefined) checkIds(tried, 'ids', ids)
  const { group = DEFAULT_GROUP } = options
  const query: ListQuery = { group, states: ['delayed'], ids, limit: STEP }
  return await contextOf(queue).use(tried, (view) => {
    return countPages(view, query, async (messages) => {
      const waited = await view.retryNow(
        group,
        messages.map(({ id }) => id),
      )
      return waited.filter(Boolean).length
    })
  })
}
