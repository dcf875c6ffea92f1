/**
 * `quayside/schedule`: messages that are sent again and again, by a cron pattern or each so many ms, without a leader.
 *
 * ```ts
 * import { runSchedules, schedule } from 'quayside/schedule'
 *
 * await schedule(queue, 'nightly', { cron: '0 3 * * *', timeZone: 'Europe/Berlin' }, { payload: { task: 'tidy up' } })
 * await runSchedules(queue, { signal })
 * ```
 *
 * @module
 */
export {
  type DrainSchedulesOptions,
  type FireOptions,
  type RunSchedulesOptions,
  drainSchedules,
  fireSchedules,
  runSchedules,
} from './fire.ts'
export {
  type ListSchedulesOptions,
  type Schedule,
  type ScheduledMessage,
  type SchedulesPage,
  listSchedules,
  schedule,
  unschedule,
} from './schedules.ts'
export type { CatchUp, When } from './when.ts'
