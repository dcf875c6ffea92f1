import { type LaneState, type Queue, lanes } from '../core/lean/index.ts'
import { pages } from './pages.ts'
import type { OutboxPayload } from './request.ts'

/** The group that sends: that of all outboxes of a queue. */
export const GROUP = 'default'

/** Whether the storage of a queue can do something that most can. */
export function has({ guarantees }: Queue<OutboxPayload>, feature: 'lanes' | 'results' | 'parking'): boolean {
  return guarantees[feature] ?? true
}

/** The lane of this name, if there is anything to say of it. */
export async function laneNamed(queue: Queue<OutboxPayload>, name: string): Promise<LaneState | undefined> {
  // Those whose names go on behind it come later.
  const [first] = (await lanes(queue, { group: GROUP, prefix: name, limit: 1 })).lanes
  return first?.lane === name ? first : undefined
}

/** All lanes whose names begin so. */
export async function lanesOf(queue: Queue<OutboxPayload>, prefix: string): Promise<readonly LaneState[]> {
  const all: LaneState[] = []
  for await (const page of pages((cursor) => lanes(queue, { group: GROUP, prefix, cursor })))
    all.push(...page.lanes)
  return all
}
