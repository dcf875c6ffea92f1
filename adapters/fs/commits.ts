import type { QuaysideError } from '../../src/errors.ts'
import type { Kind } from '../../src/segments/index.ts'
import { onBurstEnd } from './burst.ts'
import { noRoom } from './faults.ts'
import { NoRoom } from './journal.ts'
import type { FsEvent } from './options.ts'
import type { Reserve } from './reserve.ts'
import type { Stage } from './stage.ts'
import type { JournalTransaction } from './transaction.ts'

/** A frame that has become this large is written without waiting for more. */
const FULL_FRAME = 1024 * 1024

export interface Commit {
  readonly kind: Kind
  readonly tx: JournalTransaction
  readonly body: (tx: JournalTransaction) => unknown
  readonly resolve: (result: unknown) => void
  readonly reject: (error: unknown) => void
  result: unknown
}

export interface CommitOptions {
  readonly directory: string
  /** Whether appends and removals wait for the disk, or for the operating system only. */
  readonly fsync: boolean
  /** Whether claims and settlements wait like them. */
  readonly strictAcks: boolean
  readonly onEvent: (event: FsEvent) => void
  /** Called after each frame, with its length. Appends wait for what it answers with, if anything. */
  readonly onWritten: (bytes: number) => Promise<void> | undefined
}

/**
 * Group commit: transactions run one after the other as they are called, and what they write goes to the disk together.
 *
 * ```
 * called ── runs at once ──► staged ── end of the burst ──► written ── fdatasync ──► on the disk
 *                              │ no room: taken back,         │ consume: resolves       │ append, remove: resolve
 *                              ▼ appends reject, others run again
 * ```
 *
 * A transaction sees what was staged before it, also what is not on the disk yet. That is safe, because frames reach the
 * disk in order or not at all: its own result is not told before what it saw has come as far as it must itself.
 */
export class Commits {
  readonly #stage: Stage
  readonly #reserve: Reserve
  readonly #options: CommitOptions
  #staged: Commit[] = []
  #scheduled = false

  constructor(stage: Stage, reserve: Reserve, options: CommitOptions) {
    this.#stage = stage
    this.#reserve = reserve
    this.#options = options
  }

  /** Runs a transaction, and settles it when it is as safe as its kind asks for. */
  add(commit: Commit): void {
    const { journal } = this.#stage
    if (journal.failure !== undefined) return commit.reject(journal.failure)
    if (commit.kind === 'append' && !this.#hasRoom()) return commit.reject(noRoom(this.#options.directory))
    this.#run(commit)
  }

  #run(commit: Commit): void {
    const stage = this.#stage
    const mark = stage.mark()
    try {
      commit.result = commit.body(commit.tx)
      if (commit.kind === 'read' && stage.mark().bytes > mark.bytes)
        throw new TypeError('A read must not write')
    } catch (error) {
      stage.back(mark)
      commit.reject(error)
      return
    }
    if (commit.kind === 'read') return commit.resolve(commit.result)
    // Without writes of its own it waits for those that it saw.
    if (stage.isEmpty) return this.#settle([commit])
    this.#staged.push(commit)
    if (stage.bytes > FULL_FRAME) this.flush()
    else this.#schedule()
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    onBurstEnd(() => {
      this.#scheduled = false
      this.flush()
    })
  }

  /** Writes what is staged. */
  flush(): void {
    const stage = this.#stage
    if (this.#staged.length === 0) return
    const commits = this.#staged
    this.#staged = []
    try {
      stage.journal.write(stage.writer, stage.apart)
    } catch (error) {
      stage.back()
      if (error instanceof NoRoom) this.#withoutRoom(commits, error.cause)
      else for (const commit of commits) commit.reject(error)
      return
    }
    for (const [queue, hint] of stage.changed)
      for (const listener of queue.listeners) queueMicrotask(() => listener(hint))
    const { bytes } = stage
    stage.written()
    const pause = this.#options.onWritten(bytes)
    if (pause === undefined) return this.#settle(commits)
    this.#settle(commits.filter(({ kind }) => kind !== 'append'))
    const appends = commits.filter(({ kind }) => kind === 'append')
    void pause.then(() => this.#settle(appends))
  }

  /** All is written. Tells those that need no more; the others when it is on the disk. */
  #settle(commits: readonly Commit[]): void {
    const { fsync, strictAcks } = this.#options
    const waiting: Commit[] = []
    for (const commit of commits) {
      if (fsync && (strictAcks || commit.kind !== 'consume')) waiting.push(commit)
      else commit.resolve(commit.result)
    }
    if (waiting.length === 0) return
    this.#stage.journal.onDisk((error?: QuaysideError) => {
      for (const commit of waiting) {
        if (error === undefined) commit.resolve(commit.result)
        else commit.reject(error)
      }
    })
  }

  /** Nothing of these was written, and it is as if they had not run: those that must work run again. */
  #withoutRoom(commits: readonly Commit[], cause: unknown): void {
    const { directory, onEvent } = this.#options
    const { journal } = this.#stage
    if (journal.hasRoom) onEvent({ type: 'full', directory })
    journal.hasRoom = false
    const freed = this.#reserve.release()
    for (const commit of commits) {
      if (commit.kind !== 'append' && freed) this.#run(commit)
      else commit.reject(noRoom(directory, cause))
    }
    this.flush()
  }

  #hasRoom(): boolean {
    const { journal } = this.#stage
    if (journal.hasRoom) return true
    journal.hasRoom = this.#reserve.restore()
    if (journal.hasRoom) this.#options.onEvent({ type: 'room', directory: this.#options.directory })
    return journal.hasRoom
  }
}
