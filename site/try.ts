import { Queue } from 'quayside/core'
import { IndexedDBAdapter } from 'quayside/indexeddb'
import { Outbox } from 'quayside/outbox'
import { FakeDestination } from 'quayside/testing'
import { outboxView } from 'quayside/view'

/** How the page says that the server answers. */
const ANSWERS: Readonly<Record<string, number | 'hang' | Response>> = {
  503: 503,
  401: 401,
  422: new Response('the server does not like it', { status: 422 }),
  hang: 'hang',
}

/** Runs an outbox in an element of the page. Answers with what ends it. */
export function begin(element: HTMLElement): () => void {
  const server = new FakeDestination()
  const { fetch, isOnline } = server
  const queue = new Queue('quayside-try', { storage: new IndexedDBAdapter({ database: 'quayside-try' }) })
  const outbox = new Outbox(queue, { fetch, isOnline, timeoutMs: 20_000, answerWithinMs: 1 })
  const stop = outbox.start()
  const view = outboxView(outbox)
  const find = <E extends Element>(selector: string): E => element.querySelector<E>(selector)!

  const button = (name: string, act: () => unknown): HTMLButtonElement => {
    const made = document.createElement('button')
    made.textContent = name
    made.addEventListener('click', () => void act())
    return made
  }
  const show = (): void => {
    const { items, loaded } = view.getSnapshot()
    const rows = items.map(({ id, state, meta, attempts, lastError }) => {
      const row = document.createElement('li')
      row.append(
        `${String(meta['text'])}: ${state}, ${attempts} attempts${lastError ? `, ${lastError}` : ''}`,
      )
      if (state === 'parked') row.append(button('Try again', () => outbox.resolve(id, 'retry')))
      row.append(button('Drop', () => (state === 'parked' ? outbox.resolve(id, 'drop') : outbox.cancel(id))))
      return row
    })
    if (rows.length === 0 && loaded)
      rows.push(Object.assign(document.createElement('li'), { textContent: 'nothing' }))
    find('.waiting').replaceChildren(...rows)
    const got = server.requests.filter(({ answer }) => answer === 201)
    const lines = got.map(({ body }) => Object.assign(document.createElement('li'), { textContent: body }))
    find('.got').replaceChildren(...lines)
  }
  const unsubscribe = view.subscribe(show)
  const unwatch = outbox.watch(show)
  show()

  const choose = (value: string): void => {
    server.online = value !== 'offline'
    server.answer(/./, ANSWERS[value] ?? 201)
    server.release(503)
    // What a page would do when somebody has logged in, and when somebody cannot wait.
    if (value === '201') void outbox.resume().then(() => outbox.retryNow())
  }
  const chosen = (event: Event): void => choose((event.target as HTMLInputElement).value)
  const send = (event: Event): void => {
    event.preventDefault()
    const text = find<HTMLInputElement>('input[name=text]').value
    void outbox.fetch('/api/notes', { method: 'POST', body: text, meta: { text } })
  }
  find('fieldset').addEventListener('change', chosen)
  find('form').addEventListener('submit', send)
  choose(find<HTMLInputElement>('input[name=answer]:checked').value)
  return () => {
    unsubscribe()
    unwatch()
    void stop().then(() => queue.close())
  }
}
