import { build } from '../../../scripts/lua.mjs'
import type { SCRIPTS } from '../../../adapters/redis/scripts.ts'

/** The scripts with other bounds: what one step does at most becomes so little that a few messages reach it. */
export function withBounds(bounds: Readonly<Record<string, number>>): typeof SCRIPTS {
  return build(bounds) as typeof SCRIPTS
}

/** Bounds that random histories of a few messages go beyond. */
export const LOW_BOUNDS = {
  STRIDE: 2,
  STRIDE_BYTES: 20,
  TRIM_AT_ONCE: 2,
  ENTRIES_AT_ONCE: 2,
  SEGMENT_MESSAGES: 2,
  TIMERS_AT_ONCE: 2,
  FEW: 1,
  EXPIRED_AT_ONCE: 2,
  PAST_AT_ONCE: 2,
  OUTCOMES_AT_ONCE: 1,
  OUTCOMES_IN_ONE: 2,
  IDS_AT_ONCE: 1,
  SEGMENTS_PASSED: 1,
  JOIN_AT_ONCE: 1,
  PASS: 1,
  PASS_ON: 3,
  GONE_SEGMENTS: 1,
  SEGMENTS_AT_ONCE: 1,
  PIN_MESSAGES: 2,
  PIN_BYTES: 20,
  UNPIN_AT_ONCE: 1,
  LOOK_AT_MOST: 3,
  LOOK: 2,
  LOOK_AT_ONCE: 2,
  ALARMS_AT_ONCE: 2,
  PAGE: 1,
  LINE_AT_ONCE: 1,
  TURNS_AT_ONCE: 3,
  ACKS_AT_ONCE: 2,
}
