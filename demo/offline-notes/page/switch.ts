// The offline switch of the page. The Cache API keeps it, because page and service worker both reach that.

const CACHE = 'offline-switch'
const KEY = '/offline-switch'
const channel = new BroadcastChannel(CACHE)

export async function isSwitchedOff(): Promise<boolean> {
  return (await caches.match(KEY, { cacheName: CACHE })) !== undefined
}

export async function switchOff(off: boolean): Promise<void> {
  const cache = await caches.open(CACHE)
  if (off) await cache.put(KEY, new Response())
  else await cache.delete(KEY)
  channel.postMessage(off)
}

/** Calls `listener` when another tab flips the switch. */
export function onSwitched(listener: (off: boolean) => void): void {
  channel.addEventListener('message', ({ data }) => listener(data as boolean))
}

/** `fetch`, unless it is switched off. */
export async function fetchUnlessOff(request: RequestInfo, init?: RequestInit): Promise<Response> {
  if (await isSwitchedOff()) throw new TypeError('switched offline')
  return await fetch(request, init)
}
