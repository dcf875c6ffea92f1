/** Something that happened to the database and is no error of any call. */
export type IndexedDBEvent =
  /** The user or the browser deleted the data of this site while it was in use: the queues are empty now, and work. */
  | { readonly type: 'cleared'; readonly database: string }
  /**
   * The browser found its files damaged and began anew, without anything that this origin had stored: the queues are
   * empty now, and work. Only Chromium says so.
   */
  | { readonly type: 'damaged'; readonly database: string }
  /** The browser broke the connection; it is opened again with the next call. */
  | { readonly type: 'connection-lost'; readonly database: string }
  /** The origin's quota is used up: appends are refused, the rest goes on in the space that was kept back. */
  | { readonly type: 'full'; readonly database: string }

/** How a storage in IndexedDB stores, and where. */
export interface IndexedDBOptions {
  /** The name of the database. Adapters of one origin that name the same one share its queues. @defaultValue 'quayside' */
  readonly database?: string | undefined
  /**
   * What a send waits for: `'strict'`, for the disk, so that it survives a power cut; `'relaxed'`, for the operating
   * system, so that it survives the end of the browser, at twice the speed.
   *
   * @defaultValue `'strict'`
   */
  readonly durability?: 'strict' | 'relaxed' | undefined
  /**
   * Whether claims and settlements wait as sends do. Without it a power cut may bring messages back that were acked a
   * moment before.
   *
   * @defaultValue `false`
   */
  readonly strictAcks?: boolean | undefined
  /** How long to wait for the database, in ms, before a call rejects with `TIMEOUT`; `Infinity`: for ever. @defaultValue 10,000 */
  readonly timeoutMs?: number | undefined
  /** @defaultValue `Date` */
  readonly clock?: { now(): number } | undefined
  /** Told what happened; must not throw. @defaultValue nobody is told */
  readonly onEvent?: ((event: IndexedDBEvent) => void) | undefined
}
