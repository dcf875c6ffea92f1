import { isLong } from './bodies.ts'
import type { Remains } from './remains.ts'
import type { Amendment, ChainRow, DeadRow, Delayed, LongBody, Segment, SideRow, Stored } from './rows.ts'
import { bodyAt, draftsOf, lengthOf, makeSegments } from './segment.ts'
import { type Key, type KeyRange, type Table, DEFAULT_LIMITS, compareKeys, isBehind } from './store.ts'
import type { Body } from '../storage.ts'

const GONE: Amendment = { gone: true }

/** What is left of a queue in which long bodies may be lost: messages that lost theirs are as good as lost, and others whole. */
export function withBodies(remains: Remains): Remains {
  const left = new Set(
    (['bodies', 'copies'] as const).flatMap((table) => remains.keys(table, {}).map(nameOf)),
  )
  const has = (body: Body | LongBody): boolean => !isLong(body) || left.has(nameOf(body.at))
  const hasIts = (row: { readonly message?: Stored | undefined }): boolean =>
    row.message === undefined || has(row.message.body)

  // Of the log, as if they had been cancelled.
  const lost = new Set<Key>()
  for (const key of remains.keys('log', {})) {
    const segment = remains.get<Segment>('log', key)!
    for (let i = 0; i < lengthOf(segment); i++) if (!has(bodyAt(segment, i))) lost.add(segment.first + i)
  }

  const get = (table: Table, key: Key): unknown => {
    const row = remains.get<unknown>(table, key)
    if (table === 'amend' && row === undefined) return lost.has(key) ? GONE : undefined
    if (row === undefined) return undefined
    switch (table) {
      case 'amend':
        return hasIts(row as Amendment) ? row : GONE
      case 'side':
      case 'dead':
        return hasIts(row as SideRow | DeadRow) ? row : undefined
      case 'chain': {
        const chain = (row as ChainRow).filter(([, { body }]) => has(body))
        return chain.length > 0 ? chain : undefined
      }
      case 'delayed':
        return delayedWith(row as Delayed, has)
      default:
        return row
    }
  }
  const keys = (table: Table, range: KeyRange): readonly Key[] => {
    const found = remains.keys(table, range)
    if (table === 'amend') {
      const more = [...lost].filter((seq) => isIn(seq, range) && remains.get('amend', seq) === undefined)
      return [...found, ...more].sort(compareKeys)
    }
    return CARRYING.has(table) ? found.filter((key) => get(table, key) !== undefined) : found
  }
  return {
    get: <V>(table: Table, key: Key) => get(table, key) as V | undefined,
    range: (table, range, limit) => remains.range(table, range, limit),
    keys,
    doubts: remains.doubts,
  }
}

const CARRYING: ReadonlySet<Table> = new Set(['side', 'dead', 'chain', 'delayed'])

/** Those of some delayed messages that have their bodies; nothing, if none has. */
function delayedWith(segment: Delayed, has: (body: Body | LongBody) => boolean): Delayed | undefined {
  const drafts = draftsOf(segment)
  const some = drafts.filter(({ body }) => has(body))
  if (some.length === drafts.length) return segment
  let left: Delayed | undefined
  const { timer, lane } = segment
  const limits = { ...DEFAULT_LIMITS, segmentBytes: Infinity, segmentMessages: Infinity }
  makeSegments(some, segment, limits, (one) => void (left = { ...one, timer, lane }))
  return left
}

function isIn(key: Key, { lower, upper }: KeyRange): boolean {
  return (
    (lower === undefined || compareKeys(key, lower) >= 0) && (upper === undefined || !isBehind(key, upper))
  )
}

function nameOf(key: Key): string {
  return JSON.stringify(key)
}
