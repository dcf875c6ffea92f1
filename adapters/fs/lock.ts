import { dirname, join } from 'node:path'
import process from 'node:process'
import { QuaysideError } from '../../src/errors.ts'
import { codeOf } from './faults.ts'
import { closeQuietly, type FileSystem } from './file-system.ts'
import { describeOwner, nameOf, type Owner, parseOwner, sight, thisOwner } from './owner.ts'

/**
 * One owner for a directory, without a lock of the operating system, which Node does not offer and which network file
 * systems do not keep.
 *
 * Everyone who wants the directory creates a file of a **name of its own** and then lists the directory: whoever sees no
 * other one that is alive has it. Of two who come at the same time, at least one sees the other. And since no name is
 * ever used twice, taking away the file of a dead owner can never hit that of a living one. The name says all there is to
 * say, see `owner.ts`, so that creating the file is one step, which a crash cannot halve and a full disk does not prevent.
 *
 * Who is in sight is dead or alive. Anyone else (of another container, machine or boot) counts as dead once its
 * **heartbeat**, the size of its file, has not changed for {@link STALE_MS} while we watched, by our own clock: no two
 * clocks are ever compared. It may be wrong to call such an owner dead; it may only be paused. Therefore
 *
 * - an owner whose last heartbeat is older than {@link FENCE_MS} looks whether the file is still there before it touches
 *   anything, and looks again after the disk has what it wrote, before it tells anybody: see `fence.ts`;
 * - the file is not removed but renamed to a **ghost**, `ghost-<size>-<rest of the name>`. An owner beats before it looks,
 *   and who takes over renames before it looks at the size: one of them sees the other. A ghost that has moved gets the
 *   time to notice;
 * - whoever finds a ghost first puts the files that it may still have open out of its reach: see `ghosts.ts`.
 */

/** How often an owner shows that it is alive to those who cannot see its process. */
const BEAT_MS = 2000
/** After so long without a beat it looks before it writes. */
export const FENCE_MS = 5000
/** After so long without one it counts as dead. */
export const STALE_MS = 10_000

/** How long one waits for a directory that is taken: longer than it takes to find out that its owner is dead. */
export const WAIT_FOR_LOCK_MS = 15_000

/** Pauses between two looks at a directory that is taken. */
const PAUSE_MS = 20
const LONGEST_PAUSE_MS = 100

/** How often one who does not wait tries again after it met another contender, not an owner. */
const ATTEMPTS = 20

/** Heartbeats are the sizes 1 to this, over and over: no space is needed for them. */
const SIZES = 1000

/** A clock that only goes forward, and what goes by it. */
export interface Time {
  now(): number
  sleep(ms: number): Promise<void>
  /** Calls `beat` every so many ms, without keeping the process alive; returns what stops it. */
  repeat(ms: number, beat: () => void): () => void
}

export const realTime: Time = {
  now: () => performance.now(),
  sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  repeat: (ms, beat) => {
    const timer = setInterval(beat, ms)
    timer.unref()
    return () => clearInterval(timer)
  },
}

export interface LockOptions {
  /** @defaultValue {@link WAIT_FOR_LOCK_MS} */
  readonly waitMs?: number | undefined
  /** Ends the waiting, which then rejects with `CLOSED`. */
  readonly signal?: AbortSignal | undefined
  readonly time?: Time | undefined
}

export class Lock {
  readonly #fileSystem: FileSystem
  readonly #directory: string
  readonly #path: string
  readonly #fd: number
  readonly #time: Time
  readonly #stopHeart: () => void
  #beats = 0
  /** When it last showed that it is alive. */
  #shownAt: number
  #lost: QuaysideError | undefined
  /** Called if somebody took this process for dead and the directory with it: nothing must be written any more. */
  onLost: (error: unknown) => void = () => {}

  private constructor(fileSystem: FileSystem, directory: string, path: string, fd: number, time: Time) {
    this.#fileSystem = fileSystem
    this.#directory = directory
    this.#path = path
    this.#fd = fd
    this.#time = time
    this.#shownAt = time.now()
    this.#stopHeart = time.repeat(BEAT_MS, () => this.#beatAnyway())
    hold(this)
  }

  /**
   * Takes the directory.
   *
   * @throws QuaysideError `LOCKED`, naming the owner, if it is still taken after `waitMs`.
   */
  static async take(
    fileSystem: FileSystem,
    directory: string,
    { waitMs = WAIT_FOR_LOCK_MS, signal, time = realTime }: LockOptions = {},
  ): Promise<Lock> {
    const us = thisOwner(fileSystem)
    const started = time.now()
    for (let attempt = 1; ; attempt++) {
      if (signal?.aborted)
        throw new QuaysideError('CLOSED', `The storage was closed while it waited for ${directory}`)
      // Without a file of our own, so as to keep nobody away while we wait.
      let other = findOther(fileSystem, directory, us, time)
      if (other === undefined) {
        const name = nameOf(us)
        const path = join(directory, name)
        const fd = fileSystem.open(path, true)
        try {
          other = findOther(fileSystem, directory, us, time, name)
          if (other === undefined) {
            for (const one of watched.keys()) if (dirname(one) === directory) watched.delete(one)
            return new Lock(fileSystem, directory, path, fd, time)
          }
        } catch (error) {
          giveUp(fileSystem, path, fd)
          throw error
        }
        giveUp(fileSystem, path, fd)
      }
      // Another contender withdraws at once, like us; an owner is still there after a moment.
      await time.sleep(Math.min(PAUSE_MS * attempt, LONGEST_PAUSE_MS) + Math.random() * PAUSE_MS)
      if (time.now() - started < waitMs) continue
      if (attempt >= ATTEMPTS || fileSystem.list(directory).includes(other))
        throw locked(directory, us, other, waitMs)
    }
  }

  /**
   * To be called before anything in the directory is changed. Costs nothing as long as the heart beats.
   *
   * @throws QuaysideError `STORAGE_FAILED` if the directory is somebody else's now.
   */
  check(): void {
    if (this.#lost !== undefined) throw this.#lost
    if (this.#time.now() - this.#shownAt >= FENCE_MS) this.#beat()
  }

  /** Looks whether the directory is still ours, whatever the time. Throws as {@link Lock.check}. */
  confirm(): void {
    if (this.#lost !== undefined) throw this.#lost
    try {
      this.#fileSystem.modifiedAt(this.#path)
    } catch (error) {
      if (codeOf(error) === 'ENOENT') throw this.#lose(error)
      // It does not say; the time does.
      if (this.#time.now() - this.#shownAt >= FENCE_MS) throw error
    }
  }

  /** Shows that this process is alive, and then looks whether the directory is still ours: in this order. */
  #beat(): void {
    const at = this.#time.now()
    this.#fileSystem.truncate(this.#fd, 1 + (this.#beats++ % SIZES))
    this.confirm()
    this.#shownAt = at
  }

  #beatAnyway(): void {
    try {
      this.#beat()
    } catch (error) {
      // Else the next beat may work; and whoever can see this process needs none.
      if (error === this.#lost) this.onLost(error)
    }
  }

  #lose(cause: unknown): QuaysideError {
    const seconds = Math.round((this.#time.now() - this.#shownAt) / 1000)
    this.#stopHeart()
    return (this.#lost ??= new QuaysideError(
      'STORAGE_FAILED',
      `${this.#directory} was taken over by somebody else, or its files were removed. This process had last shown a sign ` +
        `of life ${seconds} s before: after 10 s, paused or busy, it counts as dead`,
      { cause },
    ))
  }

  release(): void {
    this.#lost ??= new QuaysideError('CLOSED', `The lock of ${this.#directory} was given up`)
    this.#stopHeart()
    held.delete(this)
    giveUp(this.#fileSystem, this.#path, this.#fd)
  }
}

/** The locks of this thread. */
const held: Set<Lock> = new Set()
let isListening = false

/** Has a lock released when the process, or the thread, ends without that: not everybody could see that it has. */
function hold(lock: Lock): void {
  held.add(lock)
  if (isListening) return
  isListening = true
  process.on('exit', () => {
    for (const one of held) {
      try {
        one.release()
      } catch {
        // Nobody is left to be told.
      }
    }
  })
}

function giveUp(fileSystem: FileSystem, path: string, fd: number): void {
  closeQuietly(fileSystem, fd)
  try {
    fileSystem.remove(path)
  } catch (error) {
    // Somebody who could not see this process took it away.
    if (codeOf(error) !== 'ENOENT') throw error
  }
}

/** The lock of another owner or contender that is alive. Takes those of dead ones away. */
function findOther(
  fileSystem: FileSystem,
  directory: string,
  us: Owner,
  time: Time,
  mine?: string,
): string | undefined {
  for (const name of fileSystem.list(directory)) {
    if (!name.startsWith('lock-') || name === mine) continue
    try {
      const seen = sight(fileSystem, us, parseOwner(name))
      if (seen === 'alive') return name
      if (seen === 'dead') fileSystem.remove(join(directory, name))
      else if (!banish(fileSystem, directory, name, time)) return name
    } catch (error) {
      // It went away by itself.
      if (codeOf(error) !== 'ENOENT') throw error
    }
  }
  return undefined
}

/** The last heartbeat seen of owners out of sight, and when it was first seen. Kept, so that who tries again goes on. */
const watched: Map<string, { readonly beat: string; readonly since: number }> = new Map()

/** Makes a ghost of an owner whose heart has stopped; answers `false` if it has not. */
function banish(fileSystem: FileSystem, directory: string, name: string, time: Time): boolean {
  const path = join(directory, name)
  const size = sizeOf(fileSystem, path)
  // Sizes come round; the time of the last one, by whatever clock, does not.
  const beat = `${size} ${fileSystem.modifiedAt(path)}`
  const before = watched.get(path)
  if (before?.beat !== beat || time.now() < before.since) {
    watched.set(path, { beat, since: time.now() })
    return false
  }
  if (time.now() - before.since < STALE_MS) return false
  watched.delete(path)
  fileSystem.rename(path, join(directory, name.replace('lock', `ghost-${size}`)))
  return true
}

/** Opened for this, so that a network file system asks its server instead of its cache. */
export function sizeOf(fileSystem: FileSystem, path: string): number {
  const fd = fileSystem.open(path, false)
  try {
    return fileSystem.size(fd)
  } finally {
    closeQuietly(fileSystem, fd)
  }
}

function locked(directory: string, us: Owner, name: string, waitMs: number): QuaysideError {
  const who = describeOwner(us, name)
  const waited = waitMs > 0 ? `, still after ${waitMs} ms (waitForLockMs)` : ''
  return new QuaysideError(
    'LOCKED',
    `${directory} is in use by ${who}${waited}. One thread of one process at a time can own a directory: ` +
      'use it from there (a worker thread by postMessage), or stop or close that one; ' +
      'for several processes there is quayside/redis',
  )
}
