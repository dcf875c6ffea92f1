import { NoRoom, corrupt, quotaExceeded, takenOver, unavailable } from './faults.ts'
import { Items } from './items.ts'
import { Log } from './log.ts'
import { Owner } from './owner.ts'
import { FIRST, type Position, type Waste, positionKey, readPosition } from './position.ts'
import { Reserve } from './reserve.ts'
import { type Change, type Commit, QueueRows, endedBy } from './rows.ts'
import { type Unsealed, seal, unseal } from './seal.ts'
import type { KeyValueStorage } from './storage.ts'
import { replay } from './text.ts'
import { QuaysideError, hasCode } from '../../src/errors.ts'

/** So many items are asked for at once. */
const AT_ONCE = 32

/** What was found in the items, ready to go on. */
export interface Opened {
  readonly owner: Owner
  readonly log: Log
  readonly reserve: Reserve
  readonly queues: Map<string, QueueRows>
  /** What transactions write is noted here. */
  readonly changes: Change[]
}

/**
 * Takes over the items of a name, and reads what they hold.
 *
 * @throws QuaysideError `CORRUPT`, `QUOTA_EXCEEDED`, `STORAGE_UNAVAILABLE`; `LOCKED` where another took over meanwhile.
 */
export async function openItems(name: string, storage: KeyValueStorage): Promise<Opened> {
  const items = new Items(name, storage)
  const reserve = new Reserve(items)
  try {
    const write = (key: string, text: string): Promise<void> =>
      items.set(key, text).catch(async (error: unknown) => {
        if (!(error instanceof NoRoom)) throw error
        await reserve.release()
        await items.set(key, text)
      })
    const owner = await Owner.take(items, write)
    const loaded = await loadFrom(items, owner)
    await write(
      positionKey(items, owner.run, loaded.position.turn),
      seal('', JSON.stringify(loaded.position)).text,
    )
    await owner.confirm()
    await reserve.restore()
    const { queues, changes, position, commits, sum } = loaded
    return { owner, reserve, queues, changes, log: new Log(items, owner, position, commits, sum) }
  } catch (error) {
    if (error instanceof NoRoom) throw quotaExceeded(error.cause)
    throw error instanceof QuaysideError ? error : unavailable(name, error)
  }
}

interface Loaded {
  readonly queues: Map<string, QueueRows>
  readonly changes: Change[]
  readonly commits: Commit[]
  readonly sum: string
  /** Where the new run begins. */
  readonly position: Position
}

async function loadFrom(items: Items, owner: Owner): Promise<Loaded> {
  const { before, run } = owner
  if (before === undefined) {
    const position: Position = { turn: 0, runs: [[run, FIRST]], sum: '', last: FIRST - 1, waste: [] }
    return { queues: new Map(), changes: [], commits: [], sum: '', position }
  }
  let { position } = before
  for (;;) {
    try {
      return await new Reading(items, before.run, position).load(run)
    } catch (error) {
      if (!hasCode(error, 'CORRUPT')) throw error
      // Whoever had it may have cleaned up under us, and moved on before that.
      const now = await readPosition(items, before.run)
      await owner.confirm()
      if (now === undefined) throw takenOver(items.name)
      if (now.turn === position.turn) throw error
      position = now
    }
  }
}

/** Reads the commits from a position on. */
class Reading {
  readonly #items: Items
  readonly #lastRun: string
  readonly #position: Position
  readonly #queues: Map<string, QueueRows> = new Map()
  readonly #changes: Change[] = []
  readonly #commits: Commit[] = []
  #sum: string
  /** What is known of the commit that is being read. */
  #parts: { from: number; text: string; units: number } | undefined

  constructor(items: Items, lastRun: string, position: Position) {
    this.#items = items
    this.#lastRun = lastRun
    this.#position = position
    this.#sum = position.sum
  }

  async load(run: string): Promise<Loaded> {
    const { runs, last } = this.#position
    let next = runs[0]![1]
    for (const [i, [name]] of runs.entries()) {
      const end = runs[i + 1]?.[1]
      next = await this.#readRun(name, next, end)
    }
    const waste: Waste[] = [...this.#position.waste, [this.#lastRun, 0, 1]]
    // What was being written when the last run ended, and perhaps one item that its owner writes now.
    let torn = next
    while ((await this.#items.get(this.#items.key(this.#lastRun, torn))) !== undefined) torn++
    waste.push([this.#lastRun, next, Math.max(torn - 1, next)])
    const sum = this.#commits.at(-1)?.sum ?? this.#position.sum
    if (next <= last) throw this.#corrupt(this.#lastRun, next, 'what was there before is missing')
    const first = this.#commits[0]?.from ?? next
    const kept = runs.filter(([, from], i) => (runs[i + 1]?.[1] ?? next) > Math.max(from, first))
    const position: Position = {
      turn: 0,
      runs: [...kept, [run, next]],
      sum: this.#position.sum,
      last: next - 1,
      waste,
    }
    return { queues: this.#queues, changes: this.#changes, commits: this.#commits, sum, position }
  }

  /** Reads the items of a run up to its end, known or found; answers with the number behind it. */
  async #readRun(run: string, from: number, end: number | undefined): Promise<number> {
    let number = from
    for (;;) {
      const count = Math.min(AT_ONCE, (end ?? Infinity) - number)
      if (count === 0) return number
      const keys = Array.from({ length: count }, (_, i) => this.#items.key(run, number + i))
      const texts = await Promise.all(keys.map((key) => this.#items.get(key)))
      for (const text of texts) {
        const unsealed = text === undefined ? undefined : unseal(this.#sum, text)
        if (unsealed === undefined) {
          if (end !== undefined) throw this.#corrupt(run, number, 'it is not what was written there')
          return await this.#endOf(run, number)
        }
        this.#take(run, number++, text!.length, unsealed)
      }
    }
  }

  /** The run ended before this item, if nothing comes behind it. What it was in the middle of was not acknowledged. */
  async #endOf(run: string, number: number): Promise<number> {
    const behind = await this.#items.get(this.#items.key(run, number + 1))
    if (behind !== undefined) throw this.#corrupt(run, number, 'it is not what was written there')
    const end = this.#parts?.from ?? number
    this.#parts = undefined
    return end
  }

  #take(run: string, number: number, length: number, { part, sum, isLast }: Unsealed): void {
    this.#sum = sum
    this.#parts ??= { from: number, text: '', units: 0 }
    this.#parts.text += part
    this.#parts.units += length
    if (!isLast) return
    const { from, text, units } = this.#parts
    this.#parts = undefined
    const commit: Commit = { run, from, to: number, sum, units, live: 0, rows: [], passed: 0 }
    replay(text, (name) => {
      const rows = this.#queues.get(name) ?? new QueueRows(name, this.#changes)
      this.#queues.set(name, rows)
      return rows
    })
    for (const change of this.#changes) {
      if (change.kind === 'put') {
        const { row } = change
        row.commit = commit
        commit.live += row.units
        commit.rows.push(row)
      }
      for (const row of endedBy(change)) {
        row.commit!.live -= row.units
        row.commit = undefined
        row.value = undefined
      }
    }
    this.#changes.length = 0
    this.#commits.push(commit)
  }

  #corrupt(run: string, number: number, why: string): QuaysideError {
    return corrupt(this.#items.name, this.#items.key(run, number), why)
  }
}
