import process from 'node:process'
import { NodeFsAdapter } from '../adapters/fs/index.ts'
import { nodeFileSystem, readingFileSystem, type FileSystem } from '../adapters/fs/file-system.ts'
import { listFiles } from '../adapters/fs/files.ts'
import { guaranteesOf } from '../adapters/fs/guarantees.ts'
import { openJournalReader } from '../adapters/fs/reader.ts'
import { SegmentAdapter } from '../src/segments/engine.ts'
import type { QueueStorage, StorageAdapter } from '../src/storage.ts'
import { Stop, FAILED, USAGE } from './exit.ts'
import { learnSecrets, redact } from './secrets.ts'
import { isSQLite, openSQLite } from './sqlite.ts'
import { clean } from './width.ts'

/** Where queues are. */
export interface Target {
  /** As it was named. */
  readonly name: string
  readonly adapter: StorageAdapter
  /** The names of its queues. */
  names(): Promise<string[]>
  close(): Promise<void>
}

/** `read` disturbs nobody; `change` needs queues to be there; `create` makes what is not. */
export type Purpose = 'read' | 'change' | 'create'

/** Opens a directory, a SQLite file, or what a URL names; `env:NAME` is what that variable says. */
export async function openTarget(word: string, purpose: Purpose): Promise<Target> {
  const name = targetOf(word)
  if (/^rediss?:\/\//.test(name)) return await (await import('./redis.ts')).openRedis(name)
  if (/^postgres(ql)?:\/\//.test(name))
    return await (await import('./postgres.ts')).openPostgres(name, purpose)
  if (/^[a-z][a-z+.-]*:\/\//i.test(name))
    throw new Stop(
      USAGE,
      `${clean(redact(name))} is neither a directory nor a SQLite file nor a kind of URL that is known`,
    )
  if (isSQLite(name)) return openSQLite(name, purpose)
  return await (purpose === 'read' ? readDirectory(name) : openDirectory(name, purpose))
}

/** Whether a target is a directory, which one process has to itself. */
export function isDirectory(word: string): boolean {
  const name = targetOf(word)
  return !/^[a-z][a-z+.-]*:\/\//i.test(name) && !isSQLite(name)
}

/** What a target of the command line names. A variable keeps a password out of lists of processes and of what a shell remembers. */
function targetOf(word: string): string {
  const [, variable] = /^env:(\w+)$/.exec(word) ?? []
  if (variable === undefined) return word
  const name = process.env[variable]
  if (!name) throw new Stop(USAGE, `${word}: there is no variable ${variable}, or nothing in it`)
  learnSecrets([...process.argv.slice(2), name])
  return name
}

/** A directory as its owner, if there is one, leaves it at the moment. */
export async function readDirectory(
  directory: string,
  fileSystem: FileSystem = readingFileSystem,
): Promise<Target> {
  const reader = await openJournalReader(directory, { fileSystem })
  const adapter = new SegmentAdapter(guaranteesOf({}), () => Promise.resolve(reader))
  return { name: redact(directory), adapter, names: () => reader.names(), close: () => reader.close() }
}

async function openDirectory(directory: string, purpose: Purpose): Promise<Target> {
  let names: string[] = []
  if (purpose === 'change' || hasJournal(directory)) {
    const before = await readDirectory(directory)
    names = await before.names()
    await before.close()
  }
  const adapter = new NodeFsAdapter(directory)
  return {
    name: redact(directory),
    adapter,
    names: () => Promise.resolve(names),
    close: () => adapter.close(),
  }
}

function hasJournal(directory: string): boolean {
  try {
    return listFiles(nodeFileSystem, directory).length > 0
  } catch {
    // What is wrong with it is told when it is opened.
    return false
  }
}

/** The name of the one queue that is meant. */
export async function theQueue(target: Target, named: string | undefined): Promise<string> {
  const names = await target.names()
  if (named !== undefined && names.includes(named)) return named
  if (named === undefined && names.length === 1) return names[0]!
  const there = names.length === 0 ? 'it has none' : `it has ${names.map(clean).join(', ')}`
  const problem =
    named === undefined
      ? `which queue of ${clean(target.name)}?`
      : `there is no queue ${clean(named)} in ${clean(target.name)}:`
  throw new Stop(named === undefined ? USAGE : FAILED, `${problem} ${there}`)
}

/** The name of the one group that is meant. */
export async function theGroup(queue: QueueStorage, named: string | undefined): Promise<string> {
  const names = Object.keys((await queue.stats()).groups)
  if (named !== undefined && names.includes(named)) return named
  if (named === undefined && names.length === 1) return names[0]!
  // One that is not there yet is shown as it would start.
  if (named === undefined && names.length === 0) return 'default'
  const there =
    names.length === 0 ? 'no group has received from it yet' : `it has ${names.map(clean).join(', ')}`
  const problem =
    named === undefined ? 'which group? Add --group:' : `the queue has no group ${clean(named)}:`
  throw new Stop(named === undefined ? USAGE : FAILED, `${problem} ${there}`)
}

/** Opens a target, and closes it whatever happens. */
export async function withTarget<T>(
  name: string,
  purpose: Purpose,
  use: (target: Target) => Promise<T>,
): Promise<T> {
  const target = await openTarget(name, purpose)
  try {
    return await use(target)
  } finally {
    await target.close()
  }
}
