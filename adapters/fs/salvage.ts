import { Buffer } from 'node:buffer'
import { resolve as absolute } from 'node:path'
import { QuaysideError } from '../../src/errors.ts'
import type { Row } from '../../src/segments/store.ts'
import { Reader } from './codec.ts'
import { unavailable } from './faults.ts'
import { closeQuietly, type FileSystem, nodeFileSystem } from './file-system.ts'
import { type JournalFile, openFiles, readAll } from './files.ts'
import { FILE_HEADER, FRAME_HEADER, readOp, TABLE_NAMES, valueOfPut } from './format.ts'
import { findFrames } from './frames.ts'
import { Lock } from './lock.ts'
import { Queues } from './queues.ts'
import type { ReplaySink } from './replay.ts'
import { Rows } from './rows.ts'
import { openJournalStore } from './store.ts'

/** Rows are written to the new journal in transactions of about so many bytes. */
const BATCH_BYTES = 1024 * 1024

/** Bytes of a damaged journal that could not be read. */
export interface Lost {
  readonly file: string
  readonly offset: number
  readonly bytes: number
}

/**
 * Copies what can still be read of a damaged journal into a new one. The damaged one is not changed.
 *
 * What was written in a damaged place is as if it had never happened: messages that were sent there are missing, messages
 * that were acked there come again.
 *
 * @param from The damaged directory; nobody may have it open.
 * @param to A directory that does not exist yet, or is empty.
 * @returns The places that could not be read.
 * @throws QuaysideError `LOCKED`, `STORAGE_UNAVAILABLE`, `QUOTA_EXCEEDED`, `STORAGE_FAILED`.
 */
export async function salvage(
  from: string,
  to: string,
  fileSystem: FileSystem = nodeFileSystem,
): Promise<readonly Lost[]> {
  const directory = absolute(from)
  const lock = await Lock.take(fileSystem, directory)
  const files: JournalFile[] = []
  try {
    files.push(...openFiles(fileSystem, directory))
    const rows = new Rows(0)
    const queues = new Queues()
    const lost = files.flatMap((file) => readWhatIsThere(fileSystem, file, queues.sink(rows)))
    queues.nameAll(rows)
    await copy(fileSystem, files, queues, rows, to)
    return lost
  } catch (error) {
    throw error instanceof QuaysideError ? error : unavailable(`Salvaging ${directory}`, error)
  } finally {
    for (const file of files) closeQuietly(fileSystem, file.fd)
    lock.release()
  }
}

/** Hands the frames that are intact to `sink`; answers with what lies between them. */
function readWhatIsThere(fileSystem: FileSystem, file: JournalFile, sink: ReplaySink): Lost[] {
  const bytes = Buffer.allocUnsafe(file.prepared)
  readAll(fileSystem, file, bytes, bytes.length, 0)
  if (bytes.length < FILE_HEADER + FRAME_HEADER) return []
  sink.locate(file, 0, bytes)
  const ops = { ...sink, nextFile: () => {} }
  const lost: Lost[] = []
  let end = FILE_HEADER
  const skipTo = (offset: number): void => {
    // Zeros are space that was prepared.
    if (bytes.subarray(end, offset).some((byte) => byte !== 0)) {
      lost.push({ file: file.path, offset: end, bytes: offset - end })
    }
  }
  // Where the header is damaged, the first frame tells the magic.
  const magic = file.magic === 0 ? bytes.readUInt32LE(FILE_HEADER) : file.magic
  for (const { at, length } of findFrames(bytes, magic, FILE_HEADER)) {
    skipTo(at)
    end = at + length
    const reader = new Reader(bytes, at + FRAME_HEADER, end)
    while (reader.at < end) readOp(reader, ops)
  }
  skipTo(bytes.length)
  return lost
}

async function copy(
  fileSystem: FileSystem,
  files: readonly JournalFile[],
  queues: Queues,
  rows: Rows,
  to: string,
): Promise<void> {
  const fileOf = new Map(files.map((file) => [file.number, file]))
  const read = (row: number): unknown => {
    const bytes = Buffer.allocUnsafe(rows.length(row))
    readAll(fileSystem, fileOf.get(rows.file(row))!, bytes, bytes.length, rows.offset(row))
    return valueOfPut(bytes, 0, bytes.length)
  }
  const store = await openJournalStore(to, { fileSystem })
  try {
    for (const queue of queues.all()) {
      const target = await store.open(queue.name === '' ? `unnamed queue ${queue.number}` : queue.name)
      for (const [number, table] of TABLE_NAMES.entries()) {
        const found = queue.table(number).range({}, Infinity)
        while (found.length > 0) {
          const batch = found.splice(0, batchSize(found, rows))
          await target.transact('append', (tx) => {
            for (const [key, row] of batch) tx.put(table, key, read(row))
          })
        }
      }
    }
  } finally {
    await store.close()
  }
}

/** How many rows, from the first on, go into one transaction: one at least. */
function batchSize(found: readonly Row<number>[], rows: Rows): number {
  let bytes = 0
  const behind = found.findIndex(([, row]) => (bytes += rows.length(row)) > BATCH_BYTES)
  return behind === -1 ? found.length : Math.max(behind, 1)
}
