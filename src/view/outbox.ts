import { mustBeOurs } from '../check.ts'
import { SYSTEM_CLOCK } from '../clock.ts'
import type { ListedMessage } from '../core/index.ts'
import { type Outbox, type OutboxPayload, type StoredRequest, storedRequest } from '../outbox/index.ts'
import { destinationOf, onTrigger } from '../outbox/inside.ts'
import { type Loaded, type View, keep, live, steady } from './live.ts'

/** What an outbox has of the present owner. */
export interface OutboxState {
  /** Requests that go by themselves, now or later, once nothing holds them. */
  readonly waiting: number
  /** Requests under way, in whatever context. */
  readonly sending: number
  /** Requests that the server refused, about which somebody has to decide: see {@link Outbox.resolve}. */
  readonly parked: number
  /** Destinations to which nothing goes before somebody has logged in. */
  readonly held: readonly string[]
  readonly online: boolean
  /** The first 100 of these requests, in the order in which they were made; of more than that all that are parked come first. */
  readonly items: readonly OutboxItem[]
}

/** A request, as a user interface shows it. */
export interface OutboxItem {
  readonly id: string
  /** `retrying`: it has failed, and waits for `nextAt`. `held`: until somebody has logged in. */
  readonly state: 'waiting' | 'sending' | 'retrying' | 'held' | 'parked'
  /** `undefined`, as is `url`: it cannot be read, for want of a key for example. */
  readonly method: string | undefined
  readonly url: string | undefined
  readonly key: string | undefined
  readonly meta: Readonly<Record<string, string>>
  readonly attempts: number
  /** How much of its body has gone, in bytes, where this context sends it and its `fetch` tells so: see `quayside/upload`. */
  readonly progress: { readonly sent: number; readonly total: number } | undefined
  readonly lastError: string | undefined
  /** When it is tried again, or for the first time, by this side's clock, in ms since 1970. */
  readonly nextAt: number | undefined
}

/** An outbox as state that can be subscribed to. */
export type OutboxView = View<OutboxState & Loaded>

const INITIAL: OutboxState & Loaded = {
  waiting: 0,
  sending: 0,
  parked: 0,
  held: [],
  online: true,
  items: [],
  loaded: false,
  error: undefined,
}

const MOST_ITEMS = 100
/** Time may change so much only, in ms: what it does not tell of is not worth looking oftener. */
const LEAST_AGAIN_MS = 1000

type Listed = ListedMessage<OutboxPayload>

/** What is shown of what a message carries, and of which version. */
interface Shown {
  readonly timestamp: number
  readonly request: Pick<StoredRequest, 'method' | 'url'> | undefined
}

const views: WeakMap<Outbox, OutboxView> = new WeakMap()

/**
 * The state of an outbox for user interfaces; of one outbox it is always the same object. It follows what any tab or worker does,
 * within 100 ms. Bodies are read once, and only those of requests that are shown.
 *
 * ```ts
 * const view = outboxView(outbox)
 * const stop = view.subscribe(() => render(view.getSnapshot()))
 * ```
 *
 * @throws {@link QuaysideError} `INVALID_ARGUMENT`.
 */
export function outboxView(outbox: Outbox): OutboxView {
  mustBeOurs('an Outbox', 'held')('outboxView', 'outbox', outbox)
  let view = views.get(outbox)
  if (view === undefined) views.set(outbox, (view = make(outbox)))
  return view
}

function make(outbox: Outbox): OutboxView {
  let known: ReadonlyMap<string, Shown> = new Map()
  const progress = new Map<string, OutboxItem['progress']>()
  return live<OutboxState>({
    initial: INITIAL,
    clock: SYSTEM_CLOCK,
    watch(changed) {
      const unwatch = outbox.watch(({ type, id = '', sent = 0, total = 0 }) => {
        if (type === 'progress') progress.set(id, { sent, total })
        else progress.delete(id)
        changed()
      })
      const unhook = onTrigger(changed)
      return () => {
        unwatch()
        unhook()
        progress.clear()
      }
    },
    async read(last) {
      const all = await allOf(outbox)
      const held = (await outbox.held()).map(({ destination }) => destination)
      const count = (state: Listed['state']): number => all.filter((one) => one.state === state).length
      const [sending, parked] = [count('leased'), count('parked')]
      const shown = firstOf(all)
      known = await requestsOf(outbox, shown, known)
      const before = new Map(last.items.map((item) => [item.id, item]))
      const now = SYSTEM_CLOCK.now()
      const items = shown.map((one) => {
        const old = before.get(one.id)
        const isHeld = one.lane !== undefined && held.includes(destinationOf(one.lane))
        const at = (inMs: number): number => steady(old?.nextAt, inMs, now)
        const item = {
          ...itemOf(one, known.get(one.id)?.request, isHeld, at),
          progress: one.state === 'leased' ? progress.get(one.id) : undefined,
        }
        return old === undefined ? item : keep(old, item)
      })
      const state = {
        waiting: all.length - sending - parked,
        sending,
        parked,
        held: keep(last.held, held),
        online: outbox.online,
        items: keep(last.items, items),
      }
      // Of leases that end, and of delays, nobody tells.
      const nextInMs = Math.min(...all.map((one) => one.nextInMs ?? Infinity))
      return {
        state,
        againInMs: nextInMs === Infinity ? undefined : Math.max(nextInMs, LEAST_AGAIN_MS),
      }
    },
  })
}

async function allOf(outbox: Outbox): Promise<readonly Listed[]> {
  const all: Listed[] = []
  let cursor: string | undefined
  do {
    const page = await outbox.list({ bodies: false, limit: 1000, cursor })
    all.push(...page.messages)
    cursor = page.cursor
  } while (cursor !== undefined)
  return all
}

/** Those to show. Somebody has to see what is parked. */
function firstOf(all: readonly Listed[]): readonly Listed[] {
  const inTime = (a: Listed, b: Listed): number => a.timestamp - b.timestamp || (a.id < b.id ? -1 : 1)
  const rank = ({ state }: Listed): number => (state === 'parked' ? 0 : 1)
  const sorted = all.toSorted((a, b) => rank(a) - rank(b) || inTime(a, b))
  return sorted.slice(0, MOST_ITEMS).sort(inTime)
}

/** What the requests are, read where it is not known yet. */
async function requestsOf(
  outbox: Outbox,
  shown: readonly Listed[],
  known: ReadonlyMap<string, Shown>,
): Promise<ReadonlyMap<string, Shown>> {
  const found = new Map<string, Shown>()
  for (const { id, timestamp } of shown) {
    const old = known.get(id)
    if (old?.timestamp === timestamp && old.request !== undefined) found.set(id, old)
  }
  const ids = shown.flatMap(({ id }) => (found.has(id) ? [] : [id]))
  let cursor: string | undefined
  while (ids.length > 0) {
    const page = await outbox.list({ ids, limit: ids.length, cursor })
    for (const { id, timestamp, payload } of page.messages)
      found.set(id, { timestamp, request: partOf(payload) })
    cursor = page.cursor
    if (cursor === undefined) break
  }
  return found
}

function partOf(payload: OutboxPayload | undefined): Shown['request'] {
  try {
    const { method, url } = storedRequest(payload)
    return { method, url }
  } catch {
    return undefined
  }
}

const STATES = { leased: 'sending', parked: 'parked' } as const

function itemOf(
  { id, key, headers, state, attempt, nextInMs, lastError, parked }: Listed,
  request: Shown['request'],
  isHeld: boolean,
  at: (inMs: number) => number,
): Omit<OutboxItem, 'progress'> {
  const isDelayed = state === 'delayed'
  const idle = isHeld ? 'held' : isDelayed && lastError !== undefined ? 'retrying' : 'waiting'
  const own = Object.entries(headers).filter(([name]) => !name.startsWith('quayside-'))
  return {
    id,
    state: state === 'leased' || state === 'parked' ? STATES[state] : idle,
    method: request?.method,
    url: request?.url,
    key,
    meta: Object.fromEntries(own),
    attempts: attempt,
    lastError: parked?.reason ?? lastError,
    nextAt: isDelayed && nextInMs !== undefined ? at(nextInMs) : undefined,
  }
}
