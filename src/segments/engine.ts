import { QuaysideError } from '../errors.ts'
import type {
  AppendOptions,
  AppendResult,
  ClaimRequest,
  ClaimResult,
  Guarantees,
  ListQuery,
  NewMessage,
  Page,
  QueueStorage,
  SettleResult,
  Settlement,
  StorageAdapter,
  StorageStats,
} from '../storage.ts'
import { append } from './append.ts'
import { cancel } from './cancel.ts'
import { claim } from './claim.ts'
import { type Group, allGroups, createGroup, loadGroup } from './group.ts'
import { list } from './list.ts'
import { DELIVER, NEW_QUEUE, QUEUE_KEY, type QueueRow, groupKey } from './rows.ts'
import { retryNow } from './retry-now.ts'
import { settle } from './settle.ts'
import { stats } from './stats.ts'
import { type Kind, type QueueStore, TABLES, type Table, type TransactionalStore } from './store.ts'
import { sweepDelayed } from './sweep.ts'
import { trim, trimBelow } from './trim.ts'
import { Work } from './work.ts'

/**
 * The segment engine: contract 1 for every store that has transactions.
 *
 * Each verb is one transaction. What it does to the rows is in the file of its name; `rows.ts` has the layout.
 */
export class SegmentAdapter implements StorageAdapter {
  readonly guarantees: Guarantees
  readonly #openStore: () => Promise<TransactionalStore>
  /** The store while a view is open or opening, with its queues. */
  #session: Session | undefined
  /** Settled once the last session has let go of everything. */
  #released: Promise<void> = Promise.resolve()
  #closed = false

  /**
   * @param guarantees What the store adds up to, together with this engine: see {@link SEGMENT_GUARANTEES}.
   * @param openStore Opens the store: when a queue is opened and none is open, and again after it rejected or was closed.
   */
  constructor(guarantees: Guarantees, openStore: () => Promise<TransactionalStore>) {
    this.guarantees = guarantees
    this.#openStore = openStore
  }

  async open(queue: string): Promise<QueueStorage> {
    if (this.#closed) throw closedError('open a queue', 'storage')
    const session = (this.#session ??= {
      store: this.#released.then(() => this.#openStore()),
      queues: new Map(),
      views: 0,
      closed: false,
    })
    session.views++
    try {
      return new View(await openRows(session, queue), queue, session, () => this.#release(session))
    } catch (error) {
      await this.#release(session)
      throw error
    }
  }

  close(): Promise<void> {
    this.#closed = true
    return this.#session === undefined ? this.#released : this.#end(this.#session)
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
  readonly queues: Map<string, Promise<QueueStore>>
  views: number
  closed: boolean
}

/** Opens the rows of a queue, once for all views of it. */
function openRows(session: Session, queue: string): Promise<QueueStore> {
  let opening = session.queues.get(queue)
  if (opening === undefined) {
    opening = session.store.then(async (store) => {
      const rows = await store.open(queue)
      if (rows.soleOwner) await transact(rows, queue, 'consume', giveUpLeases)
      return rows
    })
    session.queues.set(queue, opening)
  }
  return opening
}

function closedError(tried: string, what: string): QuaysideError {
  return new QuaysideError('CLOSED', `${tried}: this ${what} was closed; open it again`)
}

/** What the engine adds to any store. An adapter adds `name`, `durability`, `sharedBy` and its limits. */
export const SEGMENT_GUARANTEES: Pick<
  Guarantees,
  'exclusiveLeases' | 'fifo' | 'orderingKeys' | 'deduplication' | 'cancellation' | 'consistentWithinMs'
> = {
  exclusiveLeases: true,
  fifo: true,
  orderingKeys: true,
  deduplication: true,
  cancellation: true,
  consistentWithinMs: 0,
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

  append(messages: readonly NewMessage[], { batchId }: AppendOptions): Promise<AppendResult[]> {
    return this.#run('append', (work) => append(work, messages, batchId))
  }

  claim(request: ClaimRequest): Promise<ClaimResult> {
    const { group: name, from = 'earliest' } = request
    return this.#runIn(name, (work) => {
      const group = loadGroup(work, name) ?? begin(work, name, from)
      return claim(work, group, request)
    })
  }

  settle(group: string, settlements: readonly Settlement[]): Promise<SettleResult[]> {
    return this.#runIn(group, (work) => {
      const loaded = loadGroup(work, group)
      if (loaded === undefined) return settlements.map(() => ({ status: 'stale' }))
      work.tick(loaded)
      const results = settle(loaded, settlements)
      trim(work, loaded)
      work.finish()
      return results
    })
  }

  retryNow(group: string, ids: readonly string[]): Promise<boolean[]> {
    return this.#runIn(group, (work) => {
      const loaded = loadGroup(work, group)
      if (loaded === undefined) return ids.map(() => false)
      work.tick(loaded)
      const results = retryNow(loaded, ids)
      work.finish()
      return results
    })
  }

  list(query: ListQuery): Promise<Page> {
    return this.#run('read', (work) => list(work, query))
  }

  stats(): Promise<StorageStats> {
    return this.#run('read', stats)
  }

  cancel(ids: readonly string[]): Promise<boolean[]> {
    return this.#run('remove', (work) => cancel(work, ids))
  }

  deleteGroup(name: string): Promise<void> {
    return this.#run('remove', (work) => {
      const group = loadGroup(work, name)
      if (group === undefined) return
      work.tick()
      const others = allGroups(work).filter((other) => other !== group)
      for (const table of ['side', 'due', 'chain', 'dead'] as const) {
        work.tx.deleteRange(table, { lower: [name], upper: [name] })
      }
      work.tx.delete('state', groupKey(name))
      work.groups.delete(name)
      work.edit().groups--
      const floor = others.reduce((lowest, other) => Math.min(lowest, other.floor()), work.queue.tail)
      trimBelow(work, 0, floor)
      if (others.length === 0) dropDelayed(work)
      work.finish()
    })
  }

  purge(): Promise<void> {
    return this.#run('remove', (work) => {
      work.tick()
      const { tail, bytes, sent, nextDelayed, nextTimer, groups, groupsEver, latest, skew } = work.queue
      for (const group of allGroups(work)) {
        Object.assign(group.row, {
          cursor: tail,
          runs: [],
          singles: [],
          due: undefined,
          until: undefined,
          checked: tail,
          trimmed: tail,
          skipped: 0,
          waiting: 0,
          chained: 0,
          blocked: 0,
          dead: 0,
        })
        group.changed = true
      }
      for (const table of Object.keys(TABLES) as Table[])
        if (table !== 'state') work.tx.deleteRange(table, {})
      Object.assign(work.edit(), {
        ...NEW_QUEUE,
        tail,
        bytes,
        sent,
        nextDelayed,
        nextTimer,
        groups,
        groupsEver,
        latest,
        skew,
      } satisfies QueueRow)
      work.finish()
    })
  }

  watch(listener: () => void): () => void {
    return this.#rows.watch(listener)
  }

  close(): Promise<void> {
    return (this.#closed ??= this.#release())
  }

  /** Runs a verb of consumers, which reads the rows of the queue and of a group. */
  #runIn<T>(group: string, verb: (work: Work) => T): Promise<T> {
    return this.#run('consume', verb, group)
  }

  #run<T>(kind: Kind, verb: (work: Work) => T, group?: string): Promise<T> {
    if (this.#closed !== undefined) return Promise.reject(closedError(kind, 'queue'))
    if (this.#session.closed) return Promise.reject(closedError(kind, 'storage'))
    return transact(this.#rows, this.#queue, kind, verb, group)
  }
}

function transact<T>(
  rows: QueueStore,
  queue: string,
  kind: Kind,
  verb: (work: Work) => T,
  group?: string,
): Promise<T> {
  return rows.transact(kind, (tx) => {
    if (group !== undefined)
      tx.expect?.([
        ['state', QUEUE_KEY],
        ['state', groupKey(group)],
      ])
    return verb(Work.open(tx, queue, rows.now()))
  })
}

/** Nobody is left to wait for delayed messages. */
function dropDelayed(work: Work): void {
  const queue = work.edit()
  work.tx.deleteRange('timers', { lower: [DELIVER], upper: [DELIVER] })
  work.tx.deleteRange('ids', { upper: queue.nextDelayed })
  queue.delayed = 0
  queue.timer = undefined
}

/** Makes a group. What is due by now came before it. */
function begin(work: Work, name: string, from: 'earliest' | 'latest'): Group {
  work.tick()
  while ((work.queue.timer ?? Infinity) <= work.now) sweepDelayed(work)
  return createGroup(work, name, from)
}

/** Ends all leases now: who held them is gone. */
function giveUpLeases(work: Work): void {
  work.tick()
  for (const group of allGroups(work)) {
    const { row } = group
    if (row.runs.length + row.singles.length === 0) continue
    for (const run of row.runs) run.until = 0
    row.singles = row.singles.map((single) => ({ ...single, until: 0 }))
    row.until = 0
    group.changed = true
  }
  work.finish()
}
