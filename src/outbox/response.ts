import { checkOptions, checkSignal, checkWaitMs } from '../check.ts'
import type { Clock } from '../clock.ts'
import type { Queue } from '../core/lean/index.ts'
import { answerOf } from './answer.ts'
import type { ResponseOptions } from './init.ts'
import { mustHave } from './lanes.ts'
import { endOf, find } from './owned.ts'
import type { OutboxPayload } from './request.ts'
import { until } from './until.ts'
import { answerIn } from './verdict.ts'

/** What the server said to a request: see {@link Outbox.response}. */
export async function responseTo(
  queue: Queue<OutboxPayload>,
  clock: Clock,
  id: string,
  options: ResponseOptions,
): Promise<Response | undefined> {
  const tried = 'outbox.response'
  checkOptions(tried, options, { waitMs: checkWaitMs, signal: checkSignal })
  mustHave(queue, tried, 'results')
  const { waitMs = 0, signal } = options
  let found: Response | undefined
  const isOver = async (): Promise<boolean> => {
    const refusal = answerIn((await find(queue, id))?.parked?.data)
    const { state, answer } = await endOf(queue, id)
    if (refusal) found = answerOf(id, 'parked', refusal)
    else if (answer) found = answerOf(id, state === 'dead' ? state : undefined, answer)
    return found !== undefined || state !== 'purged'
  }
  await until(queue, clock, isOver, signal, waitMs)
  return found
}
