import type { Buffer } from 'node:buffer'
import { valueOfPut } from './format.ts'
import { QueueRows } from './queue-rows.ts'
import type { ReplaySink } from './replay.ts'
import { type Rows, NOT_LOADED } from './rows.ts'
import type { Stage } from './stage.ts'

/** The number under which the journal keeps rows of its own. */
const SYSTEM = 0
const STATE = 0

/**
 * The queues of a journal.
 *
 * The journal has a queue of its own, whose table `state` has the name of each queue under its number. So names may be
 * any text, and never touch the file system.
 */
export class Queues {
  readonly system: QueueRows = new QueueRows(SYSTEM, '')
  readonly #byNumber: Map<number, QueueRows> = new Map([[SYSTEM, this.system]])
  readonly #byName: Map<string, QueueRows> = new Map()
  #last = 0

  /** The queue of this name, a new one if there is none. */
  named(name: string): QueueRows {
    let queue = this.#byName.get(name)
    if (queue === undefined) {
      queue = this.numbered(this.#last + 1)
      queue.name = name
      this.#byName.set(name, queue)
    }
    return queue
  }

  /** The queue of this number, a new one if there is none. */
  numbered(number: number): QueueRows {
    let queue = this.#byNumber.get(number)
    if (queue === undefined) {
      queue = new QueueRows(number, '')
      this.#byNumber.set(number, queue)
      this.#last = Math.max(this.#last, number)
    }
    return queue
  }

  /** Lets go of a queue that has no rows and whom nobody has. */
  forget(queue: QueueRows): void {
    if (!queue.isEmpty || queue === this.system) return
    this.#byNumber.delete(queue.number)
    if (this.#byName.get(queue.name) === queue) this.#byName.delete(queue.name)
  }

  /** The queue of this name or number, if there is one. */
  find(queue: string | number): QueueRows | undefined {
    return typeof queue === 'string' ? this.#byName.get(queue) : this.#byNumber.get(queue)
  }

  /** All but the journal's own. */
  all(): QueueRows[] {
    return [...this.#byNumber.values()].filter((queue) => queue !== this.system)
  }

  /** Takes what {@link replay} reads: the places of rows, not their values. */
  sink(rows: Rows): ReplaySink {
    let file = 0
    let base = 0
    let buffer: Buffer
    return {
      locate: (where, from, bytes) => {
        file = where.number
        base = from
        buffer = bytes
      },
      put: (number, table, key, from, to) => {
        const row = rows.add(file, base + from, to - from, NOT_LOADED)
        const before = this.numbered(number).table(table).set(key, row)
        if (before !== undefined) rows.remove(before)
        if (number === SYSTEM) rows.keep(row, valueOfPut(buffer, from, to))
      },
      delete: (number, table, key) => {
        const before = this.numbered(number).table(table).delete(key)
        if (before !== undefined) rows.remove(before)
      },
      deleteRange: (number, table, lower, upper) => {
        const range = { ...(lower !== undefined && { lower }), ...(upper !== undefined && { upper }) }
        this.numbered(number)
          .table(table)
          .deleteRange(range, (_keys, removed) => removed.forEach((row) => rows.remove(row)))
      },
    }
  }

  /** To be called after {@link replay}: gives the queues their names. */
  nameAll(rows: Rows): void {
    for (const [key, row] of this.system.table(STATE).range({}, Infinity)) {
      const queue = this.numbered(key as number)
      queue.name = rows.value(row) as string
      this.#byName.set(queue.name, queue)
    }
    for (const queue of this.all()) this.forget(queue)
  }

  /** Writes the name of a queue, if it is not written yet. To be called before any row of it is. */
  putName(stage: Stage, queue: QueueRows): void {
    if (queue === this.system || this.system.table(STATE).get(queue.number) !== undefined) return
    stage.put(this.system, 'state', queue.number, queue.name)
  }

  /** Takes back the name of a queue that has no rows. */
  dropName(stage: Stage, queue: QueueRows): void {
    if (queue.isEmpty) stage.delete(this.system, 'state', queue.number)
  }

  /** Writes those names again that lie in this file. */
  moveNames(stage: Stage, file: number): void {
    for (const [key, row] of this.system.table(STATE).range({}, Infinity)) {
      if (stage.rows.file(row) === file) stage.put(this.system, 'state', key, stage.rows.value(row))
    }
  }
}
