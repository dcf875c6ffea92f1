import type { InspectedQueue } from '../../inspected-queue.ts'
import type { Verb } from '../calls.ts'
import { fromWire, toWire } from '../wire.ts'

/** Queues of the server that this page came from. */
export class Remote {
  /** Those that have an inspector, by the name of their queue. */
  readonly #listeners: Map<string, Set<() => void>> = new Map()

  constructor() {
    const events = new EventSource('?events')
    events.addEventListener('message', ({ data }) => this.#hint(JSON.parse(data as string) as string))
    // What came in between was not heard.
    events.addEventListener('open', () => {
      for (const name of this.#listeners.keys()) this.#hint(name)
    })
  }

  #hint(name: string): void {
    for (const listener of this.#listeners.get(name) ?? []) listener()
  }

  /** The names of all queues, and whether they can only be looked at. */
  async queues(): Promise<{ readonly names: readonly string[]; readonly readOnly: boolean }> {
    return (await ask({})) as { names: string[]; readOnly: boolean }
  }

  queue(name: string, readOnly: boolean): InspectedQueue {
    // The other side checks what it is given, as `Queue` does.
    const does =
      (verb: Verb) =>
      (...args: readonly unknown[]): Promise<never> =>
        ask({ queue: name, verb, args }) as Promise<never>
    const [stats, list, lanes, cancel] = [does('stats'), does('list'), does('lanes'), does('cancel')]
    return {
      name,
      readOnly,
      stats: () => stats(),
      list,
      lanes,
      cancel,
      deadLetters: (group) => ({
        list: (options) => does('deadLetters')(group, options),
        redrive: (ids) => does('redrive')(group, ids),
        delete: (ids) => does('delete')(group, ids),
      }),
      retryNow: does('retryNow'),
      resume: does('resume'),
      edit: does('edit'),
      hold: does('hold'),
      release: does('release'),
      watch: (listener) => {
        const listeners = this.#listeners.get(name) ?? new Set()
        this.#listeners.set(name, listeners.add(listener))
        return () => void listeners.delete(listener)
      },
    }
  }
}

async function ask(question: {
  readonly queue?: string
  readonly verb?: Verb
  readonly args?: readonly unknown[]
}): Promise<unknown> {
  let response: Response
  try {
    response = await fetch(location.pathname, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ ...question, args: toWire(question.args ?? []) }),
    })
  } catch (cause) {
    throw new Error('The server cannot be reached.', { cause })
  }
  const text = await response.text()
  if (!response.headers.get('content-type')?.startsWith('application/json'))
    throw new Error(`The server answered ${response.status}: ${text.slice(0, 200)}`)
  const { error, value } = JSON.parse(text) as {
    error?: { code: string; message: string }
    value?: unknown
  }
  if (error !== undefined) throw Object.assign(new Error(error.message), { code: error.code })
  return fromWire(value)
}
