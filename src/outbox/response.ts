import { checkName, checkOptions, checkSignal, checkWaitMs } from '../check.ts'
import type { Clock } from '../clock.ts'
import { type Queue, result } from '../core/lean/index.ts'
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
  let found: Response | undefined
  const isOver = async (): Promise<boolean> => {
    // Before its end: what is there no more has left an outcome by then.
    const refusal = (await find(queue, id))?.parked?.data
    if (isAnswer(refusal)) found = keptResponse(id, refusal, 'parked')
    if (found !== undefined) return true
    const end = await result(queue, id, { signal })
    if (end?.status === 'done' && isAnswer(end.value)) found = keptResponse(id, end.value)
    return end?.status === 'done' || end?.status === 'dead'
  }
  if (!(await isOver()) && waitMs > 0) await until(queue, clock, isOver, signal, waitMs)
  return found
}
