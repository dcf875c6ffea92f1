import type { ByteRows, ByteStore, Kind } from '../../src/segments/index.ts'
import { Rows } from './byte-store.ts'

/** What a store does that only shows when it is opened again. */
export interface JournalFlaw {
  /** Writes down what a transaction does before that has ended. */
  readonly early?: boolean
  /** Does not write down what transactions of this kind do. */
  readonly skips?: Kind
  /** Does not write down that a range was deleted. */
  readonly skipsRanges?: boolean
  /** Has one line for what was put under a key, which stays where it was first. */
  readonly overwrites?: boolean
  /** Writes down what happens in the queue that was the first. */
  readonly oneQueue?: boolean
  /** Lets go of the rows of a queue that is closed. */
  readonly forgetsClosed?: boolean
}

interface Line {
  readonly queue: string
  /** Of what is put. */
  readonly key?: string
  redo(rows: ByteRows): void
}

/** A byte store with its rows in memory and a journal, which is done again by each opening. */
export function journaledStore(flaw: JournalFlaw = {}): () => ByteStore {
  const journal: Line[] = []
  const write = (line: Line): void => {
    const at = journal.findIndex(({ queue, key }) => queue === line.queue && key === line.key)
    if (flaw.overwrites && line.key !== undefined && at >= 0) journal[at] = line
    else if (!flaw.oneQueue || (journal[0] ?? line).queue === line.queue) journal.push(line)
  }
  return () => {
    const queues = new Map<string, Rows>()
    const rowsOf = (queue: string): Rows => {
      const rows = queues.get(queue) ?? new Rows(Infinity)
      queues.set(queue, rows)
      return rows
    }
    for (const { queue, redo } of journal) redo(rowsOf(queue))
    return {
      open: (queue) => ({
        now: () => Date.now(),
        async transact(kind, body) {
          const rows = rowsOf(queue)
          const lines: Line[] = []
          const done = (line: Omit<Line, 'queue'>): void => {
            line.redo(rows)
            if (flaw.early) write({ queue, ...line })
            else lines.push({ queue, ...line })
          }
          rows.begin()
          try {
            await body({
              get: (key) => rows.get(key),
              scan: (from, to, limit) => rows.scan(from, to, limit),
              put: (key, value) => done({ key: key.join(), redo: (on) => on.put(key, value) }),
              delete: (key) => done({ redo: (on) => on.delete(key) }),
              deleteRange(from, to) {
                if (flaw.skipsRanges) rows.deleteRange(from, to)
                else done({ redo: (on) => on.deleteRange(from, to) })
              },
            })
          } catch (error) {
            rows.undo()
            throw error
          }
          if (kind !== flaw.skips) for (const line of lines) write(line)
        },
        close: () => void (flaw.forgetsClosed && queues.delete(queue)),
      }),
      close: () => undefined,
    }
  }
}
