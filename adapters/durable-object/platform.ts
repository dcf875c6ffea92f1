/** What is used here of Cloudflare's runtime: parts of the types of `@cloudflare/workers-types`, under names of our own. */

export type SqlValue = ArrayBuffer | Uint8Array | string | number | null

export interface SqlCursor {
  raw(): Iterable<SqlValue[]>
}

export interface Sql {
  exec(query: string, ...bindings: SqlValue[]): SqlCursor
  /** In bytes, without those that deletions left behind. */
  readonly databaseSize: number
}

export interface ObjectStorage {
  readonly sql: Sql
  transactionSync<T>(body: () => T): T
  getAlarm(): Promise<number | null>
  setAlarm(time: number): Promise<void>
  deleteAlarm(): Promise<void>
  deleteAll(): Promise<void>
}

export interface ObjectState {
  readonly id: { readonly name?: string | undefined }
  readonly storage: ObjectStorage
  blockConcurrencyWhile<T>(body: () => Promise<T>): Promise<T>
  acceptWebSocket(socket: ObjectSocket, tags?: string[]): void
  getWebSockets(tag?: string): ObjectSocket[]
}

/** A WebSocket of the runtime, on either side. */
export interface ObjectSocket {
  accept(): void
  send(message: string): void
  close(): void
  addEventListener(type: 'message' | 'close' | 'error', listener: (event: object) => void): void
}

/** Makes two WebSockets that are connected with each other. */
export type ObjectSocketPair = new () => Readonly<Record<0 | 1, ObjectSocket>>

/** A binding to Durable Objects: any `DurableObjectNamespace`. */
export interface ObjectNamespace {
  idFromName(name: string): object
  get(id: never, options?: { locationHint?: never }): object
}
