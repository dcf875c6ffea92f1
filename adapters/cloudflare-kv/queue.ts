import { QuaysideError, unsupported } from '../../src/errors.ts'
import type {
  AppendOptions,
  AppendResult,
  ClaimRequest,
  ClaimResult,
  ListQuery,
  NewMessage,
  Page,
  QueueStorage,
  SettleResult,
  Settlement,
  StorageStats,
} from '../../src/storage.ts'
import { prepare, write } from './append.ts'
import { Change, type Work } from './change.ts'
import { claim } from './claim.ts'
import { coalesce } from './coalesce.ts'
import { declareGroups } from './groups.ts'
import { list, stats } from './list.ts'
import { deleteGroup, deleteQueue, purge, retryNow } from './remove.ts'
import { isKnown, settle } from './settle.ts'

/** One view of a queue. */
export class CloudflareKVQueue implements QueueStorage {
  readonly #work: Work
  readonly #isClosed: () => boolean
  readonly #running: Set<Promise<unknown>> = new Set()
  #closed = false

  constructor(work: Work, isClosed: () => boolean) {
    this.#work = work
    this.#isClosed = isClosed
  }

  append(messages: readonly NewMessage[], options: AppendOptions): Promise<AppendResult[]> {
    const { batchId, groups = [] } = options
    return this.#run('append', async (work) => {
      await declareGroups(work, 'append', groups)
      const { due, results } = prepare(work, messages, batchId)
      if (due.length > 0) await (work.settings.coalesceMs > 0 ? coalesce : write)(work, due)
      return results
    })
  }

  claim(request: ClaimRequest): Promise<ClaimResult> {
    return this.#run('claim', (work) => claim(work, request))
  }

  settle(name: string, settlements: readonly Settlement[]): Promise<SettleResult[]> {
    return this.#run('settle', async (work) => {
      const { kv, ledger, settings } = work
      if (!ledger.groups.has(name)) await ledger.load(kv, 'settle', ledger.now(settings.clock), false)
      if (settlements.some((one) => !isKnown(work, one)))
        await ledger.load(kv, 'settle', ledger.now(settings.clock), true)
      const group = ledger.groups.get(name)
      if (group === undefined) return settlements.map(() => ({ status: 'stale' }))
      const change = new Change(work, group, ledger.now(settings.clock), 0)
      const extensions: Change[] = []
      try {
        const results = await settle(change, settlements, extensions)
        for (const one of [...extensions, change]) await one.commit('settle')
        return results
      } catch (error) {
        for (const one of [...extensions, change]) one.abandon()
        throw error
      }
    })
  }

  list(query: ListQuery): Promise<Page> {
    return this.#run('list', (work) => list(work, query))
  }

  results(): Promise<never> {
    return unsupported('results')
  }

  lanes(): Promise<never> {
    return unsupported('lanes')
  }

  resume(): Promise<never> {
    return unsupported('resume')
  }

  hold(): Promise<never> {
    return unsupported('hold')
  }

  release(): Promise<never> {
    return unsupported('release')
  }

  stats(): Promise<StorageStats> {
    return this.#run('stats', stats)
  }

  cancel(): Promise<boolean[]> {
    return this.#run('cancel', () =>
      Promise.reject(
        new QuaysideError('UNSUPPORTED', 'cancel: the storage cloudflare-kv has no cancellation'),
      ),
    )
  }

  retryNow(group: string, ids: readonly string[]): Promise<boolean[]> {
    return this.#run('retryNow', (work) => retryNow(work, group, ids))
  }

  deleteGroup(group: string): Promise<void> {
    return this.#run('deleteGroup', (work) => deleteGroup(work, group))
  }

  purge(): Promise<void> {
    return this.#run('purge', purge)
  }

  delete(): Promise<void> {
    return this.#run('delete', deleteQueue)
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await Promise.allSettled(this.#running)
    const { ledger, settings } = this.#work
    for (const name of ledger.unsaved.keys()) {
      const group = ledger.groups.get(name)
      if (group !== undefined) {
        await new Change(this.#work, group, ledger.now(settings.clock), 0).commit('close')
      }
    }
  }

  async #run<T>(tried: string, verb: (work: Work) => Promise<T>): Promise<T> {
    if (this.#closed || this.#isClosed()) {
      throw new QuaysideError('CLOSED', `${tried}: this view of the queue was closed; open it again`)
    }
    const running = verb(this.#work)
    this.#running.add(running)
    try {
      return await running
    } finally {
      this.#running.delete(running)
    }
  }
}
