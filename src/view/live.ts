import { type Clock, MAX_TIMEOUT_MS, nextTurn, soon } from '../clock.ts'

/**
 * State for user interfaces, in the shape that React's `useSyncExternalStore` takes. Nothing is read, watched or timed while
 * nobody subscribes, and nothing at all where pages are rendered on a server.
 */
export interface View<S> {
  /** Calls `listener` after each change of the snapshot. Answers with a function that stops it. */
  readonly subscribe: (listener: () => void) => () => void
  /** What is known: the same object until something changes, and in it the same items. Never change it. */
  readonly getSnapshot: () => S
  /** What is known before anything was read. */
  readonly getServerSnapshot: () => S
}

/** What every snapshot tells of itself. */
export interface Loaded {
  /** `false` until it was read for the first time: then nothing is known, and all counts are 0. */
  readonly loaded: boolean
  /** What the storage failed with, when it was read last. The rest is what was read before. It is read again every second. */
  readonly error: unknown
}

export interface Source<S> {
  readonly initial: S & Loaded
  /** Has `changed` called when it may be time to read. Answers with a function that stops it. */
  readonly watch: (changed: () => void) => () => void
  /** Makes the next state, and may keep parts of the last one. In `againInMs` time alone will have changed it. */
  readonly read: (last: S) => Promise<{ readonly state: S; readonly againInMs?: number | undefined }>
  readonly clock: Clock
}

/**
 * After a read nothing is read for so long, in ms: two tabs still show the same within 100 ms. Of much that waits it is as long as the
 * read took, because who sends it needs the storage too.
 */
const PAUSE_MS = 30
const RETRY_MS = 1000

/** Reads a state when it has changed, never twice at a time, and only while somebody listens. */
export function live<S extends object>({ initial, watch, read, clock }: Source<S>): View<S & Loaded> {
  let snapshot = initial
  const listeners = new Set<() => void>()
  let unwatch: (() => void) | undefined
  let timer: unknown
  /** It is being read, or was a moment ago. */
  let busy = false
  let again = false

  const set = (next: S & Loaded): void => {
    const kept = keep(snapshot, next)
    if (kept === snapshot) return
    snapshot = kept
    for (const listener of listeners) soon(listener)
  }
  const later = (ms: number, work: () => void): void => {
    timer = clock.setTimeout(work, Math.min(ms, MAX_TIMEOUT_MS))
  }
  const look = async (): Promise<void> => {
    clock.clearTimeout(timer)
    busy = true
    again = false
    const before = clock.now()
    let againInMs: number | undefined
    let next: S & Loaded
    try {
      const found = await read(snapshot)
      againInMs = found.againInMs
      next = { ...found.state, loaded: true, error: undefined }
    } catch (error) {
      if (!isClosed(error)) againInMs = RETRY_MS
      next = { ...snapshot, error }
    }
    set(next)
    const rested = (): void => {
      busy = false
      if (listeners.size === 0) return
      if (again) void look()
      else if (againInMs !== undefined) later(againInMs, changed)
    }
    // The timers of a page that is hidden are a second late.
    if (isHidden()) void nextTurn().then(rested)
    else later(Math.max(PAUSE_MS, Math.min(clock.now() - before, RETRY_MS)), rested)
  }
  const changed = (): void => {
    if (busy) again = true
    else void look()
  }
  const attach = (): (() => void) => {
    try {
      return watch(changed)
    } catch {
      // It was closed: reading will say so.
      return () => undefined
    }
  }

  return {
    subscribe(listener) {
      // Apart from what goes on here, which no listener may break.
      const own = (): void => {
        if (listeners.has(own)) listener()
      }
      listeners.add(own)
      if (unwatch === undefined) {
        unwatch = attach()
        changed()
      }
      return () => {
        if (!listeners.delete(own) || listeners.size > 0) return
        unwatch?.()
        unwatch = undefined
        if (!busy) clock.clearTimeout(timer)
      }
    },
    getSnapshot: () => snapshot,
    getServerSnapshot: () => initial,
  }
}

function isHidden(): boolean {
  const { document } = globalThis as { readonly document?: { readonly visibilityState?: string } }
  return document?.visibilityState === 'hidden'
}

function isClosed(error: unknown): boolean {
  return (error as { readonly code?: unknown } | null)?.code === 'CLOSED'
}

/** The old one of two things that say the same. */
export function keep<V>(old: V, next: V): V {
  return JSON.stringify(old) === JSON.stringify(next) ? old : next
}

/** When something is due, without what one read measures otherwise than another one, in ms since 1970. */
export function steady(old: number | undefined, inMs: number, now: number): number {
  const next = now + inMs
  return old !== undefined && Math.abs(next - old) < 250 ? old : next
}
