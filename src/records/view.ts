import { QuaysideError } from '../errors.ts'
import type { HoldRequest, LanesPage, LanesQuery, ReleaseRequest } from '../lanes.ts'
import type {
  AppendOptions,
  AppendResult,
  ClaimRequest,
  ClaimResult,
  Hint,
  ListQuery,
  NewMessage,
  Outcome,
  Page,
  QueueStorage,
  ResumeOptions,
  SettleResult,
  Settlement,
  StorageStats,
  VerbsAtOnce,
} from '../storage.ts'
import { append } from './append.ts'
import { Book } from './book.ts'
import { claim } from './claim.ts'
import { hold, release } from './holds.ts'
import { lanes, list, results } from './look.ts'
import { cancel, deleteGroup, resume, retryNow, sweep } from './manage.ts'
import type { Entry, Message } from './records.ts'
import { settle } from './settle.ts'
import { findOldest, stats } from './stats.ts'
import { passTime, readClock } from './time.ts'
import { Copied } from './value.ts'

/** The most ids that a hint brings. */
const MOST_IDS = 64

/** What the views of one queue share. */
export interface Shared {
  readonly name: string
  readonly clock: { now(): number }
  readonly listeners: Set<(hint?: Hint) => void>
  book: Book
  views: number
}

/** One queue, as whoever opened it has it. Each verb happens whole, and at once. */
export class View implements QueueStorage {
  readonly #shared: Shared
  /** What is closed, if anything is. */
  readonly #closed: () => string | undefined
  readonly #leave: () => void
  #isClosed = false

  constructor(shared: Shared, closed: () => string | undefined, leave: () => void) {
    this.#shared = shared
    this.#closed = closed
    this.#leave = leave
  }

  readonly atOnce: VerbsAtOnce = {
    of: this,
    copyOf: (payload) => Copied.of(payload),
    append: (messages, options) =>
      this.#do('append', (book) => append(book, this.#shared.name, messages, options)),
    claim: (request, values) => this.#do('claim', (book) => claim(book, request, values), 0),
    settle: (group, settlements) =>
      this.#do('settle', (book) => settle(book, book.group(group), settlements)),
  }

  append(messages: readonly NewMessage[], options: AppendOptions): Promise<AppendResult[]> {
    const verb = (book: Book): AppendResult[] => append(book, this.#shared.name, messages, options)
    return (options.maxMessages ?? options.maxBytes) === undefined
      ? this.#run('append', verb)
      : this.#upToDate('append', verb)
  }

  claim(request: ClaimRequest): Promise<ClaimResult> {
    return this.#run('claim', (book) => claim(book, request, false) as ClaimResult, 0)
  }

  settle(group: string, settlements: readonly Settlement[]): Promise<SettleResult[]> {
    return this.#run('settle', (book) => settle(book, book.group(group), settlements))
  }

  list(query: ListQuery): Promise<Page> {
    return this.#upToDate('list', (book) => list(book, query))
  }

  results(group: string, ids: readonly string[]): Promise<(Outcome | undefined)[]> {
    return this.#run('results', (book) => results(book, group, ids))
  }

  lanes(query: LanesQuery): Promise<LanesPage> {
    return this.#upToDate('lanes', (book) => lanes(book, query))
  }

  stats(): Promise<StorageStats> {
    return this.#upToDate('stats', stats, findOldest)
  }

  cancel(ids: readonly string[]): Promise<boolean[]> {
    return this.#run('cancel', (book) => cancel(book, ids))
  }

  retryNow(group: string, ids: readonly string[]): Promise<boolean[]> {
    return this.#run('retryNow', (book) => retryNow(book, group, ids))
  }

  resume(ids: readonly string[], options: ResumeOptions = {}): Promise<boolean[]> {
    return this.#run('resume', (book) => resume(book, ids, options))
  }

  hold(request: HoldRequest): Promise<void> {
    return this.#run('hold', (book) => hold(book, request))
  }

  release(request: ReleaseRequest): Promise<boolean> {
    return this.#run('release', (book) => release(book, request))
  }

  async deleteGroup(group: string): Promise<void> {
    const { book } = this.#shared
    await this.#run('deleteGroup', () => deleteGroup(book, group))
    await fade(book)
    const { atOnce } = book.steps
    let message: Message | undefined
    while ((message = sweep(book, book.log.walk(message?.order), (one) => one, atOnce)) !== undefined)
      await turn()
    let entry: Entry | undefined
    while ((entry = sweep(book, book.entries.walk(entry), (one) => one.message, atOnce)) !== undefined)
      await turn()
  }

  async purge(): Promise<void> {
    const { book } = this.#shared
    await this.#run('purge', () => book.clear())
    await fade(book)
  }

  delete(): Promise<void> {
    return this.#run('delete', (book) => {
      this.#shared.book = new Book(book.steps)
      book.changed = true
    })
  }

  watch(listener: (hint?: Hint) => void): () => void {
    const { listeners } = this.#shared
    const own = (hint?: Hint): void => listener(hint)
    listeners.add(own)
    return () => listeners.delete(own)
  }

  close(): Promise<void> {
    if (!this.#isClosed) this.#leave()
    this.#isClosed = true
    return Promise.resolve()
  }

  #do<T>(tried: string, verb: (book: Book) => T, most?: number): T {
    const book = this.#open(tried)
    if (most !== 0) passTime(book, book.steps.atOnce)
    const result = verb(book)
    this.#tell(book)
    return result
  }

  async #run<T>(tried: string, verb: (book: Book) => T, most?: number): Promise<T> {
    return this.#do(tried, verb, most)
  }

  /** Runs a verb once all that time has brought is done: some of it at a time. */
  async #upToDate<T>(
    tried: string,
    verb: (book: Book) => T,
    isBehind: (book: Book) => boolean = () => false,
  ): Promise<T> {
    for (;;) {
      const book = this.#open(tried)
      if (!passTime(book, book.steps.atOnce) && !isBehind(book)) return await this.#run(tried, verb, 0)
      await turn()
    }
  }

  /** The book, at this time. */
  #open(tried: string): Book {
    const closed = this.#isClosed ? 'queue' : this.#closed()
    if (closed !== undefined) throw closedError(tried, closed)
    const { book, clock } = this.#shared
    readClock(book, clock.now())
    return book
  }

  /** Tells those who watch, if anything has changed. */
  #tell(book: Book): void {
    const { changed, finished } = book
    if (!changed) return
    book.changed = false
    if (finished.length > 0) book.finished = []
    const { listeners } = this.#shared
    if (listeners.size === 0) return
    const ids = [...new Set(finished)]
    const hint: Hint | undefined =
      ids.length === 0 ? undefined : { finished: ids.length > MOST_IDS ? 'many' : ids }
    for (const listener of listeners) void Promise.resolve().then(() => listener(hint))
  }
}

export function closedError(tried: string, what: string): QuaysideError {
  return new QuaysideError('CLOSED', `${tried}: this ${what} was closed; open it again`)
}

async function fade(book: Book): Promise<void> {
  while (book.fade(book.steps.atOnce)) await turn()
}

/** Lets others have their turn. */
function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve))
}
