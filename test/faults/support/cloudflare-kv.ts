import { CloudflareKVAdapter, type KVBinding } from '../../../adapters/cloudflare-kv/index.ts'
import { ModelKV } from '../../cloudflare-kv/support/model-kv.ts'
import { pick } from '../../fs/history.ts'
import { Failures, type FaultyBackend, type FaultyStorage } from './backend.ts'

/**
 * What happens to an operation: it fails, applied or not; it goes on failing when it is tried again, and others with it; or the
 * isolate ends.
 */
const KINDS = ['failed', 'failed', 'outage', 'end'] as const
/** More than an operation is tried. */
const OUTAGE = 5

/** Workers KV without lag, and one isolate after the other that works on it. */
export const CLOUDFLARE_KV: FaultyStorage = {
  name: 'cloudflare-kv',
  perVerb: 3,
  isBestEffort: true,
  create: (clock, random) => Promise.resolve(new FaultyKV(clock, random)),
}

class FaultyKV implements FaultyBackend {
  readonly #failures = new Failures()
  readonly #clock: { now(): number }
  readonly #random: () => number
  readonly #namespace: ModelKV
  /** What isolates differ by. */
  #binding: KVBinding | undefined
  #adapter: CloudflareKVAdapter | undefined
  #outage = 0

  constructor(clock: { now(): number }, random: () => number) {
    this.#clock = clock
    this.#random = random
    this.#namespace = new ModelKV(clock)
  }

  get faults(): number {
    return this.#failures.faults
  }

  get isDead(): boolean {
    return this.#adapter !== undefined && this.#binding === undefined
  }

  fail(every: number): void {
    this.#failures.fail(every)
    if (every === 0) this.#outage = 0
  }

  async open(): Promise<CloudflareKVAdapter> {
    if (!this.isDead) await this.#adapter?.close().catch(() => undefined)
    this.#binding ??= this.#isolate()
    return (this.#adapter = new CloudflareKVAdapter(this.#binding, {
      clock: this.#clock,
      random: this.#random,
      wait: () => Promise.resolve(),
      delayStepMs: 0,
      maxOperations: Infinity,
    }))
  }

  #isolate(): KVBinding {
    const place = this.#namespace.place()
    const act = async <T>(operation: () => Promise<T>): Promise<T> => {
      // Nobody is there to whom it could be told, and nobody who would try again.
      if (this.#binding !== binding) throw new Error('KV failed: 400 the isolate has ended')
      if (this.#outage > 0) this.#outage--
      else {
        if (!this.#failures.next()) return await operation()
        const kind = pick(this.#random, KINDS)
        if (kind === 'outage') this.#outage = OUTAGE
        if (kind === 'end') this.#binding = undefined
      }
      if (this.#random() < 0.5) await operation()
      throw new Error('KV failed: 500 Internal Server Error')
    }
    const binding: KVBinding = {
      put: (...args) => act(() => place.put(...args)),
      get: (...args) => act(() => place.get(...args)),
      list: (...args) => act(() => place.list(...args)),
      delete: (...args) => act(() => place.delete(...args)),
    }
    return binding
  }

  async destroy(): Promise<void> {
    this.#failures.fail(0)
    await this.#adapter?.close().catch(() => undefined)
  }
}
