import { type FSWatcher, watch } from 'node:fs'
import { joinHints } from '../../src/hints.ts'
import type { Hint } from '../../src/storage.ts'
import type { BellFile } from './bell-file.ts'

/** Changes that no idle consumer waits for are told together, so many ms after the first. */
const QUIET_MS = 50
/** Where the system cannot tell of changes of a file, it is looked at this often, in ms. */
const POLL_MS = 250

/** Queues share these places, each of a number that changes. */
const SLOTS = 1024
const SLOT_BYTES = 4
/** Behind them and the place of {@link Turns} there are lines that say which messages have finished. */
const LINES = 16_384

/** A line: in which queue, of which number. */
type Line = readonly [queue: number, finished: Hint['finished']]

/** Who hears a bell. */
export interface BellListener {
  /** Whether anybody else has committed since this was last asked. */
  isNews(): boolean
  /** It was rung elsewhere, for queues of these numbers, and perhaps of others; and what was said of each. */
  hear(rang: (queue: number) => boolean, saidOf: (queue: number) => Hint | undefined): void
}

/**
 * The bell of a file: rung after a commit, heard by whoever watches in other processes and threads. It is a file beside the
 * database, with a number for each queue that each ring changes; the system tells of its changes, so that nobody polls.
 * Hints, no more: they may be lost.
 */
export class Bell {
  readonly #file: BellFile
  readonly #listener: BellListener | undefined
  #watcher: FSWatcher | undefined
  #poll: ReturnType<typeof setInterval> | undefined
  readonly #later: Set<number> = new Set()
  #timer: ReturnType<typeof setTimeout> | undefined
  #seen: Uint32Array = new Uint32Array(SLOTS)
  /** How far lines were read. */
  #readTo = LINES
  /** What was written here. */
  readonly #own: Map<number, number> = new Map()
  #next: number = Math.floor(Math.random() * 2 ** 32)

  constructor(file: BellFile, listener?: BellListener) {
    this.#file = file
    this.#listener = listener
  }

  /** Something has changed in a queue, of this number. `soon`: somebody may wait for it. */
  ring(queue: number, soon: boolean, hint?: Hint): void {
    const slot = queue % SLOTS
    // Before the number that has others look.
    if (hint?.finished !== undefined)
      this.#file.put(JSON.stringify([queue, hint.finished] satisfies Line), LINES)
    if (soon) {
      this.#later.delete(slot)
      this.#write(slot)
      return
    }
    this.#later.add(slot)
    this.#timer ??= setTimeout(() => this.#flush(), QUIET_MS)
    unref(this.#timer)
  }

  /** Listens from now on. */
  listen(): void {
    if (this.#watcher !== undefined || this.#poll !== undefined) return
    this.#listener?.isNews()
    this.#seen = this.#read()
    this.#readTo = Math.max(LINES, this.#file.length)
    try {
      this.#file.open()
      this.#watcher = watch(this.#file.path, { persistent: false }, () => this.#heard())
      this.#watcher.on('error', () => this.#look())
    } catch {
      this.#look()
    }
  }

  /** No longer. */
  rest(): void {
    this.#watcher?.close()
    clearInterval(this.#poll)
    this.#watcher = this.#poll = undefined
  }

  close(): void {
    this.rest()
    this.#flush()
    this.#file.close()
  }

  #look(): void {
    this.rest()
    this.#poll = setInterval(() => this.#heard(), POLL_MS)
    unref(this.#poll)
  }

  #heard(): void {
    if (this.#file.isGone) {
      this.rest()
      this.listen()
      // What was rung with the other one meanwhile was not heard.
      this.#listener?.hear(
        () => true,
        () => ({ finished: 'many' }),
      )
      return
    }
    const before = this.#seen
    const now = (this.#seen = this.#read())
    // A ring of somebody else may have been written over by one from here.
    const isNews = this.#listener?.isNews() ?? false
    const slots = new Set<number>()
    for (let slot = 0; slot < SLOTS; slot++)
      if (now[slot] !== before[slot] && (isNews || now[slot] !== this.#own.get(slot))) slots.add(slot)
    if (slots.size === 0) return
    const said = this.#readLines()
    this.#listener?.hear(
      (queue) => slots.has(queue % SLOTS),
      (queue) => (said === undefined ? { finished: 'many' } : said.get(queue)),
    )
  }

  /** What lines say that were put there since this was last asked. `undefined`: they were cut off. */
  #readLines(): ReadonlyMap<number, Hint> | undefined {
    const from = this.#readTo
    const { length } = this.#file
    const bytes = Buffer.alloc(Math.max(0, length - from))
    this.#file.read(bytes, from)
    const whole = bytes.lastIndexOf('\n') + 1
    this.#readTo = length < from ? Math.max(LINES, length) : from + whole
    if (length < from) return undefined
    const said = new Map<number, Hint>()
    try {
      for (const text of bytes.toString('utf8', 0, whole).split('\n').slice(0, -1)) {
        const [queue, finished] = JSON.parse(text) as Line
        said.set(queue, joinHints(said.get(queue), { finished })!)
      }
      return said
    } catch {
      return undefined
    }
  }

  #flush(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    for (const slot of this.#later) this.#write(slot)
    this.#later.clear()
  }

  #write(slot: number): void {
    this.#next = (this.#next + 1) >>> 0
    this.#own.set(slot, this.#next)
    this.#file.write(Uint32Array.of(this.#next), slot * SLOT_BYTES)
  }

  #read(): Uint32Array {
    const slots = new Uint32Array(SLOTS)
    this.#file.read(slots, 0)
    return slots
  }
}

/** Timers keep no process running for the sake of hints. */
function unref(timer: ReturnType<typeof setTimeout>): void {
  ;(timer as { unref?(): void }).unref?.()
}
