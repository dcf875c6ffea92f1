import type { Argument, Connection } from './connection.ts'

/** What is asked of a client besides, where it speaks over sockets. */
export interface Sockets extends Connection {
  /** Asks each node of a cluster that can be reached. */
  ask(args: readonly Argument[]): Promise<readonly PromiseSettledResult<unknown>[]>
  /** Opens a connection of its own to listen on. */
  listen(ears: Ears): Promise<Listening>
}

export interface Ears {
  readonly heard: (channel: string, message: string) => void
  /** The connection is up, perhaps again. */
  readonly ready: () => void
  /** It will not come back by itself. */
  readonly lost: () => void
}

export interface Listening {
  subscribe(channel: string): Promise<unknown>
  ping(): Promise<unknown>
  close(): void
}
