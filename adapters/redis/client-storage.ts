import { Buffer } from 'node:buffer'
import { RedisStorage, type Settings } from './adapter.ts'
import { useBuffers } from './bytes.ts'
import { connect } from './client.ts'
import { Eviction } from './eviction.ts'
import { Watcher } from './watcher.ts'

// The clients take no other bytes.
useBuffers(Buffer)

export interface ClientSettings extends Settings {
  /**
   * How often a connection that only listens is asked whether it is there, for tests.
   *
   * @internal
   */
  readonly pingMs?: number | undefined
  /**
   * How often appends have the servers asked what they evict, for tests.
   *
   * @internal
   */
  readonly freshMs?: number | undefined
}

/** Contract 1 by a client that speaks over sockets. */
export class ClientStorage extends RedisStorage {
  constructor(client: unknown, settings: ClientSettings) {
    const sockets = connect(client)
    super(sockets, settings, {
      watcher: new Watcher(sockets, settings.pingMs),
      eviction: new Eviction(sockets, settings.freshMs),
    })
  }
}
