import type { IncomingMessage, ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import type { Page } from 'playwright-core'
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { randomFrom } from '../../conformance/scene.ts'
import { howMany } from '../support/effort.ts'
import { WALL_CLOCK } from '../support/wall-clock.ts'
import { bundle } from './support/bundle.ts'
import { useBrowsers } from './support/fixture.ts'
import { type Site, openSite, page } from './support/site.ts'

// People share a browser: they log in and out, in two tabs and a worker, and servers refuse them or have their own mind.

interface Arrived {
  readonly path: string
  readonly token: string | undefined
  readonly body: string
}

let site: Site
let other: Site
let arrived: Arrived[] = []
let respond: (response: ServerResponse, one: Arrived) => unknown

const browsers = useBrowsers()
let script: string
beforeAll(async () => void (script = await bundle('test/browser/pages/people.ts')))
beforeEach(async () => {
  arrived = []
  respond = (response, { body }) => response.writeHead(201).end(`echo ${body}`)
  site = await openSite({ '/people.js': script })
  other = await openSite()
  for (const path of ['/', '/app1/', '/app1/notes/', '/app2/']) site.routes.set(path, page('/people.js'))
  const mine = arrived
  const api = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    response.setHeader('access-control-allow-origin', '*').setHeader('access-control-allow-headers', '*')
    if (request.method === 'OPTIONS') return void response.end()
    const token = request.headers['x-token'] as string | undefined
    const one = { path: request.url!, token, body: await text(request) }
    mine.push(one)
    respond(response, one)
  }
  for (const { routes } of [site, other])
    for (const path of ['/accepted', '/refused', '/dead', '/session', '/moved']) routes.set(path, api)
})
afterEach(async () => {
  await site.close()
  await other.close()
})

const bodies = (): string[] => arrived.map(({ body }) => body)

/** Calls what `pages/people.ts` can do, in a page or in its worker. */
type Call = <T>(name: string, ...passed: readonly unknown[]) => Promise<T>

interface Tab {
  readonly call: Call
  readonly inWorker: Call
  reload(): Promise<void>
}

async function open(name: 'chromium' | 'firefox', path = '/'): Promise<Tab> {
  const browser = await browsers[name]()
  // Both drivers have what is used of it.
  const tab = (await browser.newPage()) as Page
  const isReady = (): Promise<void> =>
    tab.evaluate(async () => {
      while (!('app' in globalThis)) await new Promise((resolve) => setTimeout(resolve, 5))
    })
  await tab.goto(site.origin + path)
  await isReady()
  const caller =
    (where: 'here' | 'worker'): Call =>
    <T>(called: string, ...passed: readonly unknown[]) =>
      tab.evaluate(
        ([to, what, all]) => {
          const { app } = globalThis as unknown as {
            app: Record<string, (...values: unknown[]) => T>
          }
          return to === 'worker' ? app['inWorker']!(what, ...all) : app[what]!(...all)
        },
        [where, called, passed] as const,
      )
  return {
    call: caller('here'),
    inWorker: caller('worker'),
    async reload() {
      await tab.goto(site.origin + path)
      await isReady()
    },
  }
}

const LIVES = {
  chromium: howMany('LIVES', { quick: 1, full: 200 }),
  firefox: howMany('LIVES', { quick: 1, full: 50 }),
}

describe.each(['chromium', 'firefox'] as const)('in %s', (name) => {
  test('who signs out and drops leaves no row and no secret, in no store of the browser', async () => {
    const [one, two] = [await open(name), await open(name)]
    respond = (response, { path, body }) => {
      const status = { '/refused': 422, '/dead': 500, '/session': 401 }[path] ?? 201
      response.writeHead(status).end(`echo ${body}`)
    }
    const contexts: readonly Call[] = [one.call, two.call, one.inWorker]
    const live = async (person: string, where: readonly Call[]): Promise<void> => {
      await one.call('become', person)
      for (const context of contexts) await expect.poll(() => context('person')).toBe(person)
      let n = 0
      for (const context of where) {
        const secret = (): object => ({ body: `secret of ${person} ${++n}`, headers: { 'x-secret': person } })
        await context('fetch', '/accepted', { ...secret(), key: 'k', meta: { note: `meta of ${person}` } })
        await context('fetch', '/refused', {
          ...secret(),
          id: `refused ${person} ${n}`,
          key: `${person} r${n}`,
        })
        await context('store', '/accepted', { ...secret(), key: `${person} r${n}` })
        await context('fetch', '/dead', { ...secret(), maxAttempts: 1 })
        await context('fetch', `${other.origin}/session`, secret())
        await context('store', `${other.origin}/accepted`, {
          ...secret(),
          id: `replaced ${person}`,
          replace: true,
        })
        await context('store', '/accepted', { ...secret(), delayMs: 600_000, expiresInMs: 900_000 })
        await context('store', '/accepted', { ...secret(), after: `refused ${person} ${n - 6}` })
        await context('bytes', `${other.origin}/accepted`, `bytes of ${person} `, 12_000)
      }
    }
    await live('ada-the-diarist', contexts)
    await live('bob-the-other', [two.call])
    await one.call('become', 'ada-the-diarist')
    for (const context of contexts) await expect.poll(() => context('person')).toBe('ada-the-diarist')
    const of = (person: string, rows: readonly string[]): string[] =>
      rows.filter((row) => row.includes(person))
    const before = await two.call<string[]>('raw')
    expect(of('ada-the-diarist', before).length).toBeGreaterThan(20)
    const bobs = of('bob-the-other', before).length
    await two.call('signOut', 'drop')
    const rows = await one.inWorker<string[]>('raw')
    expect(of('ada-the-diarist', rows)).toEqual([])
    expect(of('bob-the-other', rows).length).toBeGreaterThanOrEqual(bobs - 3)
    expect(arrived.filter(({ token, body }) => !body.includes(token!))).toEqual([])
  })

  test(`${LIVES[name]} random lives in two tabs and a worker: nothing goes under another's token, all arrives in order`, async () => {
    const [one, two] = [await open(name), await open(name)]
    const contexts: readonly Call[] = [one.call, two.call, one.inWorker]
    await one.call('start')
    await two.call('start')
    const wrong: string[] = []
    for (let seed = 1; seed <= LIVES[name]; seed++) {
      const random = randomFrom(seed)
      const below = (most: number): number => Math.floor(random() * most)
      const any = (): Call => contexts[below(3)]!
      respond = (response, { body }) => (below(6) === 0 ? response.destroy() : response.end(body))
      const people = [`anna-${seed}.`, `bert-${seed}.`] as const
      const stored: Record<string, string[]> = {}
      let person: string = people[0]
      const become = async (next: string): Promise<void> => {
        person = next
        await one.call('become', next)
        for (const context of contexts) await expect.poll(() => context('person'), { interval: 5 }).toBe(next)
      }
      await become(person)
      for (let step = 0; step < 10; step++) {
        const kind = below(8)
        if (kind < 4) {
          const body = `${person} ${step}`
          ;(stored[person] ??= []).push(body)
          await any()('store', '/accepted', { body, key: 'k' })
        } else if (kind < 6) void one.inWorker('drain')
        else {
          const drops = kind === 7 && below(2) === 0
          await any()('signOut', drops ? 'drop' : 'keep')
          if (drops) {
            stored[person] = [...new Set(bodies().filter((body) => body.startsWith(`${person} `)))]
            const left = (await any()<string[]>('raw')).filter((row) => row.includes(person))
            if (left.length > 0)
              wrong.push(`${seed}: left of ${person}: ${left.map((row) => row.slice(0, 200)).join('\n')}`)
          }
          await become(people[person === people[0] ? 1 : 0])
        }
      }
      respond = (response, { body }) => response.end(body)
      for (const next of [...people, ...people]) {
        await become(next)
        await two.call('resume')
        await two.call('retry')
        await expect.poll(() => one.call('size'), { interval: 10 }).toBe(0)
      }
      for (const next of people) {
        const all = [...new Set(bodies().filter((body) => body.startsWith(`${next} `)))]
        if (all.join() !== (stored[next] ?? []).join())
          wrong.push(`${seed}: ${all.join()} arrived, not ${stored[next]?.join()}`)
      }
    }
    for (const { token, body } of arrived)
      if (!body.startsWith(`${token} `)) wrong.push(`${body} went as ${token}`)
    expect(wrong).toEqual([])
    expect(arrived.length).toBeGreaterThan(LIVES[name])
  }, 3_600_000)

  test('a 401 holds that destination in all tabs and the worker; who resumes in one resumes all', async () => {
    const [one, two] = [await open(name), await open(name)]
    const contexts: readonly Call[] = [one.call, two.call, one.inWorker]
    let isLoggedIn = false
    // Whoever is new tries what is held.
    for (const context of contexts) expect(await context('size')).toBe(0)
    await two.call('start')
    respond = (response, { body }) =>
      isLoggedIn ? response.end(`echo ${body}`) : response.writeHead(401).end('who are you?')
    expect(await one.inWorker('fetch', '/session', { body: 'first' })).toEqual(['held', 401, 'who are you?'])
    for (const context of contexts) {
      await context('store', '/session', { body: 'waits' })
      await context('drain')
      expect(await context('held')).toEqual([site.origin])
    }
    expect(bodies()).toEqual(['first'])
    isLoggedIn = true
    await one.inWorker('resume')
    await expect.poll(() => two.call('size')).toBe(0)
    expect(bodies()).toEqual(['first', 'first', 'waits', 'waits', 'waits'])
  })

  test('what is refused is parked with its answer, and heard of everywhere; so is what is accepted, and kept over a reload', async () => {
    const [one, two] = [await open(name), await open(name)]
    respond = (response, { path, body }) =>
      response.writeHead(path === '/refused' ? 422 : 201).end(`echo ${body}`)
    expect(await one.call('fetch', '/refused', { id: 'p', key: 'k', body: 'no' })).toEqual([
      'parked',
      422,
      'echo no',
    ])
    await one.inWorker('store', '/accepted', { id: 'behind', key: 'k', body: 'behind' })
    await one.inWorker('store', '/accepted', { id: 'a', body: 'yes' })
    await one.inWorker('drain')
    const ends = [
      ['parked', 'p', 422],
      ['accepted', 'a', 201],
    ]
    for (const context of [one.call, two.call, one.inWorker])
      await expect.poll(() => context('heard')).toEqual(expect.arrayContaining(ends))
    await one.reload()
    expect(await one.call('response', 'a')).toEqual([201, 'echo yes'])
    const [[id, parked]] = await two.call<[[string, object]]>('parked')
    expect([id, parked]).toEqual([
      'p',
      expect.objectContaining({
        reason: 'HTTP 422: echo no',
        data: expect.objectContaining({ status: 422 }),
      }),
    ])
    await two.call('resolve', 'p', 'drop')
    await two.call('drain')
    expect(bodies()).toEqual(['no', 'yes', 'behind'])
  })
})

test('two apps of one origin that share a queue: whoever sends what the other has stored says so', async () => {
  const paths = ['/', '/app1/', '/app1/notes/', '/app2/']
  const said: unknown[] = []
  for (const path of paths) {
    const one = await open('chromium', '/app1/')
    await one.call('store', '/accepted', { body: path })
    const sender = await open('chromium', path)
    await sender.call('drain')
    said.push(await sender.call('remarks'))
  }
  expect(said).toEqual([[undefined], [undefined], [undefined], ['stored by /app1/']])
})

// In Firefox, timers of tabs that are hidden fire once a second.
test('two tabs show the same within a second', WALL_CLOCK, async () => {
  const [one, two] = [await open('chromium'), await open('chromium')]
  await two.call('store', '/accepted', { body: 'first', delayMs: 600_000 })
  await Promise.all([one.call('shows', 1), two.call('shows', 1)])
  const shown = [one.call<number>('shows', 2), two.call<number>('shows', 2)]
  await two.call('store', '/accepted', { body: 'second', delayMs: 600_000 })
  const [here, there] = await Promise.all(shown)
  // It takes some 20 ms.
  expect(Math.abs(here! - there!)).toBeLessThan(1000)
})
