import { expect } from 'vitest'
import { causeOf } from '../../../inspector/causes.ts'
import { fromWire, toWire } from '../../../inspector/server/wire.ts'

/** Whatever a request of a browser reaches: a handler, or a server of one. */
export type Site = (path: string, init?: RequestInit) => Promise<Response>

interface Letter {
  readonly id: string
  readonly reason?: string
}

/** Looks at all that {@link filled} made, as the page does, and does all that its buttons do. */
export async function expectInspected(site: Site): Promise<void> {
  const page = await site('')
  expect(page.status).toBe(200)
  const html = await page.text()
  const [script] = /\?script=\w+/.exec(html)!
  expect(await (await site(script)).text()).toContain('quayside-inspector')

  const post = (question: object, headers: Record<string, string> = {}): Promise<Response> =>
    site('', {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(question),
    })
  const of = async <T>(queue: string, verb: string, ...args: readonly unknown[]): Promise<T> => {
    const response = await post({ queue, verb, args: toWire(args) })
    const { value, error } = (await response.json()) as { value?: unknown; error?: unknown }
    expect(error, verb).toBe(undefined)
    return fromWire(value) as T
  }
  const ask = <T>(verb: string, ...args: readonly unknown[]): Promise<T> => of('orders', verb, ...args)
  const idsIn = async (state: string): Promise<string[]> => {
    const { messages } = await ask<{ messages: Letter[] }>('list', { group: 'mailer', state, limit: 50 })
    return messages.map(({ id }) => id).toSorted()
  }
  const group = { group: 'mailer' }

  expect(await (await post({})).json()).toEqual({
    value: { names: ['orders', 'orders.schedules'], readOnly: false },
  })
  expect(
    (await post({ queue: 'orders', verb: 'cancel', args: [['held']] }, { origin: 'https://evil.example' }))
      .status,
  ).toBe(403)

  const stats = await ask<{ groups: Record<string, object>; holds: object[] }>('stats')
  expect(stats.groups['mailer']).toMatchObject({ dead: 3, parked: 2, acked: 1 })
  expect(stats.holds).toMatchObject([{ group: 'mailer', lane: 'ada' }])
  const { lanes } = await ask<{ lanes: object[] }>('lanes', { ...group, limit: 10 })
  expect(lanes).toMatchObject([{ lane: 'ada', waiting: 1 }])
  expect(await idsIn('parked')).toEqual(['edit', 'park'])
  expect(await idsIn('delayed')).toEqual(['later', 'retry'])
  const done = await ask<{ messages: object[] }>('list', { ...group, state: 'done', limit: 10 })
  expect(done.messages).toMatchObject([{ id: 'ack' }])
  const { messages: ticks } = await of<{ messages: Letter[] }>('orders.schedules', 'list', { limit: 10 })
  expect(ticks.map(({ id }) => id)).toEqual(['nightly'])

  // By what they died of: those of one cause are sent again, the other is deleted.
  const letters = await ask<{ messages: Letter[] }>('deadLetters', 'mailer', { bodies: false, limit: 10 })
  const causes = new Set(letters.messages.map(causeOf))
  const idsOf = (cause: string): string[] =>
    letters.messages
      .filter((letter) => causeOf(letter) === cause)
      .map(({ id }) => id)
      .toSorted()
  expect([...causes].toSorted()).toEqual(['no address #', 'refused by the server'])
  expect(idsOf('no address #')).toEqual(['no address 1', 'no address 2'])
  expect(await ask('redrive', 'mailer', idsOf('no address #'))).toBe(2)
  expect(await ask('delete', 'mailer', idsOf('refused by the server'))).toBe(1)

  expect(await ask('resume', ['park'], group)).toEqual([true])
  expect(await ask('edit', 'edit', { of: 'a person' }, { ...group, headers: {} })).toBe(true)
  expect(await ask('retryNow', ['retry'], group)).toBe(1)
  expect(await ask('release', { ...group, lane: 'ada' })).toBe(true)
  expect(await ask('cancel', ['later'])).toEqual([true])
  await ask('hold', group)
  expect(await of('orders.schedules', 'cancel', ['nightly'])).toEqual([true])

  const after = await ask<{ groups: Record<string, object>; holds: object[] }>('stats')
  expect(after.groups['mailer']).toMatchObject({ dead: 0, parked: 0, delayed: 0, ready: 6 })
  expect(after.holds).toMatchObject([{ group: 'mailer' }])
  const { messages } = await ask<{ messages: { payload: unknown }[] }>('list', {
    ...group,
    ids: ['edit'],
    limit: 1,
  })
  expect(messages).toMatchObject([{ payload: { of: 'a person' } }])
}
