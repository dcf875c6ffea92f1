import { joinHints } from '../../src/hints.ts'
import type { Hint } from '../../src/storage.ts'
import type { Database } from './database.ts'
import { asciiJson, textLiteral } from './literals.ts'

/** Changes that no idle consumer waits for are told together, so many ms after the first. */
const QUIET_MS = 50
/** Nobody misses news after a crash, which comes before them: the disk is not waited for. */
const UNSYNCED = "set_config('synchronous_commit', 'off', true)"
/** The longest text that the server passes on. */
const MAX_LENGTH = 7000

/** What is told on the channel: of which queue, by whom, and the ids of messages that have finished. */
type Told = readonly [queue: string, by: string, finished?: Hint['finished']]

/** What is told of a queue, as SQL. `by` nobody: everybody is to hear it. */
export function tellSql(channel: string, queue: string, by = '', hint?: Hint): string {
  const finished = hint?.finished
  const told: Told = finished === undefined ? [queue, by] : [queue, by, finished]
  let text = asciiJson(told)
  if (text.length > MAX_LENGTH) text = asciiJson([queue, by, 'many'] satisfies Told)
  return `pg_notify(${textLiteral(channel)}, ${textLiteral(text)})`
}

/** What was told; `undefined`: it is none of ours. */
export function heardOf(payload: string): { queue: string; by: string; hint: Hint | undefined } | undefined {
  try {
    const [queue, by, finished] = JSON.parse(payload) as Told
    if (typeof queue !== 'string' || typeof by !== 'string') return undefined
    if (finished === undefined) return { queue, by, hint: undefined }
    return { queue, by, hint: { finished: Array.isArray(finished) ? finished.map(String) : 'many' } }
  } catch {
    return undefined
  }
}

/**
 * Tells others of changes, after they were committed: the server lets only one transaction at a time commit that tells
 * something, and this one has nothing to write. Hints, no more: they may be lost.
 */
export class News {
  readonly #database: Database
  readonly #channel: string
  readonly #by: string
  #pending: Map<string, Hint | undefined> = new Map()
  #timer: ReturnType<typeof setTimeout> | undefined
  #telling: Promise<void> | undefined

  constructor(database: Database, channel: string, by: string) {
    this.#database = database
    this.#channel = channel
    this.#by = by
  }

  /** Something has changed. `soon`: somebody may wait for it. */
  tell(queue: string, hint: Hint | undefined, soon: boolean): void {
    this.#pending.set(queue, joinHints(this.#pending.get(queue), hint))
    if (soon) this.#telling ??= this.#run()
    else {
      this.#timer ??= setTimeout(() => {
        this.#timer = undefined
        this.#telling ??= this.#run()
      }, QUIET_MS)
    }
  }

  /** Tells what there is to tell, and then no more. */
  async close(): Promise<void> {
    clearTimeout(this.#timer)
    await (this.#telling ?? this.#run())
  }

  /** What comes up meanwhile is told in the next trip. */
  async #run(): Promise<void> {
    while (this.#pending.size > 0) {
      const all = [...this.#pending]
      this.#pending = new Map()
      const calls = all.map(([queue, hint]) => tellSql(this.#channel, queue, this.#by, hint))
      try {
        await this.#database.run([`SELECT ${[UNSYNCED, ...calls].join()}`])
      } catch {
        // Whoever waits looks again by himself.
      }
    }
    this.#telling = undefined
  }
}
