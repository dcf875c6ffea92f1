/** A part of a key. */
export type Part = string | number
export type Key = readonly (string | number)[]

/** What is known besides messages: each kind of row has its letter. */
export interface Row {
  readonly k: Key
  /** Where it stands in lines: see {@link Book.line}. */
  lines?: Key[] | undefined
}

/** One transaction on the stores of a queue. Writes take effect with it; nobody waits for their answers. */
export class Rows {
  readonly isReadonly: boolean
  readonly messages: IDBObjectStore
  readonly rows: IDBObjectStore
  /** Has the one row of the queue as a whole, which each step reads and most write: it stands apart from those that are looked for in lines. */
  readonly queue: IDBObjectStore

  constructor(work: IDBTransaction) {
    this.isReadonly = work.mode === 'readonly'
    this.messages = work.objectStore('messages')
    this.rows = work.objectStore('rows')
    this.queue = work.objectStore('queue')
  }
}

type Source = IDBObjectStore | IDBIndex

export function get<T>(source: Source, key: Key | Part): Promise<T | undefined> {
  return answer(source.get(key as IDBValidKey)) as Promise<T | undefined>
}

export function all<T>(source: Source, range: IDBKeyRange, limit: number): Promise<T[]> {
  return answer(source.getAll(range, limit)) as Promise<T[]>
}

/** Adds a message. Answers with the number that it has, or was given. */
export function add(messages: IDBObjectStore, message: object): Promise<number> {
  return answer(messages.add(message)) as Promise<number>
}

export function answer<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.addEventListener('success', () => resolve(request.result))
    request.addEventListener('error', () => reject(request.error!))
  })
}

/** All keys that begin so. */
export function under(start: Key): IDBKeyRange {
  return IDBKeyRange.bound(start, [...start, []])
}

/** What sorts first behind a name. */
export function after(name: string): string {
  return `${sortable(name)}\0`
}

/** Has strings sort by their code points, as UTF-8 does: keys sort by halves of pairs, which then come last. */
export function sortable(name: string): string {
  return name.replace(/[\ud800-\uffff]/g, (unit) => {
    const code = unit.charCodeAt(0)
    return String.fromCharCode(code < 0xe000 ? code + 0x2000 : code - 0x800)
  })
}
