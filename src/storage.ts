/**
 * Contract 1: what a storage adapter must do so that queues can run on it.
 *
 * A storage keeps the messages of queues and decides, for every consumer group, who may work on which message and until
 * when. It gives **atomic verbs**: each method below happens whole or not at all, as if it were alone. In plain words:
 * two consumers, in whatever tab, process or machine, never hold a live lease on the same delivery, and a verb that
 * rejected has changed nothing (unless its code is `STORAGE_FAILED`, which says that the outcome is unknown).
 *
 * What a storage must not decide is policy: how long to back off, how often to try, what an error means. The queue core
 * decides these and passes plain numbers.
 *
 * **Time.** The storage owns the clock. Leases, delays and expiries cross this contract as durations in ms and become
 * deadlines on the storage's clock, so that clients with wrong clocks cannot take each other's leases. A clock that jumps
 * must neither lose nor freeze a message: a jump may end leases and delays early, and after a jump back nothing waits
 * longer than the duration it was given.
 *
 * **Cost.** Every verb is a batch and should be one round trip. Its cost must not grow with the number of messages that
 * wait.
 *
 * **Absence.** An unknown id, group, receipt or cursor is never an error: each method says what it answers instead. A
 * failing storage always rejects; it never answers as if it were empty.
 *
 * Storages with transactions need not implement this: see `quayside/segments` for a smaller contract. Whatever implements
 * this one runs the suite of `quayside-conformance`, which has a case for every rule on this page.
 */

import type { HoldRequest, Hold, LaneRules, LanesPage, LanesQuery, ReleaseRequest } from './lanes.ts'

/** An encoded payload. Opaque to the storage, which hands out what it was given: a string as a string, bytes as bytes. */
export type Body = string | Uint8Array

/**
 * A payload that is not encoded, and what the default codec would leave of it, in the hands of nobody else: see
 * {@link VerbsAtOnce.copyOf}.
 */
export interface Value {
  /** What the default codec would have made of it. */
  readonly text: string
  /** A payload for somebody who may change it. */
  copy(): unknown
}

/** A payload in the memory of its program: encoded, or not. */
export type Held = Body | Value

/** A message as the core hands it over, checked against the storage's limits. */
export interface NewMessage<B = Body> {
  readonly body: B
  /** The caller's own id. Without one the storage makes one from {@link AppendOptions.batchId}. */
  readonly id?: string | undefined
  /** The ordering key: see rule 5 at {@link QueueStorage.claim}. */
  readonly key?: string | undefined
  /** The lane, whose flow it shares: see rule 6 at {@link QueueStorage.claim}. A key belongs to its lane. Default: none. */
  readonly lane?: string | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** How long from now until it may be delivered, in ms. At that time it takes its place at the end of the queue. Default 0. */
  readonly delayMs?: number | undefined
  /** How long from now until a delivery is of no use, in ms; then it becomes a dead letter. Default: never. */
  readonly expiresInMs?: number | undefined
  /** How many deliveries it may have in each group. Default: what the group says at claim. */
  readonly maxAttempts?: number | undefined
  /** With `id`: replaces what the retained message of that id carries instead of answering `duplicate`. */
  readonly replace?: boolean | undefined
  /**
   * With `replace` and `delayMs`: how far replacements put the message off at most, in ms from when the first of those that
   * wait under this id was stored. Once that is over, it is due at once. The first itself waits for its `delayMs`.
   * Default: no limit.
   */
  readonly maxDelayMs?: number | undefined
  /**
   * How long its {@link Outcome} is kept in each group once it is done or dead there, in ms, whatever becomes of the dead
   * letter; but a redrive ends it. Default: not at all, and then no storage keeps anything for it.
   */
  readonly keepMs?: number | undefined
  /** With `id`: how long the id is still known after the last group is done with the message, in ms. Default 0. */
  readonly dedupeMs?: number | undefined
}

/** A group that has to exist. */
export interface GroupStart {
  readonly name: string
  /**
   * Where the group starts if it is made now. `earliest`: at the first message that is still retained. `latest`: at
   * messages appended from now on. The first group of a queue always starts at the earliest: messages sent before anybody
   * listened wait for it. Default `earliest`.
   */
  readonly from?: 'earliest' | 'latest' | undefined
}

/** What belongs to one append of a storage. */
export interface AppendOptions {
  /**
   * A fresh UUID v7. A message without an id of its own gets one made of it: the first 28 characters, and 8 hexadecimal
   * digits that the storage chooses so that the id is unique in the batch and in the queue. The digits of a position serve
   * best: they let the storage find a message by its id without an index. One that spreads a queue over several places may
   * take the two characters before for the place.
   */
  readonly batchId: string
  /** Groups that are made first, in this order and in the same step, where they do not exist: they get these messages. @defaultValue none */
  readonly groups?: readonly GroupStart[] | undefined
  /**
   * The most messages that the queue may retain, these included, as {@link StorageStats.messages} counts them. Beyond it the
   * append rejects with `QUOTA_EXCEEDED`. Duplicates and replacements do not add to it. @defaultValue no limit
   */
  readonly maxMessages?: number | undefined
  /** As {@link maxMessages}, for bytes as {@link StorageStats.bytes} counts them. @defaultValue no limit */
  readonly maxBytes?: number | undefined
}

/** What a storage did with a message. */
export interface AppendResult {
  readonly id: string
  /**
   * - `stored`: it is in the queue.
   * - `duplicate`: a message of this id is retained, or was within its `dedupeMs`; this one was not stored.
   * - `replaced`: a message of this id waited in every group; it now carries this body, headers and options. It keeps its
   *   place, unless one of the two is delayed or their lanes differ: then it goes to the end of its lane. Where it was parked,
   *   it goes on with them.
   */
  readonly status: 'stored' | 'duplicate' | 'replaced'
}

/** What a storage is to hand out, and to whom. */
export interface ClaimRequest {
  readonly group: string
  /** The most deliveries to answer with; 0 makes the group and takes nothing. */
  readonly limit: number
  /** How long each delivery is leased, in ms. */
  readonly leaseMs: number
  /** Deliveries a message may have in this group, unless it has a number of its own. */
  readonly maxAttempts: number
  /** Where the group starts if this claim makes it: see {@link GroupStart.from}. */
  readonly from?: 'earliest' | 'latest' | undefined
  /** Other groups that are made first, before this one, in this order and in the same step, where they do not exist. */
  readonly groups?: readonly GroupStart[] | undefined
  /** Settled first, in the same step, once the groups exist. */
  readonly settle?: readonly Settlement[] | undefined
  /**
   * The receipt of a lease that whoever claims works under: the one that ends first, of those that this claim neither settles nor
   * extends. If it has ended by the time that this is done, or is gone, the claim is {@link ClaimResult.late}: it would hand out
   * what its caller has in hand. Of a receipt of another group, or made up, nothing is known: it is gone. With
   * {@link QueueStorage.hasPlaces} all such leases, that which ends first at the end; elsewhere one.
   */
  readonly inHand?: readonly string[] | undefined
  /** How long a message that this claim finds dead is kept as a dead letter, in ms; then it is deleted. Default: for ever. */
  readonly deadForMs?: number | undefined
  /**
   * The next of the ordering key of a message that this claim, or any other step before the next claim of the group, finds dead
   * is parked: see {@link DeadSettlement.parksNext}. A claim that changes nothing else may leave other steps to what the one before said.
   */
  readonly parksNext?: boolean | undefined
  /** What the lanes may do. Default: no limits, a weight of 1. */
  readonly lanes?: LaneRules | undefined
  /**
   * Takes only from lanes whose names start with this text, or that are named here ({@link MAX_LANE_NAMES} at most).
   * Messages without a lane are not among them. Default: all lanes, and messages without one.
   */
  readonly only?: string | readonly string[] | undefined
  /**
   * With `only`: the {@link ClaimResult.position} of the claim before, so that its lanes have their turns: those of the group
   * neither move nor count. Absent, or not one of this queue: begins with the first lane.
   */
  readonly position?: string | undefined
}

/** One message, leased. */
export interface Delivery<B = Body> {
  /** The token of this lease, to settle it with: an opaque string. */
  readonly receipt: string
  readonly id: string
  readonly body: B
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly key?: string | undefined
  readonly lane?: string | undefined
  /** When it was appended, or last replaced or edited, on the storage's clock, in ms since 1970. */
  readonly timestamp: number
  /** How long its outcome is kept, in ms, if it is. */
  readonly keepMs?: number | undefined
  /** The number of this delivery in this group, from 1. Deliveries that ended with `counts: false` do not count. */
  readonly attempt: number
  /** Its own number of attempts, or the group's. */
  readonly maxAttempts: number
  /** What the attempt before this one failed with. */
  readonly lastError?: string | undefined
}

/** What a storage has handed out. */
export interface ClaimResult<B = Body> {
  readonly deliveries: readonly Delivery<B>[]
  /**
   * In how many ms a claim by this group may find something that this one did not, if nobody appends or settles
   * meanwhile; 0 means at once. Absent: only when somebody does. With {@link ClaimRequest.only} it may be late by
   * 20 ms, so that nobody polls for what other lanes have.
   */
  readonly nextInMs?: number | undefined
  /** The results of {@link ClaimRequest.settle}, in order. */
  readonly settled?: readonly SettleResult[] | undefined
  /** With {@link ClaimRequest.only}: where its turns go on. Opaque. */
  readonly position?: string | undefined
  /**
   * A lease of {@link ClaimRequest.inHand} has ended. What was to be settled is; nothing was taken, and nothing found dead for
   * its attempts; what a place of the queue had that was asked before is handed out. `nextInMs` is 0: the caller extends what it
   * has in hand, and claims again.
   */
  readonly late?: boolean | undefined
}

/** How a delivery ends, or goes on. Also takes the receipts of dead letters: `retry` redrives one, `ack` deletes it. */
export type Settlement =
  /**
   * Done: the group has finished with the message. `value`: what its handler made of it, kept as its {@link Outcome} if the
   * message has `keepMs`, and not otherwise; {@link MAX_RESULT_BYTES} at most.
   */
  | { readonly receipt: string; readonly kind: 'ack'; readonly value?: Body | undefined }
  /**
   * Deliver it again after `delayMs`. `counts: false` gives the attempt back (a consumer that shuts down, a device that is
   * offline). A message that would expire before it is due again becomes a dead letter at once.
   */
  | {
      readonly receipt: string
      readonly kind: 'retry'
      readonly delayMs: number
      readonly error?: string | undefined
      readonly counts?: boolean | undefined
    }
  | DeadSettlement
  /**
   * Park it: it keeps its place, is handed to nobody, and blocks its ordering key, until it is resumed, replaced or
   * cancelled. It never goes on by itself, but may expire, and dies at once if it has expired by now: its error is the reason
   * then. It counts neither as acked nor as failed. Takes receipts of leases only.
   */
  | {
      readonly receipt: string
      readonly kind: 'park'
      /** Why, to show. */
      readonly reason: string
      /** More to show, as JSON: {@link MAX_DATA_BYTES} at most. */
      readonly data?: string | undefined
    }
  /**
   * Lease it for `leaseMs` from now, under the same receipt. `progress`: how far its handler is, shown as its {@link Outcome} while it is leased if
   * the message has `keepMs`; {@link MAX_RESULT_BYTES} at most.
   */
  | {
      readonly receipt: string
      readonly kind: 'extend'
      readonly leaseMs: number
      readonly progress?: Body | undefined
    }

/** Keep it as a dead letter: for `deadForMs`, or for ever. */
export interface DeadSettlement {
  readonly receipt: string
  readonly kind: 'dead'
  readonly reason: DeadReason
  readonly error?: string | undefined
  readonly deadForMs?: number | undefined
  /**
   * The next message of its ordering key is parked, with the reason `behind a dead letter`, when a claim comes by, and blocks
   * those behind it. It is one that stands behind the dead letter in the queue, whether it waits already or is the first that
   * comes while the dead letter is kept. A redrive of the dead letter ends that: it goes first, and what it had parked goes
   * on behind it; its deletion leaves parked what is. Default `false`: the key goes on.
   */
  readonly parksNext?: boolean | undefined
}

/**
 * Why a message became a dead letter.
 *
 * - `exhausted`: its attempts are used up.
 * - `expired`: its `expiresInMs` passed before it was done.
 * - `rejected`: a consumer refused it for good.
 * - `unreadable`: its stored payload cannot be decoded or no longer fits the schema.
 */
export type DeadReason = 'exhausted' | 'expired' | 'rejected' | 'unreadable'

/** `stale`: the receipt's lease is over and the message went to somebody else or is gone; nothing was changed. */
export interface SettleResult {
  readonly status: 'settled' | 'stale'
}

/**
 * Where a message stands in one group.
 *
 * A message behind an earlier one of its ordering key is `blocked` once a claim has passed it. Before that, nobody has
 * looked at its key yet, and it counts as `ready`. One whose lane is held or at its limit is `ready` as well. `done` are only
 * those whose {@link Outcome} is kept, of the last message of each id; one that died is `dead` as long as its dead letter is
 * kept, and `done` from then on.
 */
export type MessageState = 'ready' | 'leased' | 'delayed' | 'blocked' | 'parked' | 'dead' | 'done'

/** Which messages a storage is to list. */
export interface ListQuery {
  readonly group: string
  /** Only these states. Default: all but `dead` and `done`. */
  readonly states?: readonly MessageState[] | undefined
  /** Only messages of this lane; the empty string: only those without one. Default: all. */
  readonly lane?: string | undefined
  /** Only these messages: {@link MAX_IDS} at most. */
  readonly ids?: readonly string[] | undefined
  /** The most messages to answer with. A page is bounded in bytes as well: it may have fewer, and a cursor. */
  readonly limit: number
  /** `false`: without bodies, which the storage then need not read. Default `true`. */
  readonly bodies?: boolean | undefined
  /** Where an earlier page ended. */
  readonly cursor?: string | undefined
}

/** A message as a storage lists it. */
export interface ListedMessage {
  readonly id: string
  readonly state: MessageState
  /** The empty string where {@link ListQuery.bodies} is `false`, and for what is `done`, which shows no headers either. */
  readonly body: Body
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly key?: string | undefined
  readonly lane?: string | undefined
  readonly timestamp: number
  /** Deliveries so far that count. */
  readonly attempt: number
  /** The message's own number of attempts. */
  readonly maxAttempts?: number | undefined
  /** `delayed`: in how many ms it is due. `leased`: in how many ms the lease ends. */
  readonly nextInMs?: number | undefined
  /** Not for what is parked: see {@link Parked.reason}. */
  readonly lastError?: string | undefined
  /** `dead` only. */
  readonly reason?: DeadReason | undefined
  /** `dead` only: when it became one, on the storage's clock, in ms since 1970. */
  readonly deadAt?: number | undefined
  /** `dead` only: settle it with `retry` to redrive the message, with `ack` to delete it. */
  readonly receipt?: string | undefined
  /** `parked` only. */
  readonly parked?: Parked | undefined
  /** `done` only, and `leased` where there is progress to show. */
  readonly outcome?: Outcome | undefined
}

/** Why a message is parked. */
export interface Parked {
  readonly reason: string
  /** JSON. */
  readonly data?: string | undefined
  /** When it was parked, on the storage's clock, in ms since 1970. */
  readonly at: number
}

/** What became of a message in one group, for as long as its `keepMs` says. */
export type Outcome =
  /** It is leased, and this is how far its handler is. */
  | { readonly status: 'running'; readonly progress: Body; readonly at: number }
  /** It was acked; `value` is what the ack brought. `at`: when, on the storage's clock, in ms since 1970. */
  | { readonly status: 'done'; readonly value?: Body | undefined; readonly at: number }
  /** It became a dead letter. */
  | {
      readonly status: 'dead'
      readonly reason: DeadReason
      readonly error?: string | undefined
      readonly at: number
    }

/** What changed, as far as the storage says so: see {@link QueueStorage.watch}. */
export interface Hint {
  /** Ids of messages whose {@link Outcome} is kept and came to be: 64 at most; `many`: more than that, or unknown which. */
  readonly finished?: readonly string[] | 'many' | undefined
  /** All that has changed is what claims and settlements of the very view that is watched have done. */
  readonly own?: true | undefined
}

/** How a storage is to resume parked messages. */
export interface ResumeOptions {
  /** Only in this group. @defaultValue every group */
  readonly group?: string | undefined
  /**
   * What the message carries from now on, in the groups in which it is resumed; id, key and lane stay. Its time to live is
   * what `expiresInMs` says, from now, or what it was. A group that begins later gets what one of the groups has that still
   * have it to do: once none has it as it was, what it was edited to.
   * @defaultValue what it carried
   */
  readonly edit?:
    | {
        readonly body: Body
        readonly headers?: Readonly<Record<string, string>> | undefined
        readonly expiresInMs?: number | undefined
        readonly maxAttempts?: number | undefined
      }
    | undefined
}

/** A page of messages, as a storage lists them. */
export interface Page {
  readonly messages: readonly ListedMessage[]
  /** Pass it on to read further. Absent: this was the last page. */
  readonly cursor?: string | undefined
}

/**
 * One group in numbers. What has expired counts neither as ready nor as delayed or blocked, and is not listed as such. Under an
 * exclusive lease that has ended it does, as ready, until a claim of the group finds it: whoever had that may still settle it.
 */
export interface GroupStats {
  /** May be claimed now. Messages that wait behind their ordering key count here until a claim has passed them. */
  readonly ready: number
  readonly leased: number
  /** Not due yet: sent with a delay, or waiting for a retry. */
  readonly delayed: number
  /** Behind an earlier message of their ordering key that is not done. */
  readonly blocked: number
  readonly parked: number
  readonly dead: number
  /** Age in ms of the oldest message that is not done. */
  readonly oldestMs?: number | undefined
  /** Since the group exists. */
  readonly acked: number
  /** Deliveries that ended in a retry, a lost lease or a dead letter, since the group exists. */
  readonly failed: number
}

/** What a storage counts. */
export interface StorageStats {
  readonly groups: Readonly<Record<string, GroupStats>>
  /** Messages that are not done, in the group that is furthest behind; without groups, all of them. Dead letters not included. */
  readonly messages: number
  /** Bytes of bodies, keys and headers retained, about: the log's, where a string counts one byte for each UTF-16 unit. */
  readonly bytes: number
  /** Age in ms of the oldest retained message. */
  readonly oldestMs?: number | undefined
  /** Messages stored since the queue exists. */
  readonly sent: number
  /** What is held: {@link MAX_HOLDS} at most, those of groups and of the queue first. */
  readonly holds: readonly Hold[]
}

/**
 * A part of the queue that few storages need. Those bring it: `quayside/core` has it under its name. So programs on other
 * storages do not carry it.
 */
export type Part = (...given: never[]) => unknown

/**
 * The verbs of each message in a storage that is in the memory of whoever calls: as those of {@link QueueStorage}, but they
 * answer at once, and throw what those reject with. What is sent can stay a {@link Value}, which takes less time than to make a
 * text of it and read that again. Whoever has them keeps what it has in memory: it never breaks, and its `maxBatchBytes` is
 * `Infinity`.
 */
export interface VerbsAtOnce {
  /** The view that they are of. Nobody asks them of another one: a proxy of a view that has them is asked by its own verbs. */
  readonly of: QueueStorage
  /** What asks them on the side of the queue: `askAtOnce`. */
  readonly askedBy: Part
  /**
   * Takes a payload as it is now. `undefined`: its codec is to encode it, or to refuse it. It never is more than
   * `maxBodyBytes` as text, and no one tells it from what the default codec had encoded.
   */
  copyOf: (payload: unknown) => Value | undefined
  /** Where it reads the time. Whoever has just read the same clock says so with `at`: to read it is much of what a verb costs. */
  readonly clock: { now(): number }
  /** Knows no limits of what the queue may retain: with those, it is asked as any storage is. */
  append(
    messages: readonly NewMessage<Held>[],
    options: Pick<AppendOptions, 'batchId' | 'groups'>,
    at?: number,
  ): readonly AppendResult[]
  /** @param values Bodies may be values. Otherwise all are encoded. */
  claim(request: ClaimRequest, values: boolean, at?: number): ClaimResult<Held>
  settle(group: string, settlements: readonly Settlement[], at?: number): readonly SettleResult[]
}

/** One queue in a storage. */
export interface QueueStorage {
  /**
   * Stores messages at the end of the queue, in order.
   *
   * - Effect: each message is stored, found to be a duplicate, or replaces one; see {@link AppendResult}. Resolves when
   *   they are as durable as the adapter promises.
   * - Atomicity: all or none. Order: the results are in the order of the messages, and so are first deliveries.
   * - Idempotence: only for messages with an id.
   * - An id that appears twice in one batch is a duplicate the second time.
   * - An id that is still known for its `dedupeMs` is a duplicate. With `replace` it is news and stored; the id stays known
   *   for as long as any message of it has promised: a later one does not shorten that.
   * - Rejects: `QUOTA_EXCEEDED`, `STORAGE_FAILED`, `STORAGE_UNAVAILABLE`, `TIMEOUT`, `CLOSED`.
   */
  append(messages: readonly NewMessage[], options: AppendOptions): Promise<AppendResult[]>

  /**
   * Leases messages to one consumer of a group.
   *
   * - Effect: creates the group if it does not exist, settles what the request says, and answers with up to `limit`
   *   messages under new leases, each attempt counted. Nothing to deliver is an empty array, not an error. An answer is
   *   limited in bytes, and the work of one step in what it passes over: it may have fewer messages than there are, none
   *   at all even, and then says `nextInMs: 0`.
   * - What may be delivered: a message that is due, not expired, not done in this group and not under a live lease of it.
   *   A lease that has ended is ready again at once, or a dead letter (`exhausted`) if that was its last attempt.
   * - Order: first deliveries are in the order of append, delayed ones at the place they took when due. Retries come when
   *   they are due and hold nobody up.
   * - With an ordering key: at most one message of a key is leased in a group, in order; a later one is delivered only
   *   after the earlier one is done or a dead letter. A key belongs to its lane: the same key in two lanes is two keys.
   * - With lanes: order is kept in each lane, and lanes take turns. A lane may go while it has something ready, is not held,
   *   has fewer than `concurrency` live leases and a token of its `rate`. Lanes that may go have turns in the order of their
   *   names, which is one that does not change, round and round, until the answer is full. In its turn a lane gives up to
   *   `weight` messages, one after the other; the turn is over when it gave so many or may not go any more. Messages without a
   *   lane are one more lane: the first in that order, with weight 1 and without limits.
   * - The group remembers the lane whose turn it was, and how many messages of this turn are left: the next claim lets it go on,
   *   if it may, and then the one after it. So a thousand claims of one are served as one of a thousand. What is left of a turn
   *   whose lane had nothing more when the claim ended may be forgotten. A new group begins with the first lane. Where time
   *   alone lets a lane go (a hold or lease ends, a retry or token comes, a new group finds what waits and what came into lanes
   *   meanwhile), it may miss turns until the storage has found it, as long as claims find others.
   * - Inside a named lane, what is due again (retries, ended leases) and first deliveries take turns as well: no two of one kind
   *   follow each other while the other kind is ready, across claims too. First deliveries are in the order of append.
   * - A lane never exceeds the limits of the claim that takes from it. Each delivery takes a token of the rate of its claim; one
   *   that was settled with `counts: false` has taken its token. Where claims differ, a lane may rest for as long as the smaller
   *   limits say, {@link MAX_REST_MS} at most, and then as long as its own say.
   * - What is held is not handed out. Leases that exist go on, and can be settled. Expired messages die there as well.
   * - Expired messages become dead letters (`expired`) of the groups that exist.
   * - Atomicity: across every context on the same storage, no two live leases on one message in one group.
   * - Idempotence: none; each call leases more.
   * - Rejects: as `append`, but never `QUOTA_EXCEEDED` as long as bytes can be had.
   */
  claim(request: ClaimRequest): Promise<ClaimResult>

  /**
   * Ends or extends leases.
   *
   * - Effect: see {@link Settlement}. Results are in the order of the settlements.
   * - A receipt whose lease has ended still settles if nobody else was given the message since. One that was settled, was
   *   made up, belongs to another group, or whose message was cancelled or went to somebody else, is `stale`.
   * - Atomicity: all settlements happen in one step; stale ones change nothing and do not hinder the others.
   * - Idempotence: the second settlement with one receipt is `stale`.
   * - Rejects: as `claim`.
   */
  settle(group: string, settlements: readonly Settlement[]): Promise<SettleResult[]>

  /**
   * Looks at messages of a group without claiming them. A group that does not exist is shown as it would start.
   *
   * - Effect: none, ever.
   * - Order: within one state, the order of the queue; `dead` letters by their place in the queue. What a group that does not exist
   *   would get though others have begun it comes in no order.
   * - Consistency: each page is a snapshot; messages that move between pages may be missed or seen twice.
   */
  list(query: ListQuery): Promise<Page>

  /**
   * What became of messages in a group: see {@link NewMessage.keepMs}. `undefined` for those that wait, whose time has come,
   * that keep nothing, or that nobody knows. A message stored under an id forgets what was kept of earlier ones of that id,
   * and of those that end later. That an outcome is kept does not make its id known: only `dedupeMs` does.
   *
   * - Takes {@link MAX_IDS} ids at most. Effect: none, ever.
   * - An answer is limited in bytes, as that of `list`: it may have fewer outcomes than there are ids. They are those of the
   *   first, of one at least; the others are to be asked for again.
   * - Atomicity: an outcome is written in the step that ends the message, with it or not at all.
   */
  results(group: string, ids: readonly string[]): Promise<(Outcome | undefined)[]>

  /**
   * Lanes of a group that have something in it or are held: a page, by name. A group that does not exist is shown as it would
   * start. Effect: none, ever.
   */
  lanes(query: LanesQuery): Promise<LanesPage>

  /** Counts, without looking at every message. Effect: none, ever. */
  stats(): Promise<StorageStats>

  /**
   * Drops messages in every group, wherever they wait; receipts in flight become stale. Dead letters stay.
   *
   * - Takes {@link MAX_IDS} ids at most.
   * - Answers, per id, whether the message was there and not done in some group. An unknown id is `false`. Outcomes of
   *   groups that were done with it stay.
   * - An id that was cancelled is free again at once, whatever its `dedupeMs`.
   * - Atomicity: all in one step.
   */
  cancel(ids: readonly string[]): Promise<boolean[]>

  /**
   * Ends the wait of messages for their retry: they are due at once, as the same attempt as they would have been.
   *
   * - Takes {@link MAX_IDS} ids at most.
   * - Answers, per id, whether the message waited for a retry in this group. One that was sent with a delay and was never
   *   delivered does not.
   * - Atomicity: all in one step.
   */
  retryNow(group: string, ids: readonly string[]): Promise<boolean[]>

  /**
   * Ends the wait of parked messages: they are due at once, and their attempts are counted anew.
   *
   * - Takes {@link MAX_IDS} ids at most. With {@link ResumeOptions.edit} they carry something else from then on.
   * - Answers, per id, whether the message was parked in some group, and had not expired. It is found by its id also when a
   *   later message has that. Of several that are parked all go on; with `edit` the last of them.
   * - Atomicity: all in one step.
   */
  resume(ids: readonly string[], options?: ResumeOptions): Promise<boolean[]>

  /**
   * Has nothing of a place handed out, in any context, until it is released or over. A second hold of the same place takes
   * the place of the first. A group or lane that does not exist can be held: the hold is there when it comes. Survives
   * whatever messages survive, and `purge`; `deleteGroup` ends those of the group.
   *
   * - Cost: that of a few rows, however much waits there.
   */
  hold(request: HoldRequest): Promise<void>

  /** Ends the hold of a place. Answers whether there was one, a probe that is out included. */
  release(request: ReleaseRequest): Promise<boolean>

  /**
   * Forgets a group: its position, leases, dead letters and outcomes. Messages that only it had not finished are deleted, which is
   * an end as any other: their ids are known for their `dedupeMs`. Later claims create the group anew. A group that does
   * not exist is no error.
   */
  deleteGroup(group: string): Promise<void>

  /**
   * Deletes every message, delayed and dead ones included, in every group, and every outcome. Groups stay, receipts become
   * stale. Ids are known for their `dedupeMs`, as after any other end. A queue whose rows are so damaged that verbs reject with `CORRUPT`
   * starts anew, without groups.
   */
  purge(): Promise<void>

  /**
   * Deletes the queue: every message, every group, every id, whatever the storage keeps of it, {@link StorageAdapter.queues}
   * included. Whoever uses it next finds a queue that never existed; no receipt of the old one is good in it.
   */
  delete(): Promise<void>

  /**
   * Calls `listener` when anything changed, in this or in another context; returns a function that stops it.
   * What it says besides is what the storage knows of it: {@link Hint}. A hint: it may be late, spurious or lost, so whoever waits also looks again after `nextInMs`, and now and then without.
   * A claim that finds nothing and changes nothing calls none: those who wait would claim again, and so on without end.
   * The same listener given twice is two watches. Absent where the storage cannot tell.
   */
  watch?(listener: (hint?: Hint) => void): () => void

  /** The verbs of each message, where the storage need not wait for anybody. Of an adapter all views have them, or none. */
  readonly atOnce?: VerbsAtOnce | undefined

  /** The queue lies in several places, none of which knows the time of another. */
  readonly hasPlaces?: true | undefined

  /**
   * Ends this view of the queue. Verbs under way finish first; later ones of this view reject with `CLOSED`. When no view
   * is left, the adapter lets go of what it holds (files, locks, connections) and takes it up again when a queue is opened.
   * Twice is once.
   */
  close(): Promise<void>
}

/**
 * What a storage can do. The core refuses with `UNSUPPORTED` what it cannot, and the conformance suite skips only what
 * is declared here.
 */
export interface Guarantees {
  /** How errors and reports call this storage, for example `'memory'`. */
  readonly name: string
  /**
   * What an append that has resolved survives.
   *
   * - `none`: nothing; it is gone with the page or process.
   * - `process`: the end of the process, by SIGKILL too, but not of the operating system.
   * - `disk`: power loss.
   * - `replicated`: loss of the machine.
   */
  readonly durability: 'none' | 'process' | 'disk' | 'replicated'
  /** Who can work on the same queue together: this object only, one process, the contexts of an origin, a machine, a network. */
  readonly sharedBy: 'instance' | 'process' | 'origin' | 'machine' | 'network'
  /** `true`: no two live leases on one delivery. `false`: a lease is advice, and handlers must expect to run twice at once. */
  readonly exclusiveLeases: boolean
  /** `true`: first deliveries in the order of append. `false`: best effort. */
  readonly fifo: boolean
  /** `true`: messages may have a `key`. `false`: the core refuses them. */
  readonly orderingKeys: boolean
  /** `true`: messages may have an `id` that is recognised, with `replace` and `dedupeMs`. `false`: ids are carried, not compared, and the core refuses the options. */
  readonly deduplication: boolean
  /**
   * `false`: a message that has an id may have neither a key nor a lane, and the core refuses those that have, because each of
   * them decides where the message lies. @defaultValue `true`
   */
  readonly idsWithKeys?: boolean | undefined
  /** `true`: `cancel` works. */
  readonly cancellation: boolean
  /**
   * What opening the storage again does to leases. `true`: they go on and their receipts stay good. `false`: they are
   * given up, because nobody else can hold one.
   */
  readonly leasesSurviveReopen: boolean
  /** The longest body, in bytes as stored (UTF-8 for strings). */
  readonly maxBodyBytes: number
  /** The most bytes that the names and values of one message's headers may have together. */
  readonly maxHeaderBytes: number
  /** The most messages of one append. */
  readonly maxBatch: number
  /**
   * The most bytes that the bodies, ids, keys and headers of one append may have together, as UTF-8. `Infinity` where only
   * memory ends it.
   */
  readonly maxBatchBytes: number
  /** How stale a read may be, in ms: 0 means every verb sees all that resolved before it. */
  readonly consistentWithinMs: number
  /** `false`: nobody can count what the queue retains at a send, and the core refuses `maxMessages` and `maxBytes`. @defaultValue `true` */
  readonly queueLimits?: boolean | undefined
  /** `false`: there are no lanes, no holds, and messages may have no `lane`. @defaultValue `true` */
  readonly lanes?: boolean | undefined
  /** `false`: `park`, `parksNext` and `resume` do not work. @defaultValue `true` */
  readonly parking?: boolean | undefined
  /** `false`: no outcome is kept, and messages may have no `keepMs`. @defaultValue `true` */
  readonly results?: boolean | undefined
  /** `false`: {@link StorageAdapter.queues} rejects with `UNSUPPORTED`. @defaultValue `true` */
  readonly listsQueues?: boolean | undefined
}

/** A place that holds queues: one journal, database or connection serves many. */
export interface StorageAdapter {
  readonly guarantees: Guarantees
  /**
   * Opens a queue; one that does not exist is empty. Opening a name twice gives two views of the same queue.
   *
   * Rejects: `LOCKED`, `CORRUPT`, `STORAGE_UNAVAILABLE`, `TIMEOUT`, `CLOSED`.
   */
  open(queue: string): Promise<QueueStorage>
  /**
   * Hands messages over in a transaction that somebody has begun on the database of this storage, and will end: they are in
   * the queue once it has committed, from the next step of anybody on the queue on, in the order in which they were handed
   * over; and never if it does not commit. Durations count from that step. Absent where there are no such transactions.
   *
   * - Each message has an id; one that is a duplicate by then is dropped.
   * - A driver that answers at once has this answer at once as well, and throw instead of reject, so that it can be used in
   *   a transaction that cannot wait.
   * - Changes nothing but through the transaction, and needs no open queue.
   *
   * Rejects: `INVALID_ARGUMENT` if `transaction` is none of this database; as the driver does.
   */
  appendWithin?(
    transaction: object,
    queue: string,
    messages: readonly NewMessage[],
    options: Pick<AppendOptions, 'groups'>,
  ): Promise<void> | void
  /** `sendWithin`, with {@link appendWithin}: what calls it. */
  readonly sendWithin?: Part | undefined
  /**
   * The names of the queues that exist, sorted by UTF-16 code unit: those that have messages, groups or ids to remember.
   *
   * Rejects: as `open`, and `UNSUPPORTED` where the storage declares `listsQueues: false`.
   */
  queues(): Promise<string[]>
  /** Ends all views, for good: finishes verbs under way and lets go of everything. Later calls reject with `CLOSED`. Twice is once. */
  close(): Promise<void>
}

/** The longest name of a queue or group, ordering key or id, in bytes of UTF-8. The same on every storage. */
export const MAX_NAME_BYTES = 256

/** The longest duration that crosses this contract, in ms: 100 years of 365.25 days. Deadlines stay exact integers. */
export const MAX_DURATION_MS: number = 3_155_760_000_000

/**
 * What the bodies of one answer of `claim` or `list`, or the values of one of `results`, have together, about, in bytes: the message that goes beyond it is the
 * last. So nobody gets gigabytes for having asked for many.
 */
export const MAX_ANSWER_BYTES: number = 16 * 1024 * 1024

/** The most ids that one call of `cancel`, `retryNow` or `list` names, so that no step takes long. */
export const MAX_IDS: number = 256

/** The most bytes of a result or of progress, as stored. */
export const MAX_RESULT_BYTES: number = 128 * 1024

/** The most bytes of the data of a parked message, as UTF-8. */
export const MAX_DATA_BYTES = 4096

/** The most holds that an answer of `stats` tells. */
export const MAX_HOLDS = 100

/** What a delivery failed with that nobody settled before its lease ended. */
export const LEASE_LOST = 'the lease ended before the delivery was settled'

/** Why a message is parked whose key has a dead letter before it: see `parksNext` of {@link ClaimRequest}. */
export const BEHIND_DEAD = 'behind a dead letter'

/** With a filter, nobody need look again sooner than that for what other lanes have, in ms. */
export const FILTERED_MS = 20
