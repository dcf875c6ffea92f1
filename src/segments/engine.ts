import type { HoldRequest, LanesPage, LanesQuery, ReleaseRequest } from '../lanes.ts'
import { QuaysideError, damaged, hasCode, keepWithin } from '../errors.ts'
import type {
  AppendOptions,
  AppendResult,
  ClaimRequest,
  ClaimResult,
  GroupStart,
  Guarantees,
  Hint,
  ListQuery,
  NewMessage,
  Outcome,
  Page,
  QueueStorage,
  ResumeOptions,
  SettleResult,
  Settlement,
  StorageAdapter,
  StorageStats,
} from '../storage.ts'
import { append } from './append.ts'
import { cancel } from './cancel.ts'
import { claim } from './claim.ts'
import { cutIds, empty, tidy } from './ends.ts'
import { allGroups, loadGroup, makeGroup } from './group.ts'
import { join, letJoin } from './joining.ts'
import { hintOf } from '../hints.ts'
import { MAIL, hasMail, takeMail } from './inbox.ts'
import { holdLeases } from './leases.ts'
import { endHolds, hold, release, renewHolds } from './lanes/holds.ts'
import { finishLanes } from './lanes/lane.ts'
import { listLanes } from './lanes/list.ts'
import { forgetGroup, letWalk } from './lanes/walk.ts'
import { list } from './list.ts'
import { createGroup, newRow } from './new-group.ts'
import { putKept, results } from './results.ts'
import { resume } from './resume.ts'
import { retryNow } from './retry-now.ts'
import { QUEUE_KEY, groupKey } from './rows.ts'
import { settle } from './settle.ts'
import { addDue, copyOf, retained, statsOf, tally } from './stats.ts'
import {
  type Key,
  type Kind,
  type QueueStore,
  type Read,
  type StoreLimits,
  TABLES,
  type Table,
  type Transaction,
  type TransactionalStore,
} from './store.ts'
import { tick } from './time.ts'
import { trustTimers } from './trust.ts'
import { trim } from './trim.ts'
import { spillHeads } from './waiting.ts'
import { type Group, type Work, edit, openWork, putForget, under } from './work.ts'

/**
 * The segment engine: contract 1 for every store that has transactions.
 *
 * Each verb is one transaction. What it does to the rows is in the file of its name; `rows.ts` has the layout.
 *
 * @example
 * ```ts
 * const guarantees = { ...SEGMENT_GUARANTEES, name: 'mine', durability: 'disk', sharedBy: 'process', … }
 * const storage = new SegmentAdapter(guarantees, () => openMyStore(path))
 * const queue = new Queue('orders', { storage })
 * ```
 */
export class SegmentAdapter implements StorageAdapter {
  readonly guarantees: Guarantees
  readonly #openStore: () => Promise<TransactionalStore>
  /** The store while a view is open or opening, with its queues. */
  #session: Session | undefined
  /** Settled once the last session has let go of everything. */
  #released: Promise<void> = Promise.resolve()
  /** Queues whose store failed under a view of ours: the leases that are there may be ours, and go on. */
  readonly #failed: Set<string> = new Set()
  #closed = false

  /**
   * @param guarantees What the store adds up to, together with this engine: see {@link SEGMENT_GUARANTEES}.
   * @param openStore Opens the store: when a queue is opened and none is open, and again after it rejected or was closed.
   */
  constructor(guarantees: Guarantees, openStore: () => Promise<TransactionalStore>) {
    this.guarantees = guarantees
    this.#openStore = openStore
  }

  /** Is called by the queue, which gets its view of this storage. See {@link StorageAdapter.open}. */
  async open(queue: string): Promise<QueueStorage> {
    if (this.#closed) throw closedError('open a queue', 'storage')
    const session = this.#begin()
    try {
      const store = await session.store
      const rows = await openRows(session, queue, this.#failed)
      return new View(rows, queue, session, async () => {
        const { failure } = store
        if (failure !== undefined && !session.closed) this.#fail(session, failure)
        leaveRows(session, queue, rows)
        await this.#release(session)
      })
    } catch (error) {
      await this.#release(session)
      throw error
    }
  }

  /** The names of the queues that are stored, in no order. See {@link StorageAdapter.queues}. */
  async queues(): Promise<string[]> {
    if (this.#closed) throw closedError('list queues', 'storage')
    const session = this.#begin()
    try {
      const store = await session.store
      if (store.queues === undefined)
        throw new QuaysideError('UNSUPPORTED', 'queues: this storage cannot list its queues')
      return await store.queues()
    } finally {
      await this.#release(session)
    }
  }

  /** Closes the store. What is under way ends first. See {@link StorageAdapter.close}. */
  close(): Promise<void> {
    this.#closed = true
    return this.#session === undefined ? this.#released : this.#end(this.#session)
  }

  #begin(): Session {
    const session = (this.#session ??= {
      store: this.#released.then(() => this.#openStore()),
      queues: new Map(),
      listeners: new Set(),
      views: 0,
      closed: false,
      failure: undefined,
    })
    session.views++
    return session
  }

  /** Nobody waits for others to notice: whoever comes next has another store opened, and views of this one are told. */
  #fail(session: Session, failure: QuaysideError): void {
    session.failure = failure
    for (const queue of session.queues.keys()) this.#failed.add(queue)
    // It may well fail at that, too.
    this.#released = this.#end(session).catch(() => undefined)
    for (const listener of session.listeners) listener({ finished: 'many' })
  }

  /** A view has ended. With the last one, the store is closed. */
  #release(session: Session): Promise<void> {
    return --session.views > 0 || session.closed ? Promise.resolve() : this.#end(session)
  }

  #end(session: Session): Promise<void> {
    session.closed = true
    this.#session = undefined
    this.#released = session.store.then(
      (store) => store.close(),
      // A store that could not be opened has nothing to close.
      () => undefined,
    )
    return this.#released
  }
}

interface Session {
  readonly store: Promise<TransactionalStore>
  readonly queues: Map<string, OpenQueue>
  /** Who waits for what happens in them. */
  readonly listeners: Set<(hint?: Hint) => void>
  views: number
  closed: boolean
  /** Why it ended under those who have views of it. */
  failure: QuaysideError | undefined
}

/** A queue that has views. */
interface OpenQueue {
  readonly opening: Promise<QueueStore>
  views: number
}

/** Opens the rows of a queue, once for all views of it. */
async function openRows(session: Session, queue: string, failed: Set<string>): Promise<QueueStore> {
  let open = session.queues.get(queue)
  if (open === undefined) {
    const opening = session.store.then(async (store) => {
      const rows = await store.open(queue)
      // A queue whose rows are damaged can be opened, so that it can be purged: its verbs tell.
      if (rows.soleOwner && !failed.has(queue))
        await transact(rows, queue, 'consume', giveUpLeases, undefined, () => undefined)
      failed.delete(queue)
      return rows
    })
    session.queues.set(queue, (open = { opening, views: 0 }))
  }
  open.views++
  return await open.opening
}

/** A view has ended. After the last one, and once the verbs under way are done, nothing is kept of a queue but its rows. */
function leaveRows(session: Session, queue: string, rows: QueueStore): void {
  const open = session.queues.get(queue)!
  if (--open.views > 0 || session.closed) return
  const forget = (): void => {
    if (open.views > 0 || session.closed || session.queues.get(queue) !== open) return
    session.queues.delete(queue)
    rows.close?.()
  }
  if (rows.close === undefined) return forget()
  // Transactions take effect in the order of their calls: this one comes last.
  rows.transact('read', () => undefined).then(forget, forget)
}

function closedError(tried: string, what: string): QuaysideError {
  return new QuaysideError('CLOSED', `${tried}: this ${what} was closed; open it again`)
}

/** What the engine adds to any store. An adapter adds `name`, `durability`, `sharedBy` and its limits. */
export const SEGMENT_GUARANTEES: Pick<
  Guarantees,
  | 'exclusiveLeases'
  | 'fifo'
  | 'orderingKeys'
  | 'deduplication'
  | 'cancellation'
  | 'consistentWithinMs'
  | 'lanes'
  | 'parking'
  | 'results'
> = {
  exclusiveLeases: true,
  fifo: true,
  orderingKeys: true,
  deduplication: true,
  cancellation: true,
  consistentWithinMs: 0,
  lanes: true,
  parking: true,
  results: true,
}

/** The verbs of one queue. */
class View implements QueueStorage {
  readonly #rows: QueueStore
  readonly #queue: string
  readonly #session: Session
  readonly #release: () => Promise<void>
  #closed: Promise<void> | undefined

  constructor(rows: QueueStore, queue: string, session: Session, release: () => Promise<void>) {
    this.#rows = rows
    this.#queue = queue
    this.#session = session
    this.#release = release
  }

  append(messages: readonly NewMessage[], options: AppendOptions): Promise<AppendResult[]> {
    return this.#run('append', (work) => {
      declareGroups(work, options.groups)
      const results = append(work, messages, options.batchId)
      keepLimits(work, options, results)
      return results
    })
  }

  claim(request: ClaimRequest): Promise<ClaimResult> {
    const { group: name, from } = request
    return this.#run(
      'consume',
      (work) => {
        declareGroups(work, request.groups)
        const group = loadGroup(work, name) ?? createGroup(work, name, from)
        // Greater than those of claims that a crash has undone.
        if (this.#rows.forgets) group.row.nextLease = Math.max(group.row.nextLease, Math.floor(work.clock))
        return claim(work, group, request)
      },
      name,
    )
  }

  settle(name: string, settlements: readonly Settlement[]): Promise<SettleResult[]> {
    return this.#run(
      'consume',
      (work, group) => {
        if (group === undefined) return settlements.map(() => ({ status: 'stale' }))
        const results = settle(group, settlements)
        holdLeases(group)
        trim(work, group)
        return results
      },
      name,
    )
  }

  retryNow(name: string, ids: readonly string[]): Promise<boolean[]> {
    return this.#run(
      'consume',
      (_, group) => ids.map((id) => group !== undefined && retryNow(group, id)),
      name,
    )
  }

  list(query: ListQuery): Promise<Page> {
    return this.#run('read', (work, group) => list(work, query, group), query.group)
  }

  results(name: string, ids: readonly string[]): Promise<(Outcome | undefined)[]> {
    return this.#run(
      'read',
      (_, group) => (group === undefined ? ids.map(() => undefined) : results(group, ids)),
      name,
    )
  }

  lanes(query: LanesQuery): Promise<LanesPage> {
    return this.#run('read', (work, group) => listLanes(work, query, group), query.group)
  }

  resume(ids: readonly string[], options: ResumeOptions = {}): Promise<boolean[]> {
    return this.#run('consume', (work) => resume(work, ids, options))
  }

  hold(request: HoldRequest): Promise<void> {
    return this.#run('consume', (work) => hold(work, request))
  }

  release(request: ReleaseRequest): Promise<boolean> {
    return this.#run('consume', (work) => release(work, request))
  }

  async stats(): Promise<StorageStats> {
    let sum = await this.#run('read', (work) => addDue(work, tally(work)))
    for (let step = 1; !sum.isComplete; step++) {
      await turn(step)
      // A store may run this again.
      const before = sum
      sum = await this.#run('read', (work) => addDue(work, copyOf(before)))
    }
    return statsOf(sum)
  }

  cancel(ids: readonly string[]): Promise<boolean[]> {
    return this.#run('remove', (work) => cancel(work, ids))
  }

  async deleteGroup(name: string): Promise<void> {
    const deleted = (work: Work, group: Group | undefined): boolean => {
      if (group === undefined) {
        endHolds(work, name)
        return true
      }
      if (!letJoin(group) || !letWalk(group)) return false
      const { tx, groups } = work
      for (const table of OWN) tx.deleteRange(table, under(name))
      forgetGroup(work, name)
      tx.delete('state', groupKey(name))
      groups.splice(groups.indexOf(group), 1)
      if (--edit(work).groups === 0) empty(work)
      endHolds(work, name)
      cutIds(work)
      return true
    }
    for (let step = 1; !(await this.#run('remove', deleted, name)); step++) await turn(step)
    await this.#tidy()
  }

  async purge(): Promise<void> {
    let from: Key | undefined
    const purge = (work: Work): void => {
      // Nothing else stays: what a group was about to do with its messages is over, too.
      const anew = allGroups(work).map(({ name, row }) => {
        const { token, nextLease, acked, failed, latest, deadForMs, parksNext } = row
        const own = { nextLease, acked, failed, latest, deadForMs, parksNext }
        const group = makeGroup(work, name, { ...newRow(token, work.queue.tail), ...own })
        group.changed = true
        return group
      })
      work.groups.splice(0, anew.length, ...anew)
      for (const table of OWN) work.tx.deleteRange(table, {})
      empty(work)
      renewHolds(work)
      cutIds(work)
      from = trustTimers(this.#queue, work.tx)
    }
    await this.#run('remove', purge, undefined, startAnew)
    const trust = ({ tx }: Work): Key | undefined => trustTimers(this.#queue, tx, from)
    try {
      for (let step = 1; from !== undefined; step++) {
        await turn(step)
        from = await this.#run('remove', trust, undefined, startAnew)
      }
    } catch {
      // What was asked for is done. What was not looked at may be found damaged later.
    }
    await this.#tidy(startAnew)
  }

  delete(): Promise<void> {
    return this.#run('remove', ({ tx }) => startAnew(tx), undefined, startAnew)
  }

  /** Each step tidies up some; who has left much behind goes on until all is. */
  async #tidy(repair?: (tx: Transaction) => void): Promise<void> {
    const isLeft = ({ queue }: Work): boolean => queue.tidied !== undefined
    const isOver = repair && ((tx: Transaction) => (repair(tx), false))
    try {
      for (let step = 1; await this.#run('remove', isLeft, undefined, isOver); step++) await turn(step)
    } catch {
      // What was asked for is done. Other verbs go on with the rest.
    }
  }

  watch(listener: (hint?: Hint) => void): () => void {
    const { listeners } = this.#session
    const own = (hint?: Hint): void => listener(hint)
    const stop = this.#rows.watch?.(own)
    listeners.add(own)
    return () => {
      listeners.delete(own)
      stop?.()
    }
  }

  close(): Promise<void> {
    return (this.#closed ??= this.#release())
  }

  /** Whoever looks sees what was handed over. */
  async #open(): Promise<void> {
    while (await this.#rows.transact('read', hasMail))
      await transact(this.#rows, this.#queue, 'consume', () => undefined)
  }

  #run<T>(kind: Kind, verb: Verb<T>, group?: string, repair?: Repair<T>): Promise<T> {
    if (this.#closed !== undefined) return Promise.reject(closedError(kind, 'queue'))
    const { closed, failure } = this.#session
    if (closed) return Promise.reject(failure ?? closedError(kind, 'storage'))
    const run = (): Promise<T> => transact(this.#rows, this.#queue, kind, verb, group, repair)
    return kind === 'read' && this.#rows.hasInbox ? this.#open().then(run) : run()
  }
}

/** The tables that have rows of groups only, whose keys begin with the name. */
const OWN = ['side', 'due', 'chain', 'held', 'dead', 'results', 'copies'] as const

/** What a verb does in its transaction. If it is about a group, it gets that, too, unless it does not exist. */
type Verb<T> = (work: Work, group: Group | undefined) => T

/** What to do instead where rows are damaged. */
type Repair<T> = (tx: Transaction) => T

function transact<T>(
  rows: QueueStore,
  queue: string,
  kind: Kind,
  verb: Verb<T>,
  name?: string,
  repair?: Repair<T>,
): Promise<T> {
  let now: number | undefined
  return rows.transact(kind, (tx) => {
    const takesMail = rows.hasInbox && kind !== 'read'
    // Before the clock is read, which a store that has to wait may have from its first answer.
    if (tx.expect !== undefined) {
      const reads: Read[] = [['state', QUEUE_KEY]]
      if (name !== undefined) reads.push(['state', groupKey(name)])
      if (takesMail) reads.push(MAIL)
      tx.expect(reads)
    }
    try {
      // The time at which the store first answered. One that has to wait runs this again with what it has read, and would
      // never get to the end of it if each run asked for what is due by another time.
      now ??= rows.now()
      const finished = takesMail ? emptyInbox(tx, queue, now, rows.limits) : undefined
      const work = openWork(tx, queue, now, rows.limits)
      work.finished = finished
      const group = name === undefined ? undefined : loadGroup(work, name)
      const { skew } = work.queue
      // What a group saw last counts too, if the transaction is about one.
      work.now = tick(work.clock, work.queue, group?.row)
      work.changed = work.queue.skew !== skew
      const result = verb(work, group)
      if (kind !== 'read') finish(work)
      return result
    } catch (error) {
      // Of rows that this engine has written, nothing here makes such errors.
      const known = error instanceof TypeError || error instanceof RangeError ? damaged(queue, error) : error
      if (repair !== undefined && hasCode(known, 'CORRUPT')) return repair(tx)
      throw known
    }
  })
}

/** Takes in what was handed over, as a step before the step. Answers with the ids of messages that ended in it. */
function emptyInbox(
  tx: Transaction,
  queue: string,
  now: number,
  limits: StoreLimits | undefined,
): string[] | undefined {
  const { messages, groups } = takeMail(tx)
  if (messages.length === 0) return undefined
  const work = openWork(tx, queue, now, limits)
  const { skew } = work.queue
  work.now = tick(work.clock, work.queue)
  work.changed = work.queue.skew !== skew
  declareGroups(work, groups)
  append(work, messages, messages[0]!.id!)
  putAll(work)
  return work.finished
}

/** Lets the event loop turn now and then, in verbs of many steps. */
async function turn(step: number): Promise<void> {
  if (step % 4 === 0) await new Promise((resolve) => setTimeout(resolve))
}

/** Makes the groups that do not exist. */
function declareGroups(work: Work, groups: readonly GroupStart[] = []): void {
  for (const { name, from } of groups) join(loadGroup(work, name) ?? createGroup(work, name, from))
}

/** Lets no append through that makes a queue longer than it may be. */
function keepLimits(
  work: Work,
  { maxMessages = Infinity, maxBytes = Infinity }: AppendOptions,
  results: readonly AppendResult[],
): void {
  if (maxMessages === Infinity && maxBytes === Infinity) return
  if (results.every(({ status }) => status !== 'stored')) return
  // They count what they have now.
  finishLanes(work)
  const { messages, bytes } = retained(work)
  keepWithin(work.name, { messages, bytes }, { maxMessages, maxBytes })
}

/** Puts the rows that changed, and says what has finished. */
export function finish(work: Work): void {
  putAll(work)
  if (work.finished !== undefined) work.tx.tell?.(hintOf(work.finished))
}

function putAll(work: Work): void {
  const { tx, now, queue } = work
  tidy(work)
  finishLanes(work)
  for (const group of work.groups) {
    spillHeads(group)
    const { row } = group
    if (!group.changed) continue
    row.latest = Math.max(row.latest, now)
    tx.put('state', groupKey(group.name), row)
  }
  putForget(work)
  putKept(work)
  if (!work.changed) return
  edit(work).latest = Math.max(queue.latest, now)
  tx.put('state', QUEUE_KEY, queue)
}

/** Makes a queue that never existed, also of one whose rows nobody can count with. */
function startAnew(tx: Transaction): undefined {
  for (const table of Object.keys(TABLES) as Table[]) tx.deleteRange(table, {})
}

/** Ends all leases now: who held them is gone. */
function giveUpLeases(work: Work): void {
  if (work.queue.lanes > 0) edit(work).opened++
  for (const group of allGroups(work)) {
    const { row } = group
    for (const lease of row.leases) lease.until = row.until = 0
    if (row.held > 0) {
      row.epoch++
      row.heldUntil = row.until = 0
    }
    if (work.queue.lanes > 0) row.walk = ''
    group.changed ||= row.until === 0 || row.walk === ''
  }
}
