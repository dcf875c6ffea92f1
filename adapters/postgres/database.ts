/** What one statement has answered: an array of values a row. */
export type Answer = readonly (readonly unknown[])[]

/** One transaction, on a connection of its own. */
export interface Session {
  /** Runs statements, in one trip; the first ones begin the transaction. */
  run(statements: readonly string[]): Promise<Answer[]>
  /** Runs statements and commits, in one trip. Nothing else is called after that, but `rollback` where it failed. */
  commit(statements: readonly string[]): Promise<Answer[]>
  /** Undoes everything, as far as there is anything. Never rejects. */
  rollback(): Promise<void>
}

/** Somebody who listens. */
export interface Listening {
  /** Rejects where nobody is there any more. */
  ping(): Promise<unknown>
  close(): void
}

/** Hears what is told on a channel, until the connection is lost. */
export type Listen = (
  channel: string,
  heard: (payload: string) => void,
  lost: () => void,
) => Promise<Listening>

/** A database, by a pool of connections or in this process. */
export interface Database {
  /** A transaction that is begun by its first statements. `reads`: of what was committed at one moment. */
  begin(reads: boolean): Session
  /** Runs statements by themselves. */
  run(statements: readonly string[]): Promise<Answer[]>
  /** Absent where no connection can be spared for it. */
  readonly listen?: Listen | undefined
}
