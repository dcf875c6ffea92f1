import {
  type Hold,
  type LaneState,
  QuaysideError,
  type Queue,
  hold,
  lanes,
  release,
} from '../core/lean/index.ts'
import { pages } from './pages.ts'
import type { OutboxPayload } from './request.ts'

/** The group that sends: that of all outboxes of a queue. */
export const GROUP = 'default'

/** Whether the storage of a queue can do something that most can. */
export function has({ guarantees }: Queue<OutboxPayload>, feature: 'lanes' | 'results' | 'parking'): boolean {
  return guarantees[feature] ?? true
}

/** @throws {@link QuaysideError} `UNSUPPORTED`: the storage of a queue cannot do that. */
export function mustHave(queue: Queue<OutboxPayload>, tried: string, feature: 'lanes' | 'results'): void {
  if (!has(queue, feature))
    throw new QuaysideError('UNSUPPORTED', `${tried}: the storage ${queue.guarantees.name} has no ${feature}`)
}

/** All lanes whose names begin so; none where the storage knows of none. */
export async function lanesOf(queue: Queue<OutboxPayload>, prefix: string): Promise<readonly LaneState[]> {
  const all: LaneState[] = []
  if (has(queue, 'lanes'))
    for await (const page of pages((cursor) => lanes(queue, { group: GROUP, prefix, cursor })))
      all.push(...page.lanes)
  return all
}

/** What holds a lane, if anything does. */
export async function holdOf(queue: Queue<OutboxPayload>, lane: string): Promise<Hold | undefined> {
  if (!has(queue, 'lanes')) return undefined
  // Those whose names go on behind it come later.
  const [first] = (await lanes(queue, { group: GROUP, prefix: lane, limit: 1 })).lanes
  return first?.lane === lane ? first.holds.find(({ group }) => group === GROUP) : undefined
}

/** Has a lane rest, for a time or until {@link freeLane}; then one request goes first. */
export async function holdLane(
  queue: Queue<OutboxPayload>,
  lane: string,
  reason: string | undefined,
  forMs?: number,
): Promise<void> {
  if (has(queue, 'lanes')) await hold(queue, { group: GROUP, lane, reason, forMs, probe: true })
}

/** Ends the rest of a lane. @param probe Whether one request goes first. */
export async function freeLane(queue: Queue<OutboxPayload>, lane: string, probe = false): Promise<void> {
  if (has(queue, 'lanes')) await release(queue, { group: GROUP, lane, probe })
}
