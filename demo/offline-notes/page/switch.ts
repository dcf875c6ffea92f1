import { Kept } from './kept.ts'

/** The offline switch of the page. */
export const switchedOff: Kept<boolean> = new Kept('offline-switch', false)

/** `fetch`, unless it is switched off. */
export async function fetchUnlessOff(request: RequestInfo, init?: RequestInit): Promise<Response> {
  if (await switchedOff.get()) throw new TypeError('switched offline')
  return await fetch(request, init)
}
