/** Whether the runtime knows that it has no network. One that cannot tell is taken to have one. */
export function isOffline(): boolean {
  const { navigator } = globalThis as { navigator?: { readonly onLine?: boolean } }
  return navigator?.onLine === false
}

/** Calls `listener` at each event of a page or worker of these types, where there are any. Answers with a function that stops it. */
export function onEvents(types: readonly string[], listener: (event: Event) => void): () => void {
  const scope = globalThis as Partial<Pick<EventTarget, 'addEventListener' | 'removeEventListener'>>
  for (const type of types) scope.addEventListener?.(type, listener)
  return () => {
    for (const type of types) scope.removeEventListener?.(type, listener)
  }
}

/**
 * Calls `listener` at each event of a page after which sending may fare better, or worse: its timers were throttled while it
 * was hidden, or the network came or went. Answers with a function that stops it. Elsewhere it does nothing.
 *
 * @param listener `shown`: somebody looks at the page now.
 */
export function onTrigger(listener: (shown: boolean) => void): () => void {
  const scope = globalThis as { readonly document?: { readonly visibilityState?: string } }
  return onEvents(['online', 'offline', 'pageshow', 'visibilitychange'], ({ type }) =>
    listener(!type.endsWith('line') && scope.document?.visibilityState !== 'hidden'),
  )
}
