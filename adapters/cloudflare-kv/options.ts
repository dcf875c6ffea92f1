import { QuaysideError } from '../../src/errors.ts'
import { MAX_DURATION_MS } from '../../src/storage.ts'

/** How queues lie in Workers KV. */
export interface CloudflareKVOptions {
  /** What the keys of all queues start with, up to 64 bytes: lets a namespace be shared. @defaultValue 'quayside' */
  readonly prefix?: string | undefined
  /**
   * How long a message waits for a delivery, in ms from when it is due, a minute at least: then KV forgets it, without a dead
   * letter. A retry starts the time anew, and so does becoming a dead letter, unless the consumer says how long these are
   * kept. @defaultValue 4 days
   */
  readonly retentionMs?: number | undefined
  /**
   * For how many ms an append waits for those of other requests to the same isolate, which then share one write.
   * A minute at most. @defaultValue 0, none waits
   */
  readonly coalesceMs?: number | undefined
  /**
   * Messages that are written together and are due within so many ms of each other share a write, and are due together, at
   * the last of these times. Matters for retries, whose delays all differ. @defaultValue 30 s
   */
  readonly delayStepMs?: number | undefined
  /**
   * How many operations this adapter may do before it begins nothing new. A tenth more is kept back for what is under way;
   * then everything is refused, since Cloudflare permits 1000 to one invocation. @defaultValue 900
   */
  readonly maxOperations?: number | undefined
  /** Where the storage reads the time, in ms since 1970. @defaultValue `Date` */
  readonly clock?: { now(): number } | undefined
  /** Random numbers from 0 up to 1, which make keys unique. @defaultValue from `crypto` */
  readonly random?: (() => number) | undefined
  /** Waits so many ms, before an operation is tried again and while appends gather. @defaultValue `setTimeout` */
  readonly wait?: ((ms: number) => Promise<void>) | undefined
}

export type Settings = { readonly [K in keyof CloudflareKVOptions]-?: NonNullable<CloudflareKVOptions[K]> }

const DAY_MS = 86_400_000
/** What numbers may be at most. */
const MOST: { readonly [K in keyof Settings]?: number } = {
  retentionMs: MAX_DURATION_MS,
  delayStepMs: MAX_DURATION_MS,
  coalesceMs: 60_000,
}
/** So that the longest key, with a queue's name of 256 bytes, has less than 512 bytes. */
const MAX_PREFIX_BYTES = 64

export function settingsOf(options: CloudflareKVOptions): Settings {
  const known: Settings = {
    prefix: 'quayside',
    retentionMs: 4 * DAY_MS,
    coalesceMs: 0,
    delayStepMs: 30_000,
    maxOperations: 900,
    clock: Date,
    random,
    wait: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  }
  if (typeof options !== 'object' || options === null) refuse('options must be an object', options)
  for (const [name, value] of Object.entries(options)) {
    if (!(name in known)) refuse(`options are ${Object.keys(known).join(', ')}`, name)
    if (value === undefined) continue
    check(name as keyof Settings, value, typeof known[name as keyof Settings])
    Object.assign(known, { [name]: value })
  }
  return known
}

function check(name: keyof Settings, value: unknown, type: string): void {
  if (name === 'clock') {
    if (typeof (value as Settings['clock'] | null)?.now !== 'function')
      refuse('clock must have the method now', value)
  } else if (typeof value !== type) refuse(`${name} must be a ${type}`, value)
  else if (type === 'number') {
    const least = name === 'retentionMs' ? 60_000 : name === 'maxOperations' ? 1 : 0
    if (!((value as number) >= least)) refuse(`${name} must be ${least} or more`, value)
    const most = MOST[name] ?? Infinity
    if ((value as number) > most) refuse(`${name} must be ${most} at most`, value)
  } else if (name === 'prefix') {
    const bytes = new TextEncoder().encode(value as string).length
    if (bytes > MAX_PREFIX_BYTES) refuse(`prefix may have ${MAX_PREFIX_BYTES} bytes, and has ${bytes}`, value)
  }
}

function refuse(rule: string, value: unknown): never {
  const shown = typeof value === 'string' ? JSON.stringify(value) : String(value)
  throw new QuaysideError('INVALID_ARGUMENT', `new CloudflareKVAdapter: ${rule}, not ${shown}`)
}

function random(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0]! / 2 ** 32
}
