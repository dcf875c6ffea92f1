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

export const PARTS = Object.keys(DEFAULTS) as readonly (keyof typeof DEFAULTS)[]

export function partsOf(request: Request): Parts {
  const parts: Parts = {}
  for (const name of PARTS) {
    const value: string | undefined = request[name]
    // Runtimes without a part have no value for it.
    if (value !== undefined && value !== DEFAULTS[name]) parts[name] = value
  }
  // A navigation that a service worker saw; scripts cannot make one.
  if (parts.mode === 'navigate') parts.mode = 'same-origin'
  return parts
}
