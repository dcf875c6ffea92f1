import type { Clock } from '../clock.ts'
import { type Queue, type Result, result, watch } from '../core/lean/index.ts'
import { coalesce } from './coalesce.ts'
import { has } from './lanes.ts'
import { owned } from './owned.ts'
import type { OutboxPayload } from './request.ts'
import { isAnswer } from './verdict.ts'

/** After a look there is none for as long as this, in ms, and as four looks take: whoever listens pays a fifth of its time at most. */
const PAUSE_MS = 20
const PAUSES = 4

/** What the storage has of a request. */
interface End {
  readonly type: 'accepted' | 'parked' | 'dead'
  readonly id: string
  readonly status: number | undefined
  readonly reason?: string
}

/** Is told of an end, and when it came to be, on the storage's clock. */
export type Found = (end: End, at: number) => void

/**
 * Looks at each hint what has become of requests in other processes, which no channel reaches: what was there and is gone has left an
 * outcome, and so has what a hint names. What is parked already at the first look is no news.
 */
export function lookElsewhere(
  queue: Queue<OutboxPayload>,
  clock: Clock,
  found: Found,
  fail: (error: unknown) => void,
): () => void {
  /** Since when each is parked; 0: it waits. */
  let before: ReadonlyMap<string, number> | undefined
  const named = new Set<string>()
  let over = false
  const read = async (): Promise<void> => {
    const all: Parameters<Found>[] = []
    const now = new Map<string, number>()
    for await (const page of owned(queue, undefined)) {
      for (const { id, parked } of page) {
        // Another one of its id may wait behind one that is parked.
        now.set(id, parked?.at ?? now.get(id) ?? 0)
        if (parked === undefined || before === undefined || before.get(id) === parked.at) continue
        const { at, reason, data } = parked
        all.push([{ type: 'parked', id, status: isAnswer(data) ? data.status : undefined, reason }, at])
      }
    }
    for (const id of before?.keys() ?? []) named.add(id)
    before = now
    // One that is still there may have replaced another one of its id.
    const ended = has(queue, 'results') ? [...named].filter((id) => !now.has(id)) : []
    named.clear()
    const look = async (id: string): Promise<void> => void all.push(...endOf(id, await result(queue, id)))
    await Promise.all(ended.map((id) => look(id).catch(fail)))
    for (const one of all.toSorted(([, a], [, b]) => a - b)) found(...one)
  }
  let timer: unknown
  const look = coalesce(async () => {
    const start = clock.now()
    if (!over) await read().catch(fail)
    const restMs = Math.max(PAUSE_MS, (clock.now() - start) * PAUSES)
    if (!over) await new Promise<void>((resolve) => (timer = clock.setTimeout(resolve, restMs)))
  })
  const unwatch = watch(queue, (hint) => {
    for (const id of hint?.finished === 'many' ? [] : (hint?.finished ?? [])) named.add(id)
    look()
  })
  look()
  return () => {
    over = true
    clock.clearTimeout(timer)
    unwatch()
  }
}

/** What is gone without an outcome was taken back, or nothing was to be kept of it. */
function endOf(id: string, end: Result | undefined): Parameters<Found>[] {
  if (end?.status === 'done') {
    const { value, at } = end
    return [[{ type: 'accepted', id, status: isAnswer(value) ? value.status : undefined }, at]]
  }
  if (end?.status !== 'dead') return []
  const { error, reason, at } = end
  const [, status] = /^HTTP (\d+): /.exec(error ?? '') ?? []
  return [[{ type: 'dead', id, status: status ? Number(status) : undefined, reason: error ?? reason }, at]]
}
