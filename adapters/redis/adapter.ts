import { QuaysideError } from '../../src/errors.ts'
import type { Guarantees, Hint, QueueStorage, StorageAdapter } from '../../src/storage.ts'
import { type Argument, type Connection, runScript } from './connection.ts'
import { isPassing, toQuaysideError } from './errors.ts'
import { RedisQueue } from './queue.ts'
import { checkReply } from './reply.ts'
import { keysOf } from './scan.ts'
import { SCRIPTS } from './scripts.ts'

export interface Settings {
  readonly prefix: string
  readonly durability: Guarantees['durability']
  /**
   * In place of the server's clock, for tests.
   *
   * @internal
   */
  readonly clock: { now(): number } | undefined
  /** Of what the storage promises, what is not as it is over a socket. */
  readonly guarantees?: Partial<Guarantees> | undefined
  /**
   * How long a verb is tried that a cluster does not take while it changes, for tests.
   *
   * @internal
   */
  readonly patienceMs?: number | undefined
  /**
   * In place of the scripts, for tests that lower what one step does at most.
   *
   * @internal
   */
  readonly scripts?: typeof SCRIPTS | undefined
}

/** What a connection may have besides commands. */
export interface Besides {
  /** Who hears when something has changed. */
  readonly watcher?: {
    watch(channel: string, listener: (hint: Hint) => void): () => void
    close(): void
  }
  /** Who keeps messages from servers that delete them when their memory is full. */
  readonly eviction?: {
    mustNot(key: string): Promise<void>
    mustNotSince(key: string): Promise<void> | undefined
  }
}

/** How long a verb is tried that a cluster does not take while it changes, and between which pauses, in ms. */
const PATIENCE_MS = 5000
const PAUSE_MS = 20
const LONGEST_PAUSE_MS = 500

/** Contract 1 on Redis. What users get of it is in `index.ts`. */
export class RedisStorage implements StorageAdapter {
  readonly guarantees: Guarantees
  readonly #connection: Connection
  readonly #settings: Settings
  readonly #besides: Besides
  readonly #views: Set<RedisQueue> = new Set()
  #closed: Promise<void> | undefined

  constructor(connection: Connection, settings: Settings, besides: Besides = {}) {
    this.#connection = connection
    this.#settings = settings
    this.#besides = besides
    this.guarantees = {
      name: 'redis',
      durability: settings.durability,
      sharedBy: 'network',
      exclusiveLeases: true,
      fifo: true,
      orderingKeys: true,
      deduplication: true,
      cancellation: true,
      lanes: true,
      parking: true,
      results: true,
      leasesSurviveReopen: true,
      maxBodyBytes: 64 * 1024 * 1024,
      maxHeaderBytes: 64 * 1024,
      // A script that gives each of so many messages a place in a lane of its own takes some 15 ms for each group.
      maxBatch: 1000,
      maxBatchBytes: 128 * 1024 * 1024,
      consistentWithinMs: 0,
      ...settings.guarantees,
    }
  }

  async open(queue: string): Promise<QueueStorage> {
    this.#mustBeOpen('open a queue')
    // One hash tag for all keys of a queue, so that a cluster keeps them together. Braces would end it early, and a colon
    // lead to where another prefix ends.
    const { keyPrefix, channelPrefix } = this.#connection
    const base = `{${this.#settings.prefix}:${escaped(queue)}}:`
    const state = `${keyPrefix}${base}${STATE}`
    const { watcher, eviction } = this.#besides
    if (eviction !== undefined) {
      await eviction.mustNot(state)
      this.#mustBeOpen('open a queue')
    }
    const view: RedisQueue = new RedisQueue({
      run: (verb, args) => this.#run(verb, state, args),
      watch: watcher && ((listener) => watcher.watch(`${channelPrefix}${base}changed`, listener)),
      keys: async () => {
        const keys = await this.#send('purge', () => keysOf(this.#connection, base, ''))
        return keys.map((key) => key.slice(base.length))
      },
      release: () => {
        this.#views.delete(view)
        if (this.#views.size === 0) watcher?.close()
      },
    })
    this.#views.add(view)
    return view
  }

  async queues(): Promise<string[]> {
    this.#mustBeOpen('list queues')
    const start = `{${this.#settings.prefix}:`
    const keys = await this.#send('queues', () => keysOf(this.#connection, start, `}:${STATE}`))
    return keys
      .map((key) => key.slice(start.length, -STATE.length - 2))
      .filter((name) => !/[{}:]/.test(name))
      .flatMap(unescaped)
      .sort()
  }

  close(): Promise<void> {
    return (this.#closed ??= Promise.all([...this.#views].map((view) => view.close())).then(() => undefined))
  }

  #mustBeOpen(tried: string): void {
    if (this.#closed !== undefined)
      throw new QuaysideError('CLOSED', `${tried}: this storage was closed; make a new one`)
  }

  async #run(verb: keyof typeof SCRIPTS, key: string, args: readonly Argument[]): Promise<unknown> {
    const refused = verb === 'append' ? this.#besides.eviction?.mustNotSince(key) : undefined
    if (refused !== undefined) await refused
    const { clock, scripts = SCRIPTS } = this.#settings
    // Nobody has given it out before, whatever the server has forgotten: see receipts.
    const number = Number.parseInt(crypto.randomUUID().slice(24), 16)
    const marks = this.#connection.marks?.(verb) ?? ''
    const all = [`${number}${clock ? ` ${clock.now()}` : ''}${marks}`, ...args]
    const reply = await this.#send(verb, () => runScript(this.#connection, scripts[verb], key, all))
    checkReply(verb, reply)
    return reply
  }

  /** Tries for a while what a cluster does not take while it changes. */
  async #send<T>(tried: string, run: () => Promise<T>): Promise<T> {
    const end = performance.now() + (this.#settings.patienceMs ?? PATIENCE_MS)
    for (let pause = PAUSE_MS; ; pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
      try {
        return await run()
      } catch (error) {
        const isWorthIt = isPassing(error, this.#connection.isCluster) && performance.now() + pause < end
        if (!isWorthIt) throw toQuaysideError(tried, error)
      }
      await sleep(pause)
    }
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

/** How the key of the rows of a queue ends. */
const STATE = 'state'

function escaped(name: string): string {
  return name.replaceAll(/[%{}:]/g, encodeURIComponent)
}

/** The name that was escaped, if it was by us. */
function unescaped(text: string): string[] {
  try {
    const name = decodeURIComponent(text)
    return escaped(name) === text ? [name] : []
  } catch {
    return []
  }
}
