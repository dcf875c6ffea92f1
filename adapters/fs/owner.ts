import { createHash, randomBytes } from 'node:crypto'
import { hostname, networkInterfaces } from 'node:os'
import process from 'node:process'
import { codeOf } from './faults.ts'
import type { FileSystem } from './file-system.ts'

/**
 * Who owns a directory: a thread of a process of a machine. It is the name of the lock,
 * `lock-<pid>-<thread>-<start>-<machine>-<namespace>-<random>-<host>`.
 */
export interface Owner {
  readonly pid: number
  /** The thread as the system counts them, or {@link UNKNOWN}. */
  readonly thread: string
  /** When the thread was started, in ticks since the boot: tells it from a later one with its number. */
  readonly start: string
  /** The boot of the machine. Host names are no use for this: two machines may share one. */
  readonly machine: string
  /** The pid means something only in this namespace (a container has one of its own). */
  readonly namespace: string
  /** For people to read. */
  readonly host: string
}

/** What cannot be found out. Nothing is concluded from it. */
const UNKNOWN = '0'

/** Whether an owner is at work; `unseen`, if nothing but its heartbeat can tell. */
export type Sight = 'alive' | 'dead' | 'unseen'

/** Which boot of the machine this is, in 8 hexadecimal digits; 0 where the system does not tell. */
export function bootOfMachine(fileSystem: FileSystem): string {
  return bootId(fileSystem)?.slice(0, 8) ?? UNKNOWN
}

export function thisOwner(fileSystem: FileSystem): Owner {
  const { start = UNKNOWN } = seesItself(fileSystem)
    ? (statOf(fileSystem, '/proc/thread-self/stat') ?? {})
    : {}
  const thread = /\d+$/.exec(attempt(() => fileSystem.readLink('/proc/thread-self')) ?? '')?.[0]
  return {
    pid: process.pid,
    thread: start === UNKNOWN ? UNKNOWN : (thread ?? UNKNOWN),
    start: thread === undefined ? UNKNOWN : start,
    machine: machineOf(fileSystem),
    namespace: /\d+/.exec(attempt(() => fileSystem.readLink('/proc/self/ns/pid')) ?? '')?.[0] ?? UNKNOWN,
    host: hostName(),
  }
}

/** Looks for an owner from where another one stands. */
export function sight(fileSystem: FileSystem, us: Owner, owner: Owner | undefined): Sight {
  if (owner === undefined || !sharesProcesses(us, owner)) return 'unseen'
  let isForeign = false
  try {
    process.kill(owner.pid, 0)
  } catch (error) {
    if (codeOf(error) === 'ESRCH') return 'dead'
    // It is there, and belongs to another user, from whom /proc may be hidden.
    isForeign = true
  }
  // A number alone proves no life: it may have been given to another process since.
  if (us.start === UNKNOWN || owner.start === UNKNOWN) return 'unseen'
  const found = statOf(fileSystem, `/proc/${owner.pid}/task/${owner.thread}/stat`)
  if (found === undefined) {
    const isThreadGone = statOf(fileSystem, `/proc/${owner.pid}/stat`) !== undefined
    return isThreadGone && !isForeign ? 'dead' : 'unseen'
  }
  // Killed, and its parent has not taken note of it yet.
  if (found.state === 'Z' || found.state === 'X') return 'dead'
  return found.start === owner.start ? 'alive' : 'dead'
}

/** Whether an owner's pid means to us what it means to it. */
function sharesProcesses(us: Owner, owner: Owner): boolean {
  if (us.machine !== owner.machine || us.machine === UNKNOWN || us.namespace !== owner.namespace) return false
  // Elsewhere there are no namespaces.
  return us.namespace !== UNKNOWN || process.platform !== 'linux'
}

export function nameOf({ pid, thread, start, machine, namespace, host }: Owner): string {
  const random = randomBytes(6).toString('hex')
  return `lock-${pid}-${thread}-${start}-${machine}-${namespace}-${random}-${host}`
}

export function parseOwner(name: string): Owner | undefined {
  const parts = /^lock-(\d+)-(\d+)-(\d+)-([\da-f]+)-(\d+)-[\da-f]+-(.+)$/.exec(name)
  if (parts === null) return undefined
  const [, pid = '', thread = '', start = '', machine = '', namespace = '', host = ''] = parts
  return { pid: Number(pid), thread, start, machine, namespace, host }
}

/** The owner that a lock names, in words. */
export function describeOwner(us: Owner, name: string): string {
  const owner = parseOwner(name)
  if (owner === undefined) return `the owner of ${name}`
  if (owner.pid !== us.pid || !sharesProcesses(us, owner)) return `process ${owner.pid} on ${owner.host}`
  return owner.thread === us.thread
    ? `this very process ${owner.pid}`
    : `another thread of this process ${owner.pid}`
}

function bootId(fileSystem: FileSystem): string | undefined {
  const text = attempt(() => fileSystem.readText('/proc/sys/kernel/random/boot_id')) ?? ''
  return /^[\da-f]{8,}/.exec(text.replaceAll('-', ''))?.[0]
}

function machineOf(fileSystem: FileSystem): string {
  const boot = bootId(fileSystem)
  if (boot !== undefined) return boot.slice(0, 16)
  // In a container addresses are no names: many have the same.
  if (process.platform === 'linux') return UNKNOWN
  const interfaces = attempt(() => Object.values(networkInterfaces()).flat()) ?? []
  const addresses = interfaces.map((one) => one?.mac ?? '').filter((mac) => /[1-9a-f]/i.test(mac))
  if (addresses.length === 0) return UNKNOWN
  const all = [...new Set(addresses)].sort().join()
  return createHash('sha256').update(`${all} ${hostName()}`).digest('hex').slice(0, 16)
}

function hostName(): string {
  return (
    hostname()
      .replaceAll(/[^\w.-]/g, '_')
      .slice(0, 100) || UNKNOWN
  )
}

/** Whether /proc is that of our own pid namespace: else its numbers are those of other processes. */
function seesItself(fileSystem: FileSystem): boolean {
  return attempt(() => fileSystem.readLink('/proc/self')) === String(process.pid)
}

/** The 3rd and 22nd field of a stat file; counted behind the command, which may hold spaces and brackets. */
function statOf(fileSystem: FileSystem, path: string): { state: string; start: string } | undefined {
  const stat = attempt(() => fileSystem.readText(path))
  if (stat === undefined) return undefined
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
