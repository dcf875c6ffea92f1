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
import { Book } from './engine/book.ts'
import type { Steps } from './engine/steps.ts'
import { Messages } from './engine/messages.ts'
import { claim } from './engine/claim.ts'
import { hold, release } from './engine/holds.ts'
import { IDS, nextOf } from './engine/lines.ts'
import { lanes, list, results } from './engine/look.ts'
import { cancel, clear, deleteGroup, resume, retryNow, tidy } from './engine/manage.ts'
import { type PackedQueue, unpackQueue } from './engine/pack.ts'
import { type Message, type Queue, newQueue } from './engine/records.ts'
import { type Row, Rows, add, all, get } from './engine/rows.ts'
import { namedBy, settle } from './engine/settle.ts'
import { findOldest, stats } from './engine/stats.ts'
import { isDue, passTime } from './engine/time.ts'
import { fetchBodies, storeApart } from './bodies.ts'
import { Running } from './running.ts'
import type { Database, Kind } from './store.ts'

/** Who takes nothing looks at no message. */
const NOTHING: readonly [list: readonly Message[], isLast: boolean] = [[], false]

/** Of groups that are deleted and purges so much is tidied away beside a claim. */
const BESIDE = 64

/** One queue, as whoever opened it has it. */
export class View implements QueueStorage {
  readonly #database: Database
  readonly #steps: Steps
  readonly #closed: () => string | undefined
  readonly #leave: () => Promise<void>
  readonly #running: Running = new Running()
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
    const { batchId, maxMessages, maxBytes } = options
    const base = baseOf(batchId)
    let last: AppendResult[] | undefined
    return storeApart(messages, (drafts) => {
      /** The try before this one may have been stored, and only its answer lost with the connection. */
      const once = async (
        rows: IDBObjectStore,
        run: () => Promise<AppendResult[]>,
      ): Promise<AppendResult[]> => {
        if (last === undefined || !(await isStored(rows, base, drafts.length))) last = await run()
        return last
      }
      if (memory.undelayed && !store.channel.isDeaf && isBlind(drafts, options)) {
        return this.#run('append', async () => {
          const at = store.clock.now()
          const blindly = (work: IDBTransaction): Promise<AppendResult[]> => {
            const rows = work.objectStore('messages')
            return once(rows, () => appendBlindly(rows, drafts, base, at, this.#steps.shared))
          }
          const answer = await this.#database.change('append', blindly, ['messages'])
          store.channel.changed(queue, true)
          return answer
        })
      }
      const verb = (book: Book): Promise<AppendResult[]> =>
        once(book.rows.messages, async () => {
          const results = await append(book, queue, drafts, options)
          memory.undelayed = book.q.delayed === 0
          return results
        })
      return (maxMessages ?? maxBytes) === undefined
        ? this.#change('append', 'append', verb)
        : this.#upToDate('append', verb, undefined, 'append')
    })
  }

  claim(request: ClaimRequest): Promise<ClaimResult> {
    const { memory } = this.#database
    const { group, limit, settle: settlements = [], inHand: [receipt = ''] = [] } = request
    return this.#run('claim', async () => {
      const result = await this.#step('take', async (rows) => {
        const from = memory.cursors.get(group) ?? 1
        const messages = new Messages(rows.messages, memory)
        const asked = Math.ceil(messages.chunk(limit) / memory.perRow)
        const [book, [list, isLast]] = await Promise.all([
          this.#open(rows, [...settlements, { receipt }], messages),
          limit > 0 ? messages.read(IDBKeyRange.lowerBound(from), asked) : NOTHING,
        ])
        const claimed = await claim(book, request, [list, isLast, from])
        if (book.q.jobs.length > 0) await tidy(book, BESIDE)
        return [book, claimed]
      })
      return { ...result, deliveries: await fetchBodies(result.deliveries) }
    })
  }

  settle(group: string, settlements: readonly Settlement[]): Promise<SettleResult[]> {
    return this.#change('settle', 'take', (book) => settle(book, book.group(group), settlements), settlements)
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
        const last = await add(rows.messages, {})
        rows.messages.clear()
        rows.rows.clear()
        this.#database.memory.cursors.clear()
        const book = this.#book(rows, newQueue(last), new Messages(rows.messages, this.#database.memory))
        book.changed = true
        return [book, undefined]
      }),
    )
  }

  watch(listener: (hint?: Hint) => void): () => void {
    const { store, queue } = this.#database
    return store.channel.listen(queue, listener, this)
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#running.end().then(() => this.#leave()))
  }

  #run<T>(tried: string, verb: () => Promise<T>): Promise<T> {
    const closed = this.#closing !== undefined ? 'queue' : this.#closed()
    if (closed !== undefined) return Promise.reject(closedError(tried, closed))
    return this.#running.add(verb())
  }

  #book(rows: Rows, queue: Queue, messages: Messages): Book {
    const { memory, store } = this.#database
    return new Book(rows, messages, this.#steps, memory, store.clock.now(), queue)
  }

  /** The queue with what receipts name, all read at once: but for what stands in its row, as far as this context knows. */
  async #open(
    rows: Rows,
    settlements: readonly Pick<Settlement, 'receipt'>[] = [],
    messages: Messages = new Messages(rows.messages, this.#database.memory),
  ): Promise<Book> {
    const [named, numbers] = namedBy(settlements, this.#database.memory)
    const keys = [...named.values()]
    const [queue, found] = await Promise.all([
      get<PackedQueue>(rows.queue, 0),
      Promise.all(keys.map((k) => get<Row>(rows.rows, k))),
      messages.load(numbers),
    ])
    const book = this.#book(rows, unpackQueue(queue), messages)
    for (const [i, k] of keys.entries()) book.bringRow(k, found[i])
    return book
  }

  /** One step, and tells those who watch if it has changed anything. */
  async #step<T>(kind: Kind, body: (rows: Rows) => Promise<[Book, T]>): Promise<T> {
    const { store, queue } = this.#database
    const [book, result] = await this.#database.change(kind, async (work) => {
      const done = await body(new Rows(work))
      done[0].finish()
      return done
    })
    const { changed, finished, q } = book
    const hint = finished.length === 0 ? undefined : hintOf(finished)
    const isSoon = kind === 'append' || kind === 'manage' || hint !== undefined
    // A probe that is done lets go what waits for others, too.
    const isOwn = kind === 'take' && q.holds.length + q.laneHolds === 0
    if (changed) store.channel.changed(queue, isSoon, hint, isOwn ? this : undefined)
    return result
  }

  /** One step of a verb, which is told whether time has brought more than one step does. */
  #change<T>(
    tried: string,
    kind: Kind,
    verb: (book: Book, isLate: boolean) => Promise<T>,
    settlements?: readonly Settlement[],
  ): Promise<T> {
    return this.#run(tried, () =>
      this.#step(kind, async (rows) => {
        const book = await this.#open(rows, settlements)
        return [book, await verb(book, await passTime(book, this.#steps.atOnce))]
      }),
    )
  }

  /** Looks, and changes nothing unless time has brought something. */
  async #look<T>(tried: string, verb: Verb<T>, isBehind: Verb<boolean> = upToDate): Promise<T> {
    const found = await this.#run(tried, () =>
      this.#database.read(async (work) => {
        const book = await this.#open(new Rows(work))
        return isDue(book) || (await isBehind(book)) ? undefined : { result: await verb(book) }
      }),
    )
    return found === undefined ? await this.#upToDate(tried, verb, isBehind) : found.result
  }

  /** Runs a verb once all that time has brought is done: some of it at a time. */
  async #upToDate<T>(
    tried: string,
    verb: Verb<T>,
    isBehind: Verb<boolean> = upToDate,
    kind: Kind = 'manage',
  ): Promise<T> {
    for (;;) {
      const found = await this.#change(tried, kind, async (book, isLate) =>
        isLate || (await isBehind(book)) ? undefined : { result: await verb(book) },
      )
      if (found !== undefined) return found.result
    }
  }
}

type Verb<T> = (book: Book) => Promise<T>

const upToDate: Verb<boolean> = () => Promise.resolve(false)

/** Whether anything is in a queue. */
export async function isEmpty(database: Database): Promise<boolean> {
  return await database.read(async (work) => {
    const rows = new Rows(work)
    const [queue, [message]] = await Promise.all([
      get<PackedQueue>(rows.queue, 0),
      all(rows.messages, IDBKeyRange.lowerBound(-Infinity), 1),
    ])
    if (message !== undefined) return false
    const { groups, holds, laneHolds, next, jobs } = unpackQueue(queue)
    return groups.length + holds.length + laneHolds + jobs.length === 0 && nextOf({ next }, IDS) === Infinity
  })
}

export function closedError(tried: string, what: string): QuaysideError {
  return new QuaysideError('CLOSED', `${tried}: this ${what} was closed; open it again`)
}
