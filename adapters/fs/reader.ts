import { resolve as absolute } from 'node:path'
import { QuaysideError } from '../../src/errors.ts'
import type { Kind, QueueStore, Transaction, TransactionalStore } from '../../src/segments/index.ts'
import { codeOf, corrupt, unavailable } from './faults.ts'
import { closeQuietly, type FileSystem, readingFileSystem } from './file-system.ts'
import { type JournalFile, listFiles, openFiles, openNext } from './files.ts'
import { Journal, MAX_FILE_BYTES } from './journal.ts'
import type { JournalStoreOptions } from './options.ts'
import { attempt, bootOfMachine } from './owner.ts'
import { QueueRows } from './queue-rows.ts'
import { Queues } from './queues.ts'
import { type Scan, scanAll } from './replay.ts'
import { Rows } from './rows.ts'
import { Stage } from './stage.ts'
import { JournalTransaction } from './transaction.ts'

/** How often a journal is read that its owner changes under our eyes, and the pause before that, in ms. */
const ATTEMPTS = 5
const PAUSE_MS = 10

/**
 * Opens the journal in a directory to look at it. Whoever owns it is not disturbed, and not even asked.
 *
 * @throws QuaysideError `CORRUPT` if it is damaged; `STORAGE_UNAVAILABLE` if there is none, or it cannot be read.
 */
export async function openJournalReader(
  directory: string,
  options: JournalStoreOptions = {},
): Promise<JournalReader> {
  const reader = new JournalReader(absolute(directory), options)
  await reader.refresh()
  return reader
}

/**
 * A journal as it is now, for somebody who does not own it. Each transaction first reads on to the end.
 *
 * The owner writes meanwhile: a frame may be half there, a new file may appear, and the oldest ones go. What is at the end
 * is therefore read again before it counts as damage; files that are gone were copied to the end before, and are let go.
 */
export class JournalReader implements TransactionalStore {
  readonly #directory: string
  readonly #fileSystem: FileSystem
  readonly #options: JournalStoreOptions
  #opened: Opened | undefined
  /** Settled when the transaction before is done. */
  #turn: Promise<unknown> = Promise.resolve()
  #closed = false

  constructor(directory: string, options: JournalStoreOptions) {
    this.#directory = directory
    this.#fileSystem = options.fileSystem ?? readingFileSystem
    this.#options = options
  }

  /** Reads on, and answers with the names of the queues that there are. */
  names(): Promise<string[]> {
    return this.#alone(({ queues }) => queues.all().map(({ name }) => name))
  }

  /** Reads on, and answers with how much there is. */
  size(): Promise<{ readonly files: number; readonly frames: number; readonly bytes: number }> {
    return this.#alone(({ files, scan }) => ({
      files: files.length,
      frames: scan.lsn,
      bytes: files.reduce((sum, { size }) => sum + size, 0),
    }))
  }

  async refresh(): Promise<void> {
    await this.#alone(() => {})
  }

  open(queue: string): Promise<QueueStore> {
    return Promise.resolve({
      transact: (kind, body) => this.#transact(queue, kind, body),
      now: () => this.#options.clock?.now() ?? Date.now(),
      // It did not come to take over.
      soleOwner: false,
      watch: () => () => {},
    })
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#turn
    this.#letGo()
  }

  #transact<T>(queue: string, kind: Kind, body: (tx: Transaction) => T): Promise<T> {
    if (kind !== 'read') return Promise.reject(readOnly(this.#directory))
    return this.#alone(({ queues, stage }) => {
      const rows = queues.find(queue) ?? new QueueRows(0, queue)
      return body(new JournalTransaction(rows, queues, stage))
    })
  }

  /** Runs something on what is there now, when what was called before is done. */
  #alone<T>(run: (opened: Opened) => T): Promise<T> {
    if (this.#closed) return Promise.reject(new QuaysideError('CLOSED', 'The storage was closed'))
    const result = this.#turn.then(() => this.#run(run))
    this.#turn = result.catch(() => {})
    return result
  }

  async #run<T>(run: (opened: Opened) => T): Promise<T> {
    for (let tries = 1; ; tries++) {
      try {
        return run(await this.#upToDate())
      } catch (error) {
        this.#letGo()
        const isPassing = codeOf(error) === 'CORRUPT' || codeOf(error) === 'ENOENT'
        if (!isPassing || tries === ATTEMPTS) throw this.#explain(error)
      }
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS * tries))
    }
  }

  #explain(error: unknown): unknown {
    if (!(error instanceof Error && 'syscall' in error)) return error
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') {
      const files = attempt(() => listFiles(this.#fileSystem, this.#directory)) ?? []
      if (files.length === 0) return noJournal(this.#directory, error)
    }
    return unavailable(`Reading ${this.#directory}`, error)
  }

  async #upToDate(): Promise<Opened> {
    const opened = this.#opened
    if (opened === undefined) return (this.#opened = await this.#open())
    // What is gone before we read on was copied to the end before it went.
    const gone = opened.files.findIndex((file) => this.#isThere(file))
    // The newest does not go but with the journal; or a new owner has put a copy in its place.
    if (!this.#isThere(opened.files.at(-1)!)) {
      this.#letGo()
      return (this.#opened = await this.#open())
    }
    await this.#readOn(opened)
    for (const { fd } of opened.files.splice(0, gone)) closeQuietly(this.#fileSystem, fd)
    opened.queues.nameAll(opened.rows)
    opened.stage = this.#stageFor(opened)
    return opened
  }

  async #open(): Promise<Opened> {
    const fileSystem = this.#fileSystem
    const all = openFiles(fileSystem, this.#directory)
    const files: JournalFile[] = []
    try {
      let rows!: Rows
      let queues!: Queues
      const boot = Number.parseInt(bootOfMachine(fileSystem), 16)
      const { scan, count } = await scanAll(fileSystem, this.#directory, all, boot, () => {
        rows = new Rows(this.#options.cacheBytes)
        queues = new Queues()
        return queues.sink(rows)
      })
      if (count === 0) throw noJournal(this.#directory)
      const opened = { files, rows, queues, scan }
      files.push(...all.slice(0, count))
      await this.#judge(opened, all.slice(count))
      for (const { fd } of all.slice(count)) closeQuietly(fileSystem, fd)
      queues.nameAll(rows)
      return { ...opened, stage: this.#stageFor(opened) }
    } catch (error) {
      for (const { fd } of new Set([...all, ...files])) closeQuietly(fileSystem, fd)
      throw error
    }
  }

  /** Whether what was read is all. It may be that more was written since. */
  async #judge(opened: Unstaged, later: readonly JournalFile[]): Promise<void> {
    const { scan, files } = opened
    for (;;) {
      const last = files.at(-1)!
      const unread = later.filter(({ number }) => number > last.number)
      for (const file of [last, ...unread]) file.prepared = this.#fileSystem.size(file.fd)
      const { lsn } = scan
      try {
        scan.judge(last, unread)
        return
      } catch (error) {
        await this.#readOn(opened)
        if (scan.lsn === lsn) throw error
      }
    }
  }

  /** Reads what was written since. */
  async #readOn({ files, scan }: Unstaged): Promise<void> {
    const fileSystem = this.#fileSystem
    for (;;) {
      const last = files.at(-1)!
      last.prepared = fileSystem.size(last.fd)
      await scan.file(last)
      const number = scan.announced
      if (number !== last.number + 1) return
      const next = openNext(fileSystem, this.#directory, number)
      files.push(next)
      if (next.magic === 0) throw corrupt(next.path, 0, 'its header is not what was written')
    }
  }

  #isThere({ fd, path }: JournalFile): boolean {
    return this.#fileSystem.isAt(fd, path)
  }

  /** Transactions look at rows as an owner's do: on a frame that is empty, and stays so. */
  #stageFor({ files, rows, scan }: Unstaged): Stage {
    const journal = new Journal(
      {
        directory: this.#directory,
        fileSystem: this.#fileSystem,
        fsync: false,
        boot: 0,
        maxFileBytes: MAX_FILE_BYTES,
      },
      files,
      scan.lsn,
    )
    return new Stage(journal, rows)
  }

  #letGo(): void {
    for (const { fd } of this.#opened?.files ?? []) closeQuietly(this.#fileSystem, fd)
    this.#opened = undefined
  }
}

/** What was read so far. */
interface Unstaged {
  /** Oldest first. */
  readonly files: JournalFile[]
  readonly rows: Rows
  readonly queues: Queues
  readonly scan: Scan
}

interface Opened extends Unstaged {
  stage: Stage
}

function noJournal(directory: string, cause?: unknown): QuaysideError {
  return new QuaysideError(
    'STORAGE_UNAVAILABLE',
    `There is no journal in ${directory} that could be read: name the directory that a NodeFsAdapter was given`,
    cause === undefined ? undefined : { cause },
  )
}

function readOnly(directory: string): QuaysideError {
  return new QuaysideError(
    'UNSUPPORTED',
    `${directory} was opened with readOnly, and this would change it: open it without`,
  )
}
