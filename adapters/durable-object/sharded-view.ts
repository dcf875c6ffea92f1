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
import { batchIdOf, mark, shardOfId, shardOfKey, unmark } from './shards.ts'

/** A queue in several objects. */
export class ShardedView implements QueueStorage {
  readonly #shards: readonly QueueStorage[]
  /** The next shard that is appended to, and the next that is claimed from. Views start at different ones. */
  #append: number
  #claim: number
  /** Groups that every shard knows: a message must wait for all groups, wherever it lies. */
  readonly #joined: Set<string> = new Set()

  constructor(shards: readonly QueueStorage[]) {
    this.#shards = shards
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

  async claim({ settle, ...request }: ClaimRequest): Promise<ClaimResult> {
    const settled = settle && (await this.settle(request.group, settle))
    await this.#join(request)
    const start = this.#claim++
    let nextInMs: number | undefined
    for (let i = 0; i < this.#shards.length; i++) {
      const at = (start + i) % this.#shards.length
      const result = await this.#shards[at]!.claim(request)
      if (result.deliveries.length > 0) {
        // The other shards may have more.
        return { deliveries: result.deliveries.map((one) => marked(at, one)), nextInMs: 0, settled }
      }
      nextInMs = least(nextInMs, result.nextInMs)
    }
    return { deliveries: [], nextInMs, settled }
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
      async (shard, part, i) => {
        const own = part.map((one) => ({ ...one, receipt: unmark(one.receipt, count)![1] }))
        return (await shard.settle(group, own)).map((result) =>
          result.receipt === undefined ? result : { ...result, receipt: mark(i, result.receipt) },
        )
      },
      { status: 'stale' },
    )
  }

  async list({ cursor, ...query }: ListQuery): Promise<Page> {
    const from = cursor === undefined ? ([0, undefined] as const) : unmark(cursor, this.#shards.length)
    if (from === undefined) return { messages: [] }
    const [shard, inside] = from
    const page = await this.#shards[shard]!.list(inside ? { ...query, cursor: inside } : query)
    const messages = page.messages.map((message) => {
      return message.receipt === undefined ? message : { ...message, receipt: mark(shard, message.receipt) }
    })
    if (page.cursor !== undefined) return { messages, cursor: mark(shard, page.cursor) }
    if (shard + 1 === this.#shards.length) return { messages }
    const next = mark(shard + 1, '')
    if (messages.length >= query.limit) return { messages, cursor: next }
    const rest = await this.list({ ...query, limit: query.limit - messages.length, cursor: next })
    return { ...rest, messages: [...messages, ...rest.messages] }
  }

  async stats(): Promise<StorageStats> {
    const all = await together(this.#shards.map((shard) => shard.stats()))
    const groups: Record<string, GroupStats> = {}
    for (const name of new Set(all.flatMap((one) => Object.keys(one.groups)))) {
      groups[name] = sumOf(all.map((one) => one.groups[name]).filter((one) => one !== undefined))
    }
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

  watch(listener: () => void): () => void {
    const stops = this.#shards.map((shard) => shard.watch!(listener))
    return () => {
      for (const stop of stops) stop()
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#shards.map((shard) => shard.close()))
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

function idAndKey(id: string, key: string, shards: number): QuaysideError {
  const what = `the message of the id ${JSON.stringify(id)} has the key ${JSON.stringify(key)}`
  return new QuaysideError(
    'UNSUPPORTED',
    `append: ${what}. In a queue of ${shards} shards the id says where a message lies, or the key, so it may have one of them; use shards: 1, or carry the other in headers`,
  )
}

function marked(shard: number, delivery: Delivery): Delivery {
  return { ...delivery, receipt: mark(shard, delivery.receipt) }
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
