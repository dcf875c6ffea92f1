/**
 * **quayside/react**: the state of an outbox or a queue in React 18 and later. It is read while a component is mounted that uses
 * it, and not at all on a server.
 *
 * ```tsx
 * import { useOutbox } from 'quayside/react'
 *
 * function Waiting({ outbox }) {
 *   const { waiting, parked } = useOutbox(outbox)
 *   return <p>{waiting} to be sent, {parked} refused</p>
 * }
 * ```
 *
 * @module
 */
import { useSyncExternalStore } from 'react'
import type { Queue } from '../core/index.ts'
import type { Outbox } from '../outbox/index.ts'
import {
  type Loaded,
  type OutboxState,
  type QueueState,
  type View,
  outboxView,
  queueView,
} from '../view/index.ts'

/**
 * What an outbox has. The component is rendered again when that changes, in whatever tab or worker that happens.
 *
 * ```ts
 * const { waiting, parked, items } = useOutbox(outbox)
 * ```
 */
export function useOutbox(outbox: Outbox): OutboxState & Loaded {
  return useView(outboxView(outbox))
}

/**
 * What a queue has, in numbers. The component is rendered again when they change, in whatever tab or worker that happens.
 *
 * ```ts
 * const { messages, groups } = useQueue(queue)
 * ```
 */
export function useQueue(queue: Queue<never> | Queue): QueueState & Loaded {
  return useView(queueView(queue))
}

function useView<S>({ subscribe, getSnapshot, getServerSnapshot }: View<S>): S {
  return useSyncExternalStore(subscribe, getSnapshot, getServerSnapshot)
}
