import { type PostgresServer, startPostgres } from '../postgres/support/server.ts'
import { type RedisServer, startRedis } from '../redis/support/server.ts'
import { type Front, startFront } from '../redis-http/support/front.ts'

/** The servers that tests need, each started by the first of them: to start one costs more than most of what is done there. */
export class Servers {
  #postgres: Promise<PostgresServer> | undefined
  #redis: Promise<RedisServer> | undefined
  #front: Promise<Front> | undefined

  postgres(): Promise<PostgresServer> {
    return (this.#postgres ??= startPostgres({ fsync: false }))
  }

  redis(): Promise<RedisServer> {
    return (this.#redis ??= startRedis())
  }

  /** A REST API of the Redis. */
  front(): Promise<Front> {
    return (this.#front ??= this.redis().then(({ url }) => startFront(url)))
  }

  /** Ends those that run. */
  async stop(): Promise<void> {
    for (const starting of [this.#front, this.#redis, this.#postgres])
      await (await starting?.catch(() => undefined))?.stop()
  }
}
