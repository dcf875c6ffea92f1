/** What the tests use of it: the package brings no types. */
declare module 'better-sqlite3' {
  export interface Statement {
    run(...values: unknown[]): RunResult
    get(...values: unknown[]): unknown
    all(...values: unknown[]): unknown[]
    pluck(): Statement
    readonly reader: boolean
    iterate(...values: unknown[]): IterableIterator<unknown>
  }
  export interface RunResult {
    readonly changes: number
    readonly lastInsertRowid: number | bigint
  }
  export type Options = object
  export class Database {
    constructor(path: string, options?: Options)
    readonly inTransaction: boolean
    exec(sql: string): this
    prepare(sql: string): Statement
    transaction<A extends unknown[], R>(body: (...values: A) => R): (...values: A) => R
    defaultSafeIntegers(toggle?: boolean): this
    close(): void
  }
  export default Database
}
