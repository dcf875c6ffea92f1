import { QuaysideError } from '../../src/errors.ts'
import type { HoldRequest, LanesPage, LanesQuery, ReleaseRequest } from '../../src/lanes.ts'
import {
  type AppendOptions,
  type AppendResult,
  type Body,
  type ClaimRequest,
  type ClaimResult,
  type Delivery,
  type GroupStart,
  type GroupStats,
  type Hint,
  type ListQuery,
  type ListedMessage,
  type NewMessage,
  type Outcome,
  type Page,
  type QueueStorage,
  type ResumeOptions,
  type SettleResult,
  type Settlement,
  type StorageStats,
  MAX_ANSWER_BYTES,
} from '../../src/storage.ts'
import { LIMITS } from './guarantees.ts'
import { lanesOf } from './lanes-page.ts'
import { Positions } from './positions.ts'
import { mergedHolds } from './shared-holds.ts'
import { closedError } from './stub.ts'
import { batchIdOf, mark, shardOfId, shardOfKey, unmark } from './shards.ts'

/** A queue in several objects. */
export class ShardedView implements QueueStorage {
  readonly hasPlaces = true
  readonly #shards: readonly QueueStorage[]
  readonly #onClose: () => void
  /** The next shard that is appended to, and the next that is claimed from. Views start at different ones. */
  #append: number
  #claim: number
  /** Groups that each shard knows: a message must wait for all groups, wherever it lies. */
  readonly #joined: readonly Set<string>[]
  readonly #running: Set<Promise<unknown>> = new Set()
  #closed: Promise<void> | undefined

  /** @param onClose Told once the view is closed. */
  constructor(shards: readonly QueueStorage[], onClose: () => void) {
    this.#shards = shards
    this.#joined = shards.map(() => new Set())
    this.#onClose = onClose
    this.#append = this.#claim = Math.floor(Math.random() * shards.length)
  }

  append(messages: readonly NewMessage[], options: AppendOptions): Promise<AppendResult[]> {
    return this.#run('append', () => this.#store(messages, options))
  }

  async #store(messages: readonly NewMessage[], options: AppendOptions): Promise<AppendResult[]> {
    const { batchId, groups = [] } = options
    const count = this.#shards.length
    let rest = this.#append++ % count
    const shardOf = (message: NewMessage): number => {
      const { id } = message
      const place = placeOf(message)
      if (id !== undefined && place !== undefined) throw twoPlaces(id, message, count)
      if (place !== undefined) return shardOfKey(place, count)
      return id === undefined ? rest : shardOfId(id, count)
    }
    const isFree = messages.every((message) => message.id === undefined && placeOf(message) === undefined)
    // A shard that fails at this fails at what it is to store as well, or is asked by the next call.
    await Promise.allSettled(this.#join(groups, (shard, some) => shard.append([], { batchId, groups: some })))
    for (let tries = 1; ; tries++) {
      try {
        return await this.#spread(messages, shardOf, (shard, part, i) =>
          shard.append(part, { batchId: batchIdOf(i, batchId), groups: this.#missing(i, groups) }),
        )
      } catch (error) {
        // Where they lie does not matter to these, and nothing was stored.
        const { code } = error as { code?: unknown }
        if (!isFree || tries >= count || code !== 'STORAGE_UNAVAILABLE') throw error
        rest = (rest + 1) % count
      }
    }
  }

  claim(request: ClaimRequest): Promise<ClaimResult> {
    return this.#run('claim', () => this.#take(request))
  }

  /**
   * Shards are asked one after the other. One that fails stops nobody from getting what others have; only when none of them
   * has anything, the claim fails.
   */
  async #take({
    settle: given,
    groups = [],
    position,
    inHand = [],
    ...request
  }: ClaimRequest): Promise<ClaimResult> {
    const { group, from, only } = request
    const settle = given ?? []
    const count = this.#shards.length
    const asked = this.#asked(only)
    const start = asked[0] ?? -1
    const positions = only === undefined ? undefined : new Positions(position)
    const failures = new Map<number, unknown>()
    const joins = this.#join([...groups, { name: group, from }], (shard, some) =>
      shard.claim({ ...request, groups: some.slice(0, -1), limit: 0 }),
    )
    for (const [i, end] of (await Promise.allSettled(joins)).entries())
      if (end.status === 'rejected') failures.set(i, end.reason)
    // What the first shard is to settle rides along with the claim.
    const own = settle.filter(({ receipt }) => unmark(receipt, count)?.[0] === start)
    const rest = settle.filter((one) => !own.includes(one))
    const others = await this.#settle(group, rest)
    // A shard knows its own leases only: that which ends first. What was extended just now is in hand as well.
    const held = new Map<number, string>()
    const extended = rest.flatMap(({ kind, receipt }, i) =>
      kind === 'extend' && others[i]!.status === 'settled' ? receipt : [],
    )
    for (const receipt of [...extended, ...inHand]) {
      const [shard, own] = unmark(receipt, count) ?? []
      if (shard !== undefined) held.set(shard, own!)
    }
    const deliveries: Delivery[] = []
    let ownSettled: readonly SettleResult[] = []
    let nextInMs: number | undefined
    let bytes = 0
    let late: boolean | undefined
    for (const [i, at] of asked.entries()) {
      if (deliveries.length >= request.limit && request.limit > 0) break
      const limit = request.limit - deliveries.length
      const settles = i === 0 && own.length > 0
      try {
        if (failures.has(at)) throw failures.get(at)
        const result = await this.#shards[at]!.claim({
          ...request,
          limit,
          inHand: held.has(at) ? [held.get(at)!] : [],
          position: positions?.of(at),
          settle: settles ? unmarked(own, count) : undefined,
        })
        positions?.set(at, result.position)
        if (i === 0) ownSettled = result.settled ?? []
        for (const one of result.deliveries) deliveries.push({ ...one, receipt: mark(at, one.receipt) })
        const hasMore = limit > 0 && i + 1 < asked.length && result.deliveries.length === limit
        nextInMs = least(nextInMs, hasMore ? 0 : result.nextInMs)
        bytes += sizeOf(result.deliveries)
        late ||= result.late
      } catch (error) {
        // Whether it was settled is to be known before anything else is done.
        if (settles) throw error
        failures.set(at, error)
      }
      if (late) break
      if (isFull(bytes) && i + 1 < asked.length) {
        nextInMs = 0
        break
      }
    }
    // What was settled must be told: then the next claim meets the error again.
    if (failures.size > 0 && deliveries.length === 0 && settle.length === 0)
      throw failures.values().next().value
    if (failures.size > 0 || late) nextInMs = 0
    const results = [others.values(), ownSettled.values()]
    const settled = settle.map((one) => results[own.includes(one) ? 1 : 0]!.next().value!)
    return { deliveries, nextInMs, settled: given && settled, position: positions?.text, late }
  }

  /** The shards that may have something for a claim, in the order in which it asks them; each claim starts behind the last. */
  #asked(only: ClaimRequest['only']): readonly number[] {
    const count = this.#shards.length
    const start = this.#claim++ % count
    const all = Array.from({ length: count }, (_, i) => (start + i) % count)
    if (only === undefined || typeof only === 'string') return all
    const named = new Set(only.map((lane) => shardOfKey(lane, count)))
    return all.filter((shard) => named.has(shard))
  }

  /** Makes groups everywhere, before anything of them is done anywhere, unless they are known to be there. */
  #join(
    groups: readonly GroupStart[],
    make: (shard: QueueStorage, groups: readonly GroupStart[]) => Promise<unknown>,
  ): Promise<void>[] {
    return this.#shards.map(async (shard, i) => {
      const missing = this.#missing(i, groups)
      if (missing === undefined) return
      await make(shard, missing)
      for (const { name } of missing) this.#joined[i]!.add(name)
    })
  }

  /** Groups that a shard may not have; `undefined` for none. */
  #missing(shard: number, groups: readonly GroupStart[]): readonly GroupStart[] | undefined {
    return groups.every(({ name }) => this.#joined[shard]!.has(name)) ? undefined : groups
  }

  settle(group: string, settlements: readonly Settlement[]): Promise<SettleResult[]> {
    return this.#run('settle', () => this.#settle(group, settlements))
  }

  async #settle(group: string, settlements: readonly Settlement[]): Promise<SettleResult[]> {
    const count = this.#shards.length
    return await this.#spread(
      settlements,
      ({ receipt }) => unmark(receipt, count)?.[0],
      (shard, part) => shard.settle(group, unmarked(part, count)),
      { status: 'stale' },
    )
  }

  list(query: ListQuery): Promise<Page> {
    return this.#run('list', () => this.#list(query))
  }

  async #list({ cursor, ...query }: ListQuery): Promise<Page> {
    const count = this.#shards.length
    const from = cursor === undefined ? ([0, ''] as const) : unmark(cursor, count)
    if (from === undefined) return { messages: [] }
    const messages: ListedMessage[] = []
    let [shard, inside] = from
    // A lane lies in one shard; what has none lies anywhere.
    const only = query.lane ? shardOfKey(query.lane, count) : undefined
    for (; shard < count; shard++, inside = '') {
      if (only !== undefined && shard !== only) continue
      // The rest is on another page.
      if (messages.length >= query.limit || isFull(sizeOf(messages)))
        return { messages, cursor: mark(shard, inside) }
      const limit = query.limit - messages.length
      const page = await this.#shards[shard]!.list({ ...query, limit, cursor: inside || undefined })
      messages.push(...marked(shard, page.messages))
      if (page.cursor !== undefined) return { messages, cursor: mark(shard, page.cursor) }
    }
    return { messages }
  }

  results(group: string, ids: readonly string[]): Promise<(Outcome | undefined)[]> {
    return this.#run('results', async () => {
      const left = new Set<string>()
      const all = await this.#spread(ids, this.#shardOfId, async (shard, part) => {
        const outcomes = await shard.results(group, part)
        for (const id of part.slice(outcomes.length)) left.add(id)
        return outcomes
      })
      const end = ids.findIndex((id) => left.has(id))
      // Of each shard, the first was answered.
      return end < 0 ? all : all.slice(0, Math.max(1, end))
    })
  }

  lanes(query: LanesQuery): Promise<LanesPage> {
    return this.#run('lanes', () => lanesOf(this.#shards, query))
  }

  resume(ids: readonly string[], options?: ResumeOptions): Promise<boolean[]> {
    return this.#run('resume', () =>
      this.#spread(ids, this.#shardOfId, (shard, part) => shard.resume(part, options)),
    )
  }

  async hold(request: HoldRequest): Promise<void> {
    await this.#at('hold', request.lane, (shard) => shard.hold(request))
  }

  async release(request: ReleaseRequest): Promise<boolean> {
    return (await this.#at('release', request.lane, (shard) => shard.release(request))).includes(true)
  }

  /** In the shard of a lane; without one, in all of them. */
  #at<T>(tried: string, lane: string | undefined, work: (shard: QueueStorage) => Promise<T>): Promise<T[]> {
    const { length } = this.#shards
    const shards = lane === undefined ? this.#shards : [this.#shards[shardOfKey(lane, length)]!]
    return this.#run(tried, () => together(shards.map(work)))
  }

  async stats(): Promise<StorageStats> {
    const all = await this.#all('stats', (shard) => shard.stats())
    const names = new Set(all.flatMap((one) => Object.keys(one.groups)))
    // A group may be called __proto__.
    const groups = Object.fromEntries(
      [...names].map((name) => [
        name,
        sumOf(all.flatMap(({ groups: own }) => (Object.hasOwn(own, name) ? [own[name]!] : []))),
      ]),
    )
    const undone = Object.values(groups).map((one) => total(UNDONE.map((state) => one[state])))
    return {
      groups,
      messages: undone.length > 0 ? Math.max(...undone) : total(all.map(({ messages }) => messages)),
      bytes: total(all.map(({ bytes }) => bytes)),
      oldestMs: eldest(all.map(({ oldestMs }) => oldestMs)),
      sent: total(all.map(({ sent }) => sent)),
      holds: mergedHolds(all.map(({ holds }) => holds)),
    }
  }

  cancel(ids: readonly string[]): Promise<boolean[]> {
    return this.#run('cancel', () => this.#spread(ids, this.#shardOfId, (shard, part) => shard.cancel(part)))
  }

  retryNow(group: string, ids: readonly string[]): Promise<boolean[]> {
    return this.#run('retryNow', () =>
      this.#spread(ids, this.#shardOfId, (shard, part) => shard.retryNow(group, part)),
    )
  }

  readonly #shardOfId = (id: string): number => shardOfId(id, this.#shards.length)

  async deleteGroup(group: string): Promise<void> {
    for (const joined of this.#joined) joined.delete(group)
    await this.#all('deleteGroup', (shard) => shard.deleteGroup(group))
  }

  async purge(): Promise<void> {
    await this.#all('purge', (shard) => shard.purge())
  }

  async delete(): Promise<void> {
    for (const joined of this.#joined) joined.clear()
    await this.#all('delete', (shard) => shard.delete())
  }

  watch(listener: (hint?: Hint) => void): () => void {
    const stops = this.#shards.map((shard) => shard.watch!(listener))
    return () => {
      for (const stop of stops) stop()
    }
  }

  close(): Promise<void> {
    return (this.#closed ??= this.#close())
  }

  async #close(): Promise<void> {
    this.#onClose()
    // They ask shards one after the other.
    await Promise.allSettled(this.#running)
    await Promise.all(this.#shards.map((shard) => shard.close()))
  }

  #all<T>(tried: string, work: (shard: QueueStorage) => Promise<T>): Promise<T[]> {
    return this.#run(tried, () => together(this.#shards.map(work)))
  }

  #run<T>(tried: string, verb: () => Promise<T>): Promise<T> {
    if (this.#closed !== undefined) return Promise.reject(closedError(tried))
    const running = verb()
    this.#running.add(running)
    const done = (): boolean => this.#running.delete(running)
    running.then(done, done)
    return running
  }

  /** Does with items, each shard its own, what `work` says. Answers in the order of the items; `nowhere` for those of no shard. */
  async #spread<In, Out>(
    items: readonly In[],
    shardOf: (item: In) => number | undefined,
    work: (shard: QueueStorage, part: readonly In[], index: number) => Promise<readonly Out[]>,
    nowhere?: Out,
  ): Promise<Out[]> {
    const parts = new Map<number, number[]>()
    const results: Out[] = []
    for (const [i, item] of items.entries()) {
      const shard = shardOf(item)
      if (shard === undefined) results[i] = nowhere!
      else if (parts.has(shard)) parts.get(shard)!.push(i)
      else parts.set(shard, [i])
    }
    await together(
      [...parts].map(async ([shard, indices]) => {
        const part = indices.map((i) => items[i]!)
        const done = await work(this.#shards[shard]!, part, shard)
        for (const [n, i] of indices.entries()) results[i] = done[n]!
      }),
    )
    return results
  }
}

/** Waits for all. Where some of them failed and others were done, the whole is neither. */
async function together<T>(calls: readonly Promise<T>[]): Promise<T[]> {
  const ends = await Promise.allSettled(calls)
  const failed = ends.filter((end) => end.status === 'rejected')
  if (failed.length === 0) return ends.map((end) => (end as PromiseFulfilledResult<T>).value)
  const cause: unknown = failed[0]!.reason
  const codeOf = ({ reason }: PromiseRejectedResult): unknown => (reason as { code?: unknown }).code
  const isPlain = failed.every((one) => codeOf(one) === codeOf(failed[0]!))
  if (failed.length === ends.length && isPlain) throw cause
  const text = cause instanceof Error ? cause.message : String(cause)
  throw new QuaysideError('STORAGE_FAILED', `some shards did it, and one failed: ${text}`, { cause })
}

/** What says where a message lies, and all that must lie with it. */
function placeOf({ lane, key }: NewMessage): string | undefined {
  return lane ?? key
}

function twoPlaces(id: string, { lane, key }: NewMessage, shards: number): QuaysideError {
  const [kind, place] = lane === undefined ? ['key', key] : ['lane', lane]
  const what = `the message of the id ${JSON.stringify(id)} has the ${kind} ${JSON.stringify(place)}`
  return new QuaysideError(
    'UNSUPPORTED',
    `append: ${what}. In a queue of ${shards} shards the id says where a message lies, or its lane, or its key, so an id goes with neither of them; use shards: 1, or carry the id in headers`,
  )
}

/** Settlements as their shard knows them. */
function unmarked(settlements: readonly Settlement[], shards: number): Settlement[] {
  return settlements.map((one) => ({ ...one, receipt: unmark(one.receipt, shards)![1] }))
}

/** What a shard answers with, as the outside knows it. */
function marked<T extends { readonly receipt?: string | undefined }>(shard: number, some: readonly T[]): T[] {
  return some.map((one) => (one.receipt === undefined ? one : { ...one, receipt: mark(shard, one.receipt) }))
}

function least(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.min(a, b)
}

/** An answer that has so much has no room for that of another shard. */
function isFull(bytes: number): boolean {
  return bytes >= MAX_ANSWER_BYTES - LIMITS.answerBytes
}

/** What bodies take, in UTF-16 units or bytes. */
function sizeOf(some: readonly { readonly body: Body }[]): number {
  return total(some.map(({ body }) => body.length))
}

function total(numbers: readonly number[]): number {
  return numbers.reduce((sum, one) => sum + one, 0)
}

function eldest(ages: readonly (number | undefined)[]): number | undefined {
  const known = ages.filter((age) => age !== undefined)
  return known.length === 0 ? undefined : Math.max(...known)
}

const UNDONE = ['ready', 'leased', 'delayed', 'blocked', 'parked'] as const
const COUNTS = [...UNDONE, 'dead', 'acked', 'failed'] as const

function sumOf(groups: readonly GroupStats[]): GroupStats {
  const counts = Object.fromEntries(COUNTS.map((name) => [name, total(groups.map((one) => one[name]))]))
  const oldestMs = eldest(groups.map((one) => one.oldestMs))
  return { ...(counts as unknown as Omit<GroupStats, 'oldestMs'>), oldestMs }
}
