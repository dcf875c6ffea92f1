import { Miniflare, convertV4MiniflareOptions } from 'miniflare'
import { bundle } from '../../browser/support/bundle.ts'

/** A Worker in real workerd, with a KV namespace `KV`. */
export interface Worker {
  fetch(path: string, body?: unknown): Promise<Response>
  json<T>(path: string, body?: unknown): Promise<T>
  close(): Promise<void>
}

/** Starts the Worker of a file, with all that it imports. */
export async function startWorker(file: string): Promise<Worker> {
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      modules: true,
      script: await bundle(file),
      compatibilityDate: '2026-07-01',
      kvNamespaces: ['KV'],
    }),
  )
  await miniflare.ready
  const fetch = async (path: string, body?: unknown): Promise<Response> =>
    (await miniflare.dispatchFetch(`http://worker${path}`, {
      method: 'POST',
      body: JSON.stringify(body ?? null),
    })) as unknown as Response
  return {
    fetch,
    async json(path, body) {
      const response = await fetch(path, body)
      if (!response.ok) throw new Error(`${path} answered ${response.status}: ${await response.text()}`)
      return (await response.json()) as never
    },
    close: () => miniflare.dispose(),
  }
}
