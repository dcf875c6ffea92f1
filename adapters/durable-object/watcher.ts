import type { Hint } from '../../src/storage.ts'
import { hintOfText } from './hint-text.ts'
import type { ObjectSocket } from './platform.ts'

/** Waits shorter than this, in ms, and drains that are done sooner, need no connection. */
const CONNECT_AFTER_MS = 100
/** When to connect again, in ms. */
const RECONNECT_MS = 1000

/**
 * Calls `listener` at each hint of an object; answers with what ends it. Every watcher has a connection of its own: one that
 * a Worker opens while it works on a request cannot serve another.
 */
export function watchObject(
  connect: () => Promise<ObjectSocket>,
  listener: (hint?: Hint) => void,
): () => void {
  let socket: ObjectSocket | undefined
  let stopped = false
  let timer: ReturnType<typeof setTimeout> | undefined = setTimeout(open, CONNECT_AFTER_MS)

  function again(): void {
    if (!stopped) timer ??= setTimeout(open, RECONNECT_MS)
  }

  function open(): void {
    timer = undefined
    connect().then((opened) => {
      if (stopped) return opened.close()
      socket = opened
      opened.addEventListener('message', (event) => {
        if (!stopped) listener(hintOfText((event as { readonly data?: unknown }).data))
      })
      const lost = (): void => {
        // One that is closed after an error has a successor already.
        if (socket !== opened) return
        socket = undefined
        again()
      }
      opened.addEventListener('close', lost)
      opened.addEventListener('error', lost)
      // Something may have changed before it was open.
      return listener()
    }, again)
  }

  return () => {
    stopped = true
    clearTimeout(timer)
    socket?.close()
  }
}
