import { StrictMode, createElement, useState } from 'react'
import { createRoot } from 'react-dom/client'
import { MemoryAdapter } from '../../../src/records/memory.ts'
import { Queue } from '../../../src/index.ts'
import { Outbox, type OutboxPayload } from '../../../src/outbox/index.ts'
import { useOutbox, useQueue } from '../../../src/react/index.ts'
import { SpyStorage } from '../../support/spy-storage.ts'

const storage = new MemoryAdapter()
const spied = new SpyStorage(storage)
const queue = new Queue<OutboxPayload>('outbox', { storage: spied })
const outbox = new Outbox(queue, { fetch: () => Promise.resolve(new Response('no', { status: 422 })) })
/** Another tab's. */
const other = new Outbox(new Queue<OutboxPayload>('outbox', { storage }))

let renders = 0
let rerender!: () => void

function State(): unknown {
  const [, set] = useState(0)
  rerender = () => set((count) => count + 1)
  const { waiting, parked, items, loaded } = useOutbox(outbox)
  const { messages } = useQueue(queue)
  renders++
  const titles = items.map(({ meta }) => meta['title']).join()
  return createElement('p', null, `${loaded} ${waiting} ${parked} ${messages} ${titles}`)
}

const root = createRoot(document.body.appendChild(document.createElement('main')))

const page = {
  mount: (): void => root.render(createElement(StrictMode, null, createElement(State))),
  unmount: (): void => root.unmount(),
  text: (): string => document.querySelector('main')!.textContent,
  renders: (): number => renders,
  watched: (): number => spied.listeners,
  rerender: (): void => rerender(),
  async store(title: string): Promise<void> {
    await other.store('https://example.com/', {
      method: 'POST',
      body: title,
      meta: { title },
      delayMs: 60_000,
    })
  },
  async refuse(title: string): Promise<void> {
    await outbox.fetch('https://example.com/', { method: 'POST', body: title, meta: { title } })
  },
}

Object.assign(globalThis, { react: page })
