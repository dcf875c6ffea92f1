import {
  CloudflareKVAdapter,
  type CloudflareKVOptions,
  type KVBinding,
} from '../../../adapters/cloudflare-kv/index.ts'
import { randomFrom } from '../../../conformance/scene.ts'
import type { ClaimRequest, Delivery, NewMessage, QueueStorage, Settlement } from '../../../src/index.ts'
import { uuid } from '../../../src/message-id.ts'
import { type Lags, ModelKV, PlaceCache, STRONG } from './model-kv.ts'

/** One isolate: a view on a binding object of its own, which is what isolates differ by. */
export class Isolate {
  readonly binding: KVBinding
  readonly #setting: Setting

  constructor(setting: Setting, binding: KVBinding) {
    this.#setting = setting
    this.binding = binding
  }

  /** A new invocation. */
  async open(options: CloudflareKVOptions = {}): Promise<View> {
    const adapter = new CloudflareKVAdapter(this.binding, { ...this.#setting.options, ...options })
    return new View(adapter, await adapter.open('tasks'))
  }
}

/** A namespace, time that stands still, and shorthands. */
export class Setting {
  readonly clock: { at: number; now(): number } = {
    at: Date.UTC(2030, 0, 1),
    now() {
      return this.at
    },
  }
  readonly namespace: ModelKV
  readonly options: CloudflareKVOptions
  readonly #places: Map<string, PlaceCache> = new Map()

  constructor(lags: Partial<Lags> = {}, seed = 1) {
    const random = randomFrom(seed)
    this.namespace = new ModelKV(this.clock, { ...STRONG, ...lags }, random)
    this.options = {
      clock: this.clock,
      random,
      delayStepMs: 0,
      wait: (ms) => {
        this.clock.at += ms
        return Promise.resolve()
      },
    }
  }

  pass(ms: number): void {
    this.clock.at += ms
  }

  /** A new isolate; those at one place share what the place has cached. */
  isolate(place = 'here', wrap: (binding: KVBinding) => KVBinding = (binding) => binding): Isolate {
    let cache = this.#places.get(place)
    if (cache === undefined) this.#places.set(place, (cache = new PlaceCache()))
    return new Isolate(this, wrap(this.namespace.place(cache)))
  }
}

export class View {
  readonly adapter: CloudflareKVAdapter
  readonly storage: QueueStorage

  constructor(adapter: CloudflareKVAdapter, storage: QueueStorage) {
    this.adapter = adapter
    this.storage = storage
  }

  async send(...drafts: readonly (string | NewMessage)[]): Promise<string[]> {
    const messages = drafts.map((draft) => (typeof draft === 'string' ? { body: draft } : draft))
    return (await this.storage.append(messages, { batchId: uuid() })).map(({ id }) => id)
  }

  async claim(request: Partial<ClaimRequest> = {}): Promise<readonly Delivery[]> {
    const { deliveries } = await this.storage.claim({
      group: 'g',
      limit: 100,
      leaseMs: 30_000,
      maxAttempts: 10,
      ...request,
    })
    return deliveries
  }

  /** Claims until nothing comes. */
  async take(request: Partial<ClaimRequest> = {}): Promise<Delivery[]> {
    const taken: Delivery[] = []
    for (;;) {
      const deliveries = await this.claim(request)
      if (deliveries.length === 0) return taken
      taken.push(...deliveries)
    }
  }

  async settle(...settlements: readonly Settlement[]): Promise<string[]> {
    return (await this.storage.settle('g', settlements)).map(({ status }) => status)
  }

  ack(...deliveries: readonly Delivery[]): Promise<string[]> {
    return this.settle(...deliveries.map(({ receipt }): Settlement => ({ receipt, kind: 'ack' })))
  }

  async dead(): Promise<string[]> {
    const { messages } = await this.storage.list({ group: 'g', limit: 1000, states: ['dead'] })
    return messages.map(({ body }) => String(body))
  }
}

export function bodies(messages: readonly { readonly body: unknown }[]): string[] {
  return messages.map(({ body }) => String(body)).sort()
}

export function names(name: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${name}${String(i).padStart(4, '0')}`)
}
