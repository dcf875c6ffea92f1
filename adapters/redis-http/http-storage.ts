import { RedisStorage, type Settings } from '../redis/adapter.ts'
import { type Endpoint, overHttp } from './http.ts'

const MiB = 1024 * 1024

/** Contract 1 by requests. */
export class HttpStorage extends RedisStorage {
  constructor(endpoint: Endpoint, settings: Settings) {
    super(overHttp(endpoint), {
      ...settings,
      // Services take requests of 10 MB, and JSON is longer than what is in it.
      guarantees: { name: 'redis-http', maxBodyBytes: 4 * MiB, maxBatchBytes: 5 * MiB },
    })
  }
}
