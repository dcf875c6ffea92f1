import { QuaysideError } from '../../src/errors.ts'
import type { Sockets } from './sockets.ts'
import { toQuaysideError } from './errors.ts'

/** How old what is known of the servers may be before it is asked for again, in ms. */
const FRESH_MS = 10_000

/**
 * A server that evicts any key when its memory is full would lose messages behind everybody's back. All that can be reached
 * are asked how they are set before the first queue is opened, and from time to time after that.
 */
export class Eviction {
  readonly #connection: Sockets
  readonly #freshMs: number
  #looking: Promise<void> | undefined
  #lookedAt = 0
  #isRefused = false

  constructor(connection: Sockets, freshMs: number = FRESH_MS) {
    this.#connection = connection
    this.#freshMs = freshMs
  }

  /** Rejects with `STORAGE_UNAVAILABLE` where a server evicts, or cannot be asked. */
  async mustNot(key: string): Promise<void> {
    if (this.#lookedAt === 0 || this.#isRefused) await this.#look('open', key)
  }

  /**
   * For each append: asks beside it when it is time, and keeps it from a server that was found to evict until it does no more.
   * Answers with nothing where there is nothing to wait for.
   */
  mustNotSince(key: string): Promise<void> | undefined {
    if (this.#isRefused) return this.#look('append', key)
    // What it finds is for the next one. A server that does not answer will not answer that one either.
    if (performance.now() - this.#lookedAt >= this.#freshMs) this.#look('append', key).catch(() => undefined)
    return undefined
  }

  #look(tried: string, key: string): Promise<void> {
    return (this.#looking ??= this.#ask(tried, key).finally(() => (this.#looking = undefined)))
  }

  async #ask(tried: string, key: string): Promise<void> {
    const question = ['info', 'memory']
    const infos: unknown[] = []
    try {
      infos.push(await this.#connection.send(key, question))
    } catch (error) {
      const known = toQuaysideError(tried, error)
      // Some do not let everybody ask.
      if (!/NOPERM|unknown command/i.test(known.message)) {
        throw known.code === 'STORAGE_FAILED'
          ? new QuaysideError('STORAGE_UNAVAILABLE', known.message, { cause: error })
          : known
      }
    }
    for (const answer of await this.#connection.ask(question))
      if (answer.status === 'fulfilled') infos.push(answer.value)
    this.#lookedAt = performance.now()
    const policy = infos.map((info) => evicting(String(info))).find((found) => found !== undefined)
    this.#isRefused = policy !== undefined
    if (policy === undefined) return
    throw new QuaysideError(
      'STORAGE_UNAVAILABLE',
      `${tried}: the server has maxmemory-policy ${policy}, so it deletes messages when its memory is full; ` +
        'set it to noeviction',
    )
  }
}

/** The policy of a server that evicts any key. */
function evicting(info: string): string | undefined {
  const field = (name: string): string | undefined => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1]
  const policy = field('maxmemory_policy')
  return field('maxmemory') !== '0' && policy?.startsWith('allkeys') ? policy : undefined
}
