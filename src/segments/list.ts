import type { ListQuery, ListedMessage, MessageState, Page } from '../storage.ts'
import { type Found, find } from './find.ts'
import { type Group, type Place, imagineGroup, loadGroup } from './group.ts'
import {
  type ChainRow,
  type DeadRow,
  type Segment,
  type SideRow,
  type Single,
  type Stored,
  type DeliverRow,
  type TimerKey,
  DELIVER,
} from './rows.ts'
import { lastOf, lengthOf, messageAt } from './segment.ts'
import { type Key, type KeyRange, type Row, type Table, compareKeys } from './store.ts'
import { ALL, type Work } from './work.ts'

/**
 * The places where messages of a group are, in the order in which `list` shows them. A cursor names the section, and
 * where to go on in it.
 */
const SECTIONS = { leased, waiting, parked, ahead, delayed, dead } as const
type Section = keyof typeof SECTIONS
const ORDER = Object.keys(SECTIONS) as Section[]

/** Rows read at once. */
const ROWS = 64

interface Listing {
  readonly work: Work
  readonly group: Group
  readonly limit: number
  readonly wants: (state: MessageState) => boolean
  readonly messages: ListedMessage[]
}

/** Looks at messages of a group. Writes nothing. */
export function list(work: Work, query: ListQuery): Page {
  const group = loadGroup(work, query.group) ?? imagineGroup(work, query.group, 'earliest')
  work.tick(group)
  const { states } = query
  const wants = (state: MessageState): boolean =>
    states === undefined ? state !== 'dead' : states.includes(state)
  const listing: Listing = { work, group, limit: query.limit, wants, messages: [] }
  if (query.ids !== undefined) return listIds(listing, [...new Set(query.ids)], query.cursor)
  let [section, after] = readCursor(query.cursor)
  for (let at = ORDER.indexOf(section); at < ORDER.length; at++) {
    section = ORDER[at]!
    const stopped: Key | undefined = SECTIONS[section](listing, after)
    after = undefined
    if (stopped !== undefined)
      return { messages: listing.messages, cursor: JSON.stringify([section, stopped]) }
  }
  return { messages: listing.messages }
}

/** Shows one message, if it is wanted. Answers whether the page is full. */
function show(listing: Listing, message: Stored, rest: ListedRest): boolean {
  if (listing.wants(rest.state)) {
    const { id, body, headers, key, at, maxAttempts } = message
    listing.messages.push({ id, body, headers, key, timestamp: at, maxAttempts, ...rest })
  }
  return listing.messages.length >= listing.limit
}

type ListedRest = Omit<ListedMessage, 'id' | 'body' | 'headers' | 'key' | 'timestamp' | 'maxAttempts'>

function readCursor(cursor: string | undefined): [Section, Key | undefined] {
  if (cursor === undefined) return ['leased', undefined]
  try {
    const [section, after] = JSON.parse(cursor) as [Section, Key]
    if (ORDER.includes(section)) return [section, after]
  } catch {
    // An unknown cursor is the end of the list: see contract 1 on absence.
  }
  return ['dead', MAX]
}

/** Behind every seq. */
const MAX = Number.MAX_VALUE

/** Visits the rows of a range, some at a time, until a visit answers with where to stop. */
function walk<V>(
  work: Work,
  table: Table,
  range: KeyRange,
  visit: (key: Key, value: V) => Key | undefined,
): Key | undefined {
  let rows: readonly Row<V>[] = work.tx.range<V>(table, range, ROWS)
  for (;;) {
    for (const [key, value] of rows) {
      const stopped = visit(key, value)
      if (stopped !== undefined) return stopped
    }
    const last = rows.at(-1)
    if (last === undefined || rows.length < ROWS) return undefined
    // The bound is inclusive: one row more, without the first.
    rows = work.tx.range<V>(table, { ...range, lower: last[0] }, ROWS + 1).slice(1)
  }
}

function isExpired({ work }: Listing, message: Stored): boolean {
  return message.expires !== undefined && message.expires <= work.now
}

// Each section shows messages behind `after`, and answers with where it stopped, if the page got full.

function leased(listing: Listing, after: Key = 0): Key | undefined {
  if (!listing.wants('leased') && !listing.wants('ready')) return undefined
  const { group, work } = listing
  const leases: { first: number; last: number; until: number; attempt: number; single?: Single }[] = [
    ...group.row.runs,
    ...group.row.singles.map((single) => ({ ...single, first: single.seq, last: single.seq, single })),
  ].sort((a, b) => a.first - b.first)
  for (const { first, last, until, attempt, single } of leases) {
    for (let seq = Math.max(first, (after as number) + 1); seq <= last; seq++) {
      const message = single === undefined ? work.logMessage(seq) : group.messageOf(single)
      if (message === undefined) continue
      if (show(listing, message, leasedRest(work, until, attempt))) return seq
    }
  }
  return undefined
}

function leasedRest(work: Work, until: number, attempt: number): ListedRest {
  const left = until - work.now
  return left > 0 ? { state: 'leased', attempt, nextInMs: left } : { state: 'ready', attempt }
}

function waiting(listing: Listing, after?: Key): Key | undefined {
  if (!listing.wants('ready') && !listing.wants('delayed')) return undefined
  const { group, work } = listing
  const { name } = group
  return walk<string | 0>(work, 'due', { lower: after ?? [name], upper: [name] }, (key, ordering) => {
    if (after !== undefined && compareKeys(key, after) === 0) return undefined
    const [, at, seq] = key as [string, number, number]
    const side = work.tx.get<SideRow>('side', [name, ordering === 0 ? seq : ordering])
    const message = side && group.sideMessage(side, ordering === 0 ? undefined : ordering)
    if (message === undefined || isExpired(listing, message)) return undefined
    return show(listing, message, waitingRest(work, side!, at)) ? key : undefined
  })
}

function waitingRest(work: Work, side: SideRow, at: number): ListedRest {
  const rest = { attempt: side.attempt, lastError: side.error }
  return at > work.now ? { state: 'delayed', nextInMs: at - work.now, ...rest } : { state: 'ready', ...rest }
}

function parked(listing: Listing, after?: Key): Key | undefined {
  if (!listing.wants('blocked')) return undefined
  const { group, work } = listing
  const { name } = group
  const [, , lastRow, lastIndex = -1] = (after as [string, string, number, number] | undefined) ?? []
  const lower = after === undefined ? [name] : (after as readonly (string | number)[]).slice(0, 3)
  return walk<ChainRow>(work, 'chain', { lower, upper: [name] }, (key, chain) => {
    const [, ordering, row] = key as [string, string, number]
    const head = group.headOf(ordering)
    const shown = row === lastRow && compareKeys(key, lower) === 0 ? lastIndex : -1
    const done = head?.row === row ? head.index! : -1
    for (let i = Math.max(shown, done) + 1; i < chain.seqs.length; i++) {
      const message = chain.messages[i]
      if (message === undefined || isExpired(listing, message)) continue
      if (show(listing, message, { state: 'blocked', attempt: 0 })) return [name, ordering, row, i]
    }
    return undefined
  })
}

function ahead(listing: Listing, after: Key = 0): Key | undefined {
  if (!listing.wants('ready')) return undefined
  const { group, work } = listing
  for (let from = Math.max(group.row.cursor, (after as number) + 1); from < work.queue.tail;) {
    const rows = work.tx.range<Segment>('log', { lower: from }, 4)
    if (rows.length === 0) return undefined
    for (const [, segment] of rows) {
      const amendments = work.amendments(segment.first, lastOf(segment))
      for (let i = Math.max(0, from - segment.first); i < lengthOf(segment); i++) {
        const seq = segment.first + i
        const amendment = amendments?.get(seq)
        if (amendment?.gone) continue
        const message = amendment?.message ?? messageAt(segment, i)
        if (isExpired(listing, message)) continue
        if (show(listing, message, { state: 'ready', attempt: 0 })) return seq
      }
      from = lastOf(segment) + 1
    }
  }
  return undefined
}

function delayed(listing: Listing, after?: Key): Key | undefined {
  if (!listing.wants('delayed') && !listing.wants('ready')) return undefined
  const { work } = listing
  const [, lastAt, lastNumber, lastIndex = -1] = (after as readonly number[] | undefined) ?? []
  const lower = after === undefined ? [DELIVER] : [DELIVER, lastAt!, lastNumber!]
  return walk<DeliverRow>(work, 'timers', { lower, upper: [DELIVER] }, (key, { segment }) => {
    const [, at, number] = key as TimerKey
    const shown = at === lastAt && number === lastNumber ? lastIndex : -1
    for (let i = shown + 1; i < lengthOf(segment); i++) {
      const message = messageAt(segment, i)
      if (isExpired(listing, message)) continue
      if (show(listing, message, delayedRest(work, at))) return [DELIVER, at, number, i]
    }
    return undefined
  })
}

function delayedRest(work: Work, at: number): ListedRest {
  return at > work.now
    ? { state: 'delayed', attempt: 0, nextInMs: at - work.now }
    : { state: 'ready', attempt: 0 }
}

function dead(listing: Listing, after: Key = 0): Key | undefined {
  if (!listing.wants('dead')) return undefined
  const { group, work } = listing
  const { name } = group
  return walk<DeadRow>(work, 'dead', { lower: [name, after as number], upper: [name] }, (key, letter) => {
    const seq = (key as [string, number])[1]
    if (seq === after) return undefined
    return show(listing, letter.message, deadRest(group, seq, letter)) ? seq : undefined
  })
}

function deadRest(group: Group, seq: number, letter: DeadRow): ListedRest {
  return {
    state: 'dead',
    attempt: letter.attempt,
    lastError: letter.error,
    reason: letter.reason,
    deadAt: letter.at,
    receipt: `${group.receipt(letter.fence, seq)}!`,
  }
}

/**
 * Shows given messages, each by its id: the dead letter of that id, and then the message, if it was sent again. The cursor
 * counts both.
 */
function listIds(listing: Listing, ids: readonly string[], cursor = '0'): Page {
  const { messages } = listing
  const letters = listing.wants('dead') ? findDead(listing, ids) : undefined
  const end = 2 * ids.length
  for (let i = /^\d+$/.test(cursor) ? Number(cursor) : end; i < end; i++) {
    const id = ids[i >> 1]!
    const full =
      i % 2 === 0 ? showLetter(listing, letters?.get(id)) : showFound(listing, find(listing.work, id))
    if (full && i + 1 < end) return { messages, cursor: String(i + 1) }
  }
  return { messages }
}

function showLetter(listing: Listing, letter: [seq: number, row: DeadRow] | undefined): boolean {
  return letter !== undefined && show(listing, letter[1].message, deadRest(listing.group, ...letter))
}

function showFound(listing: Listing, found: Found | undefined): boolean {
  const { group, work } = listing
  if (found === undefined) return false
  if ('timer' in found) {
    const message = messageAt(found.segment, found.index)
    return !isExpired(listing, message) && show(listing, message, delayedRest(work, found.timer[1]))
  }
  const place = group.locate(found.seq, found.key)
  const message = place && group.messageAt(place, found.seq)
  return message !== undefined && showPlace(listing, place!, message)
}

function showPlace(listing: Listing, place: Place, message: Stored): boolean {
  const { work, group } = listing
  if (place.at === 'run' || place.at === 'single') {
    const { until, attempt } =
      place.at === 'run' ? group.row.runs[place.index]! : group.row.singles[place.index]!
    return show(listing, message, leasedRest(work, until, attempt))
  }
  if (isExpired(listing, message)) return false
  if (place.at === 'side') return show(listing, message, waitingRest(work, place.side, place.side.at))
  return show(listing, message, { state: place.at === 'chain' ? 'blocked' : 'ready', attempt: 0 })
}

/** Dead letters of given ids. There is no index of these: they are few, and looked for by hand. */
function findDead({ work, group }: Listing, ids: readonly string[]): ReadonlyMap<string, [number, DeadRow]> {
  const wanted = new Set(ids)
  const letters = new Map<string, [number, DeadRow]>()
  if (group.row.dead === 0) return letters
  const { name } = group
  for (const [key, letter] of work.tx.range<DeadRow>('dead', { lower: [name], upper: [name] }, ALL)) {
    if (wanted.has(letter.message.id)) letters.set(letter.message.id, [(key as [string, number])[1], letter])
  }
  return letters
}
