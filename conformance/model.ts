import type {
  AppendResult,
  Body,
  ClaimRequest,
  ClaimResult,
  DeadReason,
  Delivery,
  GroupStart,
  GroupStats,
  LaneState,
  StoredListedMessage as ListedMessage,
  NewMessage,
  Outcome,
  StoredParked as Parked,
  StoredResumeOptions as ResumeOptions,
  Settlement,
  SettleResult,
  StorageStats,
} from '../src/core/index.ts'
import { equal, fail, ok, show } from './assert.ts'
import type { ConformanceClock } from './clock.ts'
import { Outcomes } from './outcomes.ts'
import { LaneModel } from './lane-model.ts'
import type {
  Content,
  Group,
  LastError,
  Message,
  Range,
  Receipt,
  Remembered,
  Seen,
  Standing,
} from './standings.ts'

/**
 * Contract 1 as plainly as possible: an array of messages, and for each message and group where it stands. Everything is
 * found by looking at everything.
 *
 * The model does not foretell results, because the contract leaves choices: in which order retries come, when exactly an
 * expired message is found dead. Each verb takes what the storage answered, checks that the contract permits it, and does
 * the same here. What a verb leaves open is settled by {@link Model.observe}, which compares a whole list of a group.
 *
 * Bodies must be different, so that a message is known by its body.
 */
export class Model {
  readonly #clock: ConformanceClock
  readonly #messages: Message[] = []
  readonly #groups: Map<string, Group> = new Map()
  readonly #receipts: Map<string, Receipt> = new Map()
  /** Ids of messages that are done, and until when they are known. */
  readonly #remembered: Map<string, Remembered> = new Map()
  readonly #outcomes: Outcomes = new Outcomes()
  #token = 0
  #sent: Range = { least: 0, most: 0 }

  readonly #fifo: boolean
  readonly #exact: boolean
  /** Whose turn it is, and what is held. */
  readonly lanes: LaneModel

  /**
   * @param fifo Whether the storage promises an order.
   * @param exact Whether two delayed messages that are due in one ms are so at the same time.
   */
  constructor(clock: ConformanceClock, fifo: boolean = true, exact: boolean = true) {
    this.#clock = clock
    this.#fifo = fifo
    this.#exact = exact
    this.lanes = new LaneModel({
      now: () => this.#now,
      groups: () => this.#groups.values(),
      of: (group) => this.#of(group),
      isLive: (standing) => this.#isHeld(standing),
      isDeliverable: (group, message, standing) => this.#isDeliverable(group, message, standing),
      states: (group, message, standing) => this.#states(group, message, standing),
    })
  }

  get #now(): number {
    return this.#clock.now()
  }

  // Append

  append(
    drafts: readonly NewMessage[],
    batchId: string,
    results: readonly AppendResult[],
    groups: readonly GroupStart[] = [],
  ): void {
    this.#start(groups)
    equal(results.length, drafts.length, 'results of append')
    const met = new Set<string>()
    for (const [i, draft] of drafts.entries()) {
      const { id, status } = results[i]!
      if (draft.id === undefined) {
        equal(status, 'stored', 'the status of a message without an id')
        equal(id.slice(0, 28), batchId.slice(0, 28), 'the start of an id')
        ok(/^[0-9a-f]{8}$/.test(id.slice(28)), `the end of the id ${id}`)
        ok(!this.#messages.some((message) => message.id === id), `the id ${id} is not unique`)
        this.#store(draft, id)
        continue
      }
      equal(id, draft.id, 'the id of a message')
      const permitted = met.has(id) ? ['duplicate'] : this.#permitted(id, draft.replace === true)
      ok(permitted.includes(status), `append of the id ${id} says ${status}, permitted is ${show(permitted)}`)
      met.add(id)
      if (status === 'stored') this.#store(draft, id)
      else if (status === 'replaced') this.#replace(draft, id)
    }
  }

  /** What append may say to an id that is not new in its batch. */
  #permitted(id: string, replace: boolean): readonly AppendResult['status'][] {
    const known = this.#messages.filter((message) => message.id === id)
    const retained = known.findLast((message) => !message.shadowed && this.#isRetained(message))
    const maybe = known.some((message) => this.#mayBeRetained(message) || this.#isDead(message))
    if (!replace) {
      const remembered = this.#remembered.get(id)
      const isRemembered = remembered !== undefined && remembered.until > this.#now
      if (retained !== undefined || (isRemembered && remembered.sure)) return ['duplicate']
      const maybeRemembered = isRemembered || (remembered?.atMost ?? 0) > this.#now
      return maybe || maybeRemembered ? ['duplicate', 'stored'] : ['stored']
    }
    if (retained === undefined) return maybe ? ['stored', 'replaced'] : ['stored']
    let doubt = false
    for (const name of this.#groups.keys()) {
      const standing = retained.standings.get(name)
      if (standing === undefined || !standing.sure) doubt = true
      else if (standing.state === 'done' || standing.state === 'dead' || this.#isHeld(standing))
        return ['stored']
      else if (standing.state === 'leased' || this.#isDying(retained, standing)) doubt = true
    }
    return doubt ? ['stored', 'replaced'] : ['replaced']
  }

  #store(draft: NewMessage, id: string): void {
    for (const other of this.#messages) {
      if (other.id !== id) continue
      if (!other.shadowed) other.promises = this.#isRetained(other)
      other.shadowed = true
      other.superseded = true
    }
    this.#outcomes.forget(id)
    const message: Message = {
      ...this.#contentOf(draft, id),
      number: this.#messages.length,
      at: this.#now + (draft.delayMs ?? 0),
      isDelayed: (draft.delayMs ?? 0) > 0,
      isExact: this.#exact,
      isNamed: draft.id !== undefined,
      since: this.#now,
      edited: [],
      shadowed: false,
      superseded: false,
      promises: true,
      leavesTrace: false,
      dropped: false,
      standings: new Map(),
    }
    for (const [name, group] of this.#groups) {
      this.lanes.stored(group, message.lane)
      message.standings.set(name, newStanding(message, true))
    }
    this.#messages.push(message)
    this.#sent = { least: this.#sent.least + 1, most: this.#sent.most + 1 }
  }

  #replace(draft: NewMessage, id: string): void {
    const known = this.#messages.filter((message) => message.id === id && this.#mayBeRetained(message))
    const message = known.findLast((one) => !one.shadowed) ?? known.at(-1)
    if (message === undefined) fail(`append replaced ${id}, but nothing of this id waits`)
    this.#doubtId(id)
    const wasWaiting = message.at > this.#now
    const { maxDelayMs = Infinity } = draft
    const delayMs = Math.min(draft.delayMs ?? 0, Math.max(0, message.since + maxDelayMs - this.#now))
    message.edited = []
    const { lane } = message
    // An engine may drop the old one and store the new one.
    this.#sent = { ...this.#sent, most: this.#sent.most + 1 }
    Object.assign(message, this.#contentOf(draft, id))
    const moves = wasWaiting || delayMs > 0 || message.lane !== lane
    if (moves) {
      message.number = this.#messages.length
      this.#messages.push(...this.#messages.splice(this.#messages.indexOf(message), 1))
      for (const [i, one] of this.#messages.entries()) one.number = i
      message.at = this.#now + delayMs
      message.isDelayed = delayMs > 0
    }
    for (const name of this.#groups.keys()) {
      const before = message.standings.get(name)
      if (before === undefined) {
        if (moves) message.standings.set(name, newStanding(message, false))
        continue
      }
      if (before.state === 'done' || before.state === 'dead') continue
      const standing = newStanding(message, before.sure)
      standing.attempts = [...new Set([0, ...before.attempts])]
      standing.error = before.touched ? undefined : standing.error
      standing.touched = before.touched
      // What was parked goes on with what it carries now.
      // What moves may begin anew.
      standing.wasBlocked = before.wasBlocked || before.state === 'parked' || (moves && before.touched)
      standing.redriven = before.redriven
      standing.passed = before.passed && !moves
      standing.outOfLog = before.outOfLog
      // One that waited for a retry may go on waiting for it, or be free at once.
      if (!moves && before.state === 'waiting') standing.due = Math.max(standing.due, before.due)
      message.standings.set(name, standing)
    }
  }

  #contentOf(draft: NewMessage, id: string): Content {
    const { body, key, lane = '', headers, maxAttempts, expiresInMs, dedupeMs = 0, keepMs } = draft
    return {
      id,
      body,
      key,
      lane,
      headers,
      maxAttempts,
      dedupeMs,
      keepMs,
      timestamp: this.#now,
      expires: expiresInMs === undefined ? undefined : this.#now + expiresInMs,
    }
  }

  // Claim

  claim(request: ClaimRequest, result: ClaimResult): void {
    const { deliveries, nextInMs, settled } = result
    this.#start(request.groups ?? [])
    this.#start([{ name: request.group, from: request.from }])
    const group = this.#groups.get(request.group)!
    group.maxAttempts = request.maxAttempts
    group.deadForMs = request.deadForMs
    group.parksNext = request.parksNext === true
    if (request.settle !== undefined) this.settle(request.group, request.settle, settled ?? [])
    for (const receipt of request.inHand ?? []) this.#checkInHand(group, receipt, result)
    this.#markBlocked(group)
    this.lanes.begin(group, request)
    // Until it delivers something, or says that there is nothing, it may still be taking over what others hold.
    if (deliveries.length > 0 || (nextInMs !== 0 && !this.lanes.isStopped(group))) {
      for (const [, standing] of this.#of(group)) standing.starting = false
    }
    ok(deliveries.length <= request.limit, `${deliveries.length} deliveries, the limit is ${request.limit}`)
    for (const delivery of deliveries) this.#deliver(group, delivery, request)
    this.#markBlocked(group)
    if (deliveries.length < request.limit && nextInMs !== 0) this.#nothingLeft(group, request)
    this.lanes.end(group, request, result)
    const next = this.#nextEvent(group, request)
    if (next !== undefined) {
      const latest = next - this.#now
      const isFiltered = request.only !== undefined && latest > 0
      ok(
        nextInMs !== undefined && nextInMs <= (isFiltered ? Math.max(latest, FILTERED_MS) : latest),
        `nextInMs is ${nextInMs}, but a message can be delivered in ${latest} ms`,
      )
    }
    ok(nextInMs === undefined || nextInMs >= 0, `nextInMs is ${nextInMs}`)
  }

  #checkInHand(group: Group, receipt: string, { deliveries, nextInMs, late = false }: ClaimResult): void {
    const what = `a claim of somebody who has ${show(receipt)} in hand`
    const held = this.#receipts.get(receipt)
    const standing = held?.message.standings.get(group.name)
    const isGood = held?.group === group && held?.standing === standing && held?.token === standing?.token
    const lives = isGood && this.#isHeld(standing)
    const doubt =
      isGood && (standing.doubtfulLease || !standing.sure || this.#isDying(held.message, standing))
    if (late) {
      equal([deliveries.length, nextInMs], [0, 0], `${what} and is late: deliveries and nextInMs`)
      ok(!lives || doubt, `${what} is late, but that is leased for ${(standing?.until ?? 0) - this.#now} ms`)
    } else ok(lives || doubt || deliveries.length === 0, `${what} takes, but that is leased no more`)
  }

  #markBlocked(group: Group): void {
    for (const [message, standing] of this.#of(group)) {
      if (standing.state !== 'waiting' || message.at > this.#now) continue
      if (this.#blockers(group, message).length > 0) standing.wasBlocked = true
      if (this.#isStopped(group, message, standing) !== false) standing.outOfLog = true
    }
  }

  #deliver(group: Group, delivery: Delivery, request: ClaimRequest): void {
    const { leaseMs, maxAttempts } = request
    const { body, attempt, receipt } = delivery
    const what = `delivery of ${show(body)} to ${group.name}`
    const message = this.#find(body, what)
    const standing = message.standings.get(group.name) ?? fail(`${what}: it does not belong to this group`)
    const content = sameContent(delivery, standing, what)
    // What comes of one whose id was stored again is not kept.
    if (!message.superseded || delivery.keepMs !== undefined)
      equal(delivery.keepMs, message.keepMs, `${what}: keepMs`)
    equal(delivery.maxAttempts, content.maxAttempts ?? maxAttempts, `${what}: maxAttempts`)
    ok(standing.state !== 'parked' || standing.mayGoOn, `${what}: it is parked`)
    ok(this.#isStopped(group, message, standing) !== true, `${what}: a dead letter of its key has it parked`)
    ok(standing.state !== 'done', `${what}: it was done`)
    ok(standing.state !== 'dead', `${what}: it is a dead letter`)
    ok(
      !this.#isHeld(standing) || standing.doubtfulLease,
      `${what}: its lease lives for ${standing.until - this.#now} ms`,
    )
    ok(message.at <= this.#now, `${what}: it is delayed for ${message.at - this.#now} ms`)
    if (standing.state === 'waiting') {
      ok(standing.from <= this.#now, `${what}: its retry is due in ${standing.from - this.#now} ms`)
    }
    ok(!this.#isExpired(standing) || standing.expiry === 'maybe', `${what}: it has expired`)
    ok(
      standing.attempts.includes(attempt - 1),
      `${what}: attempt ${attempt} after ${show(standing.attempts)} deliveries`,
    )
    ok(attempt <= delivery.maxAttempts, `${what}: attempt ${attempt} of ${delivery.maxAttempts}`)
    if (standing.error !== undefined) equal(delivery.lastError, standing.error.text, `${what}: lastError`)
    const rival = this.#ofKey(group, message).find(([, other]) => this.#isHeld(other))
    ok(rival === undefined, `${what}: ${show(rival?.[0].body)} of its key is in flight`)
    const blocker = this.#blockers(group, message).find(({ hard }) => hard)
    ok(blocker === undefined, `${what}: ${show(blocker?.message.body)} of its key comes first`)
    if (this.#fifo && isInOrder(standing)) {
      const earlier = this.#of(group).find(
        ([other, theirs]) =>
          other.lane === message.lane &&
          isBefore(other, message) &&
          isInOrder(theirs) &&
          theirs.sure &&
          this.#isDeliverable(group, other, theirs),
      )
      ok(earlier === undefined, `${what}: ${show(earlier?.[0].body)} comes first`)
    }
    this.lanes.deliver(group, message, standing, request, what)
    ok(!this.#receipts.has(receipt), `${what}: the receipt ${receipt} was given out before`)
    if (standing.state === 'leased') this.#fail(group, 1, 1)
    Object.assign(standing, {
      state: 'leased',
      sure: true,
      attempts: [attempt],
      until: this.#now + leaseMs,
      doubtfulLease: false,
      error: undefined,
      touched: true,
      passed: true,
      // Where leases live long, storages may take their messages out of the log.
      outOfLog: true,
      progress: undefined,
    } satisfies Partial<Standing>)
    this.#give(receipt, group, message, standing)
  }

  /** A claim has said that it left nothing behind. */
  #nothingLeft(group: Group, request: ClaimRequest): void {
    const mayGo = ({ lane }: Message): boolean => this.lanes.mayGo(group, lane, request) === 'yes'
    for (const [message, standing] of this.#of(group)) {
      if (!standing.sure || !mayGo(message)) continue
      const { body } = message
      ok(!this.#isDeliverable(group, message, standing), `a claim of ${group.name} left ${show(body)} behind`)
      if (standing.expiry !== 'maybe' && this.#isDying(message, standing) && this.#isDue(message, standing)) {
        standing.mustBeDead = true
      }
      if (message.at <= this.#now && this.#blockers(group, message).length > 0) standing.passed = true
    }
    // Which of a redriven message and those behind it goes first is open, but one of them must.
    for (const domain of new Set(this.#messages.map(domainOf))) {
      if (domain === undefined) continue
      const open = this.#of(group).filter(
        ([message, { state }]) =>
          domainOf(message) === domain &&
          mayGo(message) &&
          message.at <= this.#now &&
          state !== 'done' &&
          state !== 'dead',
      )
      const isStuck =
        open.length > 0 &&
        !group.stops.has(domain) &&
        open.every(
          ([message, standing]) =>
            standing.sure &&
            !this.#isHeld(standing) &&
            this.#isDue(message, standing) &&
            !this.#isDying(message, standing),
        )
      ok(!isStuck, `a claim of ${group.name} left all messages of the key ${domain} behind`)
    }
  }

  /** The first time at which a claim surely finds something, if nobody does anything. */
  #nextEvent(group: Group, request: ClaimRequest): number | undefined {
    const times: number[] = []
    for (const [message, standing] of this.#of(group)) {
      const { state, sure, until, due, attempts, expiry, versions } = standing
      if (!sure || state === 'done' || state === 'dead' || state === 'parked') continue
      if (this.#isStopped(group, message, standing)) continue
      const goes = this.lanes.goesAt(group, message.lane, request)
      const at = Math.max(goes, message.at, state === 'leased' ? until : due)
      if (at === Infinity) continue
      const isExpired = expiry !== 'never' && versions.some((one) => isExpiredAt(one, at))
      if (isExpired || Math.max(...attempts) >= this.#maxOf(group, standing)) continue
      if (this.#blockers(group, message).length > 0) continue
      if (state === 'waiting' && this.#ofKey(group, message).some(([, other]) => this.#isHeld(other)))
        continue
      times.push(at)
    }
    return times.length === 0 ? undefined : Math.min(...times)
  }

  // Settle

  settle(name: string, settlements: readonly Settlement[], results: readonly SettleResult[]): void {
    equal(results.length, settlements.length, 'results of settlements')
    for (const [i, settlement] of settlements.entries()) {
      const { status } = results[i]!
      const what = `${settlement.kind} in ${name} with ${show(settlement.receipt)}`
      const held = this.#receipts.get(settlement.receipt)
      const group = this.#groups.get(name)
      const standing = held?.message.standings.get(name)
      const isGood = held?.group === group && held?.standing === standing && held?.token === standing?.token
      if (held === undefined || group === undefined || standing === undefined || !isGood) {
        equal(status, 'stale', what)
        continue
      }
      const { message } = held
      if (standing.state === 'dead' && settlement.kind === 'park') {
        equal(status, 'stale', what)
        continue
      }
      // It may have died or been given up unseen.
      const doubt = standing.doubtfulLease || !standing.sure || this.#isDying(message, standing)
      ok(
        status === 'settled' || doubt,
        `${what}: the lease of ${show(message.body)} is good, but the result is ${status}`,
      )
      if (status !== 'settled') continue
      standing.sure = true
      this.#apply(group, message, standing, settlement)
    }
  }

  #apply(group: Group, message: Message, standing: Standing, settlement: Settlement): void {
    const now = this.#now
    if (settlement.kind === 'extend') {
      standing.until = now + settlement.leaseMs
      standing.doubtfulLease = false
      const { progress } = settlement
      if (progress !== undefined && message.keepMs !== undefined)
        standing.progress = { status: 'running', progress, at: now }
      return
    }
    standing.token = ++this.#token
    standing.progress = undefined
    if (settlement.kind === 'ack') {
      const wasDead = standing.state === 'dead'
      if (wasDead) this.#letGo(group, message, false)
      else this.#outcomes.acked(group.name, message, now, settlement.value)
      group.acked = { least: group.acked.least + (wasDead ? 0 : 1), most: group.acked.most + 1 }
      if (!wasDead)
        this.lanes.acked(group, message, standing, !this.#isHeld(standing) || standing.doubtfulLease)
      standing.state = 'done'
      // Whether `dedupeMs` counts from the death or from its end is open.
      this.#finished(message, !wasDead)
      return
    }
    if (settlement.kind === 'dead') {
      this.#fail(group, 1, 1)
      this.#die(group, message, standing, settlement.reason, { text: settlement.error })
      if (settlement.parksNext === true) this.#stop(group, message, true)
      if (settlement.deadForMs !== undefined) standing.deadUntil = now + settlement.deadForMs
      return
    }
    if (settlement.kind === 'park') {
      const { reason, data } = settlement
      if (standing.expiry === 'normal' && standing.versions.some(({ expires }) => expires! < now)) {
        this.#fail(group, 1, 1)
        this.#die(group, message, standing, 'expired', { text: reason })
        if (group.parksNext) this.#stop(group, message, false)
        return
      }
      // Whether it has expired in the very ms that it expires in is open.
      const mayDie = standing.versions.some(({ expires }) => expires! <= now)
      this.#fail(group, 0, mayDie ? 1 : 0)
      this.#park(standing, { reason, data, at: now })
      return
    }
    const due = now + settlement.delayMs
    if (standing.state === 'dead') {
      this.#doubtId(message.id)
      this.#letGo(group, message, true)
      if (message.superseded || message.shadowed) this.#outcomes.doubt(message.id)
      else this.#outcomes.forget(message.id, group.name)
      Object.assign(standing, {
        state: 'waiting',
        attempts: [0],
        from: due,
        due,
        // One that the redrive itself gives may be shown.
        error: settlement.error === undefined ? { text: undefined } : undefined,
        redriven: true,
        mustBeDead: false,
        deadUntil: Infinity,
        outOfLog: true,
        // Whoever redrives an expired message wants it delivered. Whether that holds for one that has yet to expire is open.
        expiry: this.#isExpired(standing) || standing.expiry === 'never' ? 'never' : 'maybe',
      } satisfies Partial<Standing>)
      return
    }
    const counts = settlement.counts !== false
    const error = { text: settlement.error }
    const { expires } = standing.versions[0]!
    const dies = expires !== undefined && expires < due && standing.expiry === 'normal'
    const mayDie = standing.versions.some((one) => one.expires! <= due)
    this.#fail(group, counts || dies ? 1 : 0, counts || mayDie ? 1 : 0)
    // Whether an attempt that is given back counts in a dead letter is open.
    if (!counts) standing.attempts = standing.attempts.flatMap((attempt) => [attempt - 1, attempt])
    if (dies) {
      this.#die(group, message, standing, 'expired', error)
      if (group.parksNext) this.#stop(group, message, false)
      return
    }
    Object.assign(standing, {
      state: 'waiting',
      attempts: counts || mayDie ? standing.attempts : standing.attempts.filter((_, i) => i % 2 === 0),
      from: due,
      due,
      error: counts ? error : undefined,
      outOfLog: true,
      doubtfulLease: false,
    } satisfies Partial<Standing>)
  }

  #die(
    group: Group,
    message: Message,
    standing: Standing,
    reason: DeadReason | undefined,
    error: LastError | undefined,
  ): void {
    if (standing.state !== 'dead' && reason !== undefined)
      this.#outcomes.died(group.name, message, this.#now, reason, error?.text)
    Object.assign(standing, { state: 'dead', reason, error, mustBeDead: false, deadUntil: Infinity })
    standing.token = ++this.#token
    this.#finished(message, true)
  }

  /** A group is done with a message: if it was the last, the id is free, or known for `dedupeMs`. */
  #finished(message: Message, sure: boolean): void {
    if (!message.isNamed || message.dedupeMs === 0 || this.#isRetained(message)) return
    const end = this.#now + message.dedupeMs
    const before = this.#remembered.get(message.id)
    const atMost = Math.max(end, before?.atMost ?? 0)
    const isSure = sure && message.promises && !this.#mayBeRetained(message)
    // What is sure to be known for long stays so, whatever else is open.
    if (before?.sure === true && before.until >= (isSure ? end : this.#now)) {
      this.#remembered.set(message.id, { ...before, atMost })
    } else this.#remembered.set(message.id, { until: end, sure: isSure, atMost })
  }

  /** Groups that a verb makes where they do not exist. */
  #start(groups: readonly GroupStart[]): void {
    for (const { name, from = 'earliest' } of groups) {
      if (this.#groups.has(name)) continue
      const group = this.#makeGroup(name, from, true)
      this.#groups.set(name, group)
      this.lanes.made(group)
    }
  }

  /** Something happened to the message of an id: whether the id is still known for an earlier one is open. */
  #doubtId(id: string): void {
    const remembered = this.#remembered.get(id)
    if (remembered !== undefined) this.#remembered.set(id, { ...remembered, sure: false })
  }

  // Parked

  #park(standing: Standing, parked: Parked): void {
    Object.assign(standing, {
      state: 'parked',
      parked,
      error: { text: parked.reason },
      outOfLog: true,
      wasBlocked: true,
      doubtfulLease: false,
    } satisfies Partial<Standing>)
  }

  /** A message died: the next of its key is parked, one that waits, or the first that comes while the dead letter is kept. */
  #stop(group: Group, message: Message, sure: boolean): void {
    const key = domainOf(message)
    if (key === undefined) return
    const before = group.stops.get(key)
    if (before === undefined) group.stops.set(key, { message, sure })
    else {
      const first = isBefore(before.message, message) ? before.message : message
      group.stops.set(key, { message: first, sure: false })
    }
  }

  /** A dead letter is gone. Whatever it had parked goes on behind it, if it was redriven. */
  #letGo(group: Group, message: Message, redriven: boolean): void {
    const key = domainOf(message)
    if (key === undefined) return
    const stop = group.stops.get(key)
    if (stop?.message === message) group.stops.delete(key)
    else if (stop !== undefined) group.stops.set(key, { ...stop, sure: false })
    for (const [, standing] of redriven ? this.#ofKey(group, message) : []) {
      if (standing.state === 'parked' && standing.parked?.reason === BEHIND) standing.mayGoOn = true
    }
  }

  /** Whether a dead letter has it parked, once a claim comes by. */
  #isStopped(group: Group, message: Message, { redriven, state }: Standing): boolean | 'maybe' {
    const key = domainOf(message)
    const stop = key === undefined ? undefined : group.stops.get(key)
    if (stop === undefined || state !== 'waiting' || redriven || isBefore(message, stop.message)) return false
    const { state: letter, deadUntil = 0 } = stop.message.standings.get(group.name) ?? {}
    const isKept = letter === 'dead' && deadUntil > this.#now
    return stop.sure && isKept && isBefore(stop.message, message) ? true : 'maybe'
  }

  resume(ids: readonly string[], { group: only, edit }: ResumeOptions, results: readonly boolean[]): void {
    equal(results.length, ids.length, 'results of resume')
    for (const [i, id] of ids.entries()) {
      const what = `resume of ${id}${only === undefined ? '' : ` in ${only}`}`
      const parked = this.#messages.flatMap((message) =>
        [...this.#groups.values()].flatMap((group) => {
          const standing = message.id === id ? message.standings.get(group.name) : undefined
          const isParked = standing?.state === 'parked' && (only === undefined || only === group.name)
          return isParked ? [{ group, message, standing }] : []
        }),
      )
      const surely = parked.some(
        ({ message, standing }) =>
          standing.sure && !message.shadowed && !standing.mayGoOn && !this.#isDying(message, standing),
      )
      if (surely) equal(results[i], true, what)
      if (parked.length === 0) equal(results[i], false, what)
      if (results[i] !== true) continue
      for (const { message, standing } of parked) {
        const open = message.shadowed || this.#isDying(message, standing)
        // Where it is open whether it was resumed, it will be seen.
        if (open) standing.mayGoOn = true
        else this.#resumeOne(standing)
        if (edit === undefined) continue
        const { body, headers, maxAttempts, expiresInMs } = edit
        for (const before of standing.versions.slice()) {
          const expires = expiresInMs === undefined ? before.expires : this.#now + expiresInMs
          const edited: Content = { ...before, body, headers, maxAttempts, expires, timestamp: this.#now }
          message.edited.push(edited)
          standing.versions = open ? [...standing.versions, edited] : [edited]
        }
        if (expiresInMs !== undefined) standing.expiry = open ? 'maybe' : 'normal'
      }
    }
  }

  #resumeOne(standing: Standing): void {
    Object.assign(standing, {
      state: 'waiting',
      attempts: [0],
      from: this.#now,
      due: this.#now,
      error: { text: undefined },
      parked: undefined,
      mayGoOn: false,
      touched: true,
    } satisfies Partial<Standing>)
  }

  /** What `results` said of some ids of a group. */
  results(name: string, ids: readonly string[], results: readonly (Outcome | undefined)[]): void {
    equal(results.length, ids.length, 'outcomes')
    for (const [i, id] of ids.entries()) {
      const message = this.#messages.findLast((one) => one.id === id && !one.superseded)
      const standing = message?.standings.get(name)
      const isLeased = standing?.state === 'leased' && standing.until > this.#now
      this.#outcomes.check(name, id, results[i], this.#now, {
        running: isLeased ? standing.progress : undefined,
        isRunning: isLeased && standing.sure && !standing.doubtfulLease && !message!.shadowed,
        open: this.#mayHaveDied(name, id),
      })
    }
  }

  /** Whether a message of an id may have died, and its dead letter be gone, unseen. */
  #mayHaveDied(name: string, id: string): boolean {
    return this.#messages.some((message) => {
      const standing = message.standings.get(name)
      if (message.id !== id || message.keepMs === undefined) return false
      // Its group may not have it any more.
      if (standing === undefined) return true
      return standing.mustBeDead || standing.diedUnseen || !standing.sure || this.#isDying(message, standing)
    })
  }

  // Other verbs

  retryNow(name: string, ids: readonly string[], results: readonly boolean[]): void {
    equal(results.length, ids.length, 'results of retryNow')
    for (const [i, id] of ids.entries()) {
      const what = `retryNow of ${id} in ${name}`
      const waiting = this.#messages.flatMap((message) => {
        const standing = message.id === id ? message.standings.get(name) : undefined
        const mayWait =
          standing?.state === 'waiting' &&
          standing.outOfLog &&
          message.at <= this.#now &&
          standing.due > this.#now
        return mayWait ? [{ message, standing }] : []
      })
      if (results[i] !== true) {
        // A redriven one may wait behind its key, and one that expires may be dead already.
        const surely = waiting.find(({ message, standing }) => {
          const { sure, redriven, from, wasBlocked } = standing
          return (
            sure &&
            !redriven &&
            !wasBlocked &&
            !message.shadowed &&
            from > this.#now &&
            !this.#isDying(message, standing)
          )
        })
        ok(
          surely === undefined,
          `${what}: it waits for ${(surely?.standing.due ?? 0) - this.#now} ms, but the result is false`,
        )
        continue
      }
      ok(waiting.length > 0, `${what}: it does not wait for a retry, but the result is true`)
      for (const { standing } of waiting) {
        standing.from = Math.min(standing.from, this.#now)
        if (waiting.length === 1) standing.due = this.#now
      }
    }
  }

  cancel(ids: readonly string[], results: readonly boolean[]): void {
    equal(results.length, ids.length, 'results of cancel')
    for (const [i, id] of ids.entries()) {
      const known = this.#messages.filter((message) => message.id === id)
      const isThere = known.some((message) => !message.shadowed && this.#isRetained(message))
      const mayBeThere = known.some((message) => this.#mayBeRetained(message))
      if (isThere) equal(results[i], true, `cancel of ${id}`)
      else if (!mayBeThere) equal(results[i], false, `cancel of ${id}`)
      if (results[i] !== true) continue
      this.#doubtId(id)
      for (const message of known) {
        // Whether an older message of the same id goes too is open.
        if (message.shadowed) this.#doubt(message)
        else this.#drop(message, false)
        message.leavesTrace = true
        this.#finished(message, false)
      }
    }
  }

  /** Takes a message away from every group; dead letters stay, unless they are to go too. */
  #drop(message: Message, withDead: boolean): void {
    message.dropped = true
    for (const standing of message.standings.values()) {
      if (standing.state === 'done' || (standing.state === 'dead' && !withDead)) continue
      // One that was dying may have died before.
      if (!withDead && this.#isDying(message, standing)) standing.sure = false
      else {
        standing.state = 'done'
        standing.token = ++this.#token
      }
    }
  }

  #doubt(message: Message): void {
    for (const standing of message.standings.values()) {
      if (isOpen(standing)) standing.sure = false
    }
  }

  deleteGroup(name: string): void {
    const group = this.#groups.get(name)
    if (group === undefined) return this.lanes.deletedGroup({ ...NO_GROUP, name })
    this.#groups.delete(name)
    this.lanes.deletedGroup(group)
    this.#outcomes.deleteGroup(name)
    for (const message of this.#messages) {
      const standing = message.standings.get(name)
      const wasOpen = standing !== undefined && isOpen(standing)
      const isSure = wasOpen && standing.sure && !this.#isDying(message, standing)
      message.standings.delete(name)
      if (this.#groups.size === 0) message.dropped = true
      // Whether it was the end of a message that may have ended before is open.
      if (standing !== undefined) this.#finished(message, isSure)
    }
    this.#stretch()
  }

  purge(): void {
    this.#outcomes.clear()
    for (const group of this.#groups.values()) group.stops.clear()
    this.lanes.purged()
    for (const message of this.#messages) {
      const wasOpen = this.#isRetained(message)
      this.#drop(message, true)
      message.leavesTrace = false
      this.#finished(message, wasOpen)
    }
    this.#stretch()
  }

  /** Where many messages end at once, those that ended so before may be remembered from now on. */
  #stretch(): void {
    for (const [id, remembered] of this.#remembered) {
      const dedupeMs = Math.max(
        0,
        ...this.#messages.filter((message) => message.id === id).map((message) => message.dedupeMs),
      )
      this.#remembered.set(id, { ...remembered, atMost: Math.max(remembered.atMost, this.#now + dedupeMs) })
    }
  }

  /** The queue never was. */
  delete(): void {
    this.#outcomes.clear()
    this.#messages.length = 0
    this.#groups.clear()
    this.#remembered.clear()
    this.lanes.deleted()
    this.#sent = { least: 0, most: 0 }
  }

  /** The storage was opened again. `leases`: what that does to them. */
  reopen(leases: 'survive' | 'end' | 'either'): void {
    for (const { standings } of this.#messages) {
      for (const standing of standings.values()) {
        if (standing.state !== 'leased' || leases === 'survive') continue
        if (leases === 'end') standing.until = Math.min(standing.until, this.#now)
        standing.doubtfulLease = true
      }
    }
  }

  // Looking

  /** Checks a list of all states of a group, and learns from it what was left open. */
  observe(name: string, all: readonly ListedMessage[]): void {
    const listed = all.filter(({ state }) => state !== 'done')
    const group = this.#groups.get(name) ?? this.#makeGroup(name, 'earliest', false)
    const isReal = this.#groups.has(name)
    const seen = new Set<Message>()
    // Dead letters first: they have others parked.
    for (const entry of listed.toSorted((a, b) => Number(b.state === 'dead') - Number(a.state === 'dead'))) {
      const what = `the list of ${name} shows ${show(entry.body)}`
      const message = this.#find(entry.body, what)
      ok(!seen.has(message), `${what} twice`)
      seen.add(message)
      const standing = group.imagined?.get(message) ?? message.standings.get(name)
      if (standing === undefined) fail(`${what}, which does not belong to the group`)
      const content = sameContent(entry, standing, what)
      equal(entry.maxAttempts, content.maxAttempts, `${what}: maxAttempts`)
      const states = this.#states(group, message, standing)
      ok(states.includes(entry.state), `${what} as ${entry.state}, it should be ${show(states)}`)
      if (entry.state === 'dead' && standing.state !== 'dead')
        this.#diedUnseen(group, message, standing, entry)
      if (entry.state === 'parked' && standing.state !== 'parked')
        this.#parkedBehind(group, message, standing, entry)
      if (entry.state !== 'parked' && standing.state === 'parked') this.#resumeOne(standing)
      standing.sure = true
      this.#learn(group, message, standing, entry, what)
    }
    for (const [message, standing] of this.#of(group)) {
      if (seen.has(message)) continue
      const states = this.#states(group, message, standing)
      ok(
        states.includes('gone'),
        `the list of ${name} does not show ${show(message.body)}, which should be ${show(states)}`,
      )
      if (standing.state === 'dead') {
        standing.state = 'done'
        standing.token = ++this.#token
        this.#letGo(group, message, false)
        continue
      }
      if (standing.starting) continue
      if (this.#isDying(message, standing) || standing.mustBeDead) {
        standing.diedUnseen = true
        if (group.parksNext) this.#stop(group, message, false)
      }
      if (standing.sure || this.#isDying(message, standing)) continue
      if (isReal) message.standings.delete(name)
    }
    if (this.#fifo) this.#inOrder(group, listed)
    const isDead = (message: object): boolean =>
      listed.some(({ body, state }) => state === 'dead' && this.#find(body, 'the list') === message)
    const done = all.filter(({ state }) => state === 'done')
    this.#outcomes.checkListed(name, done, this.#now, isDead, (id) => this.#mayHaveDied(name, id))
  }

  #parkedBehind(group: Group, message: Message, standing: Standing, { parked }: ListedMessage): void {
    const what = `${show(message.body)} is parked in ${group.name}`
    equal(parked?.reason, BEHIND, `${what}: the reason`)
    const key = domainOf(message)
    ok(key !== undefined && group.stops.delete(key), `${what}, but no dead letter of its key has it parked`)
    this.#park(standing, parked!)
  }

  /** A message was found dead that nobody had settled. */
  #diedUnseen(group: Group, message: Message, standing: Standing, entry: ListedMessage): void {
    const { reason, attempt, lastError, deadAt } = entry
    const possible: (DeadReason | undefined)[] = []
    if (this.#isExpired(standing) || expiresFirst(standing)) possible.push('expired')
    if (attempt >= this.#maxOf(group, standing)) possible.push('exhausted')
    ok(
      possible.includes(reason),
      `${show(message.body)} is dead as ${reason}, it should be ${show(possible)}`,
    )
    const isLost = standing.state === 'leased'
    this.#fail(group, isLost ? 1 : 0, isLost ? 1 : 0)
    message.leavesTrace = true
    // Why an attempt failed stays known, if it was told.
    // It may have been parked before.
    const { state, mayGoOn } = standing
    const isOpen = state === 'leased' || mayGoOn || this.#isStopped(group, message, standing) !== false
    const error = isOpen ? undefined : standing.error
    this.#die(group, message, standing, reason, error)
    this.#outcomes.died(group.name, message, deadAt!, reason!, lastError)
    if (group.parksNext) this.#stop(group, message, false)
    // As the claim said that found it: when that was will be seen.
    standing.deadUntil = undefined
  }

  #learn(group: Group, message: Message, standing: Standing, entry: ListedMessage, what: string): void {
    const { state, attempt, nextInMs, lastError, reason, receipt, deadAt } = entry
    ok(
      standing.attempts.includes(attempt),
      `${what}: attempt ${attempt}, it should be ${show(standing.attempts)}`,
    )
    standing.attempts = [attempt]
    if (state === 'leased') {
      equal(nextInMs, standing.until - this.#now, `${what}: nextInMs`)
      standing.doubtfulLease = false
    } else if (state === 'delayed') {
      const latest = Math.max(message.at, standing.due) - this.#now
      const first = Math.max(message.at, standing.from) - this.#now
      ok(
        nextInMs !== undefined && nextInMs <= latest && nextInMs >= first,
        `${what}: nextInMs is ${nextInMs}, it should be ${latest}`,
      )
    } else equal(nextInMs, undefined, `${what} as ${state}: nextInMs`)
    if (standing.state === 'leased' && state === 'ready') {
      standing.until = Math.min(standing.until, this.#now)
      standing.doubtfulLease &&= !group.imagined
    }
    equal(entry.parked, state === 'parked' ? standing.parked : undefined, `${what}: parked`)
    const running = state === 'leased' ? standing.progress : undefined
    // How far the handler of an earlier message of its id is may be forgotten.
    if (!message.superseded || entry.outcome !== undefined) equal(entry.outcome, running, `${what}: outcome`)
    if (state === 'parked') equal(lastError, undefined, `${what}: lastError`)
    else if (standing.state !== 'leased' && standing.error !== undefined) {
      equal(lastError, standing.error.text, `${what}: lastError`)
    }
    equal(receipt !== undefined, state === 'dead', `${what} as ${state}: whether it has a receipt`)
    equal(deadAt !== undefined, state === 'dead', `${what} as ${state}: whether it has a deadAt`)
    if (state !== 'dead') return equal(reason, undefined, `${what} as ${state}: reason`)
    equal(reason, standing.reason, `${what}: reason`)
    if (standing.deadUntil === undefined) standing.deadUntil = deadAt! + (group.deadForMs ?? Infinity)
    ok(deadAt! <= this.#now && deadAt! >= message.timestamp, `${what}: deadAt is ${deadAt}`)
    const known = this.#receipts.get(receipt!)
    if (known === undefined) {
      standing.token ||= ++this.#token
      this.#receipts.set(receipt!, { group, message, standing, token: standing.token })
    } else {
      ok(
        known.standing === standing && known.token === standing.token,
        `${what}: the receipt ${receipt} is an old one`,
      )
    }
  }

  /** Ready messages that were not delivered before, dead letters, and messages of one key must be in the order of the queue. */
  #inOrder(group: Group, listed: readonly ListedMessage[]): void {
    const last = new Map<string, Message>()
    for (const { body, state, key } of listed) {
      const message = this.#find(body, 'the list')
      const standing = group.imagined?.get(message) ?? message.standings.get(group.name)!
      if (state === 'ready' && !isInOrder(standing)) continue
      // What others have begun lies where they have it.
      if (state === 'ready' && (group.imagined === undefined ? standing.starting : standing.outOfLog))
        continue
      if (state === 'blocked' && standing.redriven) continue
      if (state === 'leased' || state === 'delayed') continue
      const line = `${state === 'blocked' ? `blocked by ${key}` : state} in ${message.lane}`
      const before = last.get(line)
      ok(
        before === undefined || !isBefore(message, before),
        `the list of ${group.name} shows ${show(before?.body)} before ${show(body)}, both ${state}`,
      )
      last.set(line, message)
    }
  }

  /** Where a message may stand in a group. `gone`: not listed at all. */
  #states(group: Group, message: Message, standing: Standing): readonly Seen[] {
    const { state, from, due, sure, until, mustBeDead, doubtfulLease, mayGoOn } = standing
    const seen: Seen[] = []
    if (!sure || standing.starting) seen.push('gone')
    if (state === 'done') return ['gone']
    if (state === 'dead') {
      // Its time is over: it is deleted now or by one of the next claims.
      const isOver = standing.deadUntil !== undefined && standing.deadUntil <= this.#now
      return isOver ? [...seen, 'dead', 'gone'] : [...seen, 'dead']
    }
    // Found dead by a claim some time ago, and kept for a time from then on.
    const mayBeOver = group.deadForMs !== undefined
    if (mustBeDead) return mayBeOver ? [...seen, 'dead', 'gone'] : [...seen, 'dead']
    const now = this.#now
    const isDying = this.#isDying(message, standing)
    if (isDying) seen.push('dead', 'gone')
    if (state === 'leased') {
      if (until > now) seen.push('leased')
      if (until > now && !doubtfulLease) return seen
      seen.push('ready')
      if (this.#blockers(group, message).length > 0) seen.push('blocked')
      return seen
    }
    if (state === 'parked') return [...seen, 'parked', ...(mayGoOn ? (['ready', 'blocked'] as const) : [])]
    if (message.at > now) return [...seen, 'delayed']
    if (this.#isStopped(group, message, standing) !== false) seen.push('parked')
    const blockers = this.#blockers(group, message)
    if (due > now) {
      seen.push('delayed')
      if (from <= now) seen.push('ready')
      if (blockers.length > 0 || standing.redriven) seen.push('blocked')
      return seen
    }
    const isPassed = standing.passed && blockers.some(({ hard }) => hard)
    if (blockers.length > 0) seen.push('blocked')
    if (!isPassed) seen.push('ready')
    if (isDying) seen.push('delayed')
    return seen
  }

  /** Checks all lanes of a group, which may not exist. */
  checkLanes(name: string, lanes: readonly LaneState[]): void {
    this.lanes.checkLanes(this.#groups.get(name) ?? this.#makeGroup(name, 'earliest', false), lanes)
  }

  checkStats(stats: StorageStats): void {
    this.lanes.checkHolds(stats.holds)
    equal(Object.keys(stats.groups).sort(), [...this.#groups.keys()].sort(), 'groups in stats')
    inRange(stats.sent, this.#sent, 'sent in stats')
    let largest = 0
    for (const group of this.#groups.values()) {
      const counts = stats.groups[group.name]!
      this.#checkCounts(group, counts)
      largest = Math.max(largest, retainedIn(counts))
    }
    if (this.#groups.size > 0) equal(stats.messages, largest, 'messages in stats')
    else {
      const count = (sure: boolean): number =>
        this.#messages.filter((message) => (sure ? this.#isRetained(message) : this.#mayBeRetained(message)))
          .length
      inRange(stats.messages, { least: count(true), most: count(false) }, 'messages in stats without groups')
    }
    // Of messages that were cancelled or expired, traces may stay until a claim has passed them.
    const nothing = this.#messages.every((message) => !message.leavesTrace && this.#isDone(message))
    if (nothing) equal([stats.bytes, stats.oldestMs], [0, undefined], 'bytes and oldestMs of nothing')
  }

  #checkCounts(group: Group, counts: GroupStats): void {
    const ranges: Record<Seen, Range> = {
      ready: ZERO,
      leased: ZERO,
      delayed: ZERO,
      blocked: ZERO,
      parked: ZERO,
      dead: ZERO,
      done: ZERO,
      gone: ZERO,
    }
    for (const [message, standing] of this.#of(group)) {
      let states = this.#states(group, message, standing)
      // The list may still show what has expired; the numbers may not, but for a lease that was lost.
      if (
        (standing.state === 'waiting' || standing.state === 'parked') &&
        standing.expiry === 'normal' &&
        this.#isExpired(standing)
      ) {
        states = states.filter((state) => state === 'dead' || state === 'gone')
      }
      const different = new Set(states)
      for (const state of different) {
        const { least, most } = ranges[state]
        ranges[state] = { least: least + (different.size === 1 ? 1 : 0), most: most + 1 }
      }
    }
    for (const state of ['ready', 'leased', 'delayed', 'blocked', 'parked', 'dead'] as const) {
      inRange(counts[state], ranges[state], `${state} of ${group.name} in stats`)
    }
    inRange(counts.acked, group.acked, `acked of ${group.name} in stats`)
    inRange(counts.failed, group.failed, `failed of ${group.name} in stats`)
    const isDone = this.#of(group).every(([, { state }]) => state === 'done')
    if (isDone && this.#messages.every((message) => !message.leavesTrace))
      equal(counts.oldestMs, undefined, `oldestMs of ${group.name} without messages`)
  }

  // Words

  /** A group, with a standing for each message that it starts with. Where it is not real, they are kept apart. */
  #makeGroup(name: string, from: 'earliest' | 'latest', isReal: boolean): Group {
    const imagined = new Map<Message, Standing>()
    for (const message of this.#messages) {
      const belongs = this.#belongs(message, from, isReal)
      // All had finished it, so that its id was free; whether it is taken again now is open.
      if (isReal && belongs !== false && !this.#mayBeRetained(message)) message.shadowed = true
      if (belongs === false) continue
      const outOfLog = isOutOfLog(message)
      const starting = isReal && outOfLog
      const standing = { ...newStanding(message, belongs === true), outOfLog, starting }
      // Whether it carries what it was edited to elsewhere is open.
      if (message.edited.length > 0)
        Object.assign(standing, { versions: [message, ...message.edited], expiry: 'maybe' })
      // Where it was redriven, that may hold for later groups too: it does not expire, and comes after a delay.
      for (const { expiry, state, due } of message.standings.values()) {
        if (expiry === 'normal') continue
        standing.expiry = 'maybe'
        if (state === 'waiting') standing.due = Math.max(standing.due, due)
      }
      imagined.set(message, standing)
    }
    const group: Group = { ...NO_GROUP, name, stops: new Map(), imagined: isReal ? undefined : imagined }
    if (isReal) for (const [message, standing] of imagined) message.standings.set(name, standing)
    return group
  }

  /** Whether a message belongs to a group that is created now. */
  #belongs(message: Message, from: 'earliest' | 'latest', isReal: boolean): boolean | 'maybe' {
    if (this.#groups.size === 0) {
      if (message.dropped) return false
      return isExpiredAt(message, this.#now) ? 'maybe' : true
    }
    if (!this.#mayBeRetained(message)) {
      // What lies behind a retained message may still be there.
      const isBehind = this.#messages.some((other) => !isBefore(message, other) && this.#mayBeRetained(other))
      return from === 'earliest' && !message.dropped && isBehind ? 'maybe' : false
    }
    // It takes its place after the group has started, but was appended before.
    if (from === 'latest') return message.at > this.#now ? 'maybe' : false
    // One that is retained because a dead letter of it was redriven may be gone for others.
    const isRedriven = [...message.standings.values()].some(
      ({ redriven, expiry }) => redriven || expiry !== 'normal',
    )
    if (isRedriven || message.shadowed || !this.#isRetained(message)) return 'maybe'
    if (isExpiredAt(message, this.#now)) return 'maybe'
    // To say where it would start is more than storages without order can be asked.
    return this.#fifo || isReal || message.at > this.#now || !isOutOfLog(message) ? true : 'maybe'
  }

  #of(group: Group): [Message, Standing][] {
    if (group.imagined !== undefined) return [...group.imagined]
    return this.#messages.flatMap((message): [Message, Standing][] => {
      const standing = message.standings.get(group.name)
      return standing === undefined ? [] : [[message, standing]]
    })
  }

  #ofKey(group: Group, message: Message): [Message, Standing][] {
    const domain = domainOf(message)
    if (domain === undefined) return []
    return this.#of(group).filter(([other]) => domainOf(other) === domain && other.number !== message.number)
  }

  /** Earlier messages of the same key that are not done. `hard`: no reading of the contract lets this one pass. */
  #blockers(group: Group, message: Message): { readonly message: Message; readonly hard: boolean }[] {
    const own = group.imagined?.get(message) ?? message.standings.get(group.name)
    return this.#ofKey(group, message).flatMap(([other, standing]) => {
      const { state, sure, redriven } = standing
      if (state === 'done' || state === 'dead' || other.at > this.#now) return []
      // A redriven one goes back to its place, but others of its key may be on their way by then.
      const isOpen = redriven || own?.redriven === true
      if (this.#isHeld(standing)) return [{ message: other, hard: sure }]
      if (!isOpen && isBefore(message, other)) return []
      const isTied = !isBefore(other, message)
      return [{ message: other, hard: sure && !isOpen && !isTied && !this.#isDying(other, standing) }]
    })
  }

  #isHeld({ state, until }: Standing): boolean {
    return state === 'leased' && until > this.#now
  }

  #isDue(message: Message, standing: Standing): boolean {
    if (message.at > this.#now || standing.state === 'parked') return false
    return standing.state === 'leased' ? standing.until <= this.#now : standing.due <= this.#now
  }

  #isExpired({ expiry, versions }: Standing): boolean {
    return expiry !== 'never' && versions.some((one) => isExpiredAt(one, this.#now))
  }

  #maxOf(group: Group, { versions }: Standing): number {
    return Math.min(...versions.map(({ maxAttempts }) => maxAttempts ?? group.maxAttempts))
  }

  /** Whether it may be found dead although nobody settled it so. */
  #isDying(message: Message, standing: Standing): boolean {
    if (
      standing.state === 'leased'
        ? standing.until > this.#now && !standing.doubtfulLease
        : standing.state !== 'waiting' && standing.state !== 'parked'
    ) {
      return false
    }
    if (this.#isExpired(standing)) return true
    if (standing.state === 'parked') return false
    if (expiresFirst(standing)) return true
    const group = [...this.#groups.values()].find(({ name }) => message.standings.get(name) === standing)
    return group !== undefined && Math.max(...standing.attempts) >= this.#maxOf(group, standing)
  }

  #isDeliverable(group: Group, message: Message, standing: Standing): boolean {
    const { state, expiry } = standing
    return (
      (state === 'waiting' || state === 'leased') &&
      this.#isDue(message, standing) &&
      !this.#isDying(message, standing) &&
      !this.#isStopped(group, message, standing) &&
      !(expiry === 'maybe' && isExpiredAt(message, this.#now)) &&
      this.#blockers(group, message).length === 0
    )
  }

  /** Whether some group surely has it still to do, or there is no group yet. */
  #isRetained(message: Message): boolean {
    if (this.#groups.size === 0) return !message.dropped && !isExpiredAt(message, this.#now)
    return [...message.standings.values()].some(
      (standing) => standing.sure && isOpen(standing) && !this.#isDying(message, standing),
    )
  }

  #mayBeRetained(message: Message): boolean {
    if (this.#groups.size === 0) return !message.dropped
    return [...message.standings.values()].some(isOpen)
  }

  /** Whether it is open if a list finds a message by its id. */
  isShadowed({ body, state }: ListedMessage): boolean {
    const message = this.#find(body, 'the list')
    // Where all have done it, its id is free, although a later group may still be shown the message.
    return message.shadowed || (state !== 'dead' && !this.#mayBeRetained(message))
  }

  #isDone(message: Message): boolean {
    if (this.#groups.size === 0) return message.dropped
    return [...message.standings.values()].every(({ state }) => state === 'done')
  }

  #isDead(message: Message): boolean {
    return [...message.standings.values()].some(({ state }) => state === 'dead')
  }

  #find(body: Body, what: string): Message {
    return (
      this.#messages.find(
        (message) => message.body === body || message.edited.some((one) => one.body === body),
      ) ?? fail(`${what}: no message has this body`)
    )
  }

  #give(receipt: string, group: Group, message: Message, standing: Standing): void {
    standing.token = ++this.#token
    this.#receipts.set(receipt, { group, message, standing, token: standing.token })
  }

  #fail(group: Group, least: number, most: number): void {
    group.failed = { least: group.failed.least + least, most: group.failed.most + most }
  }
}

const ZERO: Range = { least: 0, most: 0 }

/** Why the next of a key is parked. */
const BEHIND = 'behind a dead letter'
/** So late may a claim with a filter say it. */
const FILTERED_MS = 20

const NO_GROUP: Group = {
  name: '',
  acked: ZERO,
  failed: ZERO,
  maxAttempts: Infinity,
  deadForMs: undefined,
  parksNext: false,
  stops: new Map(),
  imagined: undefined,
}

/** A key belongs to its lane. */
function domainOf({ key, lane }: Message): string | undefined {
  return key === undefined ? undefined : JSON.stringify([lane, key])
}

function inRange(actual: number, { least, most }: Range, what: string): void {
  ok(
    actual >= least && actual <= most,
    `${what}: ${actual}, it should be ${least === most ? least : `${least} to ${most}`}`,
  )
}

function newStanding(message: Message, sure: boolean): Standing {
  return {
    state: 'waiting',
    versions: [message],
    parked: undefined,
    mayGoOn: false,
    progress: undefined,
    diedUnseen: false,
    sure,
    attempts: [0],
    from: message.at,
    due: message.at,
    until: 0,
    doubtfulLease: false,
    error: { text: undefined },
    reason: undefined,
    token: 0,
    touched: false,
    redriven: false,
    wasBlocked: false,
    passed: false,
    outOfLog: false,
    mustBeDead: false,
    expiry: 'normal',
    starting: false,
    deadUntil: Infinity,
  }
}

/** Whether some group put it back, so that the log may have let it go. */
function isOutOfLog({ standings }: Message): boolean {
  return [...standings.values()].some(
    (standing) => isOpen(standing) && (standing.outOfLog || standing.wasBlocked),
  )
}

/** Whether the order of the queue says when it is delivered first. */
function isInOrder({ state, touched, wasBlocked, redriven }: Standing): boolean {
  return state === 'waiting' && !touched && !wasBlocked && !redriven
}

/** Whether the first message has its place before the second. Open for one that is due when the other is appended. */
function isBefore(a: Message, b: Message): boolean {
  if (a.at !== b.at) return a.at < b.at
  return a.isDelayed === b.isDelayed && (a.isExact || !a.isDelayed) && a.number < b.number
}

/** Whether it waits for a time at which it has expired, so that it may be dead at once. */
function expiresFirst({ state, outOfLog, due, expiry, versions }: Standing): boolean {
  return (
    state === 'waiting' && outOfLog && expiry !== 'never' && versions.some((one) => isExpiredAt(one, due))
  )
}

/** Whether the group has it to do. */
function isOpen({ state }: Standing): boolean {
  return state === 'waiting' || state === 'leased' || state === 'parked'
}

function retainedIn({ ready, leased, delayed, blocked, parked }: GroupStats): number {
  return ready + leased + delayed + blocked + parked
}

function isExpiredAt({ expires }: Content, now: number): boolean {
  return expires !== undefined && expires <= now
}

/** Checks what a delivery or an entry carries, and learns from it which version it is. */
function sameContent(actual: Delivery | ListedMessage, standing: Standing, what: string): Content {
  const { id, body, key, lane = '', headers, timestamp } = actual
  const content = standing.versions.find((one) => one.body === body)
  if (content === undefined)
    fail(`${what}: it should be one of ${show(standing.versions.map((one) => one.body))}`)
  const expected = [content.id, content.key, content.lane, content.headers, content.timestamp]
  equal([id, key, lane, headers, timestamp], expected, what)
  if (standing.versions.length > 1) standing.versions = [content]
  return content
}
