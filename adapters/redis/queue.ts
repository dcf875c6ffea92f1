import { QuaysideError } from '../../src/errors.ts'
import type {
  AppendOptions,
  AppendResult,
  ClaimRequest,
  ClaimResult,
  DeadReason,
  Delivery,
  GroupStart,
  GroupStats,
  Hint,
  ListQuery,
  ListedMessage,
  MessageState,
  NewMessage,
  Outcome,
  Page,
  QueueStorage,
  ResumeOptions,
  SettleResult,
  Settlement,
  StorageStats,
} from '../../src/storage.ts'
import type { HoldRequest, LanesPage, LanesQuery, ReleaseRequest } from '../../src/lanes.ts'
import { readUint32, toText } from './bytes.ts'
import type { Argument } from './connection.ts'
import { trustReply } from './errors.ts'
import { START_LENGTH, makeId } from './ids.ts'
import { type HoldReply, type LaneReply, claimOf, holdsOf, laneOf, placeOf } from './lanes.ts'
import { packSettlements, receiptOf } from './receipts.ts'
import { pack, packText, unpack, unpackBody, unpackText } from './records.ts'
import type { SCRIPTS } from './scripts.ts'

/** What a queue needs of its adapter. */
export interface Server {
  run(verb: keyof typeof SCRIPTS, args: readonly Argument[]): Promise<unknown>
  /** Where it can be heard what changes. */
  readonly watch: ((listener: (hint: Hint) => void) => () => void) | undefined
  /** The names of all keys of the queue, without what they all begin with. */
  keys(): Promise<string[]>
  /** A view has ended. */
  release(): void
}

/** What a claim says in place of when to look again, if the lease that its caller has in hand has ended. */
const LATE = -2

/** The verbs of one queue: each is a script. What they take and answer is told in the sources of the scripts. */
export class RedisQueue implements QueueStorage {
  readonly #server: Server
  readonly #underWay: Set<Promise<unknown>> = new Set()
  readonly #unwatch: Set<() => void> = new Set()
  /** What the tokens of groups start with that this view makes. */
  readonly #random: string = crypto.randomUUID().slice(24)
  #tokens = 0
  #closed: Promise<void> | undefined

  readonly watch?: NonNullable<QueueStorage['watch']>

  constructor(server: Server) {
    this.#server = server
    const { watch } = server
    if (watch !== undefined) this.watch = (listener) => this.#watch(watch, listener)
  }

  async append(
    messages: readonly NewMessage[],
    { batchId, groups = [], maxMessages, maxBytes }: AppendOptions,
  ): Promise<AppendResult[]> {
    const start = batchId.slice(0, START_LENGTH)
    const args: Argument[] = [start, messages.some(isSpecial) ? JSON.stringify(messages.map(specOf)) : '']
    args.push(`${maxMessages ?? ''}`, `${maxBytes ?? ''}`, ...this.#starts(groups))
    for (const { count, blob } of pack(messages)) args.push(`${count}`, blob)
    const reply = (await this.#run('append', args)) as AppendReply | RefusedReply
    if (reply.length === 4) throw refused(reply)
    const [marks, seq, number] = reply
    let nextSeq = seq
    let nextNumber = number
    const plain = marks.length === 0
    return messages.map(({ id }, i) => {
      const mark = plain ? STORED : marks[i]!
      const status = STATUSES[mark]!
      const isLater = mark === LATER || mark === MOVED_LATER
      // Each stored message has one, with an id of its own or without.
      const made = isLater ? nextNumber++ : mark === STORED || mark === MOVED ? nextSeq++ : 0
      return { id: id ?? makeId(start, made, isLater ? 1 : 0), status }
    })
  }

  claim(request: ClaimRequest): Promise<ClaimResult> {
    if (this.#closed !== undefined) return Promise.reject(closed('claim'))
    return this.#track(this.#claim(request))
  }

  async #claim(request: ClaimRequest): Promise<ClaimResult> {
    const {
      group,
      limit,
      leaseMs,
      maxAttempts,
      from,
      groups = [],
      settle,
      deadForMs,
      parksNext,
      inHand: [inHand] = [],
    } = request
    const { args, order } = packSettlements(settle ?? [])
    const common = [`${limit}`, `${Math.ceil(leaseMs)}`, `${maxAttempts}`, durationOf(deadForMs)]
    common.push(parksNext === true ? '1' : '', claimOf(request), inHand ?? '')
    common.push(...this.#starts([...groups, { name: group, from }]))
    const reply = (await this.#server.run('claim', [...common, ...args])) as ClaimReply
    const [tokenBytes, lease, nextInMs, digits, position] = reply
    const found = toText(tokenBytes)
    const deliveries: Delivery[] = []
    trustReply('claim', () => {
      for (let i = 5; i < reply.length; i++) {
        const part = reply[i] as StretchReply | SingleReply
        if (isStretch(part)) addStretch(deliveries, found, lease, maxAttempts, part)
        else deliveries.push(single(found, lease, maxAttempts, part))
      }
    })
    return {
      deliveries,
      nextInMs: nextInMs === LATE ? 0 : nextInMs < 0 ? undefined : nextInMs,
      late: nextInMs === LATE || undefined,
      settled: settle && resultsOf(settle, order, digits),
      position: textOf(position),
    }
  }

  async settle(group: string, settlements: readonly Settlement[]): Promise<SettleResult[]> {
    const { args, order } = packSettlements(settlements)
    const digits = await this.#run('settle', [group, ...args])
    return resultsOf(settlements, order, digits as Uint8Array)
  }

  async list({ group, states, lane, ids, limit, bodies = true, cursor }: ListQuery): Promise<Page> {
    const wanted = states ?? (['ready', 'leased', 'delayed', 'blocked', 'parked'] as const)
    const position = readCursor(cursor)
    if (position === undefined) return { messages: [] }
    const given = ids && [...new Set(ids)]
    const args = [group, `${limit}`, wanted.map((state) => LETTERS[state]).join(''), bodies ? '1' : '0']
    args.push(...position, lane === undefined ? '' : `l${lane}`)
    args.push(`${given?.length ?? -1}`, ...(given ?? []))
    const [token, next, nextPlace, ...rows] = (await this.#run('list', args)) as ListReply
    return {
      messages: trustReply('list', () => rows.map((row) => listed(toText(token), row, bodies))),
      cursor: next.length === 0 ? undefined : `${toText(next)}:${toText(nextPlace)}`,
    }
  }

  async results(group: string, ids: readonly string[]): Promise<(Outcome | undefined)[]> {
    const outcomes: (Outcome | undefined)[] = []
    // One step answers with so many bytes at most, but with one of them at least.
    while (outcomes.length < ids.length) {
      const reply = (await this.#run('results', [group, ...ids.slice(outcomes.length)])) as ResultsReply
      const found = trustReply('results', () =>
        reply.map((one) => (isOutcome(one) ? outcomeOf(one) : undefined)),
      )
      if (found.length === 0) throw new QuaysideError('CORRUPT', 'results: the server answered with nothing')
      outcomes.push(...found)
    }
    return outcomes
  }

  async lanes({ group, prefix = '', limit, cursor }: LanesQuery): Promise<LanesPage> {
    if (cursor !== undefined && !cursor.startsWith('n')) return { lanes: [] }
    const reply = await this.#run('lanes', [group, prefix, `${limit}`, cursor ?? ''])
    const [next, ...rows] = reply as [Uint8Array, ...LaneReply[]]
    return { lanes: rows.map(laneOf), cursor: textOf(next) }
  }

  async resume(ids: readonly string[], { group, edit }: ResumeOptions = {}): Promise<boolean[]> {
    const [content] = edit === undefined ? [] : pack([edit])
    const args = [
      group ?? '',
      content?.blob ?? '',
      `${edit?.maxAttempts ?? ''}`,
      durationOf(edit?.expiresInMs),
    ]
    return booleans((await this.#run('resume', [...args, ...ids])) as Uint8Array)
  }

  async hold({ forMs, reason, probe, ...place }: HoldRequest): Promise<void> {
    const text = reason === undefined || reason === '' ? '' : packText(reason)
    await this.#run('hold', [...placeOf(place), durationOf(forMs), text, probe === true ? '1' : '0'])
  }

  async release({ probe, ...place }: ReleaseRequest): Promise<boolean> {
    return (await this.#run('release', [...placeOf(place), probe === true ? '1' : '0'])) === 1
  }

  async stats(): Promise<StorageStats> {
    let reply: Uint8Array | StatsReply
    let position: Argument = ''
    // Where much has expired or ended, one step does not look at all of it.
    while (!Array.isArray((reply = (await this.#run('stats', [position])) as Uint8Array | StatsReply)))
      position = reply
    const [holds, messages, bytes, oldestMs, sent] = reply
    const groups: [string, GroupStats][] = []
    for (let i = 5; i < reply.length; i += 10) {
      const [name, ready, leased, delayed, blocked, parked, dead, age, acked, failed] = reply.slice(
        i,
      ) as GroupReply
      const counts = {
        ready,
        leased,
        delayed,
        blocked,
        parked,
        dead,
        oldestMs: present(age),
        acked,
        failed,
      }
      groups.push([toText(name), counts])
    }
    return {
      groups: Object.fromEntries(groups),
      messages,
      bytes,
      oldestMs: present(oldestMs),
      sent,
      holds: holdsOf(holds),
    }
  }

  async cancel(ids: readonly string[]): Promise<boolean[]> {
    return booleans((await this.#run('cancel', ids)) as Uint8Array)
  }

  async retryNow(group: string, ids: readonly string[]): Promise<boolean[]> {
    return booleans((await this.#run('retryNow', [group, ...ids])) as Uint8Array)
  }

  deleteGroup(group: string): Promise<void> {
    return this.#end('deleteGroup', [group])
  }

  purge(): Promise<void> {
    return this.#end('purge', [this.#newToken()])
  }

  delete(): Promise<void> {
    return this.#end('delete', [])
  }

  /** Ends many messages at once; what is left of them then goes step by step, so that nobody waits for long. */
  async #end(verb: 'deleteGroup' | 'purge' | 'delete', args: readonly Argument[]): Promise<void> {
    let reply = await this.#run(verb, args)
    while (reply === MORE) reply = await this.#run('tidy', [])
    if (reply === UNREADABLE) await this.#run(verb, [...args, ...(await this.#server.keys())])
  }

  #watch(watch: NonNullable<Server['watch']>, listener: (hint: Hint) => void): () => void {
    if (this.#closed !== undefined) return () => undefined
    const unwatch = watch(listener)
    this.#unwatch.add(unwatch)
    return () => {
      this.#unwatch.delete(unwatch)
      unwatch()
    }
  }

  close(): Promise<void> {
    return (this.#closed ??= this.#finish())
  }

  async #finish(): Promise<void> {
    for (const unwatch of this.#unwatch) unwatch()
    await Promise.allSettled(this.#underWay)
    this.#server.release()
  }

  #run(verb: keyof typeof SCRIPTS, args: readonly Argument[]): Promise<unknown> {
    return this.#closed === undefined
      ? this.#track(this.#server.run(verb, args))
      : Promise.reject(closed(verb))
  }

  #starts(groups: readonly GroupStart[]): string[] {
    const starts = groups.map(({ name, from = 'earliest' }) => [name, this.#newToken(), from])
    return [`${groups.length}`, ...starts.flat()]
  }

  #newToken(): string {
    return this.#random + (this.#tokens++).toString(36)
  }

  #track<T>(work: Promise<T>): Promise<T> {
    this.#underWay.add(work)
    const over = (): boolean => this.#underWay.delete(work)
    work.then(over, over)
    return work
  }
}

function closed(verb: string): QuaysideError {
  return new QuaysideError('CLOSED', `${verb}: this queue was closed; open it again`)
}

function refused([, limit, there, wanted]: RefusedReply): QuaysideError {
  const what = `${toText(limit)} is reached: the queue retains ${there}, and this would add ${wanted}`
  return new QuaysideError(
    'QUOTA_EXCEEDED',
    `append: ${what}; nothing was stored. Let consumers catch up, or raise the limit`,
  )
}

/** There is more to do. */
const MORE = 1
/** The rows cannot be read, so that keys have to be named. */
const UNREADABLE = 2

function durationOf(ms: number | undefined): string {
  return ms === undefined ? '' : `${Math.ceil(ms)}`
}

type AppendReply = [marks: Uint8Array, seq: number, number: number]
type RefusedReply = [letter: Uint8Array, limit: Uint8Array, there: number, wanted: number]
type StatsReply = [readonly HoldReply[], number, number, number, number, ...unknown[]]
type ClaimReply = [
  token: Uint8Array,
  lease: number,
  nextInMs: number,
  settled: Uint8Array,
  position: Uint8Array,
  ...parts: unknown[],
]
type StretchReply = [
  first: number,
  count: number,
  at: number,
  start: Uint8Array,
  ids: Uint8Array | readonly Uint8Array[],
  own: Uint8Array | readonly number[],
  begin: number,
  blob: Uint8Array,
  keep?: readonly number[],
]
type SingleReply = [
  seq: number,
  where: Uint8Array,
  at: number,
  id: Uint8Array,
  key: Uint8Array,
  own: number,
  attempt: number,
  error: Uint8Array,
  record: Uint8Array,
  keep?: number,
  lane?: Uint8Array,
]
type ListReply = [token: Uint8Array, section: Uint8Array, place: Uint8Array, ...rows: ListedReply[]]
type ListedReply = [
  state: Uint8Array,
  at: number,
  id: Uint8Array,
  key: Uint8Array,
  lane: Uint8Array,
  own: number,
  attempt: number,
  nextInMs: number,
  error: Uint8Array,
  record: Uint8Array,
  ...details: unknown[],
]
type ResultsReply = readonly (Uint8Array | OutcomeReply)[]
type OutcomeReply = [status: Uint8Array, at: number, one: Uint8Array, error: Uint8Array]
type GroupReply = [Uint8Array, number, number, number, number, number, number, number, number, number]

const STORED = 's'.charCodeAt(0)
const MOVED = 'S'.charCodeAt(0)
const LATER = 'l'.charCodeAt(0)
const MOVED_LATER = 'L'.charCodeAt(0)
const STATUSES: Readonly<Record<number, AppendResult['status']>> = {
  [STORED]: 'stored',
  [LATER]: 'stored',
  [MOVED]: 'replaced',
  [MOVED_LATER]: 'replaced',
  ['d'.charCodeAt(0)]: 'duplicate',
  ['r'.charCodeAt(0)]: 'replaced',
}

const LETTERS: Readonly<Record<MessageState, string>> = {
  ready: 'r',
  leased: 'l',
  delayed: 'd',
  blocked: 'b',
  parked: 'p',
  dead: 'x',
  done: 'o',
}
const STATES = Object.fromEntries(
  Object.entries(LETTERS).map(([state, letter]) => [letter, state]),
) as Readonly<Record<string, MessageState>>

/** Whether the server has to know more of a message than its bytes. */
function isSpecial({ id, key, lane, delayMs, expiresInMs, maxAttempts, keepMs }: NewMessage): boolean {
  return (
    id !== undefined ||
    key !== undefined ||
    lane !== undefined ||
    (delayMs !== undefined && delayMs > 0) ||
    expiresInMs !== undefined ||
    maxAttempts !== undefined ||
    keepMs !== undefined
  )
}

function specOf(message: NewMessage): unknown {
  if (!isSpecial(message)) return 0
  const { id, key, lane, delayMs, expiresInMs, maxAttempts, replace, dedupeMs, maxDelayMs, keepMs } = message
  return {
    id,
    key,
    lane,
    delayMs: delayMs && Math.ceil(delayMs),
    expiresInMs: expiresInMs && Math.ceil(expiresInMs),
    maxAttempts,
    replace: replace === true ? true : undefined,
    dedupeMs: dedupeMs && Math.ceil(dedupeMs),
    maxDelayMs: maxDelayMs && Math.ceil(maxDelayMs),
    keepMs: keepMs && Math.ceil(keepMs),
  }
}

function isStretch(part: StretchReply | SingleReply): part is StretchReply {
  return typeof part[1] === 'number'
}

function addStretch(
  deliveries: Delivery[],
  token: string,
  lease: number,
  maxAttempts: number,
  [first, count, timestamp, startBytes, ids, own, begin, blob, keep]: StretchReply,
): void {
  const start = toText(startBytes)
  const bodies = 4 * count
  let from = bodies
  for (let i = 0; i < count; i++) {
    const to = bodies + readUint32(blob, 4 * i) - begin
    const id = Array.isArray(ids) ? toText(ids[i] as Uint8Array) : ''
    deliveries.push({
      receipt: receiptOf(token, lease, first + i, 'l'),
      id: id === '' ? makeId(start, first + i, 0) : id,
      ...unpack(blob, from, to),
      key: undefined,
      timestamp,
      keepMs: keep?.[i] || undefined,
      attempt: 1,
      maxAttempts: (Array.isArray(own) && (own[i] as number)) || maxAttempts,
      lastError: undefined,
    })
    from = to
  }
}

function single(token: string, lease: number, maxAttempts: number, part: SingleReply): Delivery {
  const [seq, where, timestamp, id, key, own, attempt, error, record, keep, lane] = part
  return {
    receipt: receiptOf(token, lease, seq, toText(where)),
    id: toText(id),
    ...unpack(record),
    key: textOf(key),
    lane: lane && toText(lane),
    timestamp,
    keepMs: keep || undefined,
    attempt,
    maxAttempts: own || maxAttempts,
    lastError: unpackText(error),
  }
}

function listed(token: string, row: ListedReply, bodies: boolean): ListedMessage {
  const [letter, timestamp, id, key, lane, own, attempt, nextInMs, error, record, ...details] = row
  const state = STATES[toText(letter)]!
  return {
    id: toText(id),
    state,
    ...unpack(record),
    ...((!bodies || state === 'done') && { body: '' }),
    key: textOf(key),
    lane: textOf(lane),
    timestamp,
    attempt,
    maxAttempts: own || undefined,
    nextInMs: present(nextInMs),
    lastError: unpackText(error),
    ...detailsOf(state, token, details),
  }
}

/** What only messages in some state have. */
function detailsOf(state: MessageState, token: string, details: readonly unknown[]): Partial<ListedMessage> {
  if (details.length === 0) return {}
  switch (state) {
    case 'dead': {
      const [reason, deadAt, fence, seq] = details as [Uint8Array, number, number, number]
      return {
        reason: toText(reason) as DeadReason,
        deadAt,
        receipt: receiptOf(token, fence, seq, 'd'),
      }
    }
    case 'parked': {
      const [reason, data, at] = details as [Uint8Array, Uint8Array, number]
      return { parked: { reason: unpackText(reason)!, data: unpackText(data), at } }
    }
    case 'leased': {
      const [at, progress] = details as [number, Uint8Array]
      return { outcome: { status: 'running', progress: unpackBody(progress), at } }
    }
    default:
      return { outcome: outcomeOf(details as unknown as OutcomeReply) }
  }
}

function isOutcome(reply: Uint8Array | OutcomeReply): reply is OutcomeReply {
  return Array.isArray(reply)
}

function outcomeOf([status, at, one, error]: OutcomeReply): Outcome {
  switch (toText(status)) {
    case 'running':
      return { status: 'running', progress: unpackBody(one), at }
    case 'done':
      return { status: 'done', value: one.length === 0 ? undefined : unpackBody(one), at }
    default:
      return { status: 'dead', reason: toText(one) as DeadReason, error: unpackText(error), at }
  }
}

function textOf(bytes: Uint8Array): string | undefined {
  return bytes.length === 0 ? undefined : toText(bytes)
}

function present(number: number): number | undefined {
  return number < 0 ? undefined : number
}

const SETTLED: SettleResult = { status: 'settled' }
const STALE: SettleResult = { status: 'stale' }
const ONE = 49

function resultsOf(
  settlements: readonly Settlement[],
  order: readonly number[],
  digits: Uint8Array,
): SettleResult[] {
  const results: SettleResult[] = settlements.map(() => STALE)
  for (const [i, index] of order.entries()) if (digits[i] === ONE) results[index] = SETTLED
  return results
}

function booleans(digits: Uint8Array): boolean[] {
  return Array.from(digits, (digit) => digit === ONE)
}

/** An unknown cursor is the end of the list: see contract 1 on absence. */
function readCursor(cursor = '1:'): readonly [section: string, place: string] | undefined {
  const parts = /^([1-9]):((?:\d+|\d+\/\d{16})?)$/.exec(cursor)
  return parts === null ? undefined : [parts[1]!, parts[2]!]
}
