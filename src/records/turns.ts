import { type LaneLimits, type LaneRules, MAX_REST_MS, limitsOf, takeToken, tokenAt } from '../lanes.ts'
import type { ClaimRequest } from '../storage.ts'
import { type Book, hasReady } from './book.ts'
import { holdsOfLane, letGo } from './holds.ts'
import { type Flow, type Group, type Turn, byName } from './records.ts'

/** How many limits of lanes are remembered. */
const MOST_LIMITS = 1000

const NO_LIMITS: LaneLimits = {}

/** What a claim may still look at. */
export interface Budget {
  left: number
}

/** Whose turn it is among the lanes of a group, as one claim may take from them. */
export class Turns {
  readonly #book: Book
  readonly #group: Group
  readonly #rules: LaneRules | undefined
  readonly #only: string | readonly string[] | undefined
  readonly turn: Turn

  constructor(book: Book, group: Group, { lanes, only, position }: ClaimRequest) {
    this.#book = book
    this.#group = group
    this.#rules = lanes
    this.#only = typeof only === 'object' ? [...only].sort((a, b) => byName({ name: a }, { name: b })) : only
    this.turn = only === undefined ? group.turn : turnOf(group, position)
  }

  limitsOf({ lane: { name } }: Flow): LaneLimits {
    const rules = this.#rules
    if (rules === undefined || name === '') return NO_LIMITS
    if (rules.names === undefined && rules.prefixes === undefined) return rules
    return remembered(rules, name)
  }

  /** The lane that gives the next message. Those that may not go rest from now on. */
  next(budget: Budget): Flow | undefined {
    const { ring } = this.#group
    const { at, left } = this.turn
    if (ring.size === 0) return undefined
    if (ring.size === 1 && this.#only === undefined) {
      const flow = ring.first!
      return this.#mayGo(flow) ? flow : undefined
    }
    if (left > 0 && at !== undefined) {
      const own = ring.get({ name: at })
      if (own !== undefined && own.lane.name === at && this.#fits(at) && this.#mayGo(own)) return own
    }
    for (;;) {
      const flow = this.#after(at) ?? (at === undefined ? undefined : this.#after(undefined))
      if (flow === undefined || this.#mayGo(flow)) return flow
      if (--budget.left <= 0) return undefined
    }
  }

  /** A message of a lane was delivered. */
  took(flow: Flow): void {
    const { turn } = this
    const { lane } = flow
    const { weight = 1, rate } = this.limitsOf(flow)
    if (turn.at !== lane.name || turn.left === 0) {
      turn.at = lane.name
      turn.left = weight
    }
    turn.left--
    if (rate !== undefined) takeToken(flow, rate, this.#book.now)
  }

  #fits(name: string): boolean {
    const only = this.#only
    if (only === undefined) return true
    return name !== '' && (typeof only === 'string' ? name.startsWith(only) : only.includes(name))
  }

  /** The first lane behind a name that has something and that the claim takes from. */
  #after(name: string | undefined): Flow | undefined {
    const { ring } = this.#group
    const only = this.#only
    if (only === undefined) return name === undefined ? ring.first : ring.after({ name })
    if (typeof only === 'string') {
      const from = name === undefined || byName({ name }, { name: only }) < 0 ? undefined : { name }
      const flow =
        from === undefined ? (ring.get({ name: only }) ?? ring.after({ name: only })) : ring.after(from)
      const found = flow?.lane.name === '' ? ring.after({ name: '' }) : flow
      return found?.lane.name.startsWith(only) === true ? found : undefined
    }
    for (const one of only) {
      if (name !== undefined && byName({ name: one }, { name }) <= 0) continue
      const flow = one === '' ? undefined : ring.get({ name: one })
      if (flow !== undefined) return flow
    }
    return undefined
  }

  /** Whether a lane may give something. Otherwise it rests. */
  #mayGo(flow: Flow): boolean {
    const book = this.#book
    const { group, lane, leased } = flow
    if (!hasReady(flow)) {
      book.rest(flow)
      return false
    }
    if (lane.holds !== undefined && !letGo(holdsOfLane(lane, group.name), group))
      return this.#rest(flow, undefined)
    const { concurrency = Infinity, rate } = this.limitsOf(flow)
    if (leased >= concurrency) return this.#rest(flow, book.now + MAX_REST_MS)
    const at = rate === undefined ? 0 : tokenAt(flow, rate, book.now)
    flow.woken = false
    if (at <= book.now) return true
    flow.waits ||= book.now
    return this.#rest(flow, Math.min(at, flow.waits + MAX_REST_MS))
  }

  #rest(flow: Flow, until: number | undefined): false {
    const book = this.#book
    book.rest(flow)
    flow.resting = true
    if (until === undefined) return false
    flow.order = until
    flow.tie = ++book.ties
    flow.group.timers.add(flow)
    return false
  }
}

function turnOf({ token }: Group, position: string | undefined): Turn {
  try {
    const [of, at, left] = JSON.parse(position!) as unknown[]
    if (of === token && typeof at === 'string' && typeof left === 'number') return { at, left }
  } catch {
    // Not one of this queue.
  }
  return { at: undefined, left: 0 }
}

/** Where turns of a group go on. */
export function positionOf({ token }: Group, { at, left }: Turn): string {
  return JSON.stringify([token, at, left])
}

const limits: WeakMap<LaneRules, Map<string, LaneLimits>> = new WeakMap()

/** Rules are given again and again, and nobody changes them. */
function remembered(rules: LaneRules, lane: string): LaneLimits {
  let known = limits.get(rules)
  if (known === undefined || known.size > MOST_LIMITS) limits.set(rules, (known = new Map()))
  let found = known.get(lane)
  if (found === undefined) known.set(lane, (found = limitsOf(rules, lane)))
  return found
}
