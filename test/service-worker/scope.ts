import { onTestFinished, vi } from 'vitest'

/** An event of a service worker, and what came of it. */
export interface Fired {
  /** What the worker is kept alive for. */
  readonly waits: Promise<unknown>[]
  readonly responses: Promise<Response>[]
}

export interface FakeScope {
  /** Fires an event at the listeners. */
  readonly fire: (type: string, event?: object) => Fired
  /** How many listeners there are. */
  readonly listeners: () => number
}

/** Makes the global scope one with events and these properties, until the test is over. */
export function fakeScope(properties: object = {}): FakeScope {
  const listeners: { type: string; listener: (event: object) => void }[] = []
  const stubs = {
    addEventListener: (type: string, listener: () => void) => listeners.push({ type, listener }),
    removeEventListener: (type: string, listener: () => void) => {
      listeners.splice(
        listeners.findIndex((one) => one.type === type && one.listener === listener),
        1,
      )
    },
    ...properties,
  }
  for (const [name, value] of Object.entries(stubs)) vi.stubGlobal(name, value)
  onTestFinished(() => void vi.unstubAllGlobals())
  return {
    listeners: () => listeners.length,
    fire: (type, event = {}) => {
      const fired: Fired = { waits: [], responses: [] }
      const whole = {
        ...event,
        waitUntil: (work: Promise<unknown>) => fired.waits.push(work),
        respondWith: (response: Promise<Response>) => fired.responses.push(response),
      }
      for (const one of listeners) if (one.type === type) one.listener(whole)
      return fired
    },
  }
}
