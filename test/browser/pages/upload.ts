import { IndexedDBAdapter } from '../../../adapters/indexeddb/index.ts'
import { Queue } from '../../../src/index.ts'
import { Outbox, type OutboxEvent, type OutboxOptions } from '../../../src/outbox/index.ts'
import { uploadFetch } from '../../../src/upload/index.ts'
import { outboxView } from '../../../src/view/index.ts'

let count = 0
function open(options: OutboxOptions): Outbox {
  return new Outbox(new Queue(`outbox ${count++}`, { storage: new IndexedDBAdapter() }), options)
}

/** Sends `size` bytes, and asks for `/go` once it is told that some have gone. */
async function upload(url: string, size: number): Promise<object> {
  // It is waited for, however busy the machine is.
  const outbox = open({ fetch: uploadFetch, answerWithinMs: 300_000 })
  const told: OutboxEvent[] = []
  const shown: unknown[] = []
  const view = outboxView(outbox)
  const stop = [
    outbox.watch((event) => {
      if (event.type !== 'progress') return
      if (told.push(event) === 1) void fetch('/go', { method: 'POST' })
    }),
    view.subscribe(() => {
      const [item] = view.getSnapshot().items
      if (item?.progress !== undefined) shown.push(item.progress)
    }),
  ]
  const response = await outbox.fetch(url, { method: 'POST', body: new Uint8Array(size), id: 'photo' })
  for (const end of stop) end()
  return { status: response.status, text: await response.text(), told, shown }
}

/** What an outbox makes of the answers to some requests: by `fetch`, and by `uploadFetch`. */
async function outcomes(paths: readonly string[]): Promise<object> {
  const run = async (options: OutboxOptions): Promise<unknown[]> => {
    const seen: unknown[] = []
    const outbox = open({
      ...options,
      timeoutMs: 2000,
      retry: { maxAttempts: 1 },
      outcome: async (response, request) => {
        if (response === undefined) return 'dead'
        const { status, ok, redirected, url } = response
        const path = url && new URL(url).pathname
        seen.push([
          request.method,
          status,
          ok,
          redirected,
          path,
          response.headers.get('x-own'),
          await response.text(),
        ])
        return 'accepted'
      },
    })
    const all: unknown[] = []
    for (const path of paths) {
      const response = await outbox.fetch(path, { method: 'POST', body: 'some', headers: { 'x-mine': '1' } })
      all.push([path, response.status, response.headers.get('quayside-state'), response.headers.get('x-own')])
    }
    return [...all, ...seen]
  }
  return { fetch: await run({}), upload: await run({ fetch: uploadFetch }) }
}

/** Whether each of some uploads to one URL, which go together, was redirected. */
async function together(url: string, told: string, bodies: readonly string[]): Promise<readonly boolean[]> {
  const send = async (body: string): Promise<boolean> => {
    const { signal } = new AbortController()
    const { redirected } = await uploadFetch(new Request(url, { method: 'POST', body }), { signal }, () => {})
    // One has ended.
    await fetch(told)
    return redirected
  }
  return await Promise.all(bodies.map(send))
}

Object.assign(globalThis, { upload: { upload, outcomes, together } })
