import type { Body, Settlement } from '../../src/storage.ts'
import { packBody, packText } from './records.ts'

/**
 * Receipts: the token of the group, the number of the lease, the seq of the message, and a letter that says where it is:
 * `l` in the log, which it may have left since, `h` held outside it, `d` a dead letter, of which it is the number. Numbers
 * are those of the verbs that made leases and dead letters, each at random: a server that has lost its last writes would
 * count from where it had been, and old receipts fit what came in their place.
 */
export function receiptOf(token: string, lease: number, seq: number, where: string): string {
  return `${token}.${lease}.${seq}${where}`
}

interface Receipt {
  readonly token: string
  readonly lease: number
  readonly seq: number
  readonly where: string
}

const RECEIPT = /^([0-9a-z]+)\.(\d{1,15})\.(\d{1,15})([lhd])$/

function parse(receipt: unknown): Receipt | undefined {
  const parts = typeof receipt === 'string' ? RECEIPT.exec(receipt) : null
  return parts === null
    ? undefined
    : { token: parts[1]!, lease: Number(parts[2]), seq: Number(parts[3]), where: parts[4]! }
}

/** Settlements as the scripts take them, see `lua/parts/settling.lua`. */
export interface Packed {
  readonly args: (string | Uint8Array)[]
  /** For each digit of the answer, which settlement it is about. */
  readonly order: readonly number[]
}

/** Acks of neighbours become one, whatever their order: then the server need not look at each. */
export function packSettlements(settlements: readonly Settlement[]): Packed {
  const args: (string | Uint8Array)[] = []
  const order: number[] = []
  let acks: Ack[] = []
  const flush = (): void => {
    packAcks(acks, args, order)
    acks = []
  }
  for (const [index, settlement] of settlements.entries()) {
    const receipt = parse(settlement.receipt)
    if (receipt === undefined) continue
    const { token, lease, seq, where } = receipt
    if (settlement.kind === 'ack' && where === 'l') {
      acks.push({ token, lease, seq, index, value: settlement.value })
      continue
    }
    flush()
    order.push(index)
    const common = [token, `${lease}`, `${seq}`, where]
    switch (settlement.kind) {
      case 'ack':
        args.push('b', ...common, bodyOf(settlement.value))
        break
      case 'retry':
        args.push('r', ...common, `${Math.ceil(settlement.delayMs)}`)
        args.push(settlement.counts === false ? '0' : '1', textOf(settlement.error))
        break
      case 'dead':
        args.push('k', ...common, settlement.reason, textOf(settlement.error))
        args.push(settlement.deadForMs === undefined ? '' : `${Math.ceil(settlement.deadForMs)}`)
        args.push(settlement.parksNext === true ? '1' : '')
        break
      case 'park':
        args.push('p', ...common, packText(settlement.reason), textOf(settlement.data))
        break
      default:
        args.push('e', ...common, `${Math.ceil(settlement.leaseMs)}`, bodyOf(settlement.progress))
    }
  }
  flush()
  return { args, order }
}

interface Ack {
  readonly token: string
  readonly lease: number
  readonly seq: number
  readonly index: number
  readonly value: Body | undefined
}

function packAcks(acks: Ack[], args: (string | Uint8Array)[], order: number[]): void {
  // The same receipt twice: the second one comes behind it, and finds nothing.
  acks.sort((a, b) => a.lease - b.lease || a.seq - b.seq)
  for (let from = 0; from < acks.length;) {
    const { token, lease, seq } = acks[from]!
    let to = from + 1
    while (to < acks.length && acks[to]!.seq === seq + to - from) {
      const next = acks[to]!
      if (next.lease !== lease || next.token !== token) break
      to++
    }
    const values = acks.slice(from, to).map(({ value }) => bodyOf(value))
    const valued = values.some((value) => value !== '')
    args.push(valued ? 'v' : 'a', token, `${lease}`, `${seq}`, `${seq + to - from - 1}`)
    if (valued) args.push(...values)
    for (; from < to; from++) order.push(acks[from]!.index)
  }
}

function bodyOf(body: Body | undefined): string | Uint8Array {
  return body === undefined ? '' : packBody(body)
}

function textOf(text: string | undefined): string | Uint8Array {
  return text === undefined ? '' : packText(text)
}
