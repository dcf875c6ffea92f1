const listeners = new WeakMap<AbortSignal, Set<() => void>>()

/**
 * Calls `callback` when the signal aborts; answers with a function that stops it. However many calls share a signal, it
 * gets one listener: runtimes warn of more than ten.
 */
export function onAbort(signal: AbortSignal, callback: () => void): () => void {
  let callbacks = listeners.get(signal)
  if (callbacks === undefined) listeners.set(signal, (callbacks = new Set()))
  const all = callbacks
  if (all.size === 0) signal.addEventListener('abort', fire)
  all.add(callback)
  return () => {
    if (all.delete(callback) && all.size === 0) signal.removeEventListener('abort', fire)
  }
}

/** As {@link onAbort}, and at once where the signal has aborted before; where there is none, never. */
export function onceAborted(signal: AbortSignal | undefined, callback: () => void): () => void {
  if (signal === undefined) return () => undefined
  const stop = onAbort(signal, callback)
  if (signal.aborted) callback()
  return stop
}

function fire(this: AbortSignal): void {
  for (const callback of listeners.get(this)!) callback()
}

/** What a signal aborts with of itself. Engines of apps may have no `DOMException`. */
export function abortError(text: string, name: 'AbortError' | 'TimeoutError'): Error {
  if (typeof DOMException === 'function') return new DOMException(text, name)
  const error = new Error(text)
  error.name = name
  return error
}

/** Why a signal is aborted: those of older apps do not say so. */
export function abortReason(signal: AbortSignal): unknown {
  return signal.reason === undefined ? abortError('This operation was aborted', 'AbortError') : signal.reason
}

export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw abortReason(signal)
}
