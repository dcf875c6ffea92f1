/** How a storage in SQLite stores. */
export interface SQLiteOptions {
  /**
   * What a send waits for: `'full'`, for the disk, so that it survives a power cut; `'normal'`, for the operating system, so
   * that it survives the end of the process. They are the words of `PRAGMA synchronous`.
   *
   * @defaultValue `'full'`
   */
  readonly durability?: 'full' | 'normal' | undefined
  /**
   * Whether claims and settlements wait as sends do. Without it a power cut may bring messages back that were acked a
   * moment before.
   *
   * @defaultValue `false`
   */
  readonly strictAcks?: boolean | undefined
  /**
   * How long a call waits, in ms, while another connection has the file locked, before it rejects with `TIMEOUT`.
   *
   * @defaultValue 30,000
   */
  readonly timeoutMs?: number | undefined
  /** All processes on one file must read the same clock. @defaultValue `Date` */
  readonly clock?: { now(): number } | undefined
}
