import { checkQueue } from '../check.ts'
import { SYSTEM_CLOCK } from '../clock.ts'
import type { GroupStats, Queue } from '../core/index.ts'
import { type Loaded, type View, keep, live } from './live.ts'

/** What a queue has, in numbers, for all who use it: see {@link Queue.stats}. */
export interface QueueState {
  /** Messages that are not done in the group that is furthest behind. */
  readonly messages: number
  readonly bytes: number
  /** Messages stored since the queue exists. */
  readonly sent: number
  readonly groups: Readonly<Record<string, Omit<GroupStats, 'oldestMs'>>>
}

/** A queue as state that can be subscribed to. */
export type QueueView = View<QueueState & Loaded>

const INITIAL: QueueState & Loaded = {
  messages: 0,
  bytes: 0,
  sent: 0,
  groups: {},
  loaded: false,
  error: undefined,
}

const views: WeakMap<Queue<never>, QueueView> = new WeakMap()

/**
 * The state of a queue for user interfaces; of one queue it is always the same object. It follows what any context does,
 * where the storage can watch.
 *
 * ```ts
 * const view = queueView(queue)
 * const stop = view.subscribe(() => render(view.getSnapshot()))
 * ```
 *
 * @throws {@link QuaysideError} `INVALID_ARGUMENT`.
 */
export function queueView(queue: Queue<never> | Queue): QueueView {
  checkQueue('queueView', 'queue', queue)
  const of = queue as Queue<never>
  let view = views.get(of)
  if (view === undefined) views.set(of, (view = make(of)))
  return view
}

function make(queue: Queue<never>): QueueView {
  return live<QueueState>({
    initial: INITIAL,
    clock: SYSTEM_CLOCK,
    watch: (changed) => queue.watch(changed),
    async read(last) {
      const { messages, bytes, sent, groups } = await queue.stats()
      const known = Object.entries(groups).map(([name, { oldestMs: _, ...counts }]) => {
        return [name, keep(last.groups[name]!, counts)] as const
      })
      return { state: { messages, bytes, sent, groups: Object.fromEntries(known) } }
    },
  })
}
