import { expect, onTestFinished } from 'vitest'
import { MemoryAdapter } from '../../adapters/memory.ts'
import { Queue } from '../../src/index.ts'
import { Outbox, type OutboxPayload, type OutboxEvent, type OutboxOptions } from '../../src/outbox/index.ts'
import { ManualClock } from '../../src/testing/index.ts'
import { settle } from '../support/settle.ts'

export interface OutboxSetUp {
  readonly clock: ManualClock
  readonly storage: MemoryAdapter
  readonly queue: Queue<OutboxPayload>
  readonly outbox: Outbox
  /** What the outbox told, but for `changed`. */
  readonly events: OutboxEvent[]
  /** Resolves when the outbox has told as many events of a type, from the first one on. */
  readonly told: (type: OutboxEvent['type'], times?: number) => Promise<OutboxEvent>
  /** Another outbox on the same storage, as another tab has it. */
  readonly another: (options?: OutboxOptions) => Outbox
}

/** An outbox on memory and on a clock that stands still; what it sends goes to real servers. */
export function setUpOutbox(options: OutboxOptions = {}): OutboxSetUp {
  const clock = new ManualClock()
  const storage = new MemoryAdapter({ clock })
  const queues: Queue<OutboxPayload>[] = []
  const open = (): Queue<OutboxPayload> => {
    const queue = new Queue<OutboxPayload>('outbox', { storage, clock, random: () => 0.5 })
    queues.push(queue)
    return queue
  }
  const queue = open()
  const outbox = new Outbox(queue, { clock, ...options })
  const events: OutboxEvent[] = []
  const listeners = new Set<() => void>()
  const unwatch = outbox.watch((event) => {
    if (event.type === 'changed') return
    events.push(event)
    for (const listener of listeners) listener()
  })
  onTestFinished(async () => {
    unwatch()
    await Promise.all(queues.map((one) => one.close()))
    // What comes over the network is read to its end.
    await expect.poll(() => clock.timers, { message: 'timers left behind' }).toBe(0)
  })
  const told = (type: OutboxEvent['type'], times = 1): Promise<OutboxEvent> =>
    new Promise((resolve) => {
      const look = (): void => {
        const found = events.filter((event) => event.type === type)
        if (found.length < times) return
        listeners.delete(look)
        resolve(found[times - 1]!)
      }
      listeners.add(look)
      look()
    })
  const another = (more: OutboxOptions = {}): Outbox => new Outbox(open(), { clock, ...options, ...more })
  return { clock, storage, queue, outbox, events, told, another }
}

/** Has the runtime say that it has no network, until the test is over or `online` is called. */
export function goOffline(): { readonly online: () => void } {
  const before = Object.getOwnPropertyDescriptor(globalThis, 'navigator')
  Object.defineProperty(globalThis, 'navigator', { configurable: true, value: { onLine: false } })
  let offline = true
  const online = (): void => {
    if (!offline) return
    offline = false
    if (before === undefined) Reflect.deleteProperty(globalThis, 'navigator')
    else Object.defineProperty(globalThis, 'navigator', before)
  }
  onTestFinished(online)
  return { online }
}

/** The two headers of an answer that is not the server's, or not only. */
export function stateOf(response: Response): string | null {
  return response.headers.get('quayside-state')
}

export function idOf(response: Response): string {
  return response.headers.get('quayside-message-id')!
}

/** Moves the clock on until something is so. Answers how far, in ms. */
export async function passes(clock: ManualClock, ms: number, done: () => boolean): Promise<number> {
  for (let passed = 0; ; passed += ms) {
    // What goes over the network needs time of its own.
    for (let i = 0; i < 20; i++) {
      await settle()
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
    if (done()) return passed
    if (passed > 50_000_000) throw new Error('never')
    await clock.advance(ms)
  }
}
