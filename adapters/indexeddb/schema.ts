import type { DBSchema, IDBPDatabase } from 'idb'
import { TABLES, type Table } from '../../src/segments/store.ts'

/** The parts of a key, the first of which is the name of the queue. */
export type StoredKey = (string | number)[]

/** One object store for each table of the engine. All queues share them: their keys begin with the queue's name. */
type Tables = { readonly [T in Table]: { readonly key: StoredKey; readonly value: unknown } }

export interface Schema extends DBSchema, Tables {
  /**
   * Space that is given up when the quota is used up. Without it a full origin could not even be emptied: a claim writes
   * some bytes before an ack frees them.
   */
  readonly ballast: { readonly key: number; readonly value: Uint8Array }
}

export type Database = IDBPDatabase<Schema>

/** To be raised with each new table. While a page of an older version is open, the newer one has it close its connection. */
export const VERSION = 4

export const TABLE_NAMES = Object.keys(TABLES) as Table[]

/** Makes what is missing, and keeps every row. */
export function upgrade(database: Database): void {
  for (const store of [...TABLE_NAMES, 'ballast'] as const) {
    if (!database.objectStoreNames.contains(store)) database.createObjectStore(store)
  }
}
