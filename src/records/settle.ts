import type { Body, SettleResult, Settlement } from '../storage.ts'
import { type Book, placeIn } from './book.ts'
import { die, expiresOf, finish, forgetLetter, moreOf, move, park, redrive } from './places.ts'
import { type Group, Place } from './records.ts'

const SETTLED: SettleResult = { status: 'settled' }
const STALE: SettleResult = { status: 'stale' }

/** Ends or extends leases of a group, redrives and deletes dead letters. */
export function settle(book: Book, name: string, settlements: readonly Settlement[]): SettleResult[] {
  const group = book.group(name)
  return settlements.map((settlement) => {
    const place = group && find(book, group, settlement.receipt)
    return place !== undefined && settleOne(book, place, settlement) ? SETTLED : STALE
  })
}

/** A receipt says of which group, message and lease it is. */
export function receiptOf(place: Place): string {
  const { flow, message, leases } = place
  return (place.receipt ??= `${flow.group.token}${message.order}.${leases}`)
}

/** Whether the lease that the receipt is of goes on. */
export function isLeased(book: Book, group: Group, receipt: string): boolean {
  const place = find(book, group, receipt)
  return place?.state === 'leased' && place.order > book.now
}

function find(book: Book, group: Group, receipt: string): Place | undefined {
  const { token, timers, dead } = group
  const { first } = timers
  // Most leases are settled in their order.
  if (first instanceof Place && first.receipt === receipt && first.state === 'leased') return first
  if (!receipt.startsWith(token)) return undefined
  const order = Number.parseInt(receipt.slice(token.length), 10)
  const message = book.log.get(order)
  const place = (message && placeIn(group, message)) ?? dead.get({ order })
  if (place === undefined || receiptOf(place) !== receipt) return undefined
  const { state, lost } = place
  return state === 'leased' || state === 'dead' || lost ? place : undefined
}

/** Answers whether the receipt was good for that. */
function settleOne(book: Book, place: Place, settlement: Settlement): boolean {
  const { now } = book
  const { group } = place.flow
  const isDead = place.state === 'dead'
  switch (settlement.kind) {
    case 'ack':
      if (isDead) forgetLetter(book, place)
      else finish(book, place, settlement.value)
      return true
    case 'retry': {
      const due = now + settlement.delayMs
      if (isDead) redrive(book, place, due)
      else if (expiresOf(place) <= due)
        die(book, place, 'expired', settlement.error, { parksNext: group.parksNext })
      else retry(book, place, due, settlement.error, settlement.counts !== false)
      return true
    }
    case 'park': {
      if (isDead) return false
      const { reason, data } = settlement
      if (expiresOf(place) <= now) die(book, place, 'expired', reason, { parksNext: group.parksNext })
      else park(book, place, reason, data)
      return true
    }
    case 'dead':
      if (isDead) return false
      die(book, place, settlement.reason, settlement.error, settlement)
      return true
    case 'extend':
      if (!isDead) extend(book, place, settlement.leaseMs, settlement.progress)
      return !isDead
    default:
      return false
  }
}

function extend(book: Book, place: Place, leaseMs: number, progress: Body | undefined): void {
  place.lost = false
  move(book, place, 'leased', book.now + leaseMs)
  if (progress !== undefined && place.message.more?.keepMs !== undefined)
    moreOf(place).progress = { status: 'running', progress, at: book.clock }
}

function retry(book: Book, place: Place, due: number, error: string | undefined, counts: boolean): void {
  place.lost = false
  place.error = error
  if (counts) place.flow.group.failed++
  else place.attempt--
  if (place.more !== undefined) place.more.progress = undefined
  if (due > book.now) move(book, place, 'waiting', due)
  else move(book, place, 'ready')
}
