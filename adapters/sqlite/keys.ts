import { type Key, type KeyRange, type Table, TABLES } from '../../src/segments/store.ts'
import { keyBytes, keyOf } from '../durable-object/key-bytes.ts'

const NUMBERS = Object.fromEntries(Object.keys(TABLES).map((name, i) => [name, i + 1])) as Record<
  Table,
  number
>

/** Before the key itself: the number of the queue, and that of the table. */
const PREFIX_BYTES = 5

/** The key of a row among all rows of the file. With `behind`, what comes right after all keys that start with it. */
export function rowKey(queue: number, table: Table, key: Key, behind?: boolean): Uint8Array {
  const own = keyBytes(key, behind)
  const bytes = new Uint8Array(PREFIX_BYTES + own.length)
  new DataView(bytes.buffer).setUint32(0, queue)
  bytes[4] = NUMBERS[table]
  bytes.set(own, PREFIX_BYTES)
  return bytes
}

/** From, and up to but without. */
export function rowBounds(
  queue: number,
  table: Table,
  { lower = [], upper = [] }: KeyRange,
): [from: Uint8Array, to: Uint8Array] {
  return [rowKey(queue, table, lower), rowKey(queue, table, upper, true)]
}

/** The key as its table has it. */
export function keyOfRow(bytes: Uint8Array): Key {
  return keyOf(bytes.subarray(PREFIX_BYTES))
}
