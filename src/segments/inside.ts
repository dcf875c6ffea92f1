/** What adapters of the house use of the engine, besides what everybody can: fs mends what a broken disk left, and all write the same bytes. */
export { keyBytes, keyOf } from './bytes/key-bytes.ts'
export { pack, type Packed, unmark, unpack } from './bytes/packed.ts'
export { isLater, joinBytes } from './bytes/parts.ts'
export { byteRow, inboxBounds } from './bytes/rows.ts'
export { mend } from './mend.ts'
export { addDoubts, type Doubts, doubtsBetween, type Remains, soughtInLog } from './remains.ts'
export type { GroupRow } from './rows.ts'
