/** A part of a key. */
export type Part = string | number
export type Key = readonly (string | number)[]

/** What is known besides messages: each kind of row has its letter. */
export interface Row {
  readonly k: Key
  /** Where it stands in lines: see {@link Book.line}. */
  lines?: Key[] | undefined
}

type Source = IDBObjectStore | IDBIndex

/** One transaction on the stores of a queue. Writes take effect with it; nobody waits for their answers. */
export class Rows {
  readonly isReadonly: boolean
  readonly messages: IDBObjectStore
  readonly rows: IDBObjectStore
  readonly #queue: IDBObjectStore
  /** Whether anything was written. */
  wrote = false

  constructor(work: IDBTransaction) {
    this.isReadonly = work.mode === 'readonly'
    this.messages = work.objectStore('messages')
    this.rows = work.objectStore('rows')
    this.#queue = work.objectStore('queue')
  }

  /** The one row of the queue as a whole, which each step reads and most write: it stands apart from those that are looked for in lines. */
  readQueue<T>(): Promise<T | undefined> {
    return this.get<T>(this.#queue, 0)
  }

  putQueue(value: unknown): void {
    this.#queue.put(value, 0)
  }

  get<T>(store: Source, key: IDBValidKey | IDBKeyRange): Promise<T | undefined> {
    return answer(store.get(key)) as Promise<T | undefined>
  }

  all<T>(store: Source, range: IDBKeyRange, limit: number): Promise<T[]> {
    return answer(store.getAll(range, limit)) as Promise<T[]>
  }

  count(store: Source, range: IDBKeyRange): Promise<number> {
    return answer(store.count(range))
  }

  add(value: object): Promise<number> {
    this.wrote = true
    return answer(this.messages.add(value)) as Promise<number>
  }

  put(store: IDBObjectStore, value: object): void {
    this.wrote = true
    store.put(value)
  }

  delete(store: IDBObjectStore, key: IDBValidKey | IDBKeyRange): void {
    this.wrote = true
    store.delete(key)
  }

  /** The last number of a message that is there; 0: there is none. */
  async last(): Promise<number> {
    const cursor = await answer(this.messages.openKeyCursor(null, 'prev'))
    return Math.max(0, (cursor?.primaryKey ?? 0) as number)
  }
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
