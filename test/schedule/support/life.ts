import type { CaseClock } from '../../../conformance/clock.ts'
import { Queue } from '../../../src/core/index.ts'
import {
  type When,
  drainSchedules,
  listSchedules,
  schedule,
  unschedule,
} from '../../../src/schedule/index.ts'
import type { StorageAdapter } from '../../../src/storage.ts'

const HOUR = 3_600_000

/** What came of some days. */
export interface Life {
  /** When they began, on the clock of the storage. */
  readonly from: number
  /** Ids of messages, in their order. */
  readonly ids: readonly string[]
  /** What they carried, by the id. */
  readonly payloads: Readonly<Record<string, unknown>>
  /** Names of schedules. */
  readonly listed: readonly string[]
}

/** A queue in a process whose clock is wrong. */
function processOf(storage: StorageAdapter, clock: CaseClock, wrongByMs: number): Queue {
  const own = {
    now: () => clock.now() + wrongByMs,
    setTimeout: (callback: () => void, ms: number) => setTimeout(callback, ms),
    clearTimeout: (timer: unknown) => clearTimeout(timer as ReturnType<typeof setTimeout>),
  }
  return new Queue('jobs', { storage, clock: own })
}

/**
 * Three days in three processes whose clocks are an hour apart: schedules that stay, one that is changed, one that is removed. Now and
 * then somebody takes what is due and is never seen again, and for half a day nobody is there.
 */
export async function live(storage: StorageAdapter, clock: CaseClock): Promise<Life> {
  const from = clock.now()
  // A storage without a clock of its own has that of whoever sends.
  const wrong = storage.guarantees.deduplication ? [-HOUR, 0, HOUR] : [0, 0, 0]
  const processes = wrong.map((ms) => processOf(storage, clock, ms))
  const companion = new Queue('jobs.schedules', { storage })
  const consumer = processes[1]!.createConsumer()
  const payloads: Record<string, unknown> = {}
  const say = async (name: string, when: When, payload: unknown = name): Promise<void> => {
    for (const queue of processes) await schedule(queue, name, when, { payload })
  }
  await say('hourly', { everyMs: HOUR, catchUp: 'all' })
  await say('nightly', { cron: '30 2 * * *', timeZone: 'Europe/Berlin' })
  await say('changed', { cron: '0 12 * * *' }, 'noon')
  await say('removed', { cron: '0 13 * * *' })
  for (let step = 1; step <= 3 * 48; step++) {
    await clock.advance(HOUR / 2)
    // The first morning.
    if (step === 2 * 10) {
      await say('changed', { cron: '0 18 * * *' }, 'evening')
      await unschedule(processes[0]!, 'removed')
    }
    if (step === 2 * 26) await say('hourly', { everyMs: HOUR, catchUp: 'all' }, 'again')
    const isDown = step > 2 * 30 && step < 2 * 42
    if (isDown) continue
    if (step % 7 === 0) await companion.createConsumer().receiveBatch(10)
    for (const queue of processes) await drainSchedules(queue)
    const messages = await consumer.receiveBatch(100)
    for (const { id, payload } of messages) payloads[id] = id in payloads ? `${id} came twice` : payload
    if (messages.length > 0) await consumer.ackBatch(messages)
  }
  const { schedules } = await listSchedules(processes[2]!)
  await Promise.all([companion, ...processes].map((queue) => queue.close()))
  return {
    from,
    ids: Object.keys(payloads),
    payloads,
    listed: schedules.map(({ name }) => name).sort(),
  }
}

/** What was to come of it, but for the order. */
export function expectedOf(from: number): Readonly<Record<string, unknown>> {
  const expected: Record<string, unknown> = {}
  const put = (name: string, at: number, payload: unknown): void => {
    expected[`${name}@${new Date(at).toISOString()}`] = payload
  }
  for (let hour = 1; hour <= 72; hour++) {
    const at = from + hour * HOUR
    put('hourly', at, hour < 26 ? 'hourly' : 'again')
    if (hour % 24 === 18) put('changed', at, 'evening')
    // In winter.
    if (hour % 24 === 1) put('nightly', at + HOUR / 2, 'nightly')
  }
  return expected
}
