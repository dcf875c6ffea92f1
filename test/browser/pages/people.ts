import { IndexedDBAdapter } from '../../../adapters/indexeddb/index.ts'
import { Queue } from '../../../src/index.ts'
import { Outbox, type OutboxPayload } from '../../../src/outbox/index.ts'
import { outboxView } from '../../../src/view/index.ts'

// A page and its worker, which run the same script: an outbox that asks who is logged in. All contexts of the origin are told when
// somebody else is, as an app tells them.

let person = ''
const session = new BroadcastChannel('session')
session.addEventListener('message', ({ data }) => (person = data as string))

const queue = new Queue<OutboxPayload>('diary', { storage: new IndexedDBAdapter() })
const outbox = new Outbox(queue, {
  leaseMs: 2000,
  retry: { initialMs: 20, maxMs: 200 },
  owner: () => Promise.resolve(person),
  before: (request) => request.headers.set('x-token', person),
})
/** What was heard of requests, in order. */
const heard: unknown[] = []
/** What was said of requests that were about to be sent. */
const remarks: unknown[] = []
outbox.watch(({ type, id, status, reason }) => {
  if (type !== 'changed') heard.push([type, id, status])
  if (type === 'sending') remarks.push(reason)
})
const view = outboxView(outbox)

const app = {
  heard: () => heard,
  remarks: () => remarks,
  become(next: string): void {
    person = next
    session.postMessage(next)
  },
  person: () => person,
  /** Answers with the state, the status and the text of the answer. */
  async fetch(url: string, init: object = {}): Promise<unknown[]> {
    const response = await outbox.fetch(url, { method: 'POST', ...init })
    return [response.headers.get('quayside-state'), response.status, await response.text()]
  },
  store: async (url: string, init: object = {}) => (await outbox.store(url, { method: 'POST', ...init })).id,
  bytes: async (url: string, text: string, repeat = 1) =>
    (await outbox.store(url, { method: 'POST', body: new TextEncoder().encode(text.repeat(repeat)) })).id,
  start: () => void outbox.start(),
  pause: () => outbox.pause(),
  resume: () => outbox.resume(),
  drain: () => outbox.drain(),
  retry: () => outbox.retryNow(),
  size: () => outbox.size(),
  held: async () => (await outbox.held()).map(({ destination }) => destination),
  parked: async () => (await outbox.list({ state: 'parked' })).messages.map(({ id, parked }) => [id, parked]),
  resolve: (id: string, how: 'retry' | 'drop') => outbox.resolve(id, how),
  signOut: (what: 'keep' | 'drop') => outbox.signOut(what),
  async response(id: string): Promise<unknown> {
    const response = await outbox.response(id, { waitMs: 30_000 })
    return response && [response.status, await response.text()]
  },
  /** When the view first showed so many that wait, in ms since 1970. */
  shows: (count: number) =>
    new Promise<number>((resolve) => {
      const stop = view.subscribe(look)
      function look(): void {
        if (view.getSnapshot().waiting !== count) return
        stop()
        resolve(performance.timeOrigin + performance.now())
      }
      look()
    }),
  now: () => performance.timeOrigin + performance.now(),
  raw,
}

/** All keys and rows of all object stores and indexes of the origin, as texts; but for the room that is kept back, which is noise. */
async function raw(): Promise<string[]> {
  const found: string[] = []
  for (const { name } of await indexedDB.databases()) {
    const database = await answer(indexedDB.open(name!))
    for (const store of database.objectStoreNames) {
      if (store === 'ballast') continue
      const table = database.transaction(store).objectStore(store)
      const [keys, rows, ...indexes] = await Promise.all([
        answer(table.getAllKeys()),
        answer(table.getAll()),
        ...[...table.indexNames].map((index) => keysOf(table.index(index))),
      ])
      for (const row of [...keys, ...(rows as unknown[]), ...indexes.flat()])
        found.push(`${name}.${store}: ${await textOf(row)}`)
    }
    database.close()
  }
  return found
}

async function keysOf(index: IDBIndex): Promise<IDBValidKey[]> {
  const found: IDBValidKey[] = []
  const request = index.openKeyCursor()
  for (let cursor = await answer(request); cursor !== null; cursor = await answer(request)) {
    found.push(cursor.key)
    cursor.continue()
  }
  return found
}

function answer<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.addEventListener('success', () => resolve(request.result), { once: true })
    request.addEventListener('error', () => reject(request.error!), { once: true })
  })
}

async function textOf(row: unknown): Promise<string> {
  if (row instanceof Blob) return await row.text()
  if (row instanceof Uint8Array) return new TextDecoder().decode(row)
  if (typeof row !== 'object' || row === null) return String(row)
  const parts: string[] = []
  for (const [name, value] of Object.entries(row)) parts.push(`${name} ${await textOf(value)}`)
  return parts.join(' ')
}

type App = typeof app

// The page calls its worker as it is called itself.
const isPage = 'document' in globalThis
const calls = new Map<number, (answer: unknown) => void>()
const worker = isPage ? new Worker('/people.js', { type: 'module' }) : undefined
worker?.addEventListener('message', ({ data }) => {
  const [n, result] = data as [number, unknown]
  calls.get(n)?.(result)
  calls.delete(n)
})
async function call(name: keyof App, passed: readonly unknown[]): Promise<unknown> {
  return await (app[name] as (...all: readonly unknown[]) => unknown)(...passed)
}
if (!isPage)
  addEventListener('message', ({ data }) => {
    const [n, name, passed] = data as [number, keyof App, unknown[]]
    void call(name, passed).then(
      (result) => postMessage([n, result]),
      (error: unknown) => postMessage([n, String(error)]),
    )
  })
let sent = 0
const inWorker = (name: keyof App, ...passed: readonly unknown[]): Promise<unknown> =>
  new Promise((resolve) => {
    calls.set(++sent, resolve)
    worker!.postMessage([sent, name, passed])
  })

Object.assign(globalThis, { app: { ...app, inWorker } })
