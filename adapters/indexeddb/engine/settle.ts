import type { SettleResult, Settlement } from '../../../src/storage.ts'
import type { Book } from './book.ts'
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

/** What the receipts name, all at once. */
export function rowsOf(receipts: readonly string[]): Key[] {
  const keys = new Map<string, Key>()
  for (const receipt of receipts) {
    const parsed = parse(receipt)
    if (parsed === undefined) continue
    const { g, isDead, number, n } = parsed
    const key: Key = isDead ? ['p', g, n] : ['l', g, number]
    keys.set(key.join(), key)
  }
  return [...keys.values()]
}

/** Ends or extends leases of a group, redrives and deletes dead letters. */
export async function settle(
  book: Book,
  group: Group | undefined,
  settlements: readonly Settlement[],
): Promise<SettleResult[]> {
  if (group === undefined) return settlements.map(() => STALE)
  await book.load(rowsOf(settlements.map(({ receipt }) => receipt)))
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
  await Promise.all([book.loadKeys(keys), book.loadMessages(shared)])
  const results: SettleResult[] = []
  for (const settlement of settlements) {
    const place = await find(book, group, settlement.receipt)
    results.push(place === undefined ? STALE : await settleOne(book, group, place, settlement))
  }
  return results
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
  const place = await book.get<Place>(['p', g, n])
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
  const isDead = place.state === 'dead'
  const { parksNext } = group
  switch (settlement.kind) {
    case 'ack':
      if (isDead) await forgetLetter(book, group, place)
      else await finish(book, group, place, settlement.value)
      return SETTLED
    case 'retry': {
      const due = now + settlement.delayMs
      if (isDead) await redrive(book, group, place, due)
      else if ((place.x ?? Infinity) <= due)
        await die(book, group, place, 'expired', settlement.error, { parksNext })
      else await retry(book, group, place, due, settlement)
      return SETTLED
    }
    case 'park': {
      if (isDead) return STALE
      const { reason, data } = settlement
      if ((place.x ?? Infinity) <= now) await die(book, group, place, 'expired', reason, { parksNext })
      else await park(book, group, place, reason, data)
      return SETTLED
    }
    case 'dead':
      if (isDead) return STALE
      await die(book, group, place, settlement.reason, settlement.error, settlement)
      return SETTLED
    case 'extend': {
      if (isDead) return STALE
      return await extend(book, group, place, settlement)
    }
    default:
      return STALE
  }
}

async function extend(
  book: Book,
  group: Group,
  place: Place,
  { leaseMs, progress }: Extract<Settlement, { kind: 'extend' }>,
): Promise<SettleResult> {
  await extendLease(book, group, place, book.now + leaseMs)
  if (progress !== undefined && place.keeps && (await book.message(place.n))?.keepMs !== undefined)
    place.progress = { status: 'running', progress, at: book.clock }
  return SETTLED
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
