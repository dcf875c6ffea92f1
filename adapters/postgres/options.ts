/** How queues lie in PostgreSQL. */
export interface PostgresOptions {
  /**
   * The schema in which the tables are, which is made if it is not there. Who listens for news listens on a channel of the same
   * name.
   *
   * @defaultValue `'quayside'`
   */
  readonly schema?: string | undefined
  /**
   * Whether claims and settlements wait for the disk of the server, and its replicas, as sends do: as its `synchronous_commit` says.
   * Without it a crash of the server may bring messages back that were acked in the second before.
   *
   * @defaultValue `false`
   */
  readonly strictAcks?: boolean | undefined
  /**
   * How long a call waits for a connection, and for others to be done with the queue, in ms, before it rejects with
   * `STORAGE_UNAVAILABLE` or `TIMEOUT`. A server that answers nothing for twice as long is given up on.
   *
   * @defaultValue 30,000
   */
  readonly timeoutMs?: number | undefined
  /** All who use the database must read the same clock. @defaultValue that of the server */
  readonly clock?: { now(): number } | undefined
}

export const DEFAULT_SCHEMA = 'quayside'
export const DEFAULT_TIMEOUT_MS = 30_000
