import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type StoreFactory, storeCases } from '../../conformance/index.ts'
import {
  type Key,
  type TransactionalStore,
  compareKeys,
  isBehind,
  transactional,
} from '../../src/segments/index.ts'
import { openJournalStore } from '../../adapters/fs/store.ts'
import { SQLiteStore } from '../../adapters/sqlite/store.ts'
import { temporaryDirectory } from '../fs/temporary.ts'
import { type ByteMemoryOptions, byteMemory } from '../support/byte-store.ts'
import { type Flaw, flawedStore } from '../support/flawed-store.ts'
import { type JournalFlaw, journaledStore } from '../support/journaled-store.ts'
import { memoryStore } from '../support/memory-store.ts'
import { type SharedFlaw, sharedByteStore } from '../support/shared-byte-store.ts'

// The cases for contract 2: they must pass stores that keep it, and find every one that does not.

function factoryOf(open: () => Promise<TransactionalStore> | TransactionalStore): StoreFactory {
  return {
    async create() {
      const store = await open()
      return { store, destroy: () => store.close() }
    },
  }
}

const persistent = (later: boolean, options: ByteMemoryOptions = {}): StoreFactory => ({
  async create() {
    const open = byteMemory({ later, ...options })
    let store = transactional(open())
    return {
      store,
      async reopen() {
        await store.close()
        return (store = transactional(open()))
      },
      destroy: () => store.close(),
    }
  },
})

const sqlite: StoreFactory = {
  async create() {
    const file = join(temporaryDirectory(), 'queues.db')
    const open = async (): Promise<TransactionalStore> =>
      transactional(await SQLiteStore.open(file, { durability: 'normal' }))
    let store = await open()
    let other: TransactionalStore | undefined
    return {
      store,
      second: async () => (other = await open()),
      async reopen() {
        await store.close()
        return (store = await open())
      },
      async destroy() {
        await other?.close()
        await store.close()
      },
    }
  },
}

const fs: StoreFactory = {
  async create() {
    const directory = temporaryDirectory()
    const open = (): Promise<TransactionalStore> => openJournalStore(directory, { durability: 'os' })
    let store = await open()
    return {
      store,
      async reopen() {
        await store.close()
        return (store = await open())
      },
      destroy: () => store.close(),
    }
  },
}

const journaled = (flaw: JournalFlaw = {}): StoreFactory => ({
  async create() {
    const open = journaledStore(flaw)
    let store = transactional(open())
    return {
      store,
      reopen: async () => (store = transactional(open())),
      destroy: () => store.close(),
    }
  },
})

const shared = (flaw: SharedFlaw = {}): StoreFactory => ({
  async create() {
    const open = sharedByteStore(flaw)
    const stores = [transactional(open())]
    return {
      store: stores[0]!,
      async second() {
        stores.push(transactional(open()))
        return stores.at(-1)!
      },
      destroy: async () => void (await Promise.all(stores.map((store) => store.close()))),
    }
  },
})

describe.each<[string, StoreFactory]>([
  ['a plain store', factoryOf(() => flawedStore())],
  ['a byte store', persistent(false)],
  ['a byte store whose reads take time', persistent(true)],
  ['a byte store that knows of others', persistent(false, { knows: true })],
  ['a byte store of short values', persistent(false, { maxValueBytes: 1000 })],
  ['a byte store of short values whose reads take time', persistent(true, { maxValueBytes: 1000 })],
  ['a byte store with a journal', journaled()],
  ['one of several byte stores on the same rows', shared()],
  ['SQLite', sqlite],
  ['a journal of files', fs],
])('%s keeps contract 2', (_, factory) => {
  // oxlint-disable-next-line vitest/expect-expect, vitest/valid-title -- Cases throw, and bring their names.
  for (const { name, run } of storeCases(factory)) test(name, run)
})

// It keeps no closed flag: the engine is what closes it.
describe('the store of the tests keeps contract 2, but for closing', () => {
  const cases = storeCases(factoryOf(() => memoryStore(Date)()))
  // oxlint-disable-next-line vitest/expect-expect, vitest/valid-title -- As above.
  for (const { name, run } of cases.filter((one) => !one.name.startsWith('closing'))) test(name, run)
})

const elements = (key: Key): readonly (number | string)[] => (typeof key === 'object' ? key : [key])
const mapped =
  (change: (part: number | string) => number | string) =>
  (key: Key): Key =>
    typeof key === 'object' ? key.map(change) : change(key)
const strings = (change: (text: string) => string): ((key: Key) => Key) =>
  mapped((part) => (typeof part === 'string' ? change(part) : part))
const numbers = (change: (number: number) => number): ((key: Key) => Key) =>
  mapped((part) => (typeof part === 'number' ? change(part) : part))
/** An order of elements in place of the right one. */
const by =
  (order: (a: number | string, b: number | string) => number) =>
  (a: Key, b: Key): number => {
    const [left, right] = [elements(a), elements(b)]
    for (let i = 0; i < left.length && i < right.length; i++) {
      const found = order(left[i]!, right[i]!)
      if (found !== 0) return found
    }
    return left.length - right.length
  }
const right = (a: number | string, b: number | string): number => compareKeys(a, b)
const isNumber = (part: number | string): part is number => typeof part === 'number'
const utf8 = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b))

const FLAWS: Readonly<Record<string, Flaw>> = {
  'commits although the body threw': { commitsFailed: true },
  'has strings before numbers': {
    compare: by((a, b) => (isNumber(a) === isNumber(b) ? right(a, b) : isNumber(a) ? 1 : -1)),
  },
  'takes NUL for U+0001': { kept: strings((text) => text.replaceAll('\u0000', '\u0001')) },
  'cuts strings at NUL': { kept: strings((text) => text.split('\u0000', 1)[0]!) },
  'reverses negative numbers': {
    compare: by((a, b) => (isNumber(a) && isNumber(b) && a < 0 && b < 0 ? b - a : right(a, b))),
  },
  'has negative numbers behind others': {
    compare: by((a, b) => (isNumber(a) && isNumber(b) && a < 0 !== b < 0 ? (a < 0 ? 1 : -1) : right(a, b))),
  },
  'cuts fractions': { kept: numbers(Math.trunc) },
  'keeps numbers in 32 bits': { kept: numbers((number) => number | 0) },
  'has strings in the order of UTF-8': {
    compare: by((a, b) => (isNumber(a) || isNumber(b) ? right(a, b) : utf8(a, b))),
  },
  'has strings in the order of a language': {
    compare: by((a, b) => (isNumber(a) || isNumber(b) ? right(a, b) : a.localeCompare(b))),
  },
  'knows no case of letters': { kept: strings((text) => text.toLowerCase()) },
  'normalises texts': { kept: strings((text) => text.normalize('NFC')) },
  'compares 64 signs of a text': { kept: strings((text) => text.slice(0, 64)) },
  'cuts zeros at the end of bytes': {
    value: (value) =>
      value instanceof Uint8Array ? value.slice(0, value.findLastIndex((byte) => byte > 0) + 1) : value,
  },
  'answers with a page of rows': { page: 1000 },
  'deletes the row behind one that is not there': { deletesNext: true },
  'trims texts': { kept: strings((text) => text.trimEnd().replaceAll('%', '')) },
  'has numbers in the order of their texts': {
    compare: by((a, b) =>
      isNumber(a) && isNumber(b) ? (a === b ? 0 : String(a) < String(b) ? -1 : 1) : right(a, b),
    ),
  },
  'takes numbers for texts': { kept: mapped(String) },
  'joins the elements of a key': { kept: (key) => elements(key).join('') },
  'has a longer tuple before its start': {
    compare: (a, b) => {
      const [left, other] = [elements(a), elements(b)]
      const found = by(right)(left.slice(0, other.length), other.slice(0, left.length))
      return found === 0 ? other.length - left.length : found
    },
  },
  'has no ends of ranges': { behind: (key, upper) => compareKeys(key, upper) >= 0 },
  'does not take in what starts with the upper end': { behind: (key, upper) => compareKeys(key, upper) > 0 },
  'takes in what is behind the upper end': {
    behind: (key, upper) => isBehind(key, upper) && compareKeys(elements(key)[0]!, elements(upper)[0]!) > 0,
  },
  'takes the upper end for a start of a text': {
    behind: (key, upper) =>
      isBehind(key, upper) && !String(elements(key)[0]).startsWith(String(elements(upper).at(-1))),
  },
  'runs calls out of order': { reversed: true },
  'lets reads overtake': { readsFirst: true },
  'wraps what a body throws': { wrapsErrors: true },
  'undoes more than the one that failed': { spoils: true },
  'does not see its own puts': { blind: 'get' },
  'does not see its own writes in ranges': { blind: 'range' },
  'does not count its own writes': { blind: 'count' },
  'has one table': { oneTable: true },
  'has one queue': { oneQueue: true },
  'knows no case in names of queues': { caseless: true },
  'lists queues in no order': { unsorted: true },
  'gives all rows whatever the limit': { ignoresLimit: true },
  'reads what was there when it was opened': { stale: true },
  'tells one listener only': { tellsOnce: true },
  'tells for ever': { tellsFor: 'ever' },
  'never closes': { closes: 'never' },
  'drops what is under way when it closes': { closes: 'hard' },
  'loses bytes': { value: (value) => JSON.parse(JSON.stringify(value)) as unknown },
  'takes null for nothing': { value: (value) => value ?? undefined },
}

test('a store is found out that does not say how short its values are', async () => {
  const silent = persistent(false, { maxValueBytes: 100_000, saysMax: false })
  const ends = await Promise.allSettled(storeCases(silent).map(({ run }) => run()))
  expect(ends.filter(({ status }) => status === 'rejected').length).toBeGreaterThan(1)
})

/** Most take some ms; those that wait for a hint that never comes, as long as `hintMs`, 0.2 s. */
const FOUND_WITHIN_MS = 5000

const SHARED_FLAWS: Readonly<Record<string, SharedFlaw>> = {
  'does not wait for others': { overtakes: 'always' },
  'has reads see what others do meanwhile': { overtakes: 'by reads' },
  'has others change what was read': { overtakes: 'but for conflicts' },
  'says that others have changed nothing': { saysUnchanged: true },
  'keeps what it has read': { caches: true },
}

const JOURNAL_FLAWS: Readonly<Record<string, JournalFlaw>> = {
  'keeps what a body that threw has written': { early: true },
  'forgets what is removed': { skips: 'remove' },
  'forgets what is consumed': { skips: 'consume' },
  'forgets that a range was deleted': { skipsRanges: true },
  'forgets that a row came back': { overwrites: true },
  'keeps one queue': { oneQueue: true },
  'forgets a queue that is closed': { forgetsClosed: true },
}

test.for<[string, StoreFactory]>([
  ...Object.entries(FLAWS).map(([name, flaw]): [string, StoreFactory] => [
    name,
    factoryOf(() => flawedStore(flaw)),
  ]),
  ...Object.entries(SHARED_FLAWS).map(([name, flaw]): [string, StoreFactory] => [name, shared(flaw)]),
  ...Object.entries(JOURNAL_FLAWS).map(([name, flaw]): [string, StoreFactory] => [name, journaled(flaw)]),
])('a store is found out within 5 s that %s', async ([, factory]) => {
  let found: string | undefined
  const began = performance.now()
  for (const { name, run } of storeCases({ ...factory, hintMs: 200 })) {
    try {
      await run()
    } catch {
      found = name
      break
    }
  }
  expect(found).toBeDefined()
  expect(performance.now() - began).toBeLessThan(FOUND_WITHIN_MS)
})
