import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import * as query from '@tanstack/query-core'
import * as store from 'svelte/store'
import { expect, onTestFinished, test, vi } from 'vitest'
import * as vue from 'vue'
import { MemoryAdapter } from '../../src/records/memory.ts'
import { Queue } from '../../src/index.ts'
import { Outbox, type OutboxPayload } from '../../src/outbox/index.ts'
import * as view from '../../src/view/index.ts'
import { ROOT } from '../support/sources.ts'
import { SpyStorage } from '../support/spy-storage.ts'
import { eventually } from '../support/eventually.ts'

// The recipes of docs/user-interfaces.md, as they stand there, with the real libraries.

const MODULES: Readonly<Record<string, object>> = { vue, 'svelte/store': store, 'quayside/view': view }

/** Runs the code below a heading, with these globals, and answers with what it exports. */
function recipe(heading: string, globals: object = {}): Record<string, unknown> {
  const text = readFileSync(resolve(ROOT, 'docs/user-interfaces.md'), 'utf8')
  const [, code] = new RegExp(`^## ${heading}\n.*?^\`\`\`js\n(.*?)^\`\`\``, 'ms').exec(text)!
  const names: string[] = []
  const body = code!
    .replaceAll(/^import (\{.*\}) from '(.*)'$/gm, `const $1 = modules['$2']`)
    .replaceAll(/^export function (\w+)/gm, (_, name: string) => {
      names.push(name)
      return `function ${name}`
    })
  // oxlint-disable-next-line no-implied-eval
  const run = new Function('modules', ...Object.keys(globals), `${body}\nreturn { ${names.join()} }`)
  return run(MODULES, ...Object.values(globals)) as Record<string, unknown>
}

/** Which of these requests the server has, and an outbox whose requests it answers when it is online. */
function setUp(): {
  readonly outbox: Outbox
  readonly storage: SpyStorage
  readonly notes: string[]
  readonly network: { online: boolean }
} {
  const storage = new SpyStorage(new MemoryAdapter())
  const queue = new Queue<OutboxPayload>('outbox', { storage })
  onTestFinished(() => queue.close())
  const notes: string[] = []
  const network = { online: true }
  const outbox = new Outbox(queue, {
    retry: { initialMs: 10, maxMs: 10 },
    fetch: async (request) => {
      if (!network.online) throw new TypeError('no network')
      notes.push(await request.text())
      return new Response(null, { status: 201 })
    },
  })
  return { outbox, storage, notes, network }
}

const URL_OF_NOTES = 'https://example.com/api/notes'
const later = { method: 'POST', body: 'later', delayMs: 60_000 }

test('Vue: the state follows the outbox as long as its scope lives, and is not followed on a server', async () => {
  type Use = (outbox: Outbox) => vue.ShallowRef<view.OutboxState>
  const { useOutbox } = recipe('Vue') as { useOutbox: Use }
  const { outbox, storage } = setUp()
  const onServer = vue.effectScope()
  expect(onServer.run(() => useOutbox(outbox))!.value.waiting).toBe(0)
  expect(storage.listeners).toBe(0)
  onServer.stop()

  vi.stubGlobal('window', globalThis)
  onTestFinished(() => void vi.unstubAllGlobals())
  const scope = vue.effectScope()
  const seen: number[] = []
  scope.run(() => {
    const state = useOutbox(outbox)
    vue.watchEffect(() => seen.push(state.value.waiting), { flush: 'sync' })
  })
  await outbox.store(URL_OF_NOTES, later)
  await eventually(() => expect(seen.at(-1)).toBe(1))
  scope.stop()
  expect(storage.listeners).toBe(0)
})

test('Svelte: the store follows the outbox while somebody subscribes', async () => {
  const { outboxStore } = recipe('Svelte') as {
    outboxStore: (outbox: Outbox) => store.Readable<view.OutboxState>
  }
  const { outbox, storage } = setUp()
  const readable = outboxStore(outbox)
  expect(storage.listeners).toBe(0)
  const seen: number[] = []
  const stop = readable.subscribe(({ waiting }) => seen.push(waiting))
  await outbox.store(URL_OF_NOTES, later)
  await eventually(() => expect(seen.at(-1)).toBe(1))
  stop()
  expect(storage.listeners).toBe(0)
})

test('TanStack Query: what was written offline is shown at once, and no refetch undoes it', async () => {
  const { outbox, notes, network } = setUp()
  const client = new query.QueryClient()
  client.mount()
  onTestFinished(() => {
    client.unmount()
    client.clear()
  })
  // What the hooks of React do, and those of others.
  let observer!: query.QueryObserver<string[]>
  let mutation!: query.MutationObserver<Response, Error, string>
  const useQuery = (options: query.QueryObserverOptions<string[]>): void => {
    observer = new query.QueryObserver(client, options)
  }
  const useMutation = (options: query.MutationObserverOptions<Response, Error, string>): void => {
    mutation = new query.MutationObserver(client, options)
  }
  const fetch = (): Promise<Response> => Promise.resolve(Response.json(notes))
  const here = {
    store: outbox,
    fetch: (path: string, init: object) => outbox.fetch(`https://example.com${path}`, init),
    settled: (options: object) => outbox.settled(options),
  }
  recipe('TanStack Query', { outbox: here, client, useQuery, useMutation, fetch })
  const shown: string[] = []
  const stop = observer.subscribe(({ data }) => shown.push((data ?? []).join()))
  await eventually(() => expect(observer.getCurrentResult().isSuccess).toBe(true))

  network.online = false
  expect((await mutation.mutate('first')).status).toBe(202)
  expect(observer.getCurrentResult().data).toEqual(['first'])
  // Whoever refetches meanwhile waits.
  void client.invalidateQueries({ queryKey: ['notes'] })
  await new Promise((resolve) => setImmediate(resolve))
  expect(observer.getCurrentResult().data).toEqual(['first'])
  network.online = true
  notes.push('of another device')
  await outbox.drain()
  await outbox.retryNow()
  await eventually(() => expect(observer.getCurrentResult().data).toEqual(['of another device', 'first']))
  // It was never seen to be undone.
  expect(shown.slice(shown.indexOf('first')).every((text) => text.includes('first'))).toBe(true)
  stop()
})
