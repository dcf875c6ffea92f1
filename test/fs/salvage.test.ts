import { Buffer } from 'node:buffer'
import { appendFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { Reader } from '../../adapters/fs/codec.ts'
import {
  decodeFileHeader,
  FILE_HEADER,
  FRAME_HEADER,
  type OpSink,
  readOps,
  TABLE_NAMES,
  valueOfPut,
} from '../../adapters/fs/format.ts'
import { findFrames } from '../../adapters/fs/frames.ts'
import { salvageOn } from '../../adapters/fs/salvage.ts'
import { openJournalStore } from '../../adapters/fs/store.ts'
import { Wreck } from '../../adapters/fs/wreck.ts'
import { NodeFsAdapter, salvage } from '../../adapters/fs/index.ts'
import { type ListedMessage, type MessageState, Queue } from '../../src/index.ts'
import { SegmentAdapter } from '../../src/segments/engine.ts'
import { OrderedMap } from '../../src/segments/ordered-map.ts'
import type { Amendment, ChainRow, GroupRow, Lease, Segment, SideRow } from '../../src/segments/rows.ts'
import { mend } from '../../src/segments/mend.ts'
import type { Remains } from '../../src/segments/remains.ts'
import type { Key, KeyRange, Table } from '../../src/segments/store.ts'
import type { QueueStorage } from '../../src/storage.ts'
import { expectCode } from '../support/set-up.ts'
import { ManualClock } from '../../src/testing/index.ts'
import { randomFrom } from '../../conformance/scene.ts'
import { type Random, pick } from './history.ts'
import { MemoryDisk } from './memory-disk.ts'
import { howMany } from '../support/effort.ts'
import { temporaryDirectory } from './temporary.ts'

const DAMAGED = '/damaged'
const SALVAGED = '/salvaged'
const GROUPS = ['billing', 'audit', 'slow'] as const
const STATES: readonly MessageState[] = ['ready', 'leased', 'delayed', 'blocked', 'dead']

interface Payload {
  /** Found again in the bytes of the journal. */
  readonly mark: string
  readonly filler: string
}

function openQueue(
  disk: MemoryDisk,
  directory: string,
  clock: ManualClock,
  name: string = 'orders',
): Queue<Payload> {
  const { guarantees } = new NodeFsAdapter('unused')
  const options = { fileSystem: disk, maxFileBytes: 12_000, clock }
  const storage = new SegmentAdapter(guarantees, () => openJournalStore(directory, options))
  return new Queue(name, { storage, clock, random: () => 0.5 })
}

function journalFiles(disk: MemoryDisk): string[] {
  const names = disk.list(DAMAGED).filter((name) => name.endsWith('.qsj'))
  return names.sort().map((name) => `${DAMAGED}/${name}`)
}

type Listed = ListedMessage<Payload> & { readonly payload: Payload }

/** Everything a group has before it, dead letters last. */
async function look(queue: Queue<Payload>, group: string): Promise<Listed[]> {
  const found: Listed[] = []
  for (let cursor: string | undefined, more = true; more; more = cursor !== undefined) {
    const page = await queue.list({ group, state: STATES, limit: 50, cursor })
    found.push(...(page.messages as Listed[]))
    cursor = page.cursor
  }
  return found
}

/** A busy life of a queue with three groups, one of which falls behind; ends in the middle of it. */
class Life {
  readonly clock = new ManualClock()
  readonly disk = new MemoryDisk()
  /** How many files the cleaner has done away with. */
  dropped = 0
  readonly seen: Record<string, Listed[]> = {}
  /** Ids of messages that were cancelled, or redriven: these may be gone for those that have not reached them. */
  readonly gone: Set<string> = new Set()
  /** When messages expire, by their marks. */
  readonly expiry: Map<string, number> = new Map()
  readonly #random: Random
  #marks = 0

  constructor(seed: number) {
    this.#random = randomFrom(seed)
  }

  async live(steps: number): Promise<void> {
    const queue = openQueue(this.disk, DAMAGED, this.clock)
    for (let i = 0; i < steps; i++) {
      await this.#step(queue)
      await this.clock.advance(Math.floor(this.#random() * 400))
      for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve))
    }
    const { groups } = await queue.stats()
    for (const group of GROUPS) this.seen[group] = group in groups ? await look(queue, group) : []
    this.dropped = Number(/(\d+)\.qsj/.exec(journalFiles(this.disk)[0]!)![1]) - 1
    await queue.close()
  }

  /** Without what only a lease keeps from having expired. */
  alive(messages: readonly Listed[]): Listed[] {
    return messages.filter(
      ({ payload, state }) => state === 'dead' || !(this.expiry.get(payload.mark)! <= this.clock.now()),
    )
  }

  async #step(queue: Queue<Payload>): Promise<void> {
    const random = this.#random
    const what = random()
    const group = pick(random, random() < 0.1 ? GROUPS : GROUPS.slice(0, 2))
    if (what < 0.35) await this.#send(queue)
    else if (what < 0.85) await this.#work(queue, group)
    else if (what < 0.9) await this.#redrive(queue, group)
    else if (what < 0.94) await this.#cancel(queue, group)
    else if (what < 0.96) await queue.retryNow(await this.#someIds(queue, group, ['delayed']), { group })
    else if (what < 0.98) await queue.deadLetters(group).delete(await this.#someIds(queue, group, ['dead']))
    else if (what < 0.985) await queue.deleteGroup('slow')
    else await this.clock.advance(20_000)
  }

  async #redrive(queue: Queue<Payload>, group: string): Promise<void> {
    const ids = (await this.#someIds(queue, group, ['dead'])).slice(0, 3)
    for (const id of ids) this.gone.add(id)
    await queue.deadLetters(group).redrive(ids)
  }

  async #cancel(queue: Queue<Payload>, group: string): Promise<void> {
    const ids = await this.#someIds(queue, group, ['ready', 'blocked', 'delayed'])
    for (const id of ids) this.gone.add(id)
    await queue.cancel(ids)
  }

  async #someIds(queue: Queue<Payload>, group: string, state: readonly MessageState[]): Promise<string[]> {
    const { messages } = await queue.list({ group, state, limit: 30 })
    return messages.filter(() => this.#random() < 0.2).map(({ id }) => id)
  }

  async #send(queue: Queue<Payload>): Promise<void> {
    const random = this.#random
    const count = random() < 0.3 ? 1 : 1 + Math.floor(random() * 12)
    const maybe = <T>(share: number, value: () => T): T | undefined =>
      random() < share ? value() : undefined
    const keyed = random() < 0.5
    await queue.createProducer().sendBatch(
      Array.from({ length: count }, () => {
        const id = maybe(0.15, () => `id ${Math.floor(random() * 60)}`)
        const mark = `<${++this.#marks}>`
        const expiresInMs = maybe(0.1, () => 6000 + Math.floor(random() * 60_000))
        if (expiresInMs !== undefined) this.expiry.set(mark, this.clock.now() + expiresInMs)
        return {
          payload: { mark, filler: 'x'.repeat(Math.floor(random() * 150)) },
          id,
          expiresInMs,
          dedupeMs: maybe(id === undefined ? 0 : 0.2, () => 10_000),
          replace: maybe(id === undefined ? 0 : 0.3, () => true),
          key: maybe(keyed ? 0.7 : 0, () => `key ${Math.floor(random() * 4)}`),
          delayMs: maybe(0.15, () => Math.floor(random() * 5000)),
          maxAttempts: maybe(0.1, () => 2),
          headers: maybe(0.1, () => ({ source: 'test' })),
        }
      }),
    )
  }

  async #work(queue: Queue<Payload>, group: string): Promise<void> {
    const random = this.#random
    const consumer = queue.createConsumer(group, { leaseMs: 2000 })
    for (const message of await consumer.receiveBatch(1 + Math.floor(random() * 15))) {
      const what = random()
      if (what < 0.6) await message.ack()
      else if (what < 0.8) await message.nack({ delayMs: Math.floor(random() * 3000), reason: 'busy' })
      else if (what < 0.85) await message.reject({ reason: 'no' })
      else if (what < 0.9) await message.extend(4000)
    }
  }
}

interface Frame {
  readonly path: string
  readonly at: number
  readonly bytes: Buffer
}

/** The frames of a journal, damaged or not; `sound` is the same without the damage. */
function framesOf(disk: MemoryDisk, sound: MemoryDisk = disk): Frame[] {
  return journalFiles(disk).flatMap((path) => {
    const bytes = disk.bytesOf(path)
    const frames = findFrames(bytes, decodeFileHeader(sound.bytesOf(path))!.magic, FILE_HEADER)
    return Array.from(frames, ({ at, length }) => ({ path, at, bytes: bytes.subarray(at, at + length) }))
  })
}

interface Shared {
  readonly intact: boolean
  readonly seq?: number
  /** Gone for those that had not reached it. */
  readonly gone?: boolean
}

/** Where messages lay at some time: in which row, and whether the bytes of that are still as they were written. */
interface Places {
  /** Rows for all groups. */
  readonly shared: ReadonlyMap<string, Shared>
  /** Rows of one group, by group and mark. */
  readonly own: ReadonlyMap<string, boolean>
  readonly groups: ReadonlyMap<string, GroupRow>
}

/** Plays a journal, and answers with where its messages lay then. */
function placesAfter(frames: readonly Frame[], isIntact: (frame: Frame) => boolean): Places {
  const rows = Object.fromEntries(TABLE_NAMES.map((table) => [table, new OrderedMap<[Frame, unknown]>()]))
  for (const frame of frames) {
    const { bytes } = frame
    const reader = new Reader(bytes, FRAME_HEADER)
    const table = (number: number): OrderedMap<[Frame, unknown]> => rows[TABLE_NAMES[number]!]!
    const sink: OpSink = {
      put: (queue, number, key, from, to) =>
        queue > 0 && table(number).set(key, [frame, valueOfPut(bytes, from, to)]),
      delete: (_queue, number, key) => table(number).delete(key),
      deleteRange: (_queue, number, lower, upper) =>
        table(number).deleteRange({
          ...(lower !== undefined && { lower }),
          ...(upper !== undefined && { upper }),
        }),
      nextFile: () => {},
    }
    readOps(reader, sink)
  }
  const all = (...tables: Table[]): (readonly [Key, [Frame, unknown]])[] =>
    tables.flatMap((table) => [...rows[table]!.range({}, Infinity)])
  const marksIn = (value: unknown): string[] => JSON.stringify(value).match(/<\d+>/g) ?? []
  const shared = new Map<string, Shared>()
  for (const [, [frame, value]] of all('timers'))
    for (const mark of marksIn(value)) shared.set(mark, { intact: isIntact(frame) })
  for (const [, [frame, value]] of all('log')) {
    const { first, bodies } = value as Segment
    for (const [i, body] of [bodies].flat().entries())
      for (const mark of marksIn(body)) shared.set(mark, { intact: isIntact(frame), seq: first + i })
  }
  for (const [seq, [frame, value]] of all('amend'))
    for (const mark of marksIn(value))
      shared.set(mark, { intact: isIntact(frame), seq: seq as number, gone: (value as Amendment).gone })
  const groups = new Map<string, GroupRow>()
  for (const [key, [, value]] of all('state'))
    if (Array.isArray(key) && key.length === 2) groups.set(key[1] as string, value as GroupRow)
  const own = new Map<string, boolean>()
  for (const [key, [frame, value]] of all('side', 'dead'))
    for (const mark of marksIn(value)) own.set(`${(key as string[])[0]} ${mark}`, isIntact(frame))
  for (const [chainKey, [frame, value]] of all('chain')) {
    const [group, key, at] = chainKey as [string, string, number]
    const heads = [
      leaseOf(groups.get(group), key),
      rows['side']!.get([group, key])?.[1] as SideRow | undefined,
    ]
    // What lies before the head is done.
    const head = heads.find((one) => one?.row === at)?.seq ?? 0
    for (const mark of marksIn((value as ChainRow).filter(([seq]) => seq >= head)))
      own.set(`${group} ${mark}`, isIntact(frame))
  }
  return { shared, own, groups }
}

/** Opens the queue, whose name may be among what is lost. */
async function openSalvaged(disk: MemoryDisk, clock: ManualClock): Promise<Queue<Payload>> {
  const queue = openQueue(disk, SALVAGED, clock)
  if ((await queue.stats()).sent > 0) return queue
  await queue.close()
  return openQueue(disk, SALVAGED, clock, 'unnamed queue 1')
}

/** Says of a message that a group has not finished whether it must come out of a damaged journal. */
type MustCome = (group: string, mark: string, isDead: boolean) => boolean

function whatMustCome(damaged: MemoryDisk, sound: MemoryDisk): MustCome {
  const all = framesOf(sound)
  const left = new Set(framesOf(damaged, sound).map(({ path, at }) => `${path} ${at}`))
  const isIntact = ({ path, at }: Frame): boolean => left.has(`${path} ${at}`)
  const firstLost = all.findIndex((frame) => !isIntact(frame))
  const atEnd = placesAfter(all, isIntact)
  const before = firstLost === -1 ? atEnd : placesAfter(all.slice(0, firstLost), isIntact)
  const known = placesAfter(all.filter(isIntact), isIntact).groups
  return (group, mark, isDead) => {
    // A group of which nothing is left begins anew.
    if (!known.has(group)) return false
    if (atEnd.own.get(`${group} ${mark}`) ?? atEnd.shared.get(mark)?.intact) return true
    if (isDead) return false
    // What was done in a frame that is lost is as if it had not happened.
    if (before.own.has(`${group} ${mark}`)) return before.own.get(`${group} ${mark}`)!
    const { intact = false, seq } = before.shared.get(mark) ?? {}
    // What says so may have moved since then.
    const gone = [before, atEnd].some(({ shared }) => shared.get(mark)?.gone)
    const row = before.groups.get(group)
    return (
      intact && (seq === undefined || row === undefined || isLeased(row, seq) || (seq >= row.cursor && !gone))
    )
  }
}

function isLeased({ leases }: GroupRow, seq: number): boolean {
  return leases.some(({ first, last }) => first <= seq && seq <= last)
}

/** The lease on the head of a key. */
function leaseOf(
  group: GroupRow | undefined,
  key: string,
): (Pick<SideRow, 'seq'> & Pick<Lease, 'row'>) | undefined {
  const lease = group?.leases.find((one) => one.key === key)
  return lease && { seq: lease.first, row: lease.row }
}

/** Works off everything, however long it takes. Answers with how often each mark came. */
async function workOff(
  queue: Queue<Payload>,
  group: string,
  clock: ManualClock,
): Promise<Map<string, number>> {
  const came = new Map<string, number>()
  const consumer = queue.createConsumer(group, { retry: { maxAttempts: 100 } })
  for (let i = 0; ; i++) {
    const messages = await consumer.receiveBatch(40)
    for (const { payload } of messages) came.set(payload.mark, (came.get(payload.mark) ?? 0) + 1)
    await consumer.ackBatch(messages)
    if (messages.length > 0) continue
    const { ready, leased, delayed, blocked } = (await queue.stats()).groups[group]!
    if (ready + leased + delayed + blocked === 0) return came
    expect(i, 'rounds without an end').toBeLessThan(2000)
    await clock.advance(1000)
  }
}

/** Works off what all groups have, dead letters too. Answers with the marks that came, by group. */
async function workOffAll(
  queue: Queue<Payload>,
  clock: ManualClock,
): Promise<Record<string, ReadonlySet<string>>> {
  const all: Record<string, ReadonlySet<string>> = {}
  for (const group of GROUPS) {
    const came = await workOff(queue, group, clock)
    const { dead } = (await queue.stats()).groups[group]!
    expect(await queue.deadLetters(group).redrive()).toBe(dead)
    const again = await workOff(queue, group, clock)
    expect([...again.values()].reduce((sum, times) => sum + times, 0)).toBe(dead)
    all[group] = new Set([...came.keys(), ...again.keys()])
  }
  const { messages, groups } = await queue.stats()
  expect(messages).toBe(0)
  for (const { ready, leased, delayed, blocked, dead } of Object.values(groups))
    expect([ready, leased, delayed, blocked, dead]).toEqual([0, 0, 0, 0, 0])
  return all
}

/** A group that comes later gets what others have not finished. */
async function expectAllForLate(queue: Queue<Payload>, life: Life): Promise<void> {
  const groups = Object.keys((await queue.stats()).groups)
  await queue.createConsumer('late').join()
  await expectCounts(queue)
  const late = new Set((await look(queue, 'late')).map(({ id }) => id))
  for (const group of groups) {
    const waiting = life.alive(await look(queue, group)).filter(({ state }) => state !== 'dead')
    expect(waiting.filter(({ id }) => !late.has(id) && !life.gone.has(id))).toEqual([])
  }
  await queue.deleteGroup('late')
}

/** What `list` shows and what `stats` counts are the same. */
async function expectCounts(queue: Queue<Payload>): Promise<void> {
  const { groups } = await queue.stats()
  for (const [name, counts] of Object.entries(groups)) {
    const found = await look(queue, name)
    for (const state of STATES) {
      const listed = found.filter((message) => message.state === state).length
      expect({ name, state, count: listed }).toEqual({
        name,
        state,
        count: counts[state as keyof typeof counts],
      })
    }
  }
}

/** How many damages to try, on several lives. */
const RUNS = howMany('QUAYSIDE_SALVAGES', { quick: 8, full: 80 })
const RUNS_PER_LIFE = 20
const FIRST_SEED = Number(process.env['QUAYSIDE_SEED'] ?? 1)

const lives: Life[] = []

beforeAll(async () => {
  for (let seed = FIRST_SEED; lives.length * RUNS_PER_LIFE < RUNS; seed++) {
    const life = new Life(seed)
    await life.live(400)
    lives.push(life)
  }
}, 600_000)

function copyOf(disk: MemoryDisk): MemoryDisk {
  const copy = new MemoryDisk()
  for (const path of journalFiles(disk)) copy.place(path, Buffer.from(disk.bytesOf(path)))
  return copy
}

test('the lives that are damaged below have everything in them', () => {
  const all = lives.flatMap(({ seen }) => GROUPS.flatMap((group) => seen[group]!))
  for (const state of STATES)
    expect(
      all.some((message) => message.state === state),
      state,
    ).toBe(true)
  expect(all.some(({ attempt, state }) => attempt > 0 && state === 'delayed')).toBe(true)
  for (const { disk, dropped } of lives) {
    expect(journalFiles(disk).length).toBeGreaterThan(3)
    expect(dropped).toBeGreaterThan(3)
  }
})

test('a sound directory is salvaged as it is, but for its leases', async () => {
  for (const life of lives) {
    const disk = copyOf(life.disk)
    expect(await salvageOn(disk, DAMAGED, SALVAGED)).toEqual([])
    const queue = openQueue(disk, SALVAGED, life.clock)
    await expectCounts(queue)
    for (const group of GROUPS.filter((group) => life.seen[group]!.length > 0)) {
      const found = await look(queue, group)
      expect(life.alive(found).sort(byId).map(brief)).toEqual(
        life.alive(life.seen[group]!).sort(byId).map(brief),
      )
    }
    await queue.close()
  }
})

function brief({ id, payload, key, attempt, state }: Listed): object {
  return { id, mark: payload.mark, key, attempt, state: state === 'leased' ? 'ready' : state }
}

function byId(a: Listed, b: Listed): number {
  return a.id < b.id ? -1 : 1
}

describe('rows that are missing', () => {
  /** Makes a queue of some rows of a sound one. */
  async function mendWithout(
    life: Life,
    isMissing: (table: Table, key: Key) => boolean,
  ): Promise<{ queue: Queue<Payload>; clock: ManualClock }> {
    const disk = copyOf(life.disk)
    const wreck = Wreck.open(disk, DAMAGED)
    const [[name, all]] = [...wreck.queues()] as [[string, Remains]]
    const remains: Remains = {
      doubts: all.doubts,
      get: (table, key) => (isMissing(table, key) ? undefined : all.get(table, key)),
      range: <V>(table: Table, range: KeyRange, limit: number) =>
        all
          .range<V>(table, range, Infinity)
          .filter(([key]) => !isMissing(table, key))
          .slice(0, limit),
      keys: (table, range) => all.keys(table, range).filter((key) => !isMissing(table, key)),
    }
    const store = await openJournalStore(SALVAGED, { fileSystem: disk, clock: life.clock })
    await mend(remains, name, await store.open(name))
    await store.close()
    wreck.close()
    const clock = new ManualClock(life.clock.now())
    return { queue: openQueue(disk, SALVAGED, clock), clock }
  }

  const isState = (kind: string) => (table: Table, key: Key) =>
    table === 'state' && Array.isArray(key) && key.at(-1) === kind

  test.each(['queue', ...GROUPS])('the state of %s: everything else is there', async (kind) => {
    for (const life of lives) {
      const { queue } = await mendWithout(life, isState(kind))
      await expectCounts(queue)
      await expectAllForLate(queue, life)
      for (const group of GROUPS) {
        const found = new Set((await look(queue, group)).map(({ payload }) => payload.mark))
        const waiting = life.alive(life.seen[group]!).filter(({ state }) => state !== 'dead')
        expect(waiting.filter(({ payload }) => !found.has(payload.mark))).toEqual([])
      }
      await queue.close()
    }
  })

  test.each(['side', 'chain'])('all of %s: what the log still has comes again', async (lost) => {
    for (const life of lives) {
      const { shared } = placesAfter(framesOf(life.disk), () => true)
      const { queue } = await mendWithout(life, (table) => table === lost)
      await expectCounts(queue)
      for (const group of GROUPS) {
        const found = new Set((await look(queue, group)).map(({ payload }) => payload.mark))
        const waiting = life.alive(life.seen[group]!).filter(({ state }) => state !== 'dead')
        const inLog = waiting.filter(({ payload }) => shared.has(payload.mark))
        expect(inLog.filter(({ payload }) => !found.has(payload.mark))).toEqual([])
      }
      await queue.close()
    }
  })

  test('any: what is left can be worked off', async () => {
    for (let run = 0; run < lives.length * 5; run++) {
      const random = randomFrom(run)
      const share = random() * random()
      const missing = new Map<string, boolean>()
      const isMissing = (table: Table, key: Key): boolean => {
        const name = JSON.stringify([table, key])
        if (!missing.has(name)) missing.set(name, random() < share)
        return missing.get(name)!
      }
      const life = lives[run % lives.length]!
      const { queue, clock } = await mendWithout(life, isMissing)
      await expectCounts(queue)
      await expectAllForLate(queue, life)
      await workOffAll(queue, clock)
      await queue.close()
    }
  }, 600_000)
})

/** Flips a bit, cuts a file off, blanks a sector, loses a file; now and then more than one of these. */
function damage(disk: MemoryDisk, random: Random): string {
  const done: string[] = []
  do {
    const path = pick(random, journalFiles(disk))
    const bytes = disk.bytesOf(path)
    const at = Math.floor(random() * bytes.length)
    const what = random()
    if (bytes.length === 0) continue
    if (what < 0.6) bytes[at]! ^= 1 << Math.floor(random() * 8)
    else if (what < 0.8) disk.place(path, Buffer.from(bytes.subarray(0, at)))
    else if (what < 0.95) bytes.subarray(at - (at % 512), at - (at % 512) + 512).fill(0)
    else if (journalFiles(disk).length > 1) disk.lose(path)
    done.push(`${path} ${at} ${what}`)
  } while (random() < 0.3)
  return done.join(', ')
}

describe('a damaged directory', () => {
  test(`gives everything that can be read to everybody who had not finished it, ${RUNS} times`, async () => {
    for (let run = 0; run < RUNS; run++) {
      const life = lives[Math.floor(run / RUNS_PER_LIFE)]!
      const random = randomFrom(1000 * FIRST_SEED + run)
      const disk = copyOf(life.disk)
      const what = `run ${run}: ${damage(disk, random)}`
      const must = whatMustCome(disk, life.disk)
      await salvageOn(disk, DAMAGED, SALVAGED)
      const clock = new ManualClock(life.clock.now())
      const queue = await openSalvaged(disk, clock)
      try {
        await expectCounts(queue)
        await expectAllForLate(queue, life)
        await check(queue, clock, life, must, random)
      } catch (error) {
        throw new Error(what, { cause: error })
      }
      await queue.close()
      // It is a journal like any other.
      const again = await openSalvaged(disk, clock)
      expect((await again.stats()).messages, what).toBe(0)
      await again.close()
    }
  }, 600_000)
})

async function check(
  queue: Queue<Payload>,
  clock: ManualClock,
  life: Life,
  must: MustCome,
  random: Random,
): Promise<void> {
  const cancelled = new Set<string>()
  const marks = new Map<string, Set<string>>()
  const waiting = new Set<string>()
  for (const group of Object.keys((await queue.stats()).groups)) {
    for (const { id, state, payload } of await look(queue, group)) {
      marks.set(id, (marks.get(id) ?? new Set()).add(payload.mark))
      if (state !== 'dead') waiting.add(id)
    }
  }
  for (const id of waiting) {
    // What is older than another message of its id is not found by it.
    if (marks.get(id)!.size > 1 || random() > 0.05) continue
    expect(await queue.cancel([id]), `cancel ${id}`).toEqual([true])
    cancelled.add(id)
  }
  await expectCounts(queue)
  const came = await workOffAll(queue, clock)
  for (const group of GROUPS) {
    for (const { id, payload, state } of life.seen[group]!) {
      if (cancelled.has(id) || !must(group, payload.mark, state === 'dead')) continue
      expect(came[group]!.has(payload.mark), `${state} ${payload.mark} of ${group}`).toBe(true)
    }
  }
  // It works as before.
  const producer = queue.createProducer()
  const sent = await producer.send({ mark: '<new>', filler: '' }, { key: 'key 1', id: 'id 1' })
  expect(sent.status === 'stored' || sent.status === 'duplicate').toBe(true)
  await producer.send({ mark: '<next>', filler: '' }, { key: 'key 2' })
  for (const group of GROUPS) expect((await workOff(queue, group, clock)).get('<next>')).toBe(1)
}

describe('salvage', () => {
  test('of real directories', async () => {
    const from = temporaryDirectory()
    const to = join(from, 'salvaged')
    const queue = new Queue<string>('letters', { storage: new NodeFsAdapter(from) })
    await queue.createProducer().sendBatch([{ payload: 'a' }, { payload: 'b' }])
    await queue.close()
    const file = join(from, 'journal-0000000001.qsj')
    appendFileSync(file, 'what is this?')
    expect(await salvage(from, to)).toEqual([{ file, offset: expect.any(Number) as number, bytes: 13 }])
    expect(readdirSync(from)).toEqual(['journal-0000000001.qsj', 'reserve', 'salvaged'])
    const salvaged = new Queue<string>('letters', { storage: new NodeFsAdapter(to) })
    const messages = await salvaged.createConsumer().receiveBatch(10)
    expect(messages.map(({ payload }) => payload)).toEqual(['a', 'b'])
    await salvaged.close()
  })

  test.each([undefined, 'a'])('parks behind a dead letter as before, in the lane %s', async (lane) => {
    const disk = new MemoryDisk()
    const clock = new ManualClock()
    const open = async (directory: string): Promise<QueueStorage> => {
      const options = { fileSystem: disk, clock }
      const adapter = new SegmentAdapter(new NodeFsAdapter('unused').guarantees, () =>
        openJournalStore(directory, options),
      )
      return await adapter.open('q')
    }
    const send = (q: QueueStorage, body: string): Promise<unknown> =>
      q.append([{ body, key: 'k', lane }], { batchId: '019343f0-0000-7000-8000-000000000000' })
    const claim = (q: QueueStorage): ReturnType<QueueStorage['claim']> =>
      q.claim({ group: 'g', limit: 1, leaseMs: 1000, maxAttempts: 3 })
    const before = await open(DAMAGED)
    await send(before, 'dies')
    const [first] = (await claim(before)).deliveries
    const { receipt } = first!
    await before.settle('g', [{ receipt, kind: 'dead', reason: 'rejected', parksNext: true }])
    await before.close()
    expect(await salvageOn(disk, DAMAGED, SALVAGED)).toEqual([])
    const after = await open(SALVAGED)
    await send(after, 'is parked')
    expect((await claim(after)).deliveries).toEqual([])
    const { messages } = await after.list({ group: 'g', limit: 9 })
    expect(messages.map(({ body, state }) => [body, state])).toEqual([['is parked', 'parked']])
    await after.close()
  })

  test('refuses what it cannot work on, and writes nothing', async () => {
    const disk = copyOf(lives[0]!.disk)
    await expectCode(salvageOn(disk, DAMAGED, DAMAGED), 'INVALID_ARGUMENT', 'to must be', DAMAGED)
    await expectCode(salvageOn(disk, DAMAGED, ''), 'INVALID_ARGUMENT', 'to must be a path, not ""')
    await expectCode(
      salvage(undefined as never, 'to'),
      'INVALID_ARGUMENT',
      'from must be a path, not undefined',
    )
    await expectCode(salvageOn(disk, '/nothing', SALVAGED), 'STORAGE_UNAVAILABLE', '/nothing', 'no journal')
    await expectCode(salvage('/nothing/here', '/nothing/there'), 'STORAGE_UNAVAILABLE', '/nothing/here')
    const store = await openJournalStore(DAMAGED, { fileSystem: disk })
    await expectCode(salvageOn(disk, DAMAGED, SALVAGED, { waitMs: 0 }), 'LOCKED', DAMAGED)
    await store.close()
    expect(disk.list(SALVAGED)).toEqual([])
  })

  test('gives queues whose names are lost names of their own', async () => {
    const disk = new MemoryDisk()
    const store = await openJournalStore(DAMAGED, { fileSystem: disk })
    for (const name of ['first', 'unnamed queue 1']) {
      const storage = new SegmentAdapter(new NodeFsAdapter('unused').guarantees, async () => ({
        open: (queue) => store.open(queue),
        close: async () => {},
      }))
      await new Queue(name, { storage }).createProducer().send(name)
      await new Queue(name, { storage }).createProducer().send(name)
    }
    await store.close()
    const [frame] = framesOf(disk)
    disk.bytesOf(frame!.path)[frame!.at + FRAME_HEADER + 2]! ^= 1
    await salvageOn(disk, DAMAGED, SALVAGED)
    const wreck = Wreck.open(disk, SALVAGED)
    expect(Array.from(wreck.queues(), ([name]) => name)).toEqual(['unnamed queue 1+', 'unnamed queue 1'])
    wreck.close()
  })
})
