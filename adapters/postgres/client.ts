import { QuaysideError } from '../../src/errors.ts'

/** How `pg` is asked: rows as arrays, of texts as the server sends them. */
export interface PostgresQuery {
  readonly text: string
  readonly rowMode: 'array'
  readonly types: { getTypeParser(): (value: string) => unknown }
}

/** A client of a {@link PostgresPool}, as `pool.connect()` of `pg` brings it. */
export interface PostgresClient {
  query(query: PostgresQuery): Promise<unknown>
  on(event: 'error' | 'end', listener: (error?: Error) => void): unknown
  on(event: 'notification', listener: (told: { readonly payload?: string | undefined }) => void): unknown
  // oxlint-disable-next-line typescript/no-explicit-any -- As emitters of Node have it.
  removeListener(event: string, listener: (...details: any[]) => void): unknown
  /** `true`: the connection is of no use any more. */
  release(destroy?: boolean): void
}

/** A `Pool` of `pg`, or anything that has its methods. */
export interface PostgresPool {
  connect(): Promise<PostgresClient>
  on?(event: 'error', listener: (error: Error) => void): unknown
  on?(event: 'connect', listener: (client: PostgresClient) => void): unknown
  readonly options?: { readonly max?: number | undefined }
}

/** An embedded PostgreSQL: a `PGlite` of `@electric-sql/pglite`. */
export interface EmbeddedPostgres {
  exec(sql: string, options?: { rowMode: 'array' }): Promise<readonly { readonly rows: unknown[] }[]>
  transaction<T>(body: (tx: EmbeddedTransaction) => Promise<T>): Promise<T>
  listen(channel: string, callback: (payload: string) => void): Promise<() => Promise<void>>
  readonly dataDir?: string | undefined
}

/** A transaction of PGlite, as much of it as is needed. */
export interface EmbeddedTransaction extends Pick<EmbeddedPostgres, 'exec'> {
  query(text: string, values?: unknown[]): Promise<{ readonly rows: readonly object[] }>
}

/**
 * What has a transaction open: a client of `pg`, a transaction of PGlite, or anything that runs a statement in one and answers
 * with its rows.
 */
export interface PostgresTransaction {
  query(text: string): Promise<{ readonly rows: readonly object[] }>
  /** Of a client of `pg`: `T` within a transaction. */
  getTransactionStatus?(): string | null
}

export function isEmbedded(database: PostgresPool | EmbeddedPostgres): database is EmbeddedPostgres {
  const { exec, transaction } = database as Partial<Record<'exec' | 'transaction', unknown>>
  return typeof exec === 'function' && typeof transaction === 'function'
}

/** Refuses what is neither a pool nor embedded, such as a client. */
export function checkDatabase(tried: string, database: unknown): void {
  const { connect, transaction, totalCount } = (database ?? {}) as Partial<Record<string, unknown>>
  if (typeof transaction === 'function' || (typeof connect === 'function' && totalCount !== undefined)) return
  const kind = typeof database === 'object' ? 'another object' : typeof database
  throw refused(tried, `database must be a Pool of pg, or a PGlite, not ${kind}`)
}

/** Refuses what is no transaction, such as the object of a query builder. */
export function checkTransaction(
  tried: string,
  transaction: unknown,
): asserts transaction is PostgresTransaction {
  const { query, getTransactionStatus } = (transaction ?? {}) as Partial<PostgresTransaction>
  if (typeof query !== 'function')
    throw refused(
      tried,
      'needs a client with the method query, on which a transaction is open. For that of a query builder, give an object that runs a text in it: { query: (text) => trx.executeQuery(CompiledQuery.raw(text)) } of Kysely, { query: (text) => tx.execute(sql.raw(text)) } of Drizzle',
    )
  if ('totalCount' in (transaction as object))
    throw refused(
      tried,
      'this is a pool, whose queries run on any of its connections. Give it the client on which the transaction is open',
    )
  const status = getTransactionStatus?.call(transaction)
  if (typeof status === 'string' && status !== 'T') throw refused(tried, noTransaction(status === 'E'))
}

/** What is told where no transaction is open, or one that has failed. */
export function noTransaction(hasFailed: boolean): string {
  return hasFailed
    ? 'the transaction on this client has failed, and can only be rolled back'
    : 'no transaction is open on this client: begin one first'
}

export function refused(tried: string, why: string): QuaysideError {
  return new QuaysideError('INVALID_ARGUMENT', `${tried}: ${why}`)
}
