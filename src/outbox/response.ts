import { onAbort, abortReason } from '../core/aborts.ts'
import { checkName, checkOptions, checkSignal, checkWaitMs } from '../core/check.ts'
import type { Clock } from '../clock.ts'
import { type Queue, type Result, result } from '../lean/index.ts'
import { keptResponse } from './answer.ts'
import type { ResponseOptions } from './init.ts'
import { find } from './owned.ts'
import type { OutboxPayload } from './request.ts'
import { until } from './until.ts'
import { isAnswer } from './verdict.ts'

/** What the server said to a request: see {@link Outbox.response}. */
export async function responseTo(
  queue: Queue<OutboxPayload>,
  clock: Clock,
  id: string,
  options: ResponseOptions,
): Promise<Response | undefined> {
  const tried = 'outbox.response'
  checkName(tried, 'id', id)
  checkOptions(tried, options, { waitMs: checkWaitMs, signal: checkSignal })
  const { waitMs = 0, signal } = options
  const refusal = async (): Promise<Response | undefined> => {
    const data = (await find(queue, id))?.parked?.data
    return isAnswer(data) ? keptResponse(id, data, 'parked') : undefined
  }
  const parked = await refusal()
  if (parked !== undefined) return parked
  const ended = async (result: Promise<Result | undefined>): Promise<Response | undefined> => {
    const outcome = await result
    const value = outcome?.status === 'done' ? outcome.value : undefined
    return isAnswer(value) ? keptResponse(id, value) : undefined
  }
  if (waitMs === 0) return await ended(result(queue, id, { signal }))
  // Whichever comes first ends the other.
  const over = new AbortController()
  const stop = (): void => over.abort(abortReason(signal!))
  const unhook = signal && onAbort(signal, stop)
  if (signal?.aborted) stop()
  try {
    let found: Response | undefined
    const isRefused = async (): Promise<boolean> => (found = await refusal()) !== undefined
    return await Promise.race([
      ended(result(queue, id, { waitMs, signal: over.signal })),
      until(queue, clock, isRefused, over.signal).then(() => found),
    ])
  } finally {
    unhook?.()
    over.abort()
  }
}
