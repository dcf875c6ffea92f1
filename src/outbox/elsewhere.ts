import type { Clock } from '../clock.ts'
import { type Queue, type Result, result, watch } from '../core/lean/index.ts'
import { coalesce } from './coalesce.ts'
import { has } from './lanes.ts'
import { owned } from './owned.ts'
import type { OutboxPayload } from './request.ts'
import { answerIn, answerOfError } from './verdict.ts'

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

/** An end, and when it came to be, on the storage's clock. */
type Found = readonly [end: End, at: number]

/** Of so many requests it is known what was told last. */
const MOST_TOLD = 1000

/** What was told of a request last. */
interface Told {
  readonly type: string
  /** When that came to be, once the storage has said so. */
  at?: number
  /** It was found in the storage before who did it has told of it. */
  early: boolean
}

/**
 * Looks at each hint what has become of requests in other processes, which no channel reaches: what was there and is gone has left an
 * outcome, and so has what a hint names. What is parked already at the first look is no news.
 */
export class Elsewhere {
  readonly #queue: Queue<OutboxPayload>
  readonly #tell: (end: End) => void
  readonly #fail: (error: unknown) => void
  readonly #told: Map<string, Told> = new Map()
  /** Since when each is parked; 0: it waits. */
  #before: ReadonlyMap<string, number> | undefined
  readonly #named: Set<string> = new Set()
  readonly leave: () => void

  /** @throws {@link QuaysideError} `CLOSED`. */
  constructor(
    queue: Queue<OutboxPayload>,
    clock: Clock,
    tell: (end: End) => void,
    fail: (error: unknown) => void,
  ) {
    this.#queue = queue
    this.#tell = tell
    this.#fail = fail
    let over = false
    let timer: unknown
    const look = coalesce(async () => {
      const start = clock.now()
      if (!over) await this.#read().catch(fail)
      const restMs = Math.max(PAUSE_MS, (clock.now() - start) * PAUSES)
      if (!over) await new Promise<void>((resolve) => (timer = clock.setTimeout(resolve, restMs)))
    })
    const unwatch = watch(queue, (hint) => {
      for (const id of hint?.finished === 'many' ? [] : (hint?.finished ?? [])) this.#named.add(id)
      look()
    })
    look()
    this.leave = () => {
      over = true
      clock.clearTimeout(timer)
      unwatch()
    }
  }

  /** Whoever did it tells of it. Answers whether it was found before, and told. */
  wasTold({ type, id }: { readonly type: string; readonly id?: string | undefined }): boolean {
    if (id === undefined) return false
    const told = this.#told.get(id)
    const wasEarly = told?.early === true && told.type === type
    if (wasEarly) told.early = false
    else this.#note(id, { type, early: false })
    return wasEarly
  }

  async #read(): Promise<void> {
    const all: Found[] = []
    const now = new Map<string, number>()
    for await (const page of owned(this.#queue, undefined)) {
      for (const { id, parked } of page) {
        // Another one of its id may wait behind one that is parked.
        now.set(id, parked?.at ?? now.get(id) ?? 0)
        if (parked === undefined || this.#before === undefined || this.#before.get(id) === parked.at) continue
        const { at, reason, data } = parked
        all.push([{ type: 'parked', id, status: answerIn(data)?.status, reason }, at])
      }
    }
    for (const id of this.#before?.keys() ?? []) this.#named.add(id)
    this.#before = now
    // One that is still there may have replaced another one of its id.
    const ended = has(this.#queue, 'results') ? [...this.#named].filter((id) => !now.has(id)) : []
    this.#named.clear()
    const look = async (id: string): Promise<void> =>
      void all.push(...endOf(id, await result(this.#queue, id)))
    await Promise.all(ended.map((id) => look(id).catch(this.#fail)))
    for (const one of all.toSorted(([, a], [, b]) => a - b)) this.#found(one)
  }

  #found([end, at]: Found): void {
    const { type, id } = end
    const told = this.#told.get(id)
    if (told?.type === type && (told.at ??= at) === at) return
    this.#note(id, { type, at, early: true })
    this.#tell(end)
  }

  #note(id: string, told: Told): void {
    this.#told.delete(id)
    this.#told.set(id, told)
    const [first] = this.#told.keys()
    if (this.#told.size > MOST_TOLD) this.#told.delete(first!)
  }
}

/** What is gone without an outcome was taken back, or nothing was to be kept of it. */
function endOf(id: string, end: Result | undefined): Found[] {
  if (end?.status === 'done') {
    const { value, at } = end
    return [[{ type: 'accepted', id, status: answerIn(value)?.status }, at]]
  }
  if (end?.status !== 'dead') return []
  const { error, reason, at } = end
  return [[{ type: 'dead', id, status: answerOfError(error)?.status, reason: error ?? reason }, at]]
}
