import { type LaneLimits, MAX_REST_MS, limitsOf, takeToken, tokenAt } from '../../../src/lanes.ts'
import type { ClaimRequest } from '../../../src/storage.ts'
import type { Book } from './book.ts'
import { holdsOfLane, letsGo } from './holds.ts'
import { type Flow, type Group, type Turn, hasReady } from './records.ts'
import { after, sortable } from './rows.ts'

/** How many lanes that may go are read at once. */
const RING = 64

/** What a claim may still look at. */
export interface Budget {
  left: number
}

/** Whose turn it is among the lanes of a group, as one claim may take from them. */
export class Turns {
  readonly #book: Book
  readonly #group: Group
  readonly #request: ClaimRequest
  readonly #only: string | readonly string[] | undefined
  readonly turn: Turn

  constructor(book: Book, group: Group, request: ClaimRequest) {
    const { only, position } = request
    this.#book = book
    this.#group = group
    this.#request = request
    this.#only =
      typeof only === 'object' ? [...only].sort((a, b) => (sortable(a) < sortable(b) ? -1 : 1)) : only
    this.turn = only === undefined ? { ...group.turn } : turnOf(group, position)
  }

  limitsOf({ lane }: Flow): LaneLimits {
    const { lanes: rules } = this.#request
    return rules === undefined || lane === '' ? {} : limitsOf(rules, lane)
  }

  /** The lane that gives the next message. Those that may not go rest from now on. */
  async next(budget: Budget): Promise<Flow | undefined> {
    const { at, left } = this.turn
    const book = this.#book
    const group = this.#group
    if (book.q.lanes === 0 && this.#only === undefined) {
      return (await this.#mayGo(group.flow, budget)) ? group.flow : undefined
    }
    if (left > 0 && at !== undefined && this.#fits(at)) {
      const own = at === '' ? group.flow : await book.knownFlow(group, at)
      if (own !== undefined && (own.inRing || at === '') && (await this.#mayGo(own, budget))) return own
    }
    // Once round: the lane without a name may stay in the ring although it has nothing.
    let wasPlain = false
    let from = at
    for (let isRound = at === undefined; ;) {
      const flow = await this.#after(from)
      if (flow === undefined) {
        if (isRound) return undefined
        isRound = true
        from = undefined
        continue
      }
      from = flow.lane
      if (flow === group.flow) {
        if (wasPlain) continue
        wasPlain = true
      }
      if (await this.#mayGo(flow, budget)) return flow
      if (--budget.left <= 0) return undefined
    }
  }

  /** A message of a lane was delivered. */
  took(flow: Flow): void {
    const { turn } = this
    const { lane } = flow
    const { weight = 1, rate } = this.limitsOf(flow)
    if (turn.at !== lane || turn.left === 0) {
      turn.at = lane
      turn.left = weight
    }
    turn.left--
    if (rate !== undefined) {
      takeToken(flow, rate, this.#book.now)
      this.#book.set(flow)
    }
    if (this.#only === undefined) {
      this.#group.turn = turn
    }
  }

  #fits(name: string): boolean {
    const only = this.#only
    if (only === undefined) return true
    return name !== '' && (typeof only === 'string' ? name.startsWith(only) : only.includes(name))
  }

  /** The first lane behind a name that has something and that the claim takes from. */
  async #after(name: string | undefined): Promise<Flow | undefined> {
    const book = this.#book
    const { flow: plain } = this.#group
    const only = this.#only
    if (typeof only === 'object') {
      for (const one of only) {
        if (one === '' || (name !== undefined && sortable(one) <= sortable(name))) continue
        const flow = await book.knownFlow(this.#group, one)
        if (flow?.inRing) return flow
      }
      return undefined
    }
    if (name === undefined && only === undefined) return plain
    const start = sortable(only ?? '')
    const next = name ? after(name) : ''
    const flow = await this.#ring(next > start ? next : start)
    return flow === undefined || (only !== undefined && !flow.lane.startsWith(only)) ? undefined : flow
  }

  /** Lanes that were read at once, in their order, from a name on, and for which ring. */
  #read: Flow[] = []
  #readFrom = ''
  #version = -1

  /** The first from a name on that is in the ring. */
  async #ring(from: string): Promise<Flow | undefined> {
    const { g } = this.#group
    const book = this.#book
    if (from >= this.#readFrom && book.ringVersion === this.#version) {
      const found = this.#read.find(({ inRing, k }) => inRing && k[2]! >= from)
      if (found !== undefined) return found
    }
    this.#read = await book.line<Flow>(IDBKeyRange.bound([g, 'o', from], [g, 'o', []]), RING)
    this.#readFrom = from
    this.#version = book.ringVersion
    return this.#read[0]
  }

  /** Whether a lane may give something. Otherwise it rests. */
  async #mayGo(flow: Flow, budget: Budget): Promise<boolean> {
    const book = this.#book
    const group = this.#group
    if (flow === group.flow) {
      if (this.#only !== undefined) return false
      return flow.again + flow.freed > 0 || (await book.peek(flow, budget, this.#request.limit)) !== undefined
    }
    const { lane, leased } = flow
    if (!hasReady(flow)) {
      book.rest(group, flow)
      return false
    }
    const holds = await holdsOfLane(book, lane, group.name)
    if (!holds.every((held) => letsGo(held, group))) return this.#rest(flow, undefined)
    const { concurrency = Infinity, rate } = this.limitsOf(flow)
    if (leased >= concurrency) return this.#rest(flow, book.now + MAX_REST_MS)
    const at = rate === undefined ? 0 : tokenAt(flow, rate, book.now)
    flow.woken = false
    book.set(flow)
    if (at <= book.now) return true
    flow.waits ||= book.now
    return this.#rest(flow, Math.min(at, flow.waits + MAX_REST_MS))
  }

  #rest(flow: Flow, until: number | undefined): false {
    const book = this.#book
    flow.inRing = false
    flow.resting = true
    flow.order = until ?? Infinity
    book.set(flow)
    return false
  }
}

function turnOf({ g }: Group, position: string | undefined): Turn {
  try {
    const [of, at, left] = JSON.parse(position!) as unknown[]
    if (of === g && typeof at === 'string' && typeof left === 'number') return { at, left }
  } catch {
    // Not one of this queue.
  }
  return { at: undefined, left: 0 }
}

/** Where turns of a group go on. */
export function positionOf({ g }: Group, { at, left }: Turn): string {
  return JSON.stringify([g, at, left])
}
