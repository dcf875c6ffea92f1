import { QuaysideError } from '../../src/errors.ts'
import type { KVBinding, KVPage } from './binding.ts'
import type { Settings } from './options.ts'
import type { KVOperations } from './prices.ts'

/** A key is written once a second at most, so a write that failed is tried again after longer than that. */
const RETRY_AFTER_MS = [1100, 2200, 4400]
/** The least that Cloudflare permits. */
const CACHE_SECONDS = 30
const KEYS_PER_READ = 100
/** What a bulk read may answer with, in bytes; a segment alone must not be larger. */
export const BYTES_PER_READ = 25_000_000
/** Connections that an invocation may have at once. */
const AT_ONCE = 6
const LEAST_TTL_SECONDS = 60
/** What lives longer than five years is kept for ever: nobody says how far into the future KV can expire a key. */
const MOST_TTL_SECONDS = 5 * 365 * 86_400

/** A value to be read, and how many bytes it has. */
export interface Wanted {
  readonly key: string
  readonly bytes: number
}

/**
 * The operations of one adapter: counted, bounded and tried again. Each may be repeated without harm, because keys are
 * never written twice.
 */
export class Namespace {
  readonly operations: { -readonly [K in keyof KVOperations]: number } = {
    reads: 0,
    writes: 0,
    deletes: 0,
    lists: 0,
  }
  /** Segments that were claimed, each of which will need an operation to be finished. */
  readonly #reserved: Set<string> = new Set()
  #done = 0
  readonly #binding: KVBinding
  readonly #settings: Settings

  constructor(binding: KVBinding, settings: Settings) {
    this.#binding = binding
    this.#settings = settings
  }

  /** How many operations are left for something new. */
  get left(): number {
    return this.#settings.maxOperations - this.#done - this.#reserved.size
  }

  /** Refuses something new that needs so many operations. Nothing was done yet. */
  require(tried: string, count: number): void {
    if (this.left < count) throw this.#spent(tried)
  }

  reserve(key: string): void {
    this.#reserved.add(key)
  }

  release(key: string): void {
    this.#reserved.delete(key)
  }

  #spent(tried: string): QuaysideError {
    return new QuaysideError(
      'STORAGE_UNAVAILABLE',
      `${tried}: this CloudflareKVAdapter has done ${this.#done} of its ${this.#settings.maxOperations} operations, and Cloudflare permits 1000 to one invocation; go on in another, with a new adapter`,
    )
  }

  put(tried: string, key: string, value: string, metadata: unknown, ttlMs?: number): Promise<void> {
    const seconds = Math.max(LEAST_TTL_SECONDS, Math.ceil((ttlMs ?? Infinity) / 1000))
    const options = { metadata, ...(seconds <= MOST_TTL_SECONDS && { expirationTtl: seconds }) }
    return this.#try(tried, 'writes', 1, 'STORAGE_FAILED', () => this.#binding.put(key, value, options))
  }

  delete(tried: string, key: string): Promise<void> {
    return this.#try(tried, 'deletes', 1, 'STORAGE_FAILED', () => this.#binding.delete(key))
  }

  /** Deletes all, as many at once as may be. If some fail, the others are deleted all the same. */
  async deleteAll(tried: string, keys: readonly string[]): Promise<void> {
    const waiting = [...keys]
    const failures: unknown[] = []
    const work = async (): Promise<void> => {
      for (let key = waiting.pop(); key !== undefined; key = waiting.pop()) {
        await this.delete(tried, key).catch((error: unknown) => failures.push(error))
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, work))
    if (failures.length > 0) throw failures[0] as Error
  }

  list(tried: string, prefix: string, cursor: string | undefined): Promise<KVPage> {
    return this.#try(tried, 'lists', 1, 'STORAGE_UNAVAILABLE', () =>
      this.#binding.list(cursor === undefined ? { prefix } : { prefix, cursor }),
    )
  }

  /** Reads values. What is not there, or not there yet, is missing in the answer. */
  async read(tried: string, wanted: readonly Wanted[]): Promise<Map<string, string>> {
    const values = new Map<string, string>()
    for (let i = 0; i < wanted.length;) {
      const keys: string[] = []
      for (
        let bytes = 0;
        i < wanted.length &&
        keys.length < KEYS_PER_READ &&
        (keys.length === 0 || bytes + wanted[i]!.bytes <= BYTES_PER_READ);
        i++
      ) {
        keys.push(wanted[i]!.key)
        bytes += wanted[i]!.bytes
      }
      const found = await this.#try(tried, 'reads', keys.length, 'STORAGE_UNAVAILABLE', () =>
        this.#binding.get(keys, { type: 'text', cacheTtl: CACHE_SECONDS }),
      )
      for (const [key, value] of found) if (value !== null) values.set(key, value)
    }
    return values
  }

  async #try<T>(
    tried: string,
    kind: keyof KVOperations,
    billed: number,
    code: 'STORAGE_FAILED' | 'STORAGE_UNAVAILABLE',
    run: () => Promise<T>,
  ): Promise<T> {
    const most = this.#settings.maxOperations * 1.1
    if (this.#done >= most) throw this.#spent(tried)
    for (let attempt = 0; ; attempt++) {
      this.#done++
      this.operations[kind] += billed
      try {
        return await run()
      } catch (error) {
        const afterMs = RETRY_AFTER_MS[attempt]
        if (afterMs !== undefined && !isFinal(error) && this.#done < most) {
          await this.#settings.wait(afterMs * (1 + this.#settings.random() / 4))
          continue
        }
        throw new QuaysideError(
          code,
          `${tried}: Workers KV failed ${attempt + 1} times, at last with: ${error instanceof Error ? error.message : String(error)}`,
          { cause: error },
        )
      }
    }
  }
}

/** KV names the HTTP status of what will never succeed: something is too long or too large, or not permitted. */
function isFinal(error: unknown): boolean {
  return error instanceof Error && /\b(400|401|403|413|414)\b/.test(error.message)
}
