/**
 * Lanes, as they cross contract 1: a **lane** is a stream of messages with a flow of its own: a tenant, a destination, a
 * kind of work. Order belongs to keys, flow to lanes. What a lane may do is data, because a storage must know it of lanes
 * that it meets in the middle of a claim.
 */

/** What one lane may do in one group. */
export interface LaneLimits {
  /** The most messages of the lane that may be leased at once, to all consumers of the group together. @defaultValue no limit */
  readonly concurrency?: number | undefined
  /** How often messages of the lane may be delivered, retries included. @defaultValue no limit */
  readonly rate?: LaneRate | undefined
  /** How many turns it has where another has one: a whole number from 1 to 1,000. @defaultValue 1 */
  readonly weight?: number | undefined
}

/**
 * A token bucket that the storage keeps for each lane and group: it holds `burst` tokens and gets `count` more every
 * `perMs`, evenly; each delivery takes one. `burst: 1` spaces deliveries evenly.
 *
 * One number keeps it: `full`, when the bucket is full again. With `each = perMs / count` a message may go when
 * `full - (burst - 1) * each <= now`, and then `full = max(full, now) + each`. A lane that had something ready and waited for its
 * token is not charged for being served late, by up to `each`: then `full = max(full, now - each) + each`. Once it has
 * waited for {@link MAX_REST_MS}, or whenever time wakes it, `full` is at most `now + burst * each`: what another rate
 * charged is forgotten. Times are not rounded.
 */
export interface LaneRate {
  /** How many deliveries, from 1. */
  readonly count: number
  /** In how long, in ms. */
  readonly perMs: number
  /** How many at once, after the lane has rested: from 1 to `count`. Default `count`. */
  readonly burst?: number | undefined
}

/**
 * The limits of all lanes. Each of `concurrency`, `rate` and `weight` is looked up by itself: what `names` says of the lane,
 * else what the longest prefix that says something of it says, else what stands here.
 */
export interface LaneRules extends LaneLimits {
  /** What single lanes may do. @defaultValue none */
  readonly names?: Readonly<Record<string, LaneLimits>> | undefined
  /** What lanes whose names begin so may do. @defaultValue none */
  readonly prefixes?: readonly (readonly [prefix: string, limits: LaneLimits])[] | undefined
}

/** The longest name of a lane, in bytes of UTF-8: it stands in several rows. */
export const MAX_LANE_BYTES = 128

/** The most entries that `names` and `prefixes` of {@link LaneRules} have together, and the most names of a filter. */
export const MAX_LANE_RULES = 256
export const MAX_LANE_NAMES = 64

/**
 * How long a lane rests at most before a claim looks at it again, in ms: so long may a limit act that was changed meanwhile,
 * or that another consumer of the group brought.
 */
export const MAX_REST_MS = 60_000

/** What the rules say of a lane. */
export function limitsOf(rules: LaneRules, lane: string): LaneLimits {
  const own = rules.names !== undefined && Object.hasOwn(rules.names, lane) ? rules.names[lane]! : {}
  const found = { ...own }
  const fitting = (rules.prefixes ?? []).filter(([prefix]) => lane.startsWith(prefix))
  fitting.sort(([a], [b]) => b.length - a.length)
  for (const limits of [...fitting.map(([, limits]) => limits), rules]) {
    found.concurrency ??= limits.concurrency
    found.rate ??= limits.rate
    found.weight ??= limits.weight
  }
  return found
}

/** What an engine knows of the bucket of a lane in a group: see {@link LaneRate}. */
export interface Bucket {
  full: number
  /** Since when it has waited for a token; 0: it does not. */
  waits: number
  /** Time has let the lane go. */
  woken: boolean
}

/** When a bucket has a token. Where time has let its lane go, what another rate charged is forgotten. */
export function tokenAt(bucket: Bucket, { count, perMs, burst = count }: LaneRate, now: number): number {
  const each = perMs / count
  const hasWaited = bucket.waits > 0 && bucket.waits + MAX_REST_MS <= now
  if (hasWaited || bucket.woken) bucket.full = Math.min(bucket.full, now + burst * each)
  if (hasWaited) bucket.waits = now
  return bucket.full - (burst - 1) * each
}

/** A message of the lane was delivered. */
export function takeToken(bucket: Bucket, { count, perMs }: LaneRate, now: number): void {
  const each = perMs / count
  bucket.full = Math.max(bucket.full, bucket.waits > 0 ? now - each : now) + each
  bucket.waits = 0
}

/**
 * Where a hold acts: on a lane of a group, on a lane in all groups (no `group`), on a group as a whole (no `lane`), or on
 * the queue (neither). Each of these places has one hold or none, and knows nothing of the others: what is held at several
 * of them goes on when the last is over.
 */
export interface HoldPlace {
  readonly group?: string | undefined
  readonly lane?: string | undefined
}

/** What is to be held, for how long, and why. */
export interface HoldRequest extends HoldPlace {
  /** How long, in ms. Default: until it is released. */
  readonly forMs?: number | undefined
  /** Why, to show: {@link MAX_ERROR_LENGTH} characters at most. */
  readonly reason?: string | undefined
  /**
   * When it is over because `forMs` is, one message goes first, in each group; the rest goes once that delivery was acked.
   * One that is retried, parked, cancelled, dies or loses its lease leaves that as it is: the next to go is alone again.
   * Leases from before are not the probe: they neither hinder it nor free the rest. Where several holds probe at once, one
   * delivery is the probe of all of them. A hold of all groups is over when each group that exists has had its ack.
   * Default `false`.
   */
  readonly probe?: boolean | undefined
}

/** Which hold is to end. */
export interface ReleaseRequest extends HoldPlace {
  /**
   * One message goes first, as with {@link HoldRequest.probe}; of a hold that probes already, this changes nothing. Default
   * `false`, whatever the hold said.
   */
  readonly probe?: boolean | undefined
}

/** A hold, or what is left of it while a probe is out. */
export interface Hold extends HoldPlace {
  readonly reason?: string | undefined
  /** Since when, on the storage's clock, in ms since 1970. */
  readonly since: number
  /** In how many ms it is over. Absent: when it is released, or while it probes. */
  readonly endsInMs?: number | undefined
  readonly probe: boolean
  /** It is over, and one message at a time goes until one was acked. */
  readonly probing?: true | undefined
}

/** Which lanes a storage is to list. */
export interface LanesQuery {
  readonly group: string
  /** Only lanes whose names start so. */
  readonly prefix?: string | undefined
  /** The most lanes to answer with. */
  readonly limit: number
  /** Where an earlier page ended. */
  readonly cursor?: string | undefined
}

/**
 * A lane in one group. Lanes that have nothing in the group and are not held, in it or in all, are not known. Messages without
 * a lane are in none.
 */
export interface LaneState {
  readonly lane: string
  /**
   * Messages that are neither leased nor done: ready, delayed, blocked or parked. One that was sent with a delay may count only
   * once it has taken its place in the lane, and one that has expired may count until a claim has found it. Of what other groups
   * have taken and a group would, or has yet to, take over, 1,000 count at least.
   */
  readonly waiting: number
  readonly leased: number
  /** In how many ms it may go again. Absent: it may go, has nothing ready, or rests until somebody settles or releases. */
  readonly restsForMs?: number | undefined
  /** The holds of the lane: in this group, and in all. Not those of the group or of the queue as a whole. */
  readonly holds: readonly Hold[]
}

/** A page of lanes. */
export interface LanesPage {
  /** By name, in the order of UTF-8 bytes. */
  readonly lanes: readonly LaneState[]
  /** Pass it on to read further. Absent: this was the last page. */
  readonly cursor?: string | undefined
}
