import { onAbort } from '../aborts.ts'
import type { KeptAnswer } from './verdict.ts'

/**
 * What is kept of an answer: status, headers and the first bytes of its body, which stays readable. Rejects where the body
 * breaks off before. With a signal it has what had come when that aborted.
 */
export async function keep(response: Response, mostBytes: number, signal?: AbortSignal): Promise<KeptAnswer> {
  const { status, headers } = response
  // Engines of apps show no stream of it.
  if (response.body === undefined)
    return {
      status,
      headers: Object.fromEntries(headers),
      body: (await response.clone().text()).slice(0, mostBytes),
    }
  const decoder = new TextDecoder()
  let body = ''
  let left = mostBytes
  const reader = response.clone().body?.getReader()
  const cancel = (): void => void reader?.cancel().catch(() => undefined)
  const unhook = signal && onAbort(signal, cancel)
  while (left > 0) {
    const value = (await reader?.read())?.value
    if (value === undefined) break
    body += decoder.decode(value.subarray(0, left), { stream: true })
    left -= value.length
  }
  unhook?.()
  cancel()
  return { status, headers: Object.fromEntries(headers), body }
}

/** Reads to its end what nobody wants to have: a server that is cut off in the middle of its answer may think that it failed. */
export function letGo(response: Response | undefined): void {
  void readOn(response).catch(() => undefined)
}

async function readOn(response: Response | undefined): Promise<void> {
  const reader = response?.body?.getReader()
  if (reader === undefined) return
  while (!(await reader.read()).done);
}
