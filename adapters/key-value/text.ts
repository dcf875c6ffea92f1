import { pack, unmark } from '../../src/segments/inside.ts'
import { type Key, type KeyRange, type Table, TABLES } from '../../src/segments/index.ts'
import { fromBase64, toBase64 } from './base64.ts'
import type { Kept, QueueRows } from './rows.ts'

/**
 * What a commit did, as JSON: for each queue its name and its writes, `[["orders",[table,key,value],…],…]`. A write of two
 * elements removes the row of a key, or those of a range. A fourth one is base64 of the bytes that the value speaks of.
 */
type Written = readonly [table: Table, key: Key | KeyRange, value?: unknown, bytes?: string]

export function putText({ table, key, value }: Kept): string {
  const { text, bytes } = pack(value)
  const rest = bytes === undefined ? '' : `,"${toBase64(bytes)}"`
  return `[${JSON.stringify(table)},${JSON.stringify(key)},${text}${rest}]`
}

export function deleteText(table: Table, key: Key | KeyRange): string {
  return JSON.stringify([table, key])
}

/** The writes of queues, each list with the name of its queue. */
export function commitText(queues: ReadonlyMap<string, readonly string[]>): string {
  return `[${Array.from(queues, ([name, writes]) => `[${[JSON.stringify(name), ...writes].join()}]`).join()}]`
}

/** Does again what a commit did. */
export function replay(text: string, queue: (name: string) => QueueRows): void {
  for (const [name, ...writes] of JSON.parse(text) as readonly (readonly [string, ...Written[]])[]) {
    const rows = queue(name)
    for (const write of writes) {
      const [table, key, value, bytes] = write
      if (!(table in TABLES)) throw new TypeError(`there is no table ${table}`)
      if (write.length > 2) {
        const plain = bytes === undefined ? value : unmark(value, fromBase64(bytes))
        rows.put(table, key as Key, plain, JSON.stringify(write).length)
      } else if (typeof key === 'object' && !Array.isArray(key)) rows.deleteRange(table, key as KeyRange)
      else rows.delete(table, key as Key)
    }
  }
}
