/**
 * **quayside/react**: the state of a queue in React 18 and later. It is read while a component is mounted that uses it, and not
 * at all on a server.
 *
 * ```tsx
 * import { useQueue } from 'quayside/react'
 *
 * function Waiting({ queue }) {
 *   const { messages } = useQueue(queue)
 *   return <p>{messages} waiting</p>
 * }
 * ```
 *
 * @module
 */
import { useSyncExternalStore } from 'react'
import type { Queue } from '../core.ts'
import { type Loaded, type QueueState, type View, queueView } from '../view/index.ts'

/** What a queue has, in numbers. The component is rendered again when they change, in whatever tab or worker that happens. */
export function useQueue(queue: Queue<never> | Queue): QueueState & Loaded {
  return useView(queueView(queue))
}

function useView<S>({ subscribe, getSnapshot, getServerSnapshot }: View<S>): S {
  return useSyncExternalStore(subscribe, getSnapshot, getServerSnapshot)
}
