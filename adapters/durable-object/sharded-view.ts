import { QuaysideError } from '../../src/errors.ts'
import type {
  AppendOptions,
  AppendResult,
  ClaimRequest,
  ClaimResult,
  Delivery,
  GroupStats,
  ListQuery,
  NewMessage,
  Page,
  QueueStorage,
  SettleResult,
  Settlement,
  StorageStats,
} from '../../src/storage.ts'
import { closedError } from './stub.ts'
import { batchIdOf, mark, shardOfId, shardOfKey, unmark } from './shards.ts'

/** A queue in several objects. */
export class ShardedView implements QueueStorage {
  readonly #shards: readonly QueueStorage[]
  readonly #onClose: () => void
  /** The next shard that is appended to, and the next that is claimed from. Views start at different ones. */
  #append: number
  #claim: number
  /** Groups that every shard knows: a message must wait for all groups, wherever it lies. */
  readonly #joined: Set<string> = new Set()
  #closed = false

  /** @param onClose Told once the view is closed. */
  constructor(shards: readonly QueueStorage[], onClose: () => void) {
    this.#shards = shards
    this.#onClose = onClose
    this.#append = this.#claim = Math.floor(Math.random() * shards.length)
  }

  async append(messages: readonly NewMessage[], { batchId }: AppendOptions): Promise<AppendResult[]> {
    const count = this.#shards.length
    const rest = this.#append++ % count
    const shardOf = ({ id, key }: NewMessage): number => {
      if (id !== undefined && key !== undefined) throw idAndKey(id, key, count)
      if (key !== undefined) return shardOfKey(key, count)
      return id === undefined ? rest : shardOfId(id, count)
    }
    return await this.#spread(messages, shardOf, (shard, part, i) =>
      shard.append(part, { batchId: batchIdOf(i, batchId) }),
    )
  }

  async claim({ settle: given, ...request }: ClaimRequest): Promise<ClaimResult> {
    const settle = given ?? []
    const count = this.#shards.length
    const start = this.#claim++ % count
    await this.#join(request)
    // What the first shard is to settle rides along with the claim.
    const own = settle.filter(({ receipt }) => unmark(receipt, count)?.[0] === start)
    const others = await this.settle(
      request.group,
      settle.filter((one) => !own.includes(one)),
    )
    const deliveries: Delivery[] = []
    let ownSettled: readonly SettleResult[] = []
    let nextInMs: number | undefined
    for (let i = 0; i < count && deliveries.length < request.limit; i++) {
      const at = (start + i) % count
      const limit = request.limit - deliveries.length
      try {
        const result = await this.#shards[at]!.claim({
          ...request,
          limit,
          settle: i > 0 || own.length === 0 ? undefined : unmarked(own, count),
        })
        if (i === 0) ownSettled = result.settled ?? []
        for (const one of result.deliveries) deliveries.push({ ...one, receipt: mark(at, one.receipt) })
        nextInMs = least(nextInMs, i + 1 < count && result.deliveries.length === limit ? 0 : result.nextInMs)
      } catch (error) {
        if (deliveries.length === 0) throw error
        // What was leased already must not wait for the end of its lease. The next claim meets the error again.
        nextInMs = 0
        break
      }
    }
    const results = [others.values(), marked(start, ownSettled).values()]
    const settled = settle.map((one) => results[own.includes(one) ? 1 : 0]!.next().value!)
    return { deliveries, nextInMs, settled: given && settled }
  }

  /** Makes a group everywhere, before anything of it is done anywhere. */
  async #join(request: ClaimRequest): Promise<void> {
    if (this.#joined.has(request.group)) return
    await together(this.#shards.map((shard) => shard.claim({ ...request, limit: 0 })))
    this.#joined.add(request.group)
  }

  async settle(group: string, settlements: readonly Settlement[]): Promise<SettleResult[]> {
    const count = this.#shards.length
    return await this.#spread(
      settlements,
      ({ receipt }) => unmark(receipt, count)?.[0],
      async (shard, part, i) => marked(i, await shard.settle(group, unmarked(part, count))),
      { status: 'stale' },
    )
  }

  async list({ cursor, ...query }: ListQuery): Promise<Page> {
    this.#checkOpen('list')
    const from = cursor === undefined ? ([0, undefined] as const) : unmark(cursor, this.#shards.length)
    if (from === undefined) return { messages: [] }
    const [shard, inside] = from
    const page = await this.#shards[shard]!.list(inside ? { ...query, cursor: inside } : query)
    const messages = marked(shard, page.messages)
    if (page.cursor !== undefined) return { messages, cursor: mark(shard, page.cursor) }
    if (shard + 1 === this.#shards.length) return { messages }
    const next = mark(shard + 1, '')
    if (messages.length >= query.limit) return { messages, cursor: next }
    const rest = await this.list({ ...query, limit: query.limit - messages.length, cursor: next })
    return { ...rest, messages: [...messages, ...rest.messages] }
  }

  async stats(): Promise<StorageStats> {
    const all = await together(this.#shards.map((shard) => shard.stats()))
    const names = new Set(all.flatMap((one) => Object.keys(one.groups)))
    // A group may be called __proto__.
    const groups = Object.fromEntries(
      [...names].map((name) => [
        name,
        sumOf(all.flatMap(({ groups: own }) => (Object.hasOwn(own, name) ? [own[name]!] : []))),
      ]),
    )
    const undone = Object.values(groups).map((one) => one.ready + one.leased + one.delayed + one.blocked)
    return {
      groups,
      messages: undone.length > 0 ? Math.max(...undone) : total(all.map(({ messages }) => messages)),
      bytes: total(all.map(({ bytes }) => bytes)),
      oldestMs: eldest(all.map(({ oldestMs }) => oldestMs)),
      sent: total(all.map(({ sent }) => sent)),
    }
  }

  cancel(ids: readonly string[]): Promise<boolean[]> {
    return this.#spread(ids, this.#shardOfId, (shard, part) => shard.cancel(part))
  }

  retryNow(group: string, ids: readonly string[]): Promise<boolean[]> {
    return this.#spread(ids, this.#shardOfId, (shard, part) => shard.retryNow(group, part))
  }

  readonly #shardOfId = (id: string): number => shardOfId(id, this.#shards.length)

  async deleteGroup(group: string): Promise<void> {
    this.#joined.delete(group)
    await together(this.#shards.map((shard) => shard.deleteGroup(group)))
  }

  async purge(): Promise<void> {
    await together(this.#shards.map((shard) => shard.purge()))
  }

  async delete(): Promise<void> {
    await together(this.#shards.map((shard) => shard.delete()))
  }

  watch(listener: () => void): () => void {
    const stops = this.#shards.map((shard) => shard.watch!(listener))
    return () => {
      for (const stop of stops) stop()
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#onClose()
    await Promise.all(this.#shards.map((shard) => shard.close()))
  }

  /** For what may have nothing to ask of any shard, which would tell it. */
  #checkOpen(tried: string): void {
    if (this.#closed) throw closedError(tried)
  }

  /** Does with items, each shard its own, what `work` says. Answers in the order of the items; `nowhere` for those of no shard. */
  async #spread<In, Out>(
    items: readonly In[],
    shardOf: (item: In) => number | undefined,
    work: (shard: QueueStorage, part: readonly In[], index: number) => Promise<readonly Out[]>,
    nowhere?: Out,
  ): Promise<Out[]> {
    this.#checkOpen('use a queue')
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

function idAndKey(id: string, key: string, shards: number): QuaysideError {
  const what = `the message of the id ${JSON.stringify(id)} has the key ${JSON.stringify(key)}`
  return new QuaysideError(
    'UNSUPPORTED',
    `append: ${what}. In a queue of ${shards} shards the id says where a message lies, or the key, so it may have one of them; use shards: 1, or carry the other in headers`,
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

function total(numbers: readonly number[]): number {
  return numbers.reduce((sum, one) => sum + one, 0)
}

function eldest(ages: readonly (number | undefined)[]): number | undefined {
  const known = ages.filter((age) => age !== undefined)
  return known.length === 0 ? undefined : Math.max(...known)
}

const COUNTS = ['ready', 'leased', 'delayed', 'blocked', 'dead', 'acked', 'failed'] as const

function sumOf(groups: readonly GroupStats[]): GroupStats {
  const counts = Object.fromEntries(COUNTS.map((name) => [name, total(groups.map((one) => one[name]))]))
  const oldestMs = eldest(groups.map((one) => one.oldestMs))
  return { ...(counts as unknown as Omit<GroupStats, 'oldestMs'>), oldestMs }
}
