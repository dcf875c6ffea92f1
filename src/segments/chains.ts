import { owned } from './bodies.ts'
import type { Blocked, ChainRow } from './rows.ts'
import { noteLeaving } from './waiting.ts'
import type { Group } from './work.ts'

/** Blocks messages behind their key. */
export function block(group: Group, key: string, chain: ChainRow): void {
  putChain(
    group,
    key,
    chain.at(-1)![0],
    chain.map(([seq, message]): Blocked => [seq, owned(group, seq, message)]),
  )
  for (const [seq, message] of chain) noteLeaving(group, seq, message)
  group.row.blocked += chain.length
  group.changed = true
}

/** Writes a chain row, or deletes it if nothing is left of it. */
export function putChain(group: Group, key: string, row: number, chain: ChainRow): void {
  const { tx } = group.work
  const at = [group.name, key, row]
  if (chain.length > 0) tx.put('chain', at, chain)
  else tx.delete('chain', at)
}
