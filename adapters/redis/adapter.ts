import { QuaysideError } from '../../src/errors.ts'
import type { Guarantees, QueueStorage, StorageAdapter } from '../../src/storage.ts'
import { type Argument, type Connection, connect, runScript } from './client.ts'
import { toQuaysideError } from './errors.ts'
import { RedisQueue } from './queue.ts'
import { SCRIPTS } from './scripts.ts'
import { Watcher } from './watcher.ts'

export interface Settings {
  readonly prefix: string
  readonly durability: Guarantees['durability']
  /**
   * In place of the server's clock, for tests.
   *
   * @internal
   */
  readonly clock: { now(): number } | undefined
  /**
   * How often a connection that only listens is asked whether it is there, for tests.
   *
   * @internal
   */
  readonly pingMs?: number | undefined
  /**
   * In place of the scripts, for tests that lower what one step does at most.
   *
   * @internal
   */
  readonly scripts?: typeof SCRIPTS | undefined
}

/** Contract 1 on Redis. What users get of it is in `index.ts`. */
export class RedisStorage implements StorageAdapter {
  readonly guarantees: Guarantees
  readonly #connection: Connection
  readonly #settings: Settings
  readonly #watcher: Watcher
  readonly #views: Set<RedisQueue> = new Set()
  #checked: Promise<void> | undefined
  #closed: Promise<void> | undefined

  constructor(client: unknown, settings: Settings) {
    this.#connection = connect(client, settings.pingMs)
    this.#settings = settings
    this.#watcher = new Watcher(this.#connection)
    this.guarantees = {
      name: 'redis',
      durability: settings.durability,
      sharedBy: 'network',
      exclusiveLeases: true,
      fifo: true,
      orderingKeys: true,
      deduplication: true,
      cancellation: true,
      leasesSurviveReopen: true,
      maxBodyBytes: 64 * 1024 * 1024,
      maxHeaderBytes: 64 * 1024,
      maxBatch: 10_000,
      maxBatchBytes: 128 * 1024 * 1024,
      consistentWithinMs: 0,
    }
  }

  async open(queue: string): Promise<QueueStorage> {
    this.#mustBeOpen('open a queue')
    // One hash tag for all keys of a queue, so that a cluster keeps them together. Braces would end it early, and a colon
    // lead to where another prefix ends.
    const tag = `${this.#settings.prefix}:${escaped(queue)}`
    const state = `{${tag}}:${STATE}`
    await this.#check(state)
    this.#mustBeOpen('open a queue')
    const view: RedisQueue = new RedisQueue({
      run: (verb, args) => this.#run(verb, state, args),
      watch: (listener) => this.#watcher.watch(`{${tag}}:changed`, listener),
      keys: async () => {
        const base = `{${tag}}:`
        const keys = await this.#send('purge', () => this.#connection.keys(base, ''))
        return keys.map((key) => key.slice(base.length))
      },
      release: () => {
        this.#views.delete(view)
        if (this.#views.size === 0) this.#watcher.close()
      },
    })
    this.#views.add(view)
    return view
  }

  async queues(): Promise<string[]> {
    this.#mustBeOpen('list queues')
    const start = `{${this.#settings.prefix}:`
    const keys = await this.#send('queues', () => this.#connection.keys(start, `}:${STATE}`))
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

  #run(verb: keyof typeof SCRIPTS, key: string, args: readonly Argument[]): Promise<unknown> {
    const { clock, scripts = SCRIPTS } = this.#settings
    const all = [clock ? `${clock.now()}` : '', ...args]
    return this.#send(verb, () => runScript(this.#connection, scripts[verb], key, all))
  }

  async #send<T>(tried: string, run: () => Promise<T>): Promise<T> {
    try {
      return await run()
    } catch (error) {
      throw toQuaysideError(tried, error)
    }
  }

  /** Once, and again if it failed. */
  #check(key: string): Promise<void> {
    return (this.#checked ??= this.#checkMemory(key).catch((error: unknown) => {
      this.#checked = undefined
      throw error
    }))
  }

  /** A server that evicts any key when its memory is full would lose messages behind everybody's back. */
  async #checkMemory(key: string): Promise<void> {
    let info: unknown
    try {
      info = await this.#connection.send(key, ['INFO', 'memory'])
    } catch (error) {
      const known = toQuaysideError('open', error)
      // Some do not let everybody ask.
      if (/NOPERM|unknown command/i.test(known.message)) return
      throw known.code === 'STORAGE_FAILED'
        ? new QuaysideError('STORAGE_UNAVAILABLE', known.message, { cause: error })
        : known
    }
    const field = (name: string): string | undefined =>
      new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(String(info))?.[1]
    const policy = field('maxmemory_policy')
    if (field('maxmemory') === '0' || !policy?.startsWith('allkeys')) return
    throw new QuaysideError(
      'STORAGE_UNAVAILABLE',
      `open: the server has maxmemory-policy ${policy}, so it deletes messages when its memory is full; ` +
        'set it to noeviction',
    )
  }
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
