import type { Section } from '../case.ts'
import { append } from './append.ts'
import { attempts } from './attempts.ts'
import { backend } from './backend.ts'
import { backlog } from './backlog.ts'
import { bodies } from './bodies.ts'
import { bulk } from './bulk.ts'
import { cancel } from './cancel.ts'
import { claim } from './claim.ts'
import { clocks } from './clocks.ts'
import { closing } from './closing.ts'
import { dead } from './dead.ts'
import { dedupe } from './dedupe.ts'
import { ends } from './ends.ts'
import { expiry } from './expiry.ts'
import { groups } from './groups.ts'
import { holds } from './holds.ts'
import { keys } from './keys.ts'
import { laneParking } from './lane-parking.ts'
import { laneLimits } from './lane-limits.ts'
import { lanes } from './lanes.ts'
import { leases } from './leases.ts'
import { limits } from './limits.ts'
import { list } from './list.ts'
import { next } from './next.ts'
import { parking } from './parking.ts'
import { purge } from './purge.ts'
import { queues } from './queues.ts'
import { receipts } from './receipts.ts'
import { reopening } from './reopening.ts'
import { replace } from './replace.ts'
import { results } from './results.ts'
import { retention } from './retention.ts'
import { retryNow } from './retry-now.ts'
import { retry } from './retry.ts'
import { schedules } from './schedules.ts'
import { starts } from './starts.ts'
import { stats } from './stats.ts'
import { watch } from './watch.ts'

/** All cases. Those about the factory come first, because all others rely on it. */
export const SECTIONS: readonly Section[] = [
  backend,
  append,
  bodies,
  claim,
  leases,
  receipts,
  retry,
  attempts,
  dead,
  retention,
  expiry,
  keys,
  groups,
  starts,
  dedupe,
  replace,
  retryNow,
  cancel,
  schedules,
  parking,
  results,
  list,
  stats,
  next,
  lanes,
  laneLimits,
  holds,
  laneParking,
  limits,
  purge,
  ends,
  clocks,
  queues,
  watch,
  closing,
  reopening,
  bulk,
  backlog,
]
