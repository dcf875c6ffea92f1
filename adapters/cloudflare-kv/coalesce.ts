import { QuaysideError } from '../../src/errors.ts'
import { write } from './append.ts'
import type { Work } from './change.ts'
import type { Gathering } from './ledger.ts'
import { BYTES_PER_READ } from './namespace.ts'
import type { Due } from './rows.ts'

/** How often those who wait look whether the write is done, in ms. */
const LOOK_MS = 5
/** How much longer than it should take, before somebody else writes for one who has vanished, in ms. */
const PATIENCE_MS = 50
/** How long a write may take, with all its retries, until nobody believes in it any more, in ms. */
const WRITE_MS = 20_000

/** Roughly half a value, so that all fits one. */
const MOST_BYTES = BYTES_PER_READ / 3

/** Writes together with what other requests of this isolate append in the same `coalesceMs`. Resolves after the write. */
export async function coalesce(work: Work, due: readonly Due[]): Promise<void> {
  const { ledger, settings } = work
  const { coalesceMs, wait } = settings
  let gathering = ledger.gathering
  const leads = gathering === undefined || gathering.state !== 'open' || gathering.bytes > MOST_BYTES
  if (leads) gathering = ledger.gathering = { due: [], bytes: 0, state: 'open', error: undefined }
  const mine = gathering!
  for (const one of due) {
    mine.due.push(one)
    mine.bytes += one.row.body.length * 3
  }
  if (leads) {
    await wait(coalesceMs)
    if (mine.state === 'open') await lead(work, mine)
    if (isDone(mine)) return
  }
  for (let waited = 0; ; waited += LOOK_MS) {
    if (isDone(mine)) return
    // The request that was to write may have been cancelled.
    if (mine.state === 'open' && waited > coalesceMs + PATIENCE_MS) await lead(work, mine)
    else if (waited > coalesceMs + WRITE_MS) {
      throw new QuaysideError(
        'STORAGE_FAILED',
        'append: the request that wrote for this one too has not come back; whether the messages are stored is unknown',
      )
    } else await wait(LOOK_MS)
  }
}

async function lead({ ledger, ...work }: Work, gathering: Gathering): Promise<void> {
  gathering.state = 'writing'
  if (ledger.gathering === gathering) ledger.gathering = undefined
  try {
    await write({ ...work, ledger }, gathering.due)
    gathering.state = 'done'
  } catch (error) {
    gathering.error = error
    gathering.state = 'failed'
  }
}

function isDone({ state, error }: Gathering): boolean {
  if (state === 'failed') {
    throw error instanceof QuaysideError
      ? new QuaysideError(error.code, error.message, { cause: error })
      : error
  }
  return state === 'done'
}
