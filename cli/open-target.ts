import process from 'node:process'
import { NodeFsAdapter } from '../adapters/fs/index.ts'
import { nodeFileSystem, readingFileSystem, type FileSystem } from '../adapters/fs/file-system.ts'
import { listFiles } from '../adapters/fs/files.ts'
import { guaranteesOf } from '../adapters/fs/guarantees.ts'
import { openJournalReader } from '../adapters/fs/reader.ts'
import { SegmentAdapter } from '../src/segments/index.ts'
import { Stop, USAGE } from './exit.ts'
import { learnSecrets, redact } from './secrets.ts'
import { isSQLite, openSQLite } from './sqlite.ts'
import type { Purpose, Target } from './target.ts'
import { clean } from './width.ts'

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
