import type { HoldRequest, LanesPage, LanesQuery, ReleaseRequest } from '../../src/lanes.ts'
import { QuaysideError, hasCode } from '../../src/errors.ts'
import { hintOf } from '../../src/hints.ts'
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
} from '../../src/storage.ts'
import { append, appendBlindly, baseOf, isBlind, isStored } from './engine/append.ts'
import { Book, type Steps } from './engine/book.ts'
import { claim } from './engine/claim.ts'
import { hold, release } from './engine/holds.ts'
import { lanes, list, results } from './engine/look.ts'
import { cancel, clear, deleteGroup, resume, retryNow, tidy } from './engine/manage.ts'
import { type PackedQueue, unpackQueue } from './engine/pack.ts'
import { type Stored, newQueue } from './engine/records.ts'
import { type Key, type Row, Rows } from './engine/rows.ts'
import { rowsOf, settle } from './engine/settle.ts'
import { findOldest, stats } from './engine/stats.ts'
import { isDue, passTime } from './engine/time.ts'
import { fetchBodies, storeApart } from './bodies.ts'
import type { Database, Kind } from './store.ts'

/** Of groups that are deleted and purges so much is tidied away beside a claim. */
const BESIDE = 64

/** One queue, as whoever opened it has it. */
export class View implements QueueStorage {
  readonly #database: Database
  readonly #steps: Steps
  readonly #closed: () => string | undefined
  readonly #leave: () => Promise<void>
  readonly #running: Set<Promise<unknown>> = new Set()
  #closing: Promise<void> | undefined

  constructor(
    database: Database,
    steps: Steps,
    closed: () => string | undefined,
    leave: () => Promise<void>,
  ) {
    this.#database = database
    this.#steps = steps
    this.#closed = closed
    this.#leave = leave
  }

  append(messages: readonly NewMessage[], options: AppendOptions): Promise<AppendResult[]> {
    const { memory, queue, store } = this.#database
    const base = baseOf(options.batchId)
    let last: AppendResult[] | undefined
    return storeApart(messages, (drafts) => {
      if (memory.undelayed && !store.channel.isDeaf && isBlind(drafts, options)) {
        return this.#run('append', async () => {
          const at = store.clock.now()
          const answer = await this.#database.change(
            'append',
            async (work) => {
              const rows = work.objectStore('messages')
              // The try before this one may have been stored, and only its answer lost with the connection.
              if (last !== undefined && (await isStored(rows, base, drafts.length))) return last
              return (last = await appendBlindly(rows, drafts, options, at, this.#steps.shared))
            },
            ['messages'],
          )
          store.channel.changed(queue, true)
          return answer
        })
      }
      const isLimited = (options.maxMessages ?? options.maxBytes) !== undefined
      const verb = async (book: Book): Promise<AppendResult[]> => {
        if (last !== undefined && (await isStored(book.rows.messages, base, drafts.length))) return last
        last = await append(book, queue, drafts, options)
        memory.undelayed = book.q.delayed === 0
        return last
      }
      return isLimited
        ? this.#upToDate('append', verb, undefined, 'append')
        : this.#change('append', 'append', verb)
    })
  }

  claim(request: ClaimRequest): Promise<ClaimResult> {
    const { memory } = this.#database
    const { group, limit, settle: settlements = [] } = request
    const receipts = settlements.map(({ receipt }) => receipt)
    return this.#run('claim', async () => {
      const keys = this.#farRows(receipts)
      const result = await this.#step('take', async (rows) => {
        const from = memory.cursors.get(group) ?? 1
        const wanted = Math.max(1, Math.min(limit, 256, Math.floor(8_000_000 / (memory.mean + 1))))
        const asked = Math.ceil(wanted / memory.perRow)
        const [queue, ahead, ...found] = await Promise.all([
          rows.readQueue<PackedQueue>(),
          limit > 0 ? rows.all<Stored>(rows.messages, IDBKeyRange.lowerBound(from), asked) : [],
          ...keys.map((k) => rows.get<Row>(rows.rows, k as IDBValidKey)),
        ])
        const book = this.#book(rows, queue)
        for (const [i, row] of found.entries()) book.bringRow(keys[i]!, row)
        const claimed = await claim(book, request, limit > 0 ? { list: ahead, from, asked } : undefined)
        if (book.q.jobs.length > 0) await tidy(book, BESIDE)
        return [book, claimed]
      })
      return { ...result, deliveries: await fetchBodies(result.deliveries) }
    })
  }

  settle(group: string, settlements: readonly Settlement[]): Promise<SettleResult[]> {
    const receipts = settlements.map(({ receipt }) => receipt)
    const verb = (book: Book): Promise<SettleResult[]> => settle(book, book.group(group), settlements)
    return this.#change('settle', 'take', verb, () => this.#farRows(receipts))
  }

  /** What receipts name, unless it stands in the row of the queue, as far as this context knows. */
  #farRows(receipts: readonly string[]): Key[] {
    const { near } = this.#database.memory
    return rowsOf(receipts).filter((k) => !near.has(JSON.stringify(k)))
  }

  async list(query: ListQuery): Promise<Page> {
    const page = await this.#look('list', (book) => list(book, query))
    return { ...page, messages: await fetchBodies(page.messages) }
  }

  results(group: string, ids: readonly string[]): Promise<(Outcome | undefined)[]> {
    return this.#look('results', (book) => results(book, group, ids))
  }

  lanes(query: LanesQuery): Promise<LanesPage> {
    return this.#look('lanes', (book) => lanes(book, query))
  }

  stats(): Promise<StorageStats> {
    return this.#look('stats', stats, findOldest)
  }

  cancel(ids: readonly string[]): Promise<boolean[]> {
    return this.#change('cancel', 'consume', (book) => cancel(book, ids))
  }

  retryNow(group: string, ids: readonly string[]): Promise<boolean[]> {
    return this.#change('retryNow', 'consume', (book) => retryNow(book, group, ids))
  }

  resume(ids: readonly string[], options: ResumeOptions = {}): Promise<boolean[]> {
    const { edit } = options
    const drafts = edit === undefined ? [] : [edit]
    return storeApart(drafts, ([draft]) =>
      this.#change('resume', 'manage', (book) => resume(book, ids, { ...options, edit: draft })),
    )
  }

  hold(request: HoldRequest): Promise<void> {
    return this.#change('hold', 'manage', (book) => hold(book, request))
  }

  release(request: ReleaseRequest): Promise<boolean> {
    return this.#change('release', 'manage', (book) => release(book, request))
  }

  async deleteGroup(group: string): Promise<void> {
    await this.#change('deleteGroup', 'manage', (book) => deleteGroup(book, group))
    await this.#tidy('deleteGroup')
  }

  async purge(): Promise<void> {
    try {
      await this.#change('purge', 'manage', clear)
      await this.#tidy('purge')
    } catch (error) {
      // Of what is not as it was written nothing can be kept, the groups neither.
      if (!hasCode(error, 'CORRUPT')) throw error
      await this.delete()
    }
  }

  async #tidy(tried: string): Promise<void> {
    while (await this.#change(tried, 'manage', (book) => tidy(book, this.#steps.atOnce)));
  }

  /** Whatever is in it. */
  delete(): Promise<void> {
    return this.#run('delete', () =>
      this.#step('manage', async (rows) => {
        // The browser tells the last number to whoever takes one.
        const last = await rows.add({})
        const book = this.#book(rows, undefined)
        rows.messages.clear()
        rows.rows.clear()
        book.begin(newQueue(last))
        return [book, undefined]
      }),
    )
  }

  watch(listener: (hint?: Hint) => void): () => void {
    const { store, queue } = this.#database
    return store.channel.listen(queue, listener, this)
  }

  close(): Promise<void> {
    return (this.#closing ??= Promise.allSettled(this.#running).then(() => this.#leave()))
  }

  #run<T>(tried: string, verb: () => Promise<T>): Promise<T> {
    const closed = this.#closing !== undefined ? 'queue' : this.#closed()
    if (closed !== undefined) return Promise.reject(closedError(tried, closed))
    const running = verb()
    this.#running.add(running)
    const done = (): boolean => this.#running.delete(running)
    running.then(done, done)
    return running
  }

  #book(rows: Rows, queue: PackedQueue | undefined): Book {
    const { memory, store } = this.#database
    return new Book(rows, this.#steps, memory, store.clock.now(), unpackQueue(queue))
  }

  /** One step, and tells those who watch if it has changed anything. */
  async #step<T>(kind: Kind, body: (rows: Rows) => Promise<[Book, T]>): Promise<T> {
    const { store, queue } = this.#database
    const [result, changed, finished, isOwn] = await this.#database.change(kind, async (work) => {
      const [book, answer] = await body(new Rows(work))
      book.finish()
      // A probe that is done lets go what waits for others, too.
      const isOwn = kind === 'take' && book.q.holds.length + book.q.laneHolds === 0
      return [answer, book.changed, book.finished, isOwn] as const
    })
    const hint = finished.length === 0 ? undefined : hintOf(finished)
    const isSoon = kind === 'append' || kind === 'manage' || hint !== undefined
    if (changed) store.channel.changed(queue, isSoon, hint, isOwn ? this : undefined)
    return result
  }

  #change<T>(
    tried: string,
    kind: Kind,
    verb: (book: Book) => Promise<T>,
    keysOf: () => readonly Key[] = () => [],
  ): Promise<T> {
    return this.#run(tried, () =>
      this.#step(kind, async (rows) => {
        const keys = keysOf()
        const [queue, ...found] = await Promise.all([
          rows.readQueue<PackedQueue>(),
          ...keys.map((k) => rows.get<Row>(rows.rows, k as IDBValidKey)),
        ])
        const book = this.#book(rows, queue)
        for (const [i, row] of found.entries()) book.bringRow(keys[i]!, row)
        await passTime(book, this.#steps.atOnce)
        return [book, await verb(book)]
      }),
    )
  }

  /** Looks, and changes nothing unless time has brought something. */
  async #look<T>(
    tried: string,
    verb: (book: Book) => Promise<T>,
    isBehind: (book: Book) => Promise<boolean> = () => Promise.resolve(false),
  ): Promise<T> {
    const found = await this.#run(tried, () =>
      this.#database.read(async (work) => {
        const rows = new Rows(work)
        const book = this.#book(rows, await rows.readQueue<PackedQueue>())
        return isDue(book) || (await isBehind(book)) ? undefined : { result: await verb(book) }
      }),
    )
    return found === undefined ? await this.#upToDate(tried, verb, isBehind) : found.result
  }

  /** Runs a verb once all that time has brought is done: some of it at a time. */
  async #upToDate<T>(
    tried: string,
    verb: (book: Book) => Promise<T>,
    isBehind: (book: Book) => Promise<boolean> = () => Promise.resolve(false),
    kind: Kind = 'manage',
  ): Promise<T> {
    for (;;) {
      const found = await this.#run(tried, () =>
        this.#step(kind, async (rows) => {
          const book = this.#book(rows, await rows.readQueue<PackedQueue>())
          const isLate = (await passTime(book, this.#steps.atOnce)) || (await isBehind(book))
          return [book, isLate ? undefined : { result: await verb(book) }]
        }),
      )
      if (found !== undefined) return found.result
    }
  }
}

/** Whether anything is in a queue. */
export async function isEmpty(database: Database): Promise<boolean> {
  return await database.read(async (work) => {
    const rows = new Rows(work)
    const [queue, [message]] = await Promise.all([
      rows.readQueue<PackedQueue>(),
      rows.all(rows.messages, IDBKeyRange.lowerBound(-Infinity), 1),
    ])
    if (message !== undefined) return false
    const { groups, holds, laneHolds, known, jobs } = unpackQueue(queue)
    return groups.length + holds.length + laneHolds + known + jobs.length === 0
  })
}

export function closedError(tried: string, what: string): QuaysideError {
  return new QuaysideError('CLOSED', `${tried}: this ${what} was closed; open it again`)
}
