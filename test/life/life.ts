import { MOODS } from './server.ts'
import { type Tab, WELL, World } from './world.ts'
import { FIXED, NUMBER, type Wish, isBefore, urlOf } from './wishes.ts'
import { QuaysideError } from '../../src/index.ts'

const PEOPLE = ['ada', 'bob']
const REFUSALS = [403, 409, 412, 422]

export interface Report {
  readonly problems: readonly string[]
  readonly log: readonly string[]
  readonly wishes: number
  readonly requests: number
}

/** People use an app for a while, in tabs that die, on networks that fail, with servers that have moods. Then all becomes well. */
export async function live(seed: number, steps: number): Promise<Report> {
  const restore = stubGlobals()
  const world = new World(seed)
  try {
    const life = new Lives(world, restore.dispatch)
    await life.run(steps)
    await life.calm()
    world.checkEnd()
  } catch (error) {
    world.problem(`the suite threw ${(error as Error).stack}`)
  } finally {
    restore.restore()
    for (const tab of world.tabs) world.kill(tab)
  }
  const { problems, log, wishes, requests } = world
  return { problems, log, wishes: wishes.length, requests }
}

class Lives {
  readonly #world: World
  readonly #dispatch: (event: string) => void
  /** Somebody is about to leave: nothing more is asked for meanwhile. */
  #isLeaving = false

  constructor(world: World, dispatch: (event: string) => void) {
    this.#world = world
    this.#dispatch = dispatch
  }

  async run(steps: number): Promise<void> {
    const world = this.#world
    world.open(true)
    world.person = 'ada'
    for (let i = 0; i < steps; i++) {
      this.#step()
      await world.pass(world.pick([10, 100, 1000, 5000, 20_000]))
    }
  }

  #step(): void {
    const world = this.#world
    const acts: readonly (readonly [weight: number, act: () => void])[] = [
      [40, () => this.#wish()],
      [4, () => this.#wishMany()],
      [4, () => this.#drop()],
      [6, () => this.#resolve()],
      [3, () => this.#fix()],
      [3, () => this.#inTab((tab) => this.#ask(tab.outbox.retryNow()))],
      [3, () => this.#inTab((tab) => this.#ask(tab.outbox.drain()))],
      [10, () => this.#mood()],
      [4, () => this.#network()],
      [5, () => this.#open()],
      [4, () => this.#kill()],
      [6, () => this.#person()],
      [4, () => (world.hasSession = false)],
      [6, () => this.#logInAgain()],
    ]
    let at = world.random() * acts.reduce((sum, [weight]) => sum + weight, 0)
    for (const [weight, act] of acts) if ((at -= weight) < 0) return act()
  }

  /** Work that nobody waits for. What it rejects with is a problem, unless it says that it cannot. */
  #go(what: string, work: Promise<unknown>): void {
    work.catch((error: unknown) => {
      if (error instanceof QuaysideError && error.code === 'CLOSED') return
      this.#world.problem(`${what} failed: ${(error as Error).stack}`)
    })
  }

  #ask(work: Promise<unknown>): void {
    this.#world.ask()
    this.#go('asking', work)
  }

  #inTab(act: (tab: Tab) => void): void {
    const tabs = [...this.#world.tabs]
    if (tabs.length > 0) act(this.#world.pick(tabs))
  }

  #open(): void {
    const { tabs } = this.#world
    if (tabs.size < 4) this.#world.open(this.#world.chance(0.8))
  }

  #kill(): void {
    this.#inTab((tab) => {
      if (this.#world.chance(0.7) || tab.stop === undefined) return this.#world.kill(tab)
      this.#world.note(`${tab.name} stops`)
      this.#world.disturb()
      const { stop } = tab
      tab.stop = undefined
      this.#go('stop', stop())
    })
  }

  #mood(): void {
    const world = this.#world
    const server = world.pick([...world.servers.values()].filter(({ origin }) => origin !== WELL))
    server.mood = world.pick(MOODS)
    server.backAt = world.clock.now() + world.pick([5000, 30_000, 120_000])
    world.note(`${server.origin} is ${server.mood}`)
  }

  #network(): void {
    const world = this.#world
    world.online = !world.online
    world.note(world.online ? 'online' : 'offline')
    world.disturb()
    if (world.online) world.ask()
    this.#dispatch(world.online ? 'online' : 'offline')
  }

  // People

  #person(): void {
    const world = this.#world
    if (this.#isLeaving) return
    const next = world.pick([...PEOPLE, ''].filter((one) => one !== world.person))
    if (world.chance(0.4)) return this.#become(next)
    this.#inTab((tab) => {
      const what = world.chance(0.7) ? 'keep' : 'drop'
      const leaver = world.person
      world.note(`${leaver} leaves by ${tab.name}: ${what}`)
      this.#isLeaving = true
      world.disturb()
      if (what === 'drop') for (const wish of world.wishes) if (wish.owner === leaver) wish.dropped = true
      const left = tab.outbox.signOut(what).then(() => {
        world.note(`${leaver} has left`)
        if (what === 'drop') world.forget(leaver)
        this.#become('')
      })
      this.#go('signOut', left)
      // Whoever's tab dies over it is gone as well.
      world.clock.setTimeout(() => {
        if (!this.#isLeaving) return
        if (tab.life.isAlive) world.problem(`signOut of ${leaver} takes more than two minutes`)
        this.#become('')
      }, 120_000)
    })
  }

  #become(person: string): void {
    const world = this.#world
    this.#isLeaving = false
    world.person = person
    world.hasSession = true
    world.disturb()
    world.ask()
    world.note(`${person || 'nobody'} is logged in`)
    this.#inTab((tab) => this.#go('resume', Promise.resolve(tab.outbox.resume())))
  }

  #logInAgain(): void {
    if (this.#world.hasSession || this.#isLeaving) return
    this.#world.hasSession = true
    this.#world.note('logged in again')
    this.#world.ask()
    this.#inTab((tab) => this.#go('resume', Promise.resolve(tab.outbox.resume())))
  }

  // Wishes

  /** As after a day without a network. */
  #wishMany(): void {
    const origin = this.#world.pick([...this.#world.servers.keys()])
    for (let i = 0; i < 8; i++) this.#wish(origin)
  }

  #wish(origin: string = this.#world.pick([...this.#world.servers.keys()])): void {
    const world = this.#world
    if (this.#isLeaving || world.tabs.size === 0) return
    const tab = world.pick([...world.tabs])
    const { person: owner } = world
    const n = world.wishes.length
    const isPlain = origin === WELL
    const isDraft = !isPlain && world.chance(0.1)
    const parents = world.wishes.filter(
      (wish) =>
        wish.owner === owner && wish.stored === 'yes' && !wish.dropped && !wish.id.startsWith('draft'),
    )
    const wish: Wish = {
      n,
      id: isDraft ? `draft-${owner}-${new URL(origin).host}` : `wish-${n}`,
      owner,
      origin,
      key: !isPlain && !isDraft && world.chance(0.3) ? world.pick(['a', 'b']) : undefined,
      after:
        !isPlain && !isDraft && parents.length > 0 && world.chance(0.2) ? world.pick(parents) : undefined,
      refusedWith: !isPlain && !isDraft && world.chance(0.15) ? world.pick(REFUSALS) : undefined,
      stored: 'no',
      storedAt: world.clock.now(),
      tab: tab.name,
      askedAt: world.clock.now(),
      dropped: false,
      replacedBy: undefined,
      edited: false,
      done: 0,
      answers: [],
      firstCallAt: undefined,
    }
    world.wishes.push(wish)
    const { key, id, after } = wish
    world.note(
      `${tab.name}: wish ${n} of ${owner} to ${origin}${key ? ` key ${key}` : ''}${after ? ` after ${after.n}` : ''}${isDraft ? ' draft' : ''}`,
    )
    const init = {
      method: isDraft ? 'PUT' : 'POST',
      headers: { [NUMBER]: `${n}`, 'content-type': 'text/plain' },
      body: `wish ${n}`,
      id,
      key,
      after: after?.id,
      replace: isDraft || undefined,
    }
    wish.stored = 'maybe'
    const stored = (): void => {
      wish.stored = 'yes'
      wish.storedAt = world.clock.now()
      if (isDraft)
        for (const older of world.wishes)
          if (older.id === id && older !== wish && !isBefore(wish, older)) older.replacedBy = wish
      // It may have been dropped by somebody who left meanwhile.
    }
    if (world.chance(0.7)) return this.#go('store', tab.outbox.store(urlOf(wish), init).then(stored))
    const answered = tab.outbox.fetch(urlOf(wish), init).then((response) => {
      stored()
      const state = response.headers.get('quayside-state')
      const isDone = world.wishes.some((one) => one.id === id && one.done > 0)
      if ((state === null ? response.ok : state === 'accepted') && !isDone)
        world.problem(`fetch says that ${n} was accepted (${state}): ${wish.answers.join()}`)
      if (state === 'purged' && !wish.dropped && !isDraft) world.problem(`fetch says that ${n} is gone`)
      if (state === 'dead') world.problem(`fetch says that ${n} is dead`)
    })
    this.#go('fetch', answered)
  }

  #mine(): readonly Wish[] {
    const { wishes, person } = this.#world
    return wishes.filter(
      (wish) => wish.owner === person && wish.stored === 'yes' && !wish.dropped && wish.done === 0,
    )
  }

  #drop(): void {
    const wishes = this.#mine()
    if (wishes.length === 0) return
    const { id } = this.#world.pick(wishes)
    this.#inTab((tab) => {
      this.#world.note(`${tab.name}: cancel ${id}`)
      // Nobody knows, if the tab dies over it.
      const all = this.#world.wishes.filter((wish) => wish.id === id)
      for (const wish of all) wish.dropped = true
      const cancelled = tab.outbox.cancel(id).then((found) => {
        if (!found) for (const wish of all) if (wish.done === 0) wish.dropped = false
      })
      this.#go('cancel', cancelled)
    })
  }

  #resolve(): void {
    this.#inTab((tab) => this.#go('resolve', this.#resolveIn(tab)))
  }

  async #resolveIn(tab: Tab, always = false): Promise<void> {
    const world = this.#world
    const { messages } = await tab.outbox.list({ state: ['parked', 'dead'] })
    if (messages.length === 0) return
    for (const { id } of always ? messages : [world.pick(messages)]) {
      const wish = world.wishes.findLast((one) => one.id === id)!
      const how = always ? 'fix' : world.pick(['retry', 'drop', 'fix', 'fix'])
      world.note(`${tab.name}: resolve ${wish.n} ${how}`)
      world.ask()
      // What has lost its parent would only lose it again.
      if (how === 'drop' || (always && wish.after?.dropped)) {
        wish.dropped = true
        await tab.outbox.resolve(id, 'drop')
      } else await tab.outbox.resolve(id, how === 'retry' ? 'retry' : { request: fixed(wish) })
    }
  }

  #fix(): void {
    const wishes = this.#mine().filter(({ id }) => !id.startsWith('draft'))
    if (wishes.length === 0) return
    const wish = this.#world.pick(wishes)
    this.#inTab((tab) => {
      this.#world.note(`${tab.name}: edit ${wish.n}`)
      wish.edited = true
      this.#go('edit', tab.outbox.edit(wish.id, fixed(wish)))
    })
  }

  // The end

  /** Everybody is well, and comes by once more. */
  async calm(): Promise<void> {
    const world = this.#world
    world.note('all is well')
    for (const server of world.servers.values()) server.mood = 'well'
    world.online = true
    this.#dispatch('online')
    for (let i = 0; i < 20 && this.#isLeaving; i++) await world.pass(10_000)
    if (this.#isLeaving) world.problem('signOut does not end')
    const tab = world.open(true)
    for (const person of [...PEOPLE, '', ...PEOPLE]) {
      this.#become(person)
      world.note(`${person} comes by`)
      world.hasSession = true
      for (let i = 0; i < 60; i++) {
        await world.pass(i < 10 ? 1000 : 60_000)
        // They look at the page again: what a tab had heard late of an earlier session is tried once more.
        this.#dispatch('pageshow')
        const { messages } = await tab.outbox.list({ bodies: false })
        if (messages.length === 0) break
        await this.#resolveIn(tab, true)
      }
      const { messages } = await tab.outbox.list({ bodies: false })
      for (const { id, state, lastError } of messages)
        world.problem(`${id} of ${person} is still ${state}: ${lastError}`)
    }
  }
}

function fixed(wish: Wish): Request {
  return new Request(urlOf(wish), {
    method: 'POST',
    headers: { [NUMBER]: `${wish.n}`, [FIXED]: 'yes', 'content-type': 'text/plain' },
    body: `wish ${wish.n}, fixed`,
  })
}

/** What tabs of one origin share, within the time of the world: events of the network, and channels. */
function stubGlobals(): { readonly dispatch: (event: string) => void; readonly restore: () => void } {
  const listeners = new Map<string, Set<(event: Event) => void>>()
  const channels = new Map<string, Set<Channel>>()
  class Channel extends EventTarget {
    readonly #all: Set<Channel>
    constructor(name: string) {
      super()
      this.#all = channels.get(name) ?? new Set()
      channels.set(name, this.#all.add(this))
    }
    postMessage(data: unknown): void {
      for (const other of this.#all)
        if (other !== this)
          queueMicrotask(() => other.dispatchEvent(Object.assign(new Event('message'), { data })))
    }
    close(): void {
      this.#all.delete(this)
    }
  }
  const scope = globalThis as unknown as Record<string, unknown>
  const stubs: Record<string, unknown> = {
    BroadcastChannel: Channel,
    addEventListener: (event: string, listener: (event: Event) => void) => {
      listeners.set(event, (listeners.get(event) ?? new Set()).add(listener))
    },
    removeEventListener: (event: string, listener: (event: Event) => void) =>
      listeners.get(event)?.delete(listener),
  }
  const before = Object.keys(stubs).map(
    (name) => [name, Object.getOwnPropertyDescriptor(globalThis, name)] as const,
  )
  for (const [name, value] of Object.entries(stubs))
    Object.defineProperty(globalThis, name, { configurable: true, writable: true, value })
  return {
    dispatch: (event) => {
      for (const listener of listeners.get(event) ?? []) listener(new Event(event))
    },
    restore: () => {
      for (const [name, descriptor] of before) {
        if (descriptor === undefined) Reflect.deleteProperty(scope, name)
        else Object.defineProperty(globalThis, name, descriptor)
      }
    },
  }
}
