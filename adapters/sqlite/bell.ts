import { type FSWatcher, watch } from 'node:fs'
import type { BellFile } from './bell-file.ts'

/** Changes that no idle consumer waits for are told together, so many ms after the first. */
const QUIET_MS = 50
/** Where the system cannot tell of changes of a file, it is looked at this often, in ms. */
const POLL_MS = 250

/** Queues share these places, each of a number that changes. */
const SLOTS = 1024
const SLOT_BYTES = 4

/** Who hears a bell. */
export interface BellListener {
  /** Whether anybody else has committed since this was last asked. */
  isNews(): boolean
  /** It was rung elsewhere, for queues of these numbers, and perhaps of others. */
  hear(rang: (queue: number) => boolean): void
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
  /** What was written here. */
  readonly #own: Map<number, number> = new Map()
  #next: number = Math.floor(Math.random() * 2 ** 32)

  constructor(file: BellFile, listener?: BellListener) {
    this.#file = file
    this.#listener = listener
  }

  /** Something has changed in a queue, of this number. `soon`: somebody may wait for it. */
  ring(queue: number, soon: boolean): void {
    const slot = queue % SLOTS
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
    const before = this.#seen
    const now = (this.#seen = this.#read())
    // A ring of somebody else may have been written over by one from here.
    const isNews = this.#listener?.isNews() ?? false
    const slots = new Set<number>()
    for (let slot = 0; slot < SLOTS; slot++)
      if (now[slot] !== before[slot] && (isNews || now[slot] !== this.#own.get(slot))) slots.add(slot)
    if (slots.size > 0) this.#listener?.hear((queue) => slots.has(queue % SLOTS))
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
