import type { SettleResult, Settlement } from '../../../src/storage.ts'
import type { Book } from './book.ts'
import { loadKeys } from './keys.ts'
import type { Memory } from './memory.ts'
import { die, extendLease, finish, forgetLetter, keyOf, move, park, receiptOf, redrive } from './places.ts'
import type { Bundle, Group, Place } from './records.ts'
import type { Key } from './rows.ts'

const SETTLED: SettleResult = { status: 'settled' }
const STALE: SettleResult = { status: 'stale' }

interface Receipt {
  readonly g: number
  readonly isDead: boolean
  readonly number: number
  readonly n: number
}

/** A receipt says of which group, row and message it is. */
function parse(receipt: string): Receipt | undefined {
  const parts = receipt.split(',')
  const isDead = parts[1] === 'd'
  const [g = NaN, number = NaN, n = NaN] = parts.filter((part) => part !== 'd').map(Number)
  return [g, number, n].every(Number.isFinite) ? { g, isDead, number, n } : undefined
}

/** What receipts name, as far as this context knows: rows that do not stand in that of the queue, and messages that may share theirs. */
export function namedBy(
  settlements: readonly Pick<Settlement, 'receipt'>[],
  { near, perRow }: Memory,
): [rows: ReadonlyMap<string, Key>, messages: number[]] {
  const rows = new Map<string, Key>()
  const messages: number[] = []
  for (const { receipt } of settlements) {
    const parsed = parse(receipt)
    if (parsed === undefined) continue
    const { g, isDead, number, n } = parsed
    const key: Key = isDead ? ['p', g, n] : ['l', g, number]
    const text = JSON.stringify(key)
    const lease = near.get(text) as Partial<Bundle> | undefined
    if (lease === undefined) rows.set(text, key)
    if (lease === undefined ? perRow > 1 : lease.batched) messages.push(n)
  }
  return [rows, messages]
}

/** Ends or extends leases of a group, redrives and deletes dead letters. */
export async function settle(
  book: Book,
  group: Group | undefined,
  settlements: readonly Settlement[],
): Promise<SettleResult[]> {
  if (group === undefined) return settlements.map(() => STALE)
  const keys: Key[] = []
  const shared: number[] = []
  for (const { receipt, kind } of settlements) {
    const place = await find(book, group, receipt)
    if (place?.key !== undefined) keys.push(keyOf(group, place.lane, place.key))
    // Of a message that is over and may share its row it is to be known what stays.
    const bundle = place && book.bundleOf.get(place)
    if (place !== undefined && kind === 'ack' && (bundle === undefined || bundle.batched))
      shared.push(place.n)
  }
  await Promise.all([loadKeys(book, keys), book.messages.load(shared)])
  const results: SettleResult[] = []
  for (const settlement of settlements) {
    const place = await find(book, group, settlement.receipt)
    results.push(place === undefined ? STALE : await settleOne(book, group, place, settlement))
  }
  return results
}

/** Whether the lease that the receipt is of goes on. */
export async function isLeased(book: Book, group: Group, receipt: string): Promise<boolean> {
  const place = await find(book, group, receipt)
  return place?.state === 'leased' && place.order! > book.now
}

async function find(book: Book, group: Group, receipt: string): Promise<Place | undefined> {
  const parsed = parse(receipt)
  if (parsed === undefined || parsed.g !== group.g) return undefined
  const { g, isDead, number, n } = parsed
  if (receiptOf(g, ...(isDead ? ['d'] : []), number, n, group.token) !== receipt) return undefined
  if (!isDead) {
    const lease = await book.get<Bundle>(['l', g, number])
    const leased = lease?.places.find((place) => place.n === n)
    if (leased !== undefined) return leased
  }
  const place = await book.place(group, n)
  return place?.receipt === receipt && (place.state === 'dead' || place.lost) ? place : undefined
}

/** Answers whether the receipt was good for that. */
async function settleOne(
  book: Book,
  group: Group,
  place: Place,
  settlement: Settlement,
): Promise<SettleResult> {
  const { now } = book
  const { kind } = settlement
  const due = kind === 'retry' ? now + settlement.delayMs : now
  if (place.state === 'dead') {
    if (kind === 'ack') await forgetLetter(book, group, place)
    else if (kind === 'retry') await redrive(book, group, place, due)
    else return STALE
  } else if (kind === 'ack') await finish(book, group, place, settlement.value)
  else if (kind === 'extend') await extend(book, group, place, settlement)
  else if (kind === 'dead') await die(book, group, place, settlement.reason, settlement.error, settlement)
  else if (kind === 'retry' || kind === 'park') {
    const error = kind === 'retry' ? settlement.error : settlement.reason
    if ((place.x ?? Infinity) <= due)
      await die(book, group, place, 'expired', error, { parksNext: group.parksNext })
    else if (kind === 'retry') await retry(book, group, place, due, settlement)
    else await park(book, group, place, settlement.reason, settlement.data)
  } else return STALE
  return SETTLED
}

async function extend(
  book: Book,
  group: Group,
  place: Place,
  { leaseMs, progress }: Extract<Settlement, { kind: 'extend' }>,
): Promise<void> {
  await extendLease(book, group, place, book.now + leaseMs)
  if (progress !== undefined && place.keeps && (await book.messages.get(place.n))?.keepMs !== undefined)
    place.progress = { status: 'running', progress, at: book.clock }
}

async function retry(
  book: Book,
  group: Group,
  place: Place,
  due: number,
  { error, counts = true }: Extract<Settlement, { kind: 'retry' }>,
): Promise<void> {
  place.lost = place.receipt = undefined
  place.error = error
  if (counts) group.failed++
  else place.attempt--
  place.progress = undefined
  place.again = true
  if (due > book.now) await move(book, group, place, 'waiting', due)
  else await move(book, group, place, 'ready')
}
