import { allGroups } from './group.ts'
import { inSide, isYetToCome } from './joining.ts'
import { imagineGroup } from './new-group.ts'
import { locate, messageIn, undone } from './places.ts'
import type { Blocked, ChainRow, Joining, SideRow, Stored } from './rows.ts'
import type { Key, KeyRange, Row, Table } from './store.ts'
import { sideKey } from './waiting.ts'
import { type Group, type Work, largeAtOnce } from './work.ts'

/** A group as it would start: what others have outside the log it would take over. */
export function imagined(work: Work, name: string): Group {
  const group = imagineGroup(work, name, 'earliest')
  group.row.joining = { below: group.row.cursor, at: work.now }
  return group
}

const TAKEN_OVER = ['side', 'chain'] as const

/** How far a group has come that takes over. */
function reached({ table, key }: Joining): Key {
  return key === undefined ? [] : [key[0], TAKEN_OVER.indexOf(table!), ...key.slice(1), 0]
}

/** What others have outside the log and a group that starts has yet to take over. */
export function* unjoined(group: Group, from?: Key): Iterable<readonly [message: Stored, point: Key]> {
  const { joining } = group.row
  if (joining === undefined) return
  const { work } = group
  // The point of a message is the name of the other, the table, the key of its row there, and its seq.
  const [name, table, ...point] = (from ?? reached(joining)) as readonly (string | number)[]
  const others = [...allGroups(work)].sort((a, b) => (a.name < b.name ? -1 : 1))
  for (const [i, other] of others.entries()) {
    if (other === group || (name !== undefined && other.name < (name as string))) continue
    for (const [at, of] of TAKEN_OVER.entries()) {
      const isThere = other.name === name && table === at
      if (other.name === name && at < (table as number)) continue
      const lower = [other.name, ...(isThere ? point.slice(0, -1) : [])]
      const before = others.slice(0, i).filter((one) => one !== group)
      const some = ([key, row]: Row<SideRow | ChainRow>): readonly Blocked[] =>
        'seq' in row ? inSide(row) : undone(other, key, row)
      // Those before may have them, too.
      const expect = (rows: readonly Row<SideRow | ChainRow>[]): void =>
        work.tx.expect?.(
          rows
            .flatMap(some)
            .flatMap(([seq, { key }]) => before.map((one) => ['side', sideKey(one, seq, key)])),
        )
      const range = { lower, upper: [other.name] }
      for (const found of rowsOf<SideRow | ChainRow>(work, of, range, 64, expect)) {
        const [key] = found
        for (const [seq, message] of some(found)) {
          if (!isYetToCome(group, seq, message) || !isLive(work, message)) continue
          if (before.some((one) => locate(one, seq, message.key) !== undefined)) continue
          yield [message, [other.name, at, ...(key as readonly string[]).slice(1), seq]]
        }
      }
    }
  }
}

/** One of them. */
export function unjoinedOne(group: Group, seq: number, key: string | undefined): Stored | undefined {
  if (group.row.joining === undefined) return undefined
  for (const other of allGroups(group.work)) {
    const place = other === group ? undefined : locate(other, seq, key)
    const message = place && messageIn(other, place, seq)
    if (message !== undefined && isYetToCome(group, seq, message)) return message
  }
  return undefined
}

/** The rows of a range, some read at a time. */
export function* rowsOf<V>(
  work: Work,
  table: Table,
  range: KeyRange,
  most = 64,
  before?: (rows: readonly Row<V>[]) => void,
): Iterable<Row<V>> {
  const { tx } = work
  const some = largeAtOnce(work, most)
  let rows = tx.range<V>(table, range, some)
  for (;;) {
    before?.(rows)
    yield* rows
    const last = rows.at(-1)
    if (last === undefined || rows.length < some) return
    // The bound is inclusive: one row more, without the first.
    rows = tx.range<V>(table, { ...range, lower: last[0] }, some + 1).slice(1)
  }
}

export function isLive(work: Work, message: Stored | undefined): message is Stored {
  return message !== undefined && (message.expires === undefined || message.expires > work.now)
}
