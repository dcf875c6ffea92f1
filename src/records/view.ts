import { QuaysideError } from '../errors.ts'
import { hintOf } from '../hints.ts'
import { next } from '../clock.ts'
import type {
  AppendResult,
  ClaimResult,
  Hint,
  Part,
  QueueStorage,
  SettleResult,
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

/** What the views of one queue share. */
export interface Shared {
  readonly clock: { now(): number }
  /** Who watches, each through a view. */
  readonly listeners: Map<(hint?: Hint) => void, QueueStorage>
  book: Book
  views: number
}

/** What is done with a book, given up to two things: no array of them is made for each message. */
type Verb<A, B, R> = (book: Book, a: A, b: B) => R

/**
 * One queue, as whoever opened it has it. Each verb happens whole, and at once.
 *
 * @param closed What is closed, if anything is.
 */
export function viewOf(
  shared: Shared,
  askedBy: Part,
  closed: () => string | undefined,
  leave: () => void,
): QueueStorage {
  const { clock, listeners } = shared
  let isClosed = false

  /** The book, at this time. */
  const open = (tried: string, at: number = clock.now()): Book => {
    const what = isClosed ? 'queue' : closed()
    if (what !== undefined) throw closedError(tried, what)
    const { book } = shared
    readClock(book, at)
    return book
  }

  /** Tells those who watch, if anything has changed. @param by Who has claimed or settled, and nothing else. */
  const tell = (book: Book, by?: QueueStorage): void => {
    const { changed, finished } = book
    if (!changed) return
    book.changed = false
    if (finished.length > 0) book.finished = []
    if (listeners.size === 0) return
    const hint = finished.length > 0 ? hintOf(finished) : undefined
    for (const [listener, of] of listeners) tellOne(listener, of === by ? { ...hint, own: true } : hint)
  }

  /** Does it once some of what time has brought is done. */
  const now =
    <A, B, R>(tried: string, verb: Verb<A, B, R>, passes: boolean) =>
    (a?: A, b?: B): R => {
      const book = open(tried)
      if (passes) passTime(book, book.steps.atOnce)
      const result = verb(book, a as A, b as B)
      tell(book)
      return result
    }

  const soon = <A, B, R>(tried: string, verb: Verb<A, B, R>) => {
    const done = now(tried, verb, true)
    return async (a?: A, b?: B): Promise<R> => done(a, b)
  }

  /** Does it once all that time has brought is done: some of it at a time. */
  const upToDate = <A, B, R>(
    tried: string,
    verb: Verb<A, B, R>,
    isBehind: (book: Book) => boolean = () => false,
  ) => {
    const done = now(tried, verb, false)
    return async (a?: A, b?: B): Promise<R> => {
      for (;;) {
        const book = open(tried)
        if (!passTime(book, book.steps.atOnce) && !isBehind(book)) return done(a, b)
        await turn()
      }
    }
  }

  const appendUpToDate = upToDate('append', append)

  const begin = {
    deleteGroup: soon('deleteGroup', deleteGroup),
    purge: soon('purge', (book) => book.clear()),
  }

  const view: QueueStorage = {
    async append(messages, options) {
      const isLimited = (options.maxMessages ?? options.maxBytes) !== undefined
      return isLimited
        ? appendUpToDate(messages, options)
        : (atOnce.append(messages, options) as AppendResult[])
    },
    claim: async (request) => atOnce.claim(request, false) as ClaimResult,
    settle: async (group, settlements) => atOnce.settle(group, settlements) as SettleResult[],
    list: upToDate('list', list),
    results: soon('results', results),
    lanes: upToDate('lanes', lanes),
    stats: upToDate('stats', stats, findOldest),
    cancel: soon('cancel', cancel),
    retryNow: soon('retryNow', retryNow),
    resume: soon('resume', resume),
    hold: soon('hold', hold),
    release: soon('release', release),

    async deleteGroup(group) {
      const { book } = shared
      await begin.deleteGroup(group)
      await fade(book)
      const { atOnce } = book.steps
      let message: Message | undefined
      while ((message = sweep(book, book.log.walk(message?.order), (one) => one, atOnce)) !== undefined)
        await turn()
      let entry: Entry | undefined
      while ((entry = sweep(book, book.entries.walk(entry), (one) => one.message, atOnce)) !== undefined)
        await turn()
    },

    async purge() {
      const { book } = shared
      await begin.purge()
      await fade(book)
    },

    delete: soon('delete', (book) => {
      shared.book = new Book(book.name, book.steps)
      book.changed = true
    }),

    watch(listener) {
      const own = (hint?: Hint): void => listener(hint)
      listeners.set(own, view)
      return () => listeners.delete(own)
    },

    async close() {
      if (!isClosed) leave()
      isClosed = true
    },
  }
  // Not by what the others share: these are done for every message.
  const atOnce: VerbsAtOnce = {
    of: view,
    askedBy,
    clock,
    copyOf: (payload) => Copied.of(payload),
    append(messages, options, at) {
      const book = open('append', at)
      passTime(book, book.steps.atOnce)
      const results = append(book, messages, options)
      tell(book)
      return results
    },
    claim(request, values, at) {
      const book = open('claim', at)
      const result = claim(book, request, values)
      tell(book, hasHolds(book) ? undefined : view)
      return result
    },
    settle(group, settlements, at) {
      const book = open('settle', at)
      passTime(book, book.steps.atOnce)
      const results = settle(book, group, settlements)
      tell(book, hasHolds(book) ? undefined : view)
      return results
    },
  }
  return Object.assign(view, { atOnce })
}

/** What ends a probe may let others go. */
function hasHolds({ holds, heldLanes }: Book): boolean {
  return holds.size + heldLanes.size > 0
}

function tellOne(listener: (hint?: Hint) => void, hint: Hint | undefined): void {
  next(() => listener(hint))
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
