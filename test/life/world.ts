import { MemoryAdapter } from '../../src/records/memory.ts'
import { Queue } from '../../src/index.ts'
// Loaded when it is first needed: at once, so that each life of a process is the same.
import '../../src/outbox/elsewhere.ts'
import { Outbox, type OutboxEvent, type OutboxPayload } from '../../src/outbox/index.ts'
import { randomFrom } from '../../conformance/scene.ts'
import { ManualClock } from '../../src/testing/index.ts'
import { settle } from '../support/settle.ts'
import { type Answer, Server } from './server.ts'
import { Life } from './tab.ts'
import { FIXED, NUMBER, type Wish, isBefore } from './wishes.ts'

/** What a healthy destination may take until it is asked: all its slots may be taken by others of its own. */
const SLOT_MS = 1000
const CONCURRENCY = 4
/** Attempts that got no answer, of one destination in a minute. */
const MOST_FAILURES = 40

/** A tab or a worker with an outbox. */
export interface Tab {
  readonly name: string
  readonly life: Life
  readonly queue: Queue<OutboxPayload>
  readonly outbox: Outbox
  stop: (() => Promise<void>) | undefined
}

/** A request under way. */
interface Call {
  readonly wish: Wish
  readonly life: Life
  readonly place: string
  readonly since: number
}

/** A destination that asked for rest. */
interface Rest {
  readonly since: number
  readonly until: number
  readonly by: Life
  /** It is over once a request was accepted; until then one goes at a time. */
  probing: boolean
}

/** Origins, and whether they ask who somebody is. The last one is always well. */
const ORIGINS = {
  'https://api.test': true,
  'https://files.test': true,
  'https://third.test': false,
  'https://well.test': false,
}
export const WELL = 'https://well.test'

/**
 * One origin in one browser: its tabs and workers, who is logged in, the network, and the servers behind it. It looks at every
 * request, and notes what must never be.
 */
export class World {
  readonly random: () => number
  readonly clock: ManualClock = new ManualClock()
  readonly servers: ReadonlyMap<string, Server>
  readonly wishes: Wish[] = []
  readonly tabs: Set<Tab> = new Set()
  readonly problems: string[] = []
  /** What happened lately. */
  readonly log: string[] = []
  /** Who is logged in; the empty text is nobody. */
  person = ''
  /** The server knows them. */
  hasSession = true
  online = true
  requests = 0
  readonly #storage: MemoryAdapter
  readonly #calls: Set<Call> = new Set()
  readonly #rests: Map<string, Rest> = new Map()
  /** Those that somebody asked for: what they end with is news of a server that wanted rest. */
  readonly #tried: WeakSet<Call> = new WeakSet()
  /** Destinations that wanted rest when somebody last did what may have anything tried, and were not asked since. */
  #unasked: Set<string> = new Set()
  /** When something last happened that may keep even healthy destinations waiting. */
  #disturbedAt = 0
  readonly #failures: Map<string, number[]> = new Map()
  /** Requests bear an `Idempotency-Key`. */
  readonly #hasKeys: boolean
  #names = 0

  constructor(seed: number) {
    this.random = randomFrom(seed)
    this.#hasKeys = this.chance(0.5)
    this.#storage = new MemoryAdapter({ clock: this.clock })
    this.servers = new Map(
      Object.entries(ORIGINS).map(([origin, asks]) => [origin, new Server(origin, asks)]),
    )
  }

  note(text: string): void {
    this.log.push(`${this.clock.now() % 1e9} ${text}`)
  }

  problem(text: string): void {
    this.problems.push(`${this.clock.now() % 1e9} ${text}`)
    this.note(`PROBLEM: ${text}`)
  }

  chance(probability: number): boolean {
    return this.random() < probability
  }

  pick<V>(all: readonly V[]): V {
    return all[Math.floor(this.random() * all.length)]!
  }

  /** Something happened after which even what is well may wait for a while. */
  disturb(): void {
    this.#disturbedAt = this.clock.now()
  }

  /** Somebody asked for an attempt. */
  ask(): void {
    this.#unasked = new Set(this.#rests.keys())
  }

  /** All is deleted that an owner has, and with it what is known of destinations that rest. */
  forget(owner: string): void {
    for (const place of this.#rests.keys()) if (place.startsWith(`${owner}@`)) this.#rests.delete(place)
  }

  /** Lets time pass, and what it has begun come to its end. */
  async pass(ms: number): Promise<void> {
    const until = this.clock.now() + ms
    do {
      // Streams and message channels take several turns of the event loop.
      for (let i = 0; i < 6; i++) await settle()
      await this.clock.advance(Math.min(until - this.clock.now(), 1 + ms / 50))
    } while (this.clock.now() < until)
    for (let i = 0; i < 6; i++) await settle()
    this.#look()
  }

  // Tabs

  open(started: boolean): Tab {
    const name = `tab${++this.#names}`
    const life = new Life((text) => this.note(`${name}: ${text}`))
    const clock = life.clock(this.clock)
    const queue = new Queue<OutboxPayload>('outbox', {
      storage: life.storage(this.#storage),
      clock,
      random: this.random,
    })
    const outbox = new Outbox(queue, {
      clock,
      concurrency: CONCURRENCY,
      owner: async () => this.person,
      isOnline: () => this.online,
      idempotencyKey: this.#hasKeys,
      before: (request, _, family) => this.#before(request, family?.response),
      fetch: (request, init) => this.#fetch(life, request, init.signal!),
    })
    const tab: Tab = { name, life, queue, outbox, stop: undefined }
    outbox.watch((event) => life.isAlive && this.#heard(tab, event))
    this.tabs.add(tab)
    if (started) tab.stop = outbox.start()
    this.disturb()
    this.note(`${tab.name} opened${started ? ' and started' : ''}`)
    return tab
  }

  kill(tab: Tab): void {
    this.note(`${tab.name} killed`)
    tab.life.die()
    this.tabs.delete(tab)
    for (const call of this.#calls) if (call.life === tab.life) this.#calls.delete(call)
    // It may have had no time to say so.
    for (const [place, rest] of this.#rests)
      if (rest.by === tab.life && this.clock.now() - rest.since < 100) this.#rests.delete(place)
    this.disturb()
  }

  // Requests

  async #before(request: Request, response: Response | undefined): Promise<Request | void> {
    if (!request.url.includes('/of/tmp-')) return
    // Its parent was accepted, and what the server said then is known.
    if (response === undefined) throw new Error('nothing is known of the parent')
    const { id } = (await response.json()) as { id: number }
    return new Request(request.url.replace(/tmp-\d+/, `real-${id}`), request)
  }

  #fetch(life: Life, request: Request, signal: AbortSignal): Promise<Response> {
    const wish = this.wishes[Number(request.headers.get(NUMBER))]!
    const server = this.servers.get(new URL(request.url).origin)!
    const call: Call = { wish, life, place: `${wish.owner}@${server.origin}`, since: this.clock.now() }
    this.requests++
    this.note(`call ${wish.n} ${wish.id.slice(-6)} to ${call.place} (${server.mood})`)
    this.#check(call, request)
    this.#calls.add(call)
    wish.firstCallAt ??= this.clock.now()
    const isLoggedIn = this.hasSession
    return new Promise((resolve, reject) => {
      const end = (what: string): boolean => {
        if (!this.#calls.delete(call)) return false
        wish.answers.push(what)
        this.note(`call ${wish.n}: ${what}`)
        return true
      }
      const fail = (why: unknown): void => {
        if (!end('no answer')) return
        this.#failed(call)
        reject(why)
      }
      signal.addEventListener('abort', () => {
        if (end('given up')) reject(signal.reason)
      })
      if (!this.online) {
        this.clock.setTimeout(() => fail(new TypeError('no network')), 1)
        return
      }
      const asked = {
        url: request.url,
        isFixed: request.headers.has(FIXED),
        idempotencyKey: request.headers.get('idempotency-key'),
        isLoggedIn,
      }
      this.clock.setTimeout(() => {
        const answer = server.answer(this.clock.now(), wish, asked, () => this.#done(wish, request))
        if (answer === undefined) return
        this.clock.setTimeout(() => {
          if (answer instanceof Error) return fail(answer)
          if (!end(answer.redirectedTo === undefined ? `${answer.status}` : 'redirected')) return
          this.#answered(call, answer)
          resolve(responseOf(answer, request.url))
        }, server.travelMs)
      }, server.travelMs)
    })
  }

  /** What must hold whenever a request is sent. */
  #check(call: Call, request: Request): void {
    const { wish, place, life } = call
    const now = this.clock.now()
    if (!life.isAlive) this.problem(`${wish.n} is sent by the dead`)
    if (wish.owner !== this.person) this.problem(`${wish.n} of ${wish.owner} is sent as ${this.person}`)
    // What was cancelled goes on, and is in nobody's way.
    const calls = [...this.#calls].filter((call) => !call.wish.dropped)
    const here = calls.filter((call) => call.place === place)
    if (here.length >= CONCURRENCY)
      this.problem(`${wish.n} is the ${here.length + 1}th under way to ${place}`)
    if (calls.some((call) => call.wish.id === wish.id)) this.problem(`${wish.n} is under way twice`)
    if (wish.key !== undefined && here.some((call) => call.wish.key === wish.key))
      this.problem(`${wish.n} passes another of its key that is under way`)
    const { after } = wish
    if (after !== undefined && after.done === 0)
      this.problem(`${wish.n} is sent before its parent ${after.n}`)
    if (request.url.includes('tmp-')) this.problem(`${wish.n} is sent to ${request.url}`)
    const rest = this.#rests.get(place)
    // Somebody has asked for an attempt.
    const asked = this.#unasked.delete(place)
    if (asked) this.#tried.add(call)
    if (rest === undefined || asked || !this.online) return
    if (now < rest.until && now > rest.since)
      this.problem(`${wish.n} is sent ${rest.until - now} ms before ${place} wants to be asked`)
    const others = here.filter(({ since }) => since >= rest.until)
    if (now >= rest.until && rest.probing && others.length > 0)
      this.problem(`${wish.n} goes beside the probe ${others[0]!.wish.n} of ${place}`)
  }

  #done(wish: Wish, request: Request): void {
    wish.done++
    this.note(`done ${wish.n}`)
    if (request.url.includes('tmp-')) this.problem(`the server has seen ${request.url}`)
    if (wish.key === undefined || wish.done > 1) return
    const later = this.wishes.find(
      (other) =>
        other.key === wish.key &&
        other.owner === wish.owner &&
        other.origin === wish.origin &&
        other.done > 0 &&
        isBefore(wish, other),
    )
    if (later !== undefined) this.problem(`${wish.n} is done after ${later.n} of the same key`)
  }

  #answered(call: Call, { status, headers }: Answer): void {
    const { place, life } = call
    const now = this.clock.now()
    const seconds = Number(headers?.['retry-after'])
    if (seconds > 0)
      this.#rests.set(place, { since: now, until: now + seconds * 1000 - 1, by: life, probing: true })
    else if (this.#tried.has(call)) this.#rests.delete(place)
    else if (status < 400) {
      const rest = this.#rests.get(place)
      if (rest !== undefined && now >= rest.until) this.#rests.delete(place)
    }
  }

  #failed(call: Call): void {
    if (!this.online) return
    const { place } = call
    if (this.#tried.has(call)) this.#rests.delete(place)
    const now = this.clock.now()
    const failures = (this.#failures.get(place) ?? []).filter((at) => at > now - 60_000)
    failures.push(now)
    this.#failures.set(place, failures)
    if (failures.length === MOST_FAILURES) this.problem(`${place} failed ${MOST_FAILURES} times in a minute`)
  }

  /** What must hold whenever time has passed. */
  #look(): void {
    const now = this.clock.now()
    const isReady = [...this.tabs].some(({ stop }) => stop !== undefined) && this.online
    if (!isReady) this.disturb()
    for (const wish of this.wishes) {
      const { origin, owner, stored, storedAt, key, after, firstCallAt, dropped, n } = wish
      if (origin !== WELL || stored !== 'yes' || dropped || owner !== this.person) continue
      if (key !== undefined || after !== undefined || wish.replacedBy !== undefined) continue
      const since = Math.max(storedAt, this.#disturbedAt + 60_000)
      if (firstCallAt === undefined && now - since > SLOT_MS)
        this.problem(`${n} waits for ${now - since} ms, and its destination is well`)
    }
  }

  #heard(tab: Tab, { type, id, reason = '' }: OutboxEvent): void {
    if (type === 'failed') return this.problem(`${tab.name}: ${reason}`)
    const wishes = this.wishes.filter((wish) => wish.id === id)
    if (wishes.length === 0 || type === 'changed') return
    if (type !== 'stored' && type !== 'sending')
      this.note(`${tab.name} heard that ${wishes.at(-1)!.n} is ${type} ${reason}`)
    const holds = (check: (wish: Wish) => boolean): void => {
      if (!wishes.some(check))
        this.problem(`${wishes[0]!.n} is ${type}, and is not (${reason}): ${wishes[0]!.answers.join()}`)
    }
    if (type === 'accepted') holds(({ done }) => done > 0)
    if (type === 'dead') holds(() => false)
    if (type === 'cancelled')
      holds((wish) => wish.dropped || wish.edited || wishes.some((other) => mayReplace(other, wish)))
    if (type === 'parked' && reason !== '') holds((wish) => isTrue(wish, reason))
  }

  // The end

  /** What must hold when all is over. */
  checkEnd(): void {
    for (const wish of this.wishes) {
      const { n, id, owner, origin, stored, dropped, replacedBy, done, answers } = wish
      if (stored !== 'yes' || dropped || done > 0) continue
      const isInstead = (one: Wish): boolean => one.id === id && (one.done > 0 || one.dropped)
      if (replacedBy !== undefined && this.wishes.some(isInstead)) continue
      this.problem(`${n} (${id}) of ${owner} to ${origin} is lost: ${answers.join()}`)
    }
  }
}

/** Whoever asked for it may not have heard yet that it is stored. */
function mayReplace(newer: Wish, wish: Wish): boolean {
  return newer !== wish && newer.stored !== 'no' && !isBefore(newer, wish)
}

/** Whether what is said of a parked request is so. */
function isTrue({ answers, after }: Wish, reason: string): boolean {
  const [, status] = /^HTTP (\d+)/.exec(reason) ?? []
  if (status === '200') return answers.includes('redirected')
  if (status !== undefined) return answers.includes(status)
  if (reason.startsWith('redirected')) return answers.includes('redirected')
  if (reason.startsWith('the request that it comes after')) return after?.dropped === true
  return false
}

function responseOf({ status, headers = {}, body = '', redirectedTo }: Answer, url: string): Response {
  const response = new Response(body, { status, headers })
  return described(response, { url: redirectedTo ?? url, redirected: redirectedTo !== undefined })
}

/** Says where a response is from, which nobody can who makes one. */
function described(
  response: Response,
  where: { readonly url: string; readonly redirected: boolean },
): Response {
  const clone = response.clone.bind(response)
  return Object.defineProperties(response, {
    url: { value: where.url },
    redirected: { value: where.redirected },
    clone: { value: () => described(clone(), where) },
  })
}
