/** Parts of a request that are stored where they differ from what they are by default. */
const DEFAULTS = {
  mode: 'cors',
  credentials: 'same-origin',
  cache: 'default',
  redirect: 'follow',
  referrer: 'about:client',
  referrerPolicy: '',
  integrity: '',
} as const

export type Parts = Partial<Record<keyof typeof DEFAULTS, string>>

/** Those of a request, or of what is stored in place of one, whatever else somebody has put there. */
export function partsOf(request: Request | Parts): Parts {
  const parts: Parts = {}
  for (const [key, byDefault] of Object.entries(DEFAULTS)) {
    const name = key as keyof Parts
    const value = request[name]
    // Runtimes without a part have no value for it.
    if (value !== undefined && value !== byDefault) parts[name] = value
  }
  // A navigation that a service worker saw; scripts cannot make one.
  if (parts.mode === 'navigate') parts.mode = 'same-origin'
  return parts
}
