/** Events of a page after which sending may fare better, or worse. */
export type Trigger = 'online' | 'offline' | 'pageshow' | 'visibilitychange'

const EVENTS: readonly Trigger[] = ['online', 'offline', 'pageshow', 'visibilitychange']

/** Whether the runtime knows that it has no network. One that cannot tell is taken to have one. */
export function isOffline(): boolean {
  const { navigator } = globalThis as { navigator?: { readonly onLine?: boolean } }
  return navigator?.onLine === false
}

/**
 * Calls `listener` at each event of a page after which sending may fare better, or worse: its timers were throttled while it
 * was hidden, or the network came or went. Answers with a function that stops it. Elsewhere it does nothing.
 *
 * @param listener `shown`: somebody looks at the page now.
 */
export function onTrigger(listener: (shown: boolean) => void): () => void {
  const scope = globalThis as Partial<Pick<EventTarget, 'addEventListener' | 'removeEventListener'>> & {
    readonly document?: { readonly visibilityState?: string }
  }
  const heard = ({ type }: Event): void =>
    listener(!type.endsWith('line') && scope.document?.visibilityState !== 'hidden')
  for (const event of EVENTS) scope.addEventListener?.(event, heard)
  return () => {
    for (const event of EVENTS) scope.removeEventListener?.(event, heard)
  }
}
