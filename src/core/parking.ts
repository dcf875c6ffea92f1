import { checkCount, checkName, checkOptions, checkPositiveMs } from '../check.ts'
import { type Queue, contextOf } from './lean/queue.ts'
import { checkHeaders } from './message-checks.ts'
import { inParts } from './parts.ts'
import { prepare } from './prepare.ts'

/** Where parked messages are resumed. */
export interface ResumeOptions {
  /** Only in this group. @defaultValue every group */
  readonly group?: string | undefined
}

/** What a parked message carries from now on, besides its payload. */
export interface EditOptions extends ResumeOptions {
  /** @defaultValue none */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** How long until nobody wants it any more, in ms, from now. @defaultValue as before */
  readonly expiresInMs?: number | undefined
  /** How many deliveries it may have, from now. @defaultValue what the consumer's `retry` says */
  readonly maxAttempts?: number | undefined
}

const RESUME_OPTIONS = { group: checkName }

/**
 * Ends the wait of parked messages. See `resume` of the `Queue` of `quayside`, which this is.
 *
 * ```ts
 * await resume(queue, [id])
 * ```
 */
export async function resume(
  queue: Queue,
  ids: readonly string[],
  options: ResumeOptions = {},
): Promise<boolean[]> {
  checkOptions('resume', options, RESUME_OPTIONS)
  const context = contextOf(queue)
  context.require('resume', 'parking')
  return await inParts(context, 'resume', ids, (view, part) => view.resume(part, options))
}

/**
 * Has a parked message carry something else, and resumes it. See `edit` of the `Queue` of `quayside`, which this is.
 *
 * ```ts
 * await edit(queue, id, { to: 'somebody@example.org' })
 * ```
 */
export async function edit<T>(
  queue: Queue<T>,
  id: string,
  payload: T,
  options: EditOptions = {},
): Promise<boolean> {
  const tried = 'edit'
  checkName(tried, 'id', id)
  const own = { headers: checkHeaders, expiresInMs: checkPositiveMs, maxAttempts: checkCount }
  checkOptions(tried, options, { ...RESUME_OPTIONS, ...own })
  const context = contextOf(queue)
  context.require(tried, 'parking')
  const { group, expiresInMs, maxAttempts } = options
  const { body, headers } = await prepare(context, tried, payload, { expiresInMs }, options.headers)
  const change = { body, headers, expiresInMs, maxAttempts }
  const [edited] = await inParts(context, tried, [id], (view, ids) =>
    view.resume(ids, { group, edit: change }),
  )
  return edited!
}
