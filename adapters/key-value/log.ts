import { NoRoom, failed } from './faults.ts'
import type { Items } from './items.ts'
import type { Owner } from './owner.ts'
import { type Position, type Waste, positionKey } from './position.ts'
import { type Change, type Commit, type Kept, endedBy, isCurrent } from './rows.ts'
import { partsOf, seal } from './seal.ts'
import { commitText, deleteText, putText } from './text.ts'

/** All that is stored may be twice as long as what lives in it, and this besides. */
const SLACK_UNITS = 64 * 1024
/** As long as there is no room, everything that can be cleaned is. */
const SLACK_WHEN_FULL = 4 * 1024
/** There may be so many commits, and one more for so many units that are stored: many small ones make opening slow. */
const COMMITS = 64
const UNITS_PER_COMMIT = 4096
/** A commit takes along rows of the oldest ones: twice as much as it writes itself, and this besides, on the average. */
const CARRIED_UNITS = 4096
/** Items are removed when there are so many, or so much of what is stored is in them. */
const WASTE_ITEMS = 32
const WASTE_UNITS = 32 * 1024

/**
 * The commits, oldest first. Each new one takes along some rows of the oldest, so that those hold nothing any more and can be
 * removed: a commit costs a bounded amount, and what is stored stays within a bounded multiple of what lives.
 */
export class Log {
  readonly #items: Items
  readonly #owner: Owner
  readonly #commits: Commit[]
  #position: Position
  /** The number of the next item, and the sum of the one before it. */
  #next: number
  #sum: string
  /** The sum of the item before the first commit. */
  #sumBefore: string
  /** How much is to be taken along. */
  #credit = 0
  #waste: Waste[]
  #wasteItems = 0
  #wasteUnits = 0
  #units = 0
  #live = 0

  constructor(items: Items, owner: Owner, position: Position, commits: Commit[], sum: string) {
    this.#items = items
    this.#owner = owner
    this.#position = position
    this.#commits = commits
    this.#next = position.last + 1
    this.#sum = sum
    this.#sumBefore = position.sum
    this.#waste = [...position.waste]
    for (const { units, live } of commits) {
      this.#units += units
      this.#live += live
    }
    this.#passDone()
  }

  /**
   * Stores what was changed. When that has resolved, it is acknowledged.
   *
   * @param isFull Whether space must be made.
   * @throws NoRoom if nothing was stored; `STORAGE_FAILED` if that is unknown; `LOCKED` if somebody else has it.
   */
  async write(changes: readonly Change[], isFull: boolean): Promise<void> {
    const queues = new Map<string, string[]>()
    let units = 0
    const add = (queue: string, text: string): number => {
      const writes = queues.get(queue)
      if (writes === undefined) queues.set(queue, [text])
      else writes.push(text)
      units += text.length
      return text.length
    }
    const written: [row: Kept, units: number][] = []
    for (const change of changes) {
      if (change.kind === 'deleteRange') add(change.queue, deleteText(change.table, change.range))
      else if (change.kind === 'delete')
        add(change.before.queue, deleteText(change.before.table, change.before.key))
      // What another has taken the place of since is not there to be read.
      else if (isCurrent(change.row)) written.push([change.row, add(change.row.queue, putText(change.row))])
    }
    for (const row of this.#carried(units, isFull)) written.push([row, add(row.queue, putText(row))])
    const commit = await this.#store(commitText(queues))
    for (const change of changes) {
      for (const row of endedBy(change)) {
        this.#leave(row)
        row.value = undefined
      }
    }
    for (const [row, size] of written) {
      this.#leave(row)
      row.commit = commit
      row.units = size
      commit.rows.push(row)
      commit.live += size
      this.#live += size
    }
    this.#commits.push(commit)
    this.#units += commit.units
    this.#passDone()
  }

  /** Removes items that nobody needs, if there are enough of them. */
  async clean(isFull: boolean): Promise<void> {
    const isWorth =
      this.#wasteItems >= WASTE_ITEMS || this.#wasteUnits >= WASTE_UNITS + this.#live / 4 || isFull
    if (!isWorth || this.#wasteItems === 0) return
    try {
      await this.#moveOn()
    } catch (error) {
      if (error instanceof NoRoom) return
      throw error
    }
    const left: Waste[] = []
    for (const [run, from, to] of this.#waste) {
      try {
        const keys = Array.from({ length: to - from + 1 }, (_, i) => this.#items.key(run, from + i))
        await Promise.all(keys.map((key) => this.#items.remove(key)))
      } catch {
        // Tried again with those that come.
        left.push([run, from, to])
      }
    }
    this.#waste = left
    this.#wasteItems = this.#wasteUnits = 0
  }

  /** Writes from where on to read. Resolves when it is sure that whoever takes over will see it. */
  async #moveOn(): Promise<void> {
    const first = this.#commits[0]
    const { turn, runs } = this.#position
    const from = first?.from ?? this.#next
    // The runs that still have items, the first of them from there on.
    const index = runs.findIndex((_, i) => (runs[i + 1]?.[1] ?? Infinity) > from)
    const position: Position = {
      turn: turn + 1,
      runs: runs.slice(index).map(([run, start]) => [run, Math.max(start, from)] as const),
      sum: this.#sumBefore,
      last: this.#next - 1,
      waste: this.#waste,
    }
    const key = positionKey(this.#items, this.#owner.run, position.turn)
    await this.#items.write(key, position)
    this.#position = position
    await this.#owner.confirm(() => this.#items.remove(key))
  }

  /** Rows of the oldest commits to be written again. */
  #carried(units: number, isFull: boolean): Kept[] {
    const most = isFull ? this.#live * 1.1 + SLACK_WHEN_FULL : this.#live * 2 + SLACK_UNITS
    const many = COMMITS + this.#units / UNITS_PER_COMMIT
    const rows: Kept[] = []
    if (this.#units + units <= most && this.#commits.length < many) this.#credit = 0
    else this.#credit += units * 2 + CARRIED_UNITS
    // The last one stays.
    for (let i = 0; i < this.#commits.length - 1; i++) {
      const commit = this.#commits[i]!
      for (let at = commit.passed; at < commit.rows.length; at++) {
        const row = commit.rows[at]!
        if (row.commit !== commit) {
          if (at === commit.passed) commit.passed++
          continue
        }
        // What is being written has taken its place.
        if (!isCurrent(row)) continue
        if (row.units > this.#credit) return rows
        this.#credit -= row.units
        rows.push(row)
      }
    }
    return rows
  }

  /** Writes a text as one item or more, behind all that are there. */
  async #store(text: string): Promise<Commit> {
    const { run } = this.#owner
    const from = this.#next
    const parts = partsOf(text)
    let sum = this.#sum
    let units = 0
    for (const [i, part] of parts.entries()) {
      const sealed = seal(sum, part, i === parts.length - 1)
      try {
        await this.#items.set(this.#items.key(run, from + i), sealed.text)
      } catch (error) {
        if (error instanceof NoRoom) await this.#takeBack(from, from + i)
        throw error
      }
      sum = sealed.sum
      units += sealed.text.length
    }
    const to = from + parts.length - 1
    // Where all is cleared, nobody would ever remove this.
    await this.#owner.confirm(() => this.#takeBack(from, to))
    this.#next = to + 1
    this.#sum = sum
    return { run, from, to, sum, units, live: 0, rows: [], passed: 0 }
  }

  /** Nothing may be left of what was not written whole: items of a later commit come under these numbers. */
  async #takeBack(from: number, to: number): Promise<void> {
    try {
      for (let number = to; number >= from; number--) {
        const key = this.#items.key(this.#owner.run, number)
        await this.#items.remove(key)
        if ((await this.#items.get(key)) !== undefined) throw new Error('it is still there')
      }
    } catch (error) {
      throw failed('taking back what there was no room for', error)
    }
  }

  /** Passes over the oldest commits that hold nothing any more. */
  #passDone(): void {
    let done = 0
    for (; this.#commits[done]?.live === 0; done++) {
      const { run, from, to, sum, units } = this.#commits[done]!
      this.#sumBefore = sum
      this.#units -= units
      this.#wasteUnits += units
      this.#wasteItems += to - from + 1
      const last = this.#waste.at(-1)
      if (last?.[0] === run && last[2] === from - 1) this.#waste[this.#waste.length - 1] = [run, last[1], to]
      else this.#waste.push([run, from, to])
    }
    if (done > 0) this.#commits.splice(0, done)
  }

  /** It does not lie in its commit any more. */
  #leave(row: Kept): void {
    if (row.commit === undefined) return
    row.commit.live -= row.units
    this.#live -= row.units
    row.commit = undefined
  }
}
