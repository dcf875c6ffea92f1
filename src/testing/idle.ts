import { checkEach, checkName, checkOptions, checkPositiveMs, checkQueue } from '../check.ts'
import { QuaysideError } from '../errors.ts'
import type { Queue } from '../core/index.ts'

/** Which groups to wait for, and how long. */
export interface IdleOptions {
  /** Only of these groups. @defaultValue all */
  readonly groups?: readonly string[] | undefined
  /** How long to wait, in ms of the real time. @defaultValue 5,000 */
  readonly withinMs?: number | undefined
}

const IDLE_OPTIONS = {
  groups: (tried: string, what: string, groups: unknown) => checkEach(tried, what, groups, checkName),
  withinMs: checkPositiveMs,
}

const WITHIN_MS = 5000
const LOOK_EVERY_MS = 5

// Those of the runtime, also where a test has put fake timers in their place.
const { setTimeout, Date } = globalThis
const now = Date.now.bind(Date)

/**
 * Resolves when a queue has nothing to do: no message is ready, also for a group that is yet to come, and none is leased. What is delayed, waits for its retry, is parked
 * or dead does not count: {@link ManualClock.advance} makes it due. It waits by the runtime's timers, whatever clock the queue has.
 *
 * ```ts
 * import { Queue } from 'quayside'
 * import { idle } from 'quayside/testing'
 *
 * const queue = new Queue<string>('mails')
 * const stop = new AbortController()
 * void queue.createConsumer().run(async ({ payload }) => console.log(payload), { signal: stop.signal })
 * await queue.createProducer().send('hello')
 * await idle(queue) // the handler has returned, and the message is done
 * stop.abort()
 * ```
 *
 * @throws {@link QuaysideError} `TIMEOUT`: the text says what there still is. `INVALID_ARGUMENT`, and what {@link Queue.stats} throws.
 */
export async function idle<T>(queue: Queue<T>, options: IdleOptions = {}): Promise<void> {
  checkQueue('idle', 'queue', queue)
  checkOptions('idle', options, IDLE_OPTIONS)
  const { groups, withinMs = WITHIN_MS } = options
  const until = now() + withinMs
  // Twice, since a handler may send before its own message is done.
  for (let quiet = 0; quiet < 2;) {
    const { groups: all, holds, messages } = await queue.stats()
    const alone = messages > 0 && Object.keys(all).length === 0 && (await hasReady(queue))
    const busy = Object.entries(all).filter(
      ([name, { ready, leased }]) => ready + leased > 0 && (groups?.includes(name) ?? true),
    )
    quiet = busy.length === 0 && !alone ? quiet + 1 : 0
    if (quiet === 0 && now() >= until) {
      const left = busy.map(([name, { ready, leased }]) => `${name}: ${ready} ready, ${leased} leased`)
      if (alone) left.push('messages that wait for a first group')
      const held = holds.length === 0 ? '' : `; ${holds.length} holds are set`
      const text = `idle: after ${withinMs} ms there is still work in queue '${queue.name}' (${left.join('; ')}${held}); does each group have a consumer that runs?`
      throw new QuaysideError('TIMEOUT', text)
    }
    await new Promise<void>((resolve) => {
      setTimeout(resolve, quiet === 0 ? LOOK_EVERY_MS : 0)
    })
  }
}

/** Before there is a group, what waits for the first one is listed as if there were. */
async function hasReady<T>(queue: Queue<T>): Promise<boolean> {
  return (await queue.list({ state: 'ready', limit: 1, bodies: false })).messages.length > 0
}
