import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import { join } from 'node:path'
import * as process from 'node:process'
import { QuaysideError } from '../../src/errors.ts'
import { codeOf } from './faults.ts'
import { closeQuietly, type FileSystem } from './file-system.ts'

/**
 * One owner for a directory, without a lock of the operating system, which Node does not offer.
 *
 * Everyone who wants the directory creates a file of a **name of its own** and then lists the directory: whoever sees no
 * other one that is alive has it. Of two who come at the same time, at least one sees the other. And since no name is
 * ever used twice, removing the file of a dead owner can never hit that of a living one.
 *
 * The name says all there is to say, so that creating the file is one step, which a crash cannot halve and a full disk
 * does not prevent: `lock-<pid>-<start>-<boot>-<namespace>-<random>-<host>`.
 */
interface Owner {
  readonly pid: number
  /** When the process was started, in ticks since the boot: tells it from a later one with its pid. */
  readonly start: string
  readonly boot: string
  /** The pid means something only in this namespace (a container has one of its own). */
  readonly namespace: string
  readonly host: string
}

/** What cannot be found out, on systems without /proc. It fits everything. */
const UNKNOWN = '0'

/** How often an owner shows that it is alive to those who cannot see its process. */
const HEARTBEAT_MS = 2000
/** After so long without a sign it counts as dead. */
const STALE_MS = 10_000

/** How often one who meets another contender, not an owner, tries again. */
const ATTEMPTS = 20

/** Which boot of the machine this is, in 8 hexadecimal digits; {@link UNKNOWN} where the system does not tell. */
export function bootOfMachine(fileSystem: FileSystem): string {
  const boot = attempt(() => fileSystem.readText('/proc/sys/kernel/random/boot_id'))
  return /^[\da-f]{8}/.exec(boot ?? '')?.[0] ?? UNKNOWN
}

export class Lock {
  readonly #fileSystem: FileSystem
  readonly #path: string
  readonly #fd: number
  readonly #heart: ReturnType<typeof setInterval>
  /** Called if somebody took this process for dead and the directory with it: nothing must be written any more. */
  onLost: (error: unknown) => void = () => {}

  private constructor(fileSystem: FileSystem, path: string, fd: number) {
    this.#fileSystem = fileSystem
    this.#path = path
    this.#fd = fd
    let beats = 0
    this.#heart = setInterval(() => {
      try {
        // A change of size needs no space, and sets the time by the clock of the file system, not by ours.
        fileSystem.truncate(fd, ++beats % 2)
        fileSystem.modifiedAt(path)
      } catch (error) {
        // Else the next beat may work; and whoever can see this process needs none.
        if (codeOf(error) === 'ENOENT') this.onLost(error)
      }
    }, HEARTBEAT_MS)
    this.#heart.unref()
  }

  /**
   * Takes the directory.
   *
   * @throws QuaysideError `LOCKED`, naming the owner, if it is taken.
   */
  static async take(fileSystem: FileSystem, directory: string): Promise<Lock> {
    for (let attempt = 1; ; attempt++) {
      const name = nameOf(thisProcess(fileSystem))
      const path = join(directory, name)
      const fd = fileSystem.open(path, true)
      let other: string | undefined
      try {
        other = findOther(fileSystem, directory, name)
      } catch (error) {
        giveUp(fileSystem, path, fd)
        throw error
      }
      if (other === undefined) return new Lock(fileSystem, path, fd)
      giveUp(fileSystem, path, fd)
      // Another contender withdraws at once, like us; an owner is still there after a moment.
      await new Promise((resolve) => setTimeout(resolve, 20 + Math.random() * 40))
      if (attempt === ATTEMPTS || fileSystem.list(directory).includes(other)) throw locked(directory, other)
    }
  }

  release(): void {
    clearInterval(this.#heart)
    giveUp(this.#fileSystem, this.#path, this.#fd)
  }
}

function giveUp(fileSystem: FileSystem, path: string, fd: number): void {
  closeQuietly(fileSystem, fd)
  try {
    fileSystem.remove(path)
  } catch (error) {
    // Somebody who could not see this process removed it.
    if (codeOf(error) !== 'ENOENT') throw error
  }
}

/** The lock of another owner or contender that is alive. Removes those of dead ones. */
function findOther(fileSystem: FileSystem, directory: string, mine: string): string | undefined {
  const us = thisProcess(fileSystem)
  for (const name of fileSystem.list(directory)) {
    if (!name.startsWith('lock-') || name === mine) continue
    const path = join(directory, name)
    const owner = parse(name)
    try {
      const alive =
        owner === undefined || !canSee(us, owner)
          ? fileSystem.modifiedAt(join(directory, mine)) - fileSystem.modifiedAt(path) <= STALE_MS
          : isAlive(fileSystem, us, owner)
      if (alive) return name
      fileSystem.remove(path)
    } catch (error) {
      // It went away by itself.
      if (codeOf(error) !== 'ENOENT') throw error
    }
  }
  return undefined
}

/** Whether an owner's pid means to us what it means to it. */
function canSee(us: Owner, owner: Owner): boolean {
  return us.host === owner.host && (us.namespace === owner.namespace || isBefore(us, owner))
}

/** Whether an owner belongs to an earlier boot of this machine. */
function isBefore(us: Owner, owner: Owner): boolean {
  return us.boot !== owner.boot && us.boot !== UNKNOWN && owner.boot !== UNKNOWN
}

function isAlive(fileSystem: FileSystem, us: Owner, owner: Owner): boolean {
  if (isBefore(us, owner)) return false
  try {
    process.kill(owner.pid, 0)
  } catch (error) {
    // EPERM: it is there, and belongs to another user.
    if (codeOf(error) === 'ESRCH') return false
  }
  const { state, start } = statOf(fileSystem, owner.pid)
  // Killed, and its parent has not taken note of it yet.
  if (state === 'Z' || state === 'X') return false
  return start === owner.start || start === UNKNOWN || owner.start === UNKNOWN
}

function thisProcess(fileSystem: FileSystem): Owner {
  return {
    pid: process.pid,
    start: statOf(fileSystem, process.pid).start,
    boot: bootOfMachine(fileSystem),
    namespace: /\d+/.exec(attempt(() => fileSystem.readLink('/proc/self/ns/pid')) ?? '')?.[0] ?? UNKNOWN,
    host: hostName(),
  }
}

function hostName(): string {
  const host = hostname().replaceAll(/[^\w.-]/g, '_')
  return host.slice(0, 100) || UNKNOWN
}

function nameOf(owner: Owner): string {
  const random = randomBytes(6).toString('hex')
  return `lock-${owner.pid}-${owner.start}-${owner.boot}-${owner.namespace}-${random}-${owner.host}`
}

function parse(name: string): Owner | undefined {
  const parts = /^lock-(\d+)-(\d+)-([\da-f]+)-(\d+)-[\da-f]+-(.+)$/.exec(name)
  if (parts === null) return undefined
  const [, pid, start, boot, namespace, host] = parts as unknown as [
    string,
    string,
    string,
    string,
    string,
    string,
  ]
  return { pid: Number(pid), start, boot, namespace, host }
}

function locked(directory: string, name: string): QuaysideError {
  const owner = parse(name)
  const isUs = owner?.pid === process.pid && owner.host === hostName()
  const who = owner === undefined ? `the owner of ${name}` : `process ${owner.pid} on ${owner.host}`
  const what = isUs
    ? `another adapter of this very process ${owner.pid} (share one among queues, or close that one first)`
    : `${who}. One process at a time can own a directory`
  return new QuaysideError('LOCKED', `${directory} is in use by ${what}`)
}

/** The 3rd and 22nd field of /proc/<pid>/stat; counted behind the command, which may hold spaces and brackets. */
function statOf(fileSystem: FileSystem, pid: number): { state: string; start: string } {
  const stat = attempt(() => fileSystem.readText(`/proc/${pid}/stat`)) ?? ''
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return { state: fields[0] ?? UNKNOWN, start: fields[19] ?? UNKNOWN }
}

/** Not every system has /proc. */
export function attempt<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch {
    return undefined
  }
}
