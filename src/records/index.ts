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
} from '../storage.ts'
import { append } from './append.ts'
import { Book } from './book.ts'
import { claim } from './claim.ts'
import { hold, release } from './holds.ts'
import { lanes, list, results } from './look.ts'
import { cancel, deleteGroup, resume, retryNow, sweep } from './manage.ts'
import { settle } from './settle.ts'
import { findOldest, stats } from './stats.ts'
import { passTime, readClock } from './time.ts'

/** So much of what time brings, of what is swept or noted, one step does at most. */
const MOST = 2000
/** The most ids that a hint brings. */
const MOST_IDS = 64

/** The verbs of one queue, on a book that is in memory. */
export class RecordQueue implements Omit<QueueStorage, 'close'> {
  readonly #name: string
  readonly #clock: { now(): number }
  readonly #listeners: Set<(hint?: Hint) => void> = new Set()
  #book: Book = new Book()

  constructor(name: string, clock: { now(): number }) {
    this.#name = name
    this.#clock = clock
  }

  /** Whether anything is in it. */
  get isEmpty(): boolean {
    return this.#book.isEmpty
  }

  /** Whether it is as if it had never been. */
  get isNew(): boolean {
    return this.isEmpty && this.#book.sent === 0
  }

  append(messages: readonly NewMessage[], options: AppendOptions): Promise<AppendResult[]> {
    const verb = (book: Book): AppendResult[] => append(book, this.#name, messages, options)
    return (options.maxMessages ?? options.maxBytes) === undefined ? this.#run(verb) : this.#upToDate(verb)
  }

  claim(request: ClaimRequest): Promise<ClaimResult> {
    return this.#run((book) => claim(book, request), 0)
  }

  settle(group: string, settlements: readonly Settlement[]): Promise<SettleResult[]> {
    return this.#run((book) => settle(book, book.group(group), settlements))
  }

  list(query: ListQuery): Promise<Page> {
    return this.#upToDate((book) => list(book, query))
  }

  results(group: string, ids: readonly string[]): Promise<(Outcome | undefined)[]> {
    return this.#run((book) => results(book, group, ids))
  }

  lanes(query: LanesQuery): Promise<LanesPage> {
    return this.#upToDate((book) => lanes(book, query))
  }

  stats(): Promise<StorageStats> {
    return this.#upToDate(stats, findOldest)
  }

  cancel(ids: readonly string[]): Promise<boolean[]> {
    return this.#run((book) => cancel(book, ids))
  }

  retryNow(group: string, ids: readonly string[]): Promise<boolean[]> {
    return this.#run((book) => retryNow(book, group, ids))
  }

  resume(ids: readonly string[], options: ResumeOptions = {}): Promise<boolean[]> {
    return this.#run((book) => resume(book, ids, options))
  }

  hold(request: HoldRequest): Promise<void> {
    return this.#run((book) => hold(book, request))
  }

  release(request: ReleaseRequest): Promise<boolean> {
    return this.#run((book) => release(book, request))
  }

  async deleteGroup(group: string): Promise<void> {
    const book = this.#book
    await this.#run(() => deleteGroup(book, group))
    await this.#fade(book)
    let message: { order: number } | undefined
    while ((message = sweep(book, book.log, (one) => one, message, MOST)) !== undefined) await turn()
    let entry: { order: number; tie: number } | undefined
    while ((entry = sweep(book, book.entries, (one) => one.message, entry, MOST)) !== undefined) await turn()
  }

  async purge(): Promise<void> {
    const book = this.#book
    await this.#run(() => book.clear())
    await this.#fade(book)
  }

  delete(): Promise<void> {
    return this.#run((book) => {
      this.#book = new Book()
      book.changed = true
    })
  }

  watch(listener: (hint?: Hint) => void): () => void {
    const own = (hint?: Hint): void => listener(hint)
    this.#listeners.add(own)
    return () => this.#listeners.delete(own)
  }

  /** Runs a verb: it happens whole, and at once. */
  #run<T>(verb: (book: Book) => T, most: number = MOST): Promise<T> {
    const book = this.#book
    try {
      readClock(book, this.#clock.now())
      if (most > 0) passTime(book, most)
      const result = verb(book)
      this.#tell(book)
      return Promise.resolve(result)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /** Runs a verb once all that time has brought is done: some of it at a time. */
  async #upToDate<T>(verb: (book: Book) => T, isBehind: (book: Book) => boolean = () => false): Promise<T> {
    for (;;) {
      const book = this.#book
      readClock(book, this.#clock.now())
      if (!passTime(book, MOST) && !isBehind(book)) return await this.#run(verb, 0)
      await turn()
    }
  }

  async #fade(book: Book): Promise<void> {
    while (book.fade(MOST)) await turn()
  }

  /** Tells those who watch, if anything has changed. */
  #tell(book: Book): void {
    const { changed, finished } = book
    if (!changed) return
    book.changed = false
    if (finished.length > 0) book.finished = []
    if (this.#listeners.size === 0) return
    const ids = [...new Set(finished)]
    const hint: Hint | undefined =
      ids.length === 0 ? undefined : { finished: ids.length > MOST_IDS ? 'many' : ids }
    for (const listener of this.#listeners) queueMicrotask(() => listener(hint))
  }
}

/** Lets others have their turn. */
function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve))
}
