import type { DeadReason, Delivery } from '../storage.ts'
import {
  type ChainRow,
  type DeadRow,
  type GroupRow,
  type IdRow,
  type Run,
  type Segment,
  type SideRow,
  type Single,
  type Stored,
  groupKey,
} from './rows.ts'
import { ALL, type Work } from './work.ts'

/**
 * A redriven message that finds its key busy is parked in a row of its own, under its seq plus this: the row it was
 * parked in the first time may still be there.
 */
const REDRIVEN = 0.5

/** Where a message is in one group, if it is not done there. */
export type Place =
  /** In the log, not reached by the cursor. */
  | { readonly at: 'ahead' }
  | { readonly at: 'run'; readonly index: number }
  | { readonly at: 'single'; readonly index: number }
  /** Waits for its time. */
  | { readonly at: 'side'; readonly side: SideRow; readonly key: string | undefined }
  /** Parked behind its ordering key. */
  | {
      readonly at: 'chain'
      readonly key: string
      readonly row: number
      readonly index: number
      readonly chain: ChainRow
    }

/** The first message of a key, free to be delivered. */
export interface Head {
  readonly key: string
  readonly seq: number
  readonly row: number
  readonly index: number
  readonly message: Stored
}

/** One group in a transaction: its row, and the moves a message can make in it. */
export class Group {
  readonly work: Work
  readonly name: string
  readonly row: GroupRow
  changed = false
  /** Keys whose head was done in this transaction; the next of each is delivered by it, or made to wait by {@link park}. */
  readonly heads: Head[] = []
  /** The keys of all single leases, once somebody asked. */
  #leasedKeys: Set<string | undefined> | undefined

  constructor(work: Work, name: string, row: GroupRow) {
    this.work = work
    this.name = name
    this.row = { ...row, runs: row.runs.map((run) => ({ ...run })), singles: row.singles.slice() }
  }

  // Leases

  /** The index of the run that holds `seq`, or where it would stand, as `-1 - index`. */
  runOf(seq: number): number {
    const { runs } = this.row
    let low = 0
    let high = runs.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (runs[middle]!.last < seq) low = middle + 1
      else high = middle
    }
    return low < runs.length && runs[low]!.first <= seq ? low : -1 - low
  }

  /** The index of the single lease on `seq`, or where it would stand, as `-1 - index`. */
  singleOf(seq: number): number {
    const { singles } = this.row
    let low = 0
    let high = singles.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (singles[middle]!.seq < seq) low = middle + 1
      else high = middle
    }
    return low < singles.length && singles[low]!.seq === seq ? low : -1 - low
  }

  /** Leases a stretch of the log; joins it to a neighbour of the same lease. */
  addRun(run: Run): void {
    const { runs } = this.row
    const at = -1 - this.runOf(run.first)
    const before = runs[at - 1]
    if (before !== undefined && before.last + 1 === run.first && isSameLease(before, run)) {
      before.last = run.last
      before.named ||= run.named
    } else runs.splice(at, 0, run)
    this.#leasedUntil(run.until)
  }

  addSingle(single: Single): void {
    this.#leasedKeys?.add(single.key)
    this.row.singles.splice(-1 - this.singleOf(single.seq), 0, single)
    this.#leasedUntil(single.until)
  }

  extendSingle(index: number, until: number): void {
    this.row.singles[index] = { ...this.row.singles[index]!, until }
    this.#leasedUntil(until)
  }

  #leasedUntil(until: number): void {
    this.changed = true
    if (this.row.until === undefined || until < this.row.until) this.row.until = until
  }

  /** Takes one message out of a run. */
  cutRun(index: number, seq: number): void {
    const { runs } = this.row
    const run = runs[index]!
    this.changed = true
    if (run.first === run.last) runs.splice(index, 1)
    else if (seq === run.first) run.first++
    else if (seq === run.last) run.last--
    else {
      runs.splice(index + 1, 0, { ...run, first: seq + 1 })
      run.last = seq - 1
    }
  }

  cutSingle(index: number): Single {
    this.changed = true
    const [single] = this.row.singles.splice(index, 1)
    this.#leasedKeys?.delete(single!.key)
    return single!
  }

  /** The smallest seq in the log that the group still needs. */
  floor(): number {
    let floor = this.row.cursor
    const run = this.row.runs[0]
    if (run !== undefined && run.first < floor) floor = run.first
    for (const single of this.row.singles) {
      if (single.seq >= floor) break
      if (!single.side && single.row === undefined) floor = single.seq
    }
    return floor
  }

  // Places

  locate(seq: number, key: string | undefined): Place | undefined {
    // A head that was freed a moment ago has to have a place.
    this.spillHeads()
    // One that expired before the cursor came, and was redriven, is elsewhere.
    if (seq >= this.row.cursor && !this.work.isGone(seq)) return { at: 'ahead' }
    const run = this.runOf(seq)
    if (run >= 0) return { at: 'run', index: run }
    const single = this.singleOf(seq)
    if (single >= 0) return { at: 'single', index: single }
    const side = this.work.tx.get<SideRow>('side', [this.name, key ?? seq])
    if (side?.seq === seq) return { at: 'side', side, key }
    if (key === undefined || this.row.blocked === 0) return undefined
    const rows = this.work.tx.range<ChainRow>(
      'chain',
      { lower: [this.name, key], upper: [this.name, key, seq + REDRIVEN] },
      ALL,
    )
    const head = side ?? this.#leaseOf(key)
    for (const [rowKey, chain] of rows) {
      const row = (rowKey as readonly unknown[])[2] as number
      const index = chain.seqs.indexOf(seq)
      if (index < 0 || chain.messages[index] === undefined) continue
      if (head?.row === row && index <= head.index!) continue
      return { at: 'chain', key, row, index, chain }
    }
    return undefined
  }

  /** The message of a key that is leased or waits. */
  headOf(key: string): Single | SideRow | undefined {
    return this.#leaseOf(key) ?? this.work.tx.get<SideRow>('side', [this.name, key])
  }

  #leaseOf(key: string): Single | undefined {
    return this.row.singles.find((single) => single.key === key)
  }

  /** What the message at a place carries. */
  messageAt(place: Place, seq: number): Stored | undefined {
    switch (place.at) {
      case 'single':
        return this.messageOf(this.row.singles[place.index]!)
      case 'side':
        return this.sideMessage(place.side, place.key)
      case 'chain':
        return place.chain.messages[place.index]
      default:
        return this.work.logMessage(seq)
    }
  }

  /** What the message of a single lease carries. */
  messageOf(single: Single): Stored | undefined {
    if (single.row !== undefined) return this.chainMessage(single.key!, single.row, single.index!)
    if (!single.side) return this.work.logMessage(single.seq)
    const side = this.work.tx.get<SideRow>('side', [this.name, single.key ?? single.seq])
    return side?.message
  }

  sideMessage(side: SideRow, key: string | undefined): Stored | undefined {
    return side.row === undefined ? side.message : this.chainMessage(key!, side.row, side.index!)
  }

  chainMessage(key: string, row: number, index: number): Stored | undefined {
    const chain = this.work.tx.get<ChainRow>('chain', [this.name, key, row])
    return chain?.messages[index]
  }

  /** The messages that lie outside the log, by seq. */
  *outsideLog(): Iterable<readonly [seq: number, message: Stored]> {
    const range = { lower: [this.name], upper: [this.name] }
    for (const [key, side] of this.work.tx.range<SideRow>('side', range, ALL)) {
      const ordering = (key as readonly (string | number)[])[1]
      const message = this.sideMessage(side, typeof ordering === 'string' ? ordering : undefined)
      if (message !== undefined) yield [side.seq, message]
    }
    for (const [key, chain] of this.work.tx.range<ChainRow>('chain', range, ALL)) {
      const [, ordering, row] = key as readonly [string, string, number]
      const head = this.headOf(ordering)
      for (let i = head?.row === row ? head.index! : 0; i < chain.seqs.length; i++) {
        const message = chain.messages[i]
        if (message !== undefined) yield [chain.seqs[i]!, message]
      }
    }
  }

  // Moves

  /**
   * Takes a message out of its place: it is acked, dead or cancelled here, or about to be put elsewhere. The next of its
   * key comes free.
   */
  remove(place: Place, seq: number): void {
    this.changed = true
    switch (place.at) {
      case 'ahead':
        this.row.skipped++
        break
      case 'run':
        this.cutRun(place.index, seq)
        break
      case 'single':
        this.endSingle(this.cutSingle(place.index))
        break
      case 'side':
        this.work.tx.delete('side', [this.name, place.key ?? seq])
        this.work.tx.delete('due', [this.name, place.side.at, seq])
        this.row.waiting--
        if (place.key !== undefined) this.freeKey(place.key, place.side.row, place.side.index)
        break
      case 'chain':
        this.#unpark(place)
        break
    }
  }

  /** Ends a single lease for good. */
  endSingle(single: Single): void {
    if (single.side) this.work.tx.delete('side', [this.name, single.key ?? single.seq])
    if (single.key !== undefined) this.freeKey(single.key, single.row, single.index)
  }

  /** The head of a key is done: finds the next one. `row` and `index` say where the head lay, if in a chain. */
  freeKey(key: string, row?: number, index = -1): void {
    if (this.row.chained === 0) return
    const { tx } = this.work
    const chain = row === undefined ? undefined : tx.get<ChainRow>('chain', [this.name, key, row])
    if (chain !== undefined) {
      const next = liveFrom(chain, index + 1)
      if (next >= 0 && !this.#hasEarlier(key, row!, chain.seqs[next]!)) {
        this.#pushHead(key, row!, next, chain)
        return
      }
      this.#dropChain(key, row!)
      // What is done must not be taken for parked, now that the head will lie elsewhere.
      if (next >= 0) this.#putChain(key, chain.seqs.slice(next), chain.messages.slice(next))
    }
    const [first] = tx.range<ChainRow>('chain', { lower: [this.name, key], upper: [this.name, key] }, 1)
    if (first === undefined) return
    this.#pushHead(key, (first[0] as readonly unknown[])[2] as number, liveFrom(first[1], 0), first[1])
  }

  /** Whether a message that was redriven comes before the next one of its key. */
  #hasEarlier(key: string, row: number, next: number): boolean {
    if (this.row.redriven === 0) return false
    const range = { lower: [this.name, key], upper: [this.name, key, next] }
    const rows = this.work.tx.range<ChainRow>('chain', range, 2)
    return rows.some(([at]) => (at as readonly unknown[])[2] !== row)
  }

  #pushHead(key: string, row: number, index: number, chain: ChainRow): void {
    this.row.blocked--
    this.changed = true
    this.heads.push({ key, seq: chain.seqs[index]!, row, index, message: chain.messages[index]! })
  }

  #putChain(key: string, seqs: readonly number[], messages: ChainRow['messages'], row = seqs[0]!): void {
    this.work.tx.put('chain', [this.name, key, row], { seqs, messages } satisfies ChainRow)
    this.row.chained++
    if (!Number.isInteger(row)) this.row.redriven++
    this.changed = true
  }

  #dropChain(key: string, row: number): void {
    this.work.tx.delete('chain', [this.name, key, row])
    this.row.chained--
    if (!Number.isInteger(row)) this.row.redriven--
  }

  #unpark(place: Place & { at: 'chain' }): void {
    const { key, row, index, chain } = place
    const messages = chain.messages.slice()
    messages[index] = undefined
    const head = this.headOf(key)
    this.row.blocked--
    if (head?.row !== row && messages.every((message) => message === undefined)) {
      this.#dropChain(key, row)
    } else this.work.tx.put('chain', [this.name, key, row], { seqs: chain.seqs, messages } satisfies ChainRow)
  }

  /** Has a message that waits carry another one, from its first attempt on. */
  replace(place: Place, message: Stored): void {
    if (place.at === 'side') {
      const { side, key } = place
      const inChain = side.row !== undefined
      this.work.tx.put('side', [this.name, key ?? side.seq], {
        ...side,
        attempt: 0,
        error: undefined,
        message: inChain ? undefined : message,
      } satisfies SideRow)
      if (!inChain) return
      const chain = this.work.tx.get<ChainRow>('chain', [this.name, key!, side.row])
      if (chain !== undefined) this.#replaceInChain(key!, side.row, side.index!, chain, message)
    } else if (place.at === 'chain')
      this.#replaceInChain(place.key, place.row, place.index, place.chain, message)
  }

  #replaceInChain(key: string, row: number, index: number, chain: ChainRow, message: Stored): void {
    const messages = chain.messages.with(index, message)
    this.work.tx.put('chain', [this.name, key, row], { seqs: chain.seqs, messages } satisfies ChainRow)
  }

  /** Parks messages behind their key. */
  park(key: string, seqs: readonly number[], messages: readonly Stored[], row?: number): void {
    this.#putChain(key, seqs, messages, row)
    this.row.blocked += seqs.length
  }

  /** Delivers a dead letter again, from its first attempt on: as soon as its key is free, if it has one. */
  redrive(seq: number, message: Stored, delayMs: number): void {
    const { key } = message
    if (key !== undefined && this.isBusy(key)) {
      this.park(key, [seq], [{ ...message, due: this.work.now + delayMs }], seq + REDRIVEN)
    } else this.wait(key, { seq, at: this.work.now + delayMs, attempt: 0, message })
  }

  /** Whether a message of this key is leased or waits. */
  isBusy(key: string): boolean {
    this.#leasedKeys ??= new Set(this.row.singles.map((single) => single.key))
    if (this.#leasedKeys.has(key) || this.heads.some((head) => head.key === key)) return true
    // Only a head that waits has a row.
    if (this.row.waiting === 0) return false
    return this.work.tx.get<SideRow>('side', [this.name, key]) !== undefined
  }

  /** Makes a message wait. If it has a key, it is the head of it. */
  wait(key: string | undefined, side: SideRow): void {
    this.work.tx.put('side', [this.name, key ?? side.seq], side)
    this.work.tx.put('due', [this.name, side.at, side.seq], key ?? 0)
    this.row.waiting++
    this.changed = true
    if (this.row.due === undefined || side.at < this.row.due) this.row.due = side.at
  }

  /** Makes a head wait: until now, unless it has a time of its own. */
  spill({ key, seq, row, index, message }: Head): void {
    const at = Math.max(this.work.now, message.due ?? 0)
    this.wait(key, { seq, at, attempt: 0, row, index })
  }

  /** Heads that this transaction freed and did not deliver are due at once. */
  spillHeads(): void {
    for (const head of this.heads.splice(0)) this.spill(head)
  }

  /** Keeps a message as a dead letter. Its place must be taken care of. */
  bury(seq: number, message: Stored, attempt: number, reason: DeadReason, error?: string): void {
    const row: DeadRow = { message, attempt, reason, error, at: this.work.clock, fence: this.row.nextLease++ }
    this.work.tx.put('dead', [this.name, seq], row)
    this.row.dead++
    this.row.failed++
    this.changed = true
    if (message.named !== undefined) this.done(seq, message)
  }

  /** The group has finished with a message whose id its sender chose: once all have, the id is free again. */
  done(seq: number, message: Stored): void {
    const { work } = this
    const row = work.tx.get<IdRow>('ids', message.id)
    if (row === undefined || !('seq' in row) || row.seq !== seq) return
    for (const other of allGroups(work)) {
      if (other !== this && other.locate(seq, message.key) !== undefined) return
    }
    if (message.named! > 0) {
      const until = work.now + message.named!
      work.tx.put('ids', message.id, { until } satisfies IdRow)
      work.forgetId(message.id, until)
    } else work.tx.delete('ids', message.id)
  }

  receipt(lease: number, seq: number | ''): string {
    return `${this.row.token}.${lease}.${seq}`
  }
}

/** The index of the first message of a chain row, from `index` on, that was not cancelled; -1 if there is none. */
function liveFrom(chain: ChainRow, index: number): number {
  for (let i = index; i < chain.messages.length; i++) if (chain.messages[i] !== undefined) return i
  return -1
}

export function isSameLease(a: Run, b: Run): boolean {
  return a.lease === b.lease && a.until === b.until && a.attempt === b.attempt
}

/** The delivery of a message that stands on its own. */
export function deliver(
  message: Stored,
  receipt: string,
  attempt: number,
  maxAttempts: number,
  lastError?: string,
): Delivery {
  const { id, body, headers, key, at } = message
  return {
    receipt,
    id,
    body,
    headers,
    key,
    timestamp: at,
    attempt,
    maxAttempts: message.maxAttempts ?? maxAttempts,
    lastError,
  }
}

/** Loads a group; `undefined` if it does not exist. */
export function loadGroup(work: Work, name: string): Group | undefined {
  const known = work.groups.get(name)
  if (known !== undefined) return known
  const row = work.tx.get<GroupRow>('state', groupKey(name))
  if (row === undefined) return undefined
  const group = new Group(work, name, row)
  work.groups.set(name, group)
  return group
}

/** A group as it would start now. It is not part of the transaction until {@link createGroup} makes it so. */
export function imagineGroup(work: Work, name: string, from: 'earliest' | 'latest'): Group {
  const { tail, groups, groupsEver } = work.queue
  // The first group takes everything: messages sent before anybody listened wait for it.
  let cursor = from === 'latest' && groups > 0 ? tail : (firstSegment(work)?.first ?? tail)
  if (cursor < tail && groups > 0) {
    // What every group has finished is not retained, even if a segment still holds it.
    cursor = Math.max(
      cursor,
      allGroups(work).reduce((floor, group) => Math.min(floor, group.floor()), tail),
    )
  }
  let skipped = 0
  for (const amendment of work.amendments(cursor, tail)?.values() ?? []) if (amendment.gone) skipped++
  return new Group(work, name, {
    token: tokenOf(work, groupsEver),
    cursor,
    runs: [],
    singles: [],
    nextLease: 1,
    due: undefined,
    until: undefined,
    checked: cursor,
    trimmed: cursor,
    skipped,
    waiting: 0,
    chained: 0,
    redriven: 0,
    blocked: 0,
    dead: 0,
    acked: 0,
    failed: 0,
    latest: 0,
  })
}

/** What the receipts of a new group start with: no other group has it, neither of this queue nor, but for rare luck, of others. */
function tokenOf({ name, clock }: Work, groupsEver: number): string {
  // FNV-1a, 32 bits.
  let hash = 0x811c9dc5
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193)
  return [hash >>> 0, clock, groupsEver].map((part) => Math.floor(part).toString(36)).join('-')
}

/** Makes a group. `work.tick` comes first. */
export function createGroup(work: Work, name: string, from: 'earliest' | 'latest'): Group {
  const group = imagineGroup(work, name, from)
  group.changed = true
  work.edit().groups++
  work.edit().groupsEver++
  work.groups.set(name, group)
  if (from === 'earliest' && work.queue.groups > 1) adopt(work, group)
  return group
}

/** What the log has let go, but another group has not finished, is retained: a new group gets it too. */
function adopt(work: Work, group: Group): void {
  const retained = new Map<number, Stored>()
  for (const other of allGroups(work)) {
    for (const [seq, message] of other.outsideLog()) if (seq < group.row.cursor) retained.set(seq, message)
  }
  for (const [seq, message] of [...retained].sort(([a], [b]) => a - b)) {
    const { key } = message
    if (key !== undefined && group.isBusy(key)) group.park(key, [seq], [message])
    else group.wait(key, { seq, at: work.now, attempt: 0, message })
  }
}

/** The first segment that is still in the log. */
export function firstSegment(work: Work): Segment | undefined {
  return work.tx.range<Segment>('log', {}, 1)[0]?.[1]
}

export function allGroups(work: Work): readonly Group[] {
  if (work.groups.size < work.queue.groups) {
    const prefix = ['group']
    const rows = work.tx.range<GroupRow>('state', { lower: prefix, upper: prefix }, ALL)
    for (const [key, row] of rows) {
      const name = (key as readonly string[])[1]!
      if (!work.groups.has(name)) work.groups.set(name, new Group(work, name, row))
    }
  }
  return [...work.groups.values()]
}
