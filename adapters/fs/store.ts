import { resolve as absolute } from 'node:path'
import { QuaysideError } from '../../src/errors.ts'
import type { Kind, QueueStore, Transaction, TransactionalStore } from '../../src/segments/index.ts'
import { Cleaner } from './cleaner.ts'
import { Commits } from './commits.ts'
import { explainOpening, makeDirectory } from './directory.ts'
import { unavailable } from './faults.ts'
import { Fence } from './fence.ts'
import { closeQuietly, type FileSystem, fileSystemWithMode } from './file-system.ts'
import { createFile, type JournalFile, openFiles } from './files.ts'
import { layGhosts } from './ghosts.ts'
import { Journal, MAX_FILE_BYTES } from './journal.ts'
import { Lock } from './lock.ts'
import type { JournalStoreOptions } from './options.ts'
import { bootOfMachine } from './owner.ts'
import { Queues } from './queues.ts'
import { repair, replay } from './replay.ts'
import { Reserve } from './reserve.ts'
import { Rows } from './rows.ts'
import { Stage } from './stage.ts'
import { JournalTransaction } from './transaction.ts'
import type { Hint } from '../../src/storage.ts'

/**
 * Opens the journal in a directory, and creates both if they are not there.
 *
 * @throws QuaysideError `LOCKED` if a living process still has it open after `waitForLockMs`; `CORRUPT` if it is damaged; `STORAGE_UNAVAILABLE` if the
 * directory cannot be used; `QUOTA_EXCEEDED` if there is no room for a new journal; `STORAGE_FAILED` if the disk failed.
 */
export async function openJournalStore(
  directory: string,
  options: JournalStoreOptions = {},
): Promise<JournalStore> {
  const fileSystem = options.fileSystem ?? fileSystemWithMode(options.mode)
  const path = absolute(directory)
  try {
    await makeDirectory(fileSystem, path)
    const { waitForLockMs: waitMs, signal, time } = options
    const lock = await Lock.take(fileSystem, path, { waitMs, signal, time })
    try {
      const fenced = new Fence(fileSystem, lock)
      await layGhosts(fenced, path, time)
      return await JournalStore.open(path, fenced, lock, options)
    } catch (error) {
      releaseQuietly(lock)
      throw error
    }
  } catch (error) {
    throw explainOpening(path, error)
  }
}

function releaseQuietly(lock: Lock): void {
  try {
    lock.release()
  } catch {
    // There is an error to report already.
  }
}

/** Queues in a directory of files. See `journal.ts` for how they are written, and `format.ts` for what is in them. */
export class JournalStore implements TransactionalStore {
  readonly #journal: Journal
  readonly #lock: Lock
  readonly #stage: Stage
  readonly #commits: Commits
  readonly #cleaner: Cleaner
  readonly #queues: Queues
  readonly #clock: { now(): number } | undefined
  #closed: Promise<void> | undefined

  private constructor(opened: Opened, lock: Lock, options: JournalStoreOptions) {
    const { journal, rows, queues } = opened
    const { directory, fileSystem, fsync } = journal.options
    const { onEvent = () => {}, strictAcks = false } = options
    const reserve = new Reserve(fileSystem, directory)
    journal.hasRoom = reserve.adopt()
    this.#journal = journal
    this.#lock = lock
    this.#queues = queues
    this.#clock = options.clock
    this.#stage = new Stage(journal, rows)
    const onWritten = (bytes: number): Promise<void> | undefined => {
      this.#cleaner.check()
      return this.#journal.crowded ?? this.#cleaner.pause(bytes)
    }
    this.#commits = new Commits(this.#stage, reserve, { directory, fsync, strictAcks, onEvent, onWritten })
    this.#cleaner = new Cleaner({
      journal,
      rows,
      queues,
      write: (body) => this.#writeOwn(body),
      onFailure: (error) => onEvent({ type: 'cleaning-failed', error }),
    })
  }

  static async open(
    directory: string,
    fileSystem: FileSystem,
    lock: Lock,
    options: JournalStoreOptions,
  ): Promise<JournalStore> {
    const opened = await openJournal(directory, fileSystem, options)
    lock.onLost = (error) => opened.journal.fail('Keeping the lock', error)
    return new JournalStore(opened, lock, options)
  }

  /** Why nothing can be done with it any more, if that is so. */
  get failure(): QuaysideError | undefined {
    try {
      this.#lock.confirm()
    } catch (error) {
      this.#journal.fail('Keeping the lock', error)
    }
    return this.#journal.failure
  }

  open(queue: string): Promise<QueueStore> {
    if (this.#closed !== undefined) return Promise.reject(closed())
    const rows = this.#queues.named(queue)
    const tx = new JournalTransaction(rows, this.#queues, this.#stage)
    return Promise.resolve({
      transact: (kind, body) => this.#transact(kind, tx, body),
      now: () => this.#clock?.now() ?? Date.now(),
      soleOwner: true,
      watch: (listener) => {
        // A function of its own, so that the same listener can watch twice.
        const listen = (hint?: Hint): void => listener(hint)
        rows.listeners.add(listen)
        return () => void rows.listeners.delete(listen)
      },
      close: () => this.#queues.forget(rows),
    })
  }

  queues(): Promise<string[]> {
    if (this.#closed !== undefined) return Promise.reject(closed())
    const all = this.#queues.all().filter((queue) => !queue.isEmpty)
    return Promise.resolve(all.map(({ name }) => name).sort())
  }

  close(): Promise<void> {
    return (this.#closed ??= this.#close())
  }

  async #close(): Promise<void> {
    this.#commits.flush()
    await this.#cleaner.stop()
    try {
      await this.#journal.close()
    } catch (error) {
      releaseQuietly(this.#lock)
      throw error
    }
    try {
      this.#lock.release()
    } catch (error) {
      throw unavailable('Giving up the lock', error)
    }
  }

  #transact<T>(kind: Kind, tx: JournalTransaction, body: (tx: Transaction) => T): Promise<T> {
    if (this.#closed !== undefined) return Promise.reject(closed())
    return new Promise((resolve, reject) => {
      this.#commits.add({
        kind,
        tx,
        body,
        resolve: resolve as (result: unknown) => void,
        reject,
        result: undefined,
      })
    })
  }

  /** Runs a transaction of the journal's own: one that must work when there is little room, and while it is closed. */
  #writeOwn(write: (stage: Stage) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#commits.add({
        kind: 'consume',
        tx: new JournalTransaction(this.#queues.system, this.#queues, this.#stage),
        body: () => write(this.#stage),
        resolve: () => resolve(),
        reject,
        result: undefined,
      })
    })
  }
}

interface Opened {
  readonly journal: Journal
  readonly rows: Rows
  readonly queues: Queues
}

/** Finds out what the files hold, and makes them a journal that can be written to. */
async function openJournal(
  directory: string,
  fileSystem: FileSystem,
  options: JournalStoreOptions,
): Promise<Opened> {
  const fsync = options.durability !== 'os'
  const boot = Number.parseInt(bootOfMachine(fileSystem), 16)
  let rows!: Rows
  let queues!: Queues
  const files = openFiles(fileSystem, directory)
  try {
    const replayed = await replay(fileSystem, directory, files, boot, () => {
      rows = new Rows(options.cacheBytes)
      queues = new Queues()
      return queues.sink(rows)
    })
    queues.nameAll(rows)
    await repair(fileSystem, directory, files, replayed)
    if (files.length === 0) files.push(await createFirst(fileSystem, directory))
    if (replayed.tornTail !== undefined) options.onEvent?.({ type: 'torn-tail', ...replayed.tornTail })
    const journal = new Journal(
      {
        directory,
        fileSystem,
        fsync,
        boot: fsync ? 0 : boot,
        maxFileBytes: options.maxFileBytes ?? MAX_FILE_BYTES,
      },
      files,
      replayed.lsn,
    )
    rows.forEach((row) => journal.count(rows.file(row), rows.length(row)))
    return { journal, rows, queues }
  } catch (error) {
    for (const file of files) closeQuietly(fileSystem, file.fd)
    throw error
  }
}

async function createFirst(fileSystem: FileSystem, directory: string): Promise<JournalFile> {
  const file = createFile(fileSystem, directory, 1, true)
  try {
    await fileSystem.dataSync(file.fd)
    await fileSystem.syncDirectory(directory)
    return file
  } catch (error) {
    closeQuietly(fileSystem, file.fd)
    throw error
  }
}

function closed(): QuaysideError {
  return new QuaysideError('CLOSED', 'The storage was closed')
}
