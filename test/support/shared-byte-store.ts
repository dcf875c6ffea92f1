import type { ByteRow, ByteRows, ByteStore } from '../../src/segments/index.ts'

/** How a byte store may go wrong only where another one works on the same rows. */
export interface SharedFlaw {
  /**
   * What does not wait for the transactions of others: any of its own, or its reads, which see what comes up meanwhile; or it sees the rows as they were, and
   * begins anew only where another has written the same ones.
   */
  readonly overtakes?: 'always' | 'by reads' | 'but for conflicts'
  /** Says that nobody has changed anything. */
  readonly saysUnchanged?: boolean
  /** Keeps what it has read for ever. */
  readonly caches?: boolean
}

type Rows = ReadonlyMap<string, Uint8Array>

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'hex'))
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** Opens byte stores on the same rows, as processes would. Reads take a turn each, but for those that say whether something has changed. */
export function sharedByteStore({
  overtakes,
  saysUnchanged = false,
  caches = false,
}: SharedFlaw = {}): () => ByteStore {
  const queues = new Map<string, Rows>()
  const ends = new Map<string, Promise<void>>()
  return () => ({
    open(name) {
      let cached: Rows | undefined
      return {
        now: () => Date.now(),
        ...(saysUnchanged && { isUnchanged: () => true }),
        async transact(kind, body) {
          let end = (): void => undefined
          const waits = overtakes === undefined || (overtakes === 'by reads' && kind !== 'read')
          const before = ends.get(name)
          if (waits) {
            ends.set(name, new Promise((resolve) => (end = resolve)))
            await before
          }
          try {
            for (;;) {
              const start = (caches ? cached : undefined) ?? queues.get(name) ?? new Map<string, Uint8Array>()
              const changes = new Map<string, Uint8Array | undefined>()
              const seen = (): Map<string, Uint8Array> =>
                changed((overtakes === 'by reads' ? queues.get(name) : undefined) ?? start, changes)
              await body(view(seen, changes, !saysUnchanged))
              const now = queues.get(name) ?? start
              const isLate = [...changes.keys()].some((key) => now.get(key) !== start.get(key))
              if (overtakes === 'but for conflicts' && isLate) continue
              cached = changed(caches ? start : now, changes)
              if (changes.size > 0) queues.set(name, cached)
              return
            }
          } finally {
            end()
          }
        },
      }
    },
    close: () => undefined,
  })
}

function changed(rows: Rows, changes: ReadonlyMap<string, Uint8Array | undefined>): Map<string, Uint8Array> {
  const all = new Map(rows)
  for (const [key, value] of changes) {
    if (value === undefined) all.delete(key)
    else all.set(key, value)
  }
  return all
}

function view(
  seen: () => Map<string, Uint8Array>,
  changes: Map<string, Uint8Array | undefined>,
  later: boolean,
): ByteRows {
  const within = (from: Uint8Array, to: Uint8Array): string[] =>
    [...seen().keys()].filter((key) => key >= hex(from) && key < hex(to)).sort()
  const scan = (from: Uint8Array, to: Uint8Array, limit: number): ByteRow[] => {
    const rows = seen()
    return within(from, to)
      .slice(0, limit)
      .map((key) => [bytes(key), rows.get(key)!])
  }
  return {
    get: (key) => (later ? turn().then(() => seen().get(hex(key))) : seen().get(hex(key))),
    scan: (from, to, limit) => (later ? turn().then(() => scan(from, to, limit)) : scan(from, to, limit)),
    put: (key, value) => void changes.set(hex(key), value),
    delete: (key) => void changes.set(hex(key), undefined),
    deleteRange(from, to) {
      for (const key of within(from, to)) changes.set(key, undefined)
    },
  }
}
