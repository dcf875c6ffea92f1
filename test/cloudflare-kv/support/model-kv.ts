import type { KVBinding, KVPage } from '../../../adapters/cloudflare-kv/index.ts'

/** How a namespace lags behind and fails. Times in ms, chances from 0 to 1. */
export interface Lags {
  /** Until the store has a write for those who read past all caches. */
  readonly storageMs: number
  /** How long a place keeps what it has read; absent keys too. */
  readonly readMs: number
  /** How long it takes until the tier behind the places is told of a write. */
  readonly toldMs: number
  /** How long a place keeps a list, and then the tier behind it. */
  readonly listMs: number
  readonly listTierMs: number
  /** How often a place sees its own write at once. */
  readonly ownFresh: number
  /** How often an operation fails; half of the writes that do have been applied. */
  readonly failing: number
}

/** A namespace without caches that never fails. */
export const STRONG: Lags = {
  storageMs: 0,
  readMs: 0,
  toldMs: 0,
  listMs: 0,
  listTierMs: 0,
  ownFresh: 1,
  failing: 0,
}

/** As the documentation and observations have it. */
export const REAL: Lags = {
  storageMs: 3000,
  readMs: 30_000,
  toldMs: 5000,
  listMs: 60_000,
  listTierMs: 60_000,
  ownFresh: 0.97,
  failing: 0,
}

interface Version {
  readonly writtenAt: number
  readonly value: string | null
  readonly metadata: unknown
  readonly expires: number
}

interface Cached<T> {
  readonly value: T
  readonly at: number
}

export const KEYS_PER_PAGE = 1000
/** For how long a deleted key has to be walked over by lists. */
const TOMBSTONE_MS = 600_000
const encoder = new TextEncoder()

export interface Counted {
  reads: number
  writes: number
  deletes: number
  lists: number
}

/** A Workers KV namespace with all its limits, seen from places that lag behind. */
export class ModelKV {
  readonly lags: Lags
  readonly counted: Counted = { reads: 0, writes: 0, deletes: 0, lists: 0 }
  /** Lets time pass in operations, before they take effect. */
  latency: (() => Promise<void>) | undefined
  /** Called before each operation: what it throws, the operation rejects with. */
  before: ((operation: string, keys: readonly string[]) => void) | undefined
  readonly #clock: { now(): number }
  readonly #random: () => number
  readonly #versions: Map<string, Version[]> = new Map()
  /** All keys, deleted ones too, in order. */
  readonly #keys: string[] = []
  readonly #tierReads: Map<string, Cached<Version | undefined>> = new Map()
  readonly #tierLists: Map<string, Cached<KVPage>> = new Map()

  constructor(clock: { now(): number }, lags: Lags = STRONG, random: () => number = Math.random) {
    this.#clock = clock
    this.lags = lags
    this.#random = random
  }

  /** Keys that are there, for those who know all. */
  keys(): string[] {
    return this.#keys.filter((key) => this.#newest(key) !== undefined)
  }

  /** The namespace as one place sees it: an object of its own, as each isolate has one. */
  place(cache: PlaceCache = new PlaceCache()): KVBinding {
    const { now } = { now: () => this.#clock.now() }
    return {
      put: (key, value, options = {}) =>
        this.#operate('put', [key], 'writes', 1, () => {
          const { metadata = null, expirationTtl } = options
          checkKey(key)
          checkWrite(value, metadata, expirationTtl)
          this.#write(cache, key, value, metadata, expirationTtl)
        }),
      delete: (key) =>
        this.#operate('delete', [key], 'deletes', 1, () => {
          checkKey(key)
          this.#write(cache, key, null, null, undefined)
        }),
      get: (keys, { cacheTtl = 60 }) =>
        this.#operate('get', keys, 'reads', keys.length, () => {
          if (keys.length > 100) throw new Error('KV GET_BULK failed: 400 at most 100 keys')
          if (cacheTtl < 30) throw new Error(`KV GET failed: 400 Invalid cache_ttl of ${cacheTtl}`)
          const values = new Map<string, string | null>()
          let bytes = 0
          for (const key of keys) {
            const version = this.#read(cache, key)
            const value = version !== undefined && version.expires > now() ? version.value : null
            values.set(key, value)
            if (value !== null && value.length > 100_000) bytes += encoder.encode(value).length
          }
          if (bytes > 25_000_000) throw new Error('KV GET_BULK failed: 413 more than 25 MB')
          return values
        }),
      list: ({ prefix, cursor }) =>
        this.#operate('list', [prefix ?? ''], 'lists', 1, () =>
          this.#list(cache, prefix ?? '', cursor ?? ''),
        ),
    }
  }

  /** Forgets what caches no longer use, so that long simulations do not fill memory. */
  trim(): void {
    const now = this.#clock.now()
    const { readMs, toldMs, listMs, listTierMs } = this.lags
    for (const [key, { at }] of this.#tierReads)
      if (at < now - 10 * (readMs + toldMs)) this.#tierReads.delete(key)
    for (const [key, { at }] of this.#tierLists)
      if (at < now - listMs - listTierMs) this.#tierLists.delete(key)
  }

  async #operate<T>(
    name: string,
    keys: readonly string[],
    kind: keyof Counted,
    billed: number,
    effect: () => T,
  ): Promise<T> {
    this.counted[kind] += billed
    await this.latency?.()
    this.before?.(name, keys)
    const fails = this.lags.failing > 0 && this.#random() < this.lags.failing
    const failure = (): Error => new Error(`KV ${name.toUpperCase()} failed: 500 Internal Server Error`)
    if (fails && this.#random() < 0.5) throw failure()
    const result = effect()
    if (fails) throw failure()
    return result
  }

  #write(
    cache: PlaceCache,
    key: string,
    value: string | null,
    metadata: unknown,
    ttl: number | undefined,
  ): void {
    const at = this.#clock.now()
    let versions = this.#versions.get(key)
    if (versions === undefined) {
      versions = []
      this.#versions.set(key, versions)
      const i = firstFrom(this.#keys, key)
      if (i === this.#keys.length) this.#keys.push(key)
      else this.#keys.splice(i, 0, key)
    }
    const last = versions.at(-1)
    if (this.lags !== STRONG && last !== undefined && at - last.writtenAt < 1000) {
      throw new Error('KV PUT failed: 429 Too Many Requests')
    }
    const copy = metadata === null ? null : (JSON.parse(JSON.stringify(metadata)) as unknown)
    const version = {
      writtenAt: at,
      value: value === null ? null : wellFormed(value),
      metadata: copy,
      expires: ttl === undefined ? Infinity : at + ttl * 1000,
    }
    versions.push(version)
    if (versions.length > 3) versions.shift()
    if (this.lags.readMs === 0) return
    if (this.#random() < this.lags.ownFresh) cache.reads.set(key, { value: version, at })
  }

  #newest(key: string): Version | undefined {
    const version = this.#versions.get(key)?.at(-1)
    return version === undefined || version.value === null || version.expires <= this.#clock.now()
      ? undefined
      : version
  }

  /** What the store has of a key. */
  #stored(key: string): Version | undefined {
    // A clock that a test sets back does not take writes back.
    if (this.lags.storageMs === 0) return this.#versions.get(key)?.at(-1)
    const now = this.#clock.now()
    return this.#versions.get(key)?.findLast(({ writtenAt }) => writtenAt + this.lags.storageMs <= now)
  }

  #read(cache: PlaceCache, key: string): Version | undefined {
    const now = this.#clock.now()
    const { readMs, toldMs } = this.lags
    if (readMs === 0) return this.#stored(key)
    const here = cache.reads.get(key)
    if (here !== undefined && now - here.at < readMs) return here.value
    let tier = this.#tierReads.get(key)
    const isTold = (this.#versions.get(key) ?? []).some(
      ({ writtenAt }) =>
        tier !== undefined && writtenAt > tier.at - this.lags.storageMs && writtenAt + toldMs <= now,
    )
    if (tier === undefined || isTold) {
      tier = { value: this.#stored(key), at: now }
      this.#tierReads.set(key, tier)
    }
    cache.reads.set(key, { value: tier.value, at: now })
    return tier.value
  }

  #list(cache: PlaceCache, prefix: string, cursor: string): KVPage {
    const now = this.#clock.now()
    const { listMs, listTierMs } = this.lags
    if (listMs === 0) return this.#listStored(prefix, cursor)
    const name = `${prefix}\n${cursor}`
    const here = cache.lists.get(name)
    if (here !== undefined && now - here.at < listMs) return here.value
    let tier = this.#tierLists.get(name)
    if (tier === undefined || now - tier.at >= listTierMs) {
      tier = { value: this.#listStored(prefix, cursor), at: now }
      this.#tierLists.set(name, tier)
    }
    cache.lists.set(name, { value: tier.value, at: now })
    return tier.value
  }

  #listStored(prefix: string, cursor: string): KVPage {
    const now = this.#clock.now()
    const keys: KVPage['keys'][number][] = []
    let i = firstFrom(this.#keys, cursor === '' ? prefix : `${cursor}\u0000`)
    let walked = 0
    const old: string[] = []
    for (; i < this.#keys.length && this.#keys[i]!.startsWith(prefix); i++) {
      if (walked === KEYS_PER_PAGE) break
      const name = this.#keys[i]!
      walked++
      const version = this.#stored(name)
      if (version === undefined) continue
      if (version.value === null || version.expires <= now) {
        if (now - version.writtenAt > TOMBSTONE_MS) old.push(name)
        continue
      }
      keys.push({ name, metadata: version.metadata })
    }
    const next = this.#keys[i]
    const last = this.#keys[i - 1]
    this.#forget(old)
    return next === undefined || !next.startsWith(prefix)
      ? { keys, list_complete: true }
      : { keys, list_complete: false, cursor: last! }
  }

  #forget(names: readonly string[]): void {
    for (const name of names) {
      this.#versions.delete(name)
      this.#tierReads.delete(name)
      this.#keys.splice(firstFrom(this.#keys, name), 1)
    }
  }
}

/** What one place remembers. */
export class PlaceCache {
  readonly reads: Map<string, Cached<Version | undefined>> = new Map()
  readonly lists: Map<string, Cached<KVPage>> = new Map()

  /** Forgets what is too old to be used, so that long simulations do not fill memory. */
  trim(before: number): void {
    for (const cache of [this.reads, this.lists]) {
      for (const [key, { at }] of cache) if (at < before) cache.delete(key)
    }
  }
}

function firstFrom(keys: readonly string[], key: string): number {
  let low = 0
  let high = keys.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (keys[middle]! < key) low = middle + 1
    else high = middle
  }
  return low
}

function checkKey(key: string): void {
  const bytes = encoder.encode(key).length
  if (bytes === 0 || bytes > 512 || key === '.' || key === '..')
    throw new Error(`KV failed: 414 UTF-8 encoded length of ${bytes} exceeds key length limit of 512`)
}

function checkWrite(value: string, metadata: unknown, ttl: number | undefined): void {
  const size = encoder.encode(JSON.stringify(metadata)).length
  if (size > 1024) throw new Error(`KV PUT failed: 413 Metadata length of ${size} exceeds limit of 1024`)
  const bytes = value.length > 1_000_000 ? encoder.encode(value).length : value.length
  if (bytes > 25 * 1024 * 1024)
    throw new Error(`KV PUT failed: 413 Value length of ${bytes} exceeds limit of 26214400`)
  // Nobody says how far ahead it may be: what ends after 2038 is not to be relied on.
  if (ttl !== undefined && !(Number.isInteger(ttl) && ttl >= 60 && ttl < 8 * 365 * 86_400))
    throw new Error(`KV PUT failed: 400 Invalid expiration_ttl of ${ttl}`)
}

/** Values travel as UTF-8. */
function wellFormed(value: string): string {
  return /\p{Surrogate}/u.test(value)
    ? new TextDecoder('utf-8', { ignoreBOM: true }).decode(encoder.encode(value))
    : value
}
