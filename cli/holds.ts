import type { Hold, HoldPlace } from '../src/lanes.ts'
import type { Option } from './command.ts'
import { clean } from './width.ts'
import { duration } from './words.ts'

export const LANE: Option = { type: 'string', value: 'NAME', help: 'this lane only' }

export const PLACE: Readonly<Record<'group' | 'lane', Option>> = {
  group: { type: 'string', value: 'NAME', help: 'this consumer group only' },
  lane: LANE,
}

/** A place that is held, in words. */
export function placeInWords({ group, lane }: HoldPlace): string {
  if (lane === undefined) return group === undefined ? 'the queue' : `group ${clean(group)}`
  const where = group === undefined ? 'every group' : `group ${clean(group)}`
  return `lane ${clean(lane)} in ${where}`
}

/** A hold, in words. */
export function holdInWords({ reason, endsInMs, probe, probing, ...place }: Hold): string {
  // A release says itself whether one goes first.
  const until =
    endsInMs === undefined
      ? 'until it is released'
      : `for ${duration(endsInMs)}${probe ? ', then one goes first' : ''}`
  const what = probing ? 'lets one message at a time go, until one is acked' : `is held ${until}`
  return `${placeInWords(place)} ${what}${reason === undefined ? '' : `: ${clean(reason)}`}`
}
