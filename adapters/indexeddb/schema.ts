/** What a database has. */
export interface Schema {
  /** To be raised with each change. While a page of an older version is open, the newer one has it close its connection. */
  readonly version: number
  readonly stores: readonly string[]
  /** It is the first that is opened. */
  readonly isFirst: boolean
  /** Makes what is missing, and keeps every row. */
  upgrade(database: IDBDatabase): void
}

/**
 * The database that everybody opens first. Space is kept back in it that is given up when the quota is used up. Without it a
 * full origin could not even be emptied: a claim writes some bytes before an ack frees them.
 */
export const FIRST: Schema = {
  version: 5,
  stores: ['ballast'],
  isFirst: true,
  upgrade(database) {
    for (const name of database.objectStoreNames) if (name !== 'ballast') database.deleteObjectStore(name)
    if (!database.objectStoreNames.contains('ballast')) database.createObjectStore('ballast')
  },
}

/** Each queue has a database of its own: numbers are given by the browser for each store. */
export const QUEUE: Schema = {
  version: 1,
  stores: ['messages', 'rows', 'queue'],
  isFirst: false,
  upgrade(database) {
    const messages = database.createObjectStore('messages', { keyPath: 'n', autoIncrement: true })
    messages.createIndex('u', 'u', { unique: true, multiEntry: true })
    messages.createIndex('l', ['l', 'n'])
    messages.createIndex('x', ['x', 'n'])
    messages.createIndex('d', ['d', 't'])
    database.createObjectStore('rows', { keyPath: 'k' }).createIndex('lines', 'lines', { multiEntry: true })
    database.createObjectStore('queue')
  },
}

/** What stands in no name of a database: the sign before those that do not, the slash, and what Firefox takes no name with. */
const TAKEN = /[%/\ufffe\uffff]/g

/** The name of the database of a queue: the last slash of it tells the two names apart. */
export function databaseOf(database: string, queue: string): string {
  return `${database}/${queue.replace(TAKEN, encodeURIComponent)}`
}

/** The queue that a database is of, if it is of one. */
export function queueOf(database: string, name: string): string | undefined {
  const at = name.lastIndexOf('/')
  if (at < 0 || name.slice(0, at) !== database) return undefined
  return name.slice(at + 1).replace(/%25|%2F|%EF%BF%B[EF]/g, decodeURIComponent)
}
