import {
  type Check,
  checkArray,
  checkCount,
  checkEach,
  checkOptions,
  checkSize,
  checkStoredText,
  checkText,
  inRange,
  invalid,
  nameOf,
} from '../check.ts'
import { type LaneRate, type LaneRules, MAX_LANE_BYTES, MAX_LANE_NAMES, MAX_LANE_RULES } from '../lanes.ts'
import { MAX_DURATION_MS } from '../storage.ts'

/** Which lanes a consumer takes from: those whose names start with a text, or those that are named. `undefined`: all. */
export type Only = string | readonly string[]

const MOST_WEIGHT = 1000

/** The name of a lane. */
export const checkLane: Check = nameOf(MAX_LANE_BYTES)

/** What names of lanes start with; the empty text is the start of all. */
export const checkPrefix: Check = (tried, what, prefix) => {
  checkText(tried, what, prefix)
  checkStoredText(tried, what, prefix as string, MAX_LANE_BYTES)
}

export const checkOnly: Check = (tried, what, only) => {
  if (typeof only === 'string') return checkPrefix(tried, what, only)
  checkEach(tried, what, only, checkLane, `a lane of ${what}`)
  checkSize(tried, what, 'names', (only as readonly string[]).length, MAX_LANE_NAMES)
}

const RATE = {
  count: checkCount,
  perMs: ((...given) => inRange('a number of ms, 1 or more', 1, MAX_DURATION_MS)(...given)) satisfies Check,
  burst: checkCount,
}

const checkRate: Check = (tried, what, rate) => {
  checkOptions(tried, rate, RATE, `${what}.`)
  const { count, perMs, burst = count } = rate as LaneRate
  RATE.count(tried, `${what}.count`, count)
  RATE.perMs(tried, `${what}.perMs`, perMs)
  if (burst > count)
    throw invalid(tried, `${what}.burst must not be more than ${what}.count (${count})`, burst)
}

const LIMITS = {
  concurrency: checkCount,
  rate: checkRate,
  weight: ((tried, what, weight) => {
    checkCount(tried, what, weight)
    if ((weight as number) > MOST_WEIGHT)
      throw invalid(tried, `${what} must be ${MOST_WEIGHT} or less`, weight)
  }) satisfies Check,
}

const checkLimits: Check = (tried, what, limits) => checkOptions(tried, limits, LIMITS, `${what}.`)

const RULES = {
  ...LIMITS,
  names: ((tried, what, names) => {
    if (typeof names !== 'object' || names === null || Symbol.iterator in names)
      throw invalid(tried, `${what} must be a plain object of limits (try Object.fromEntries)`, names)
    for (const [name, limits] of Object.entries(names)) {
      checkLane(tried, `a name of ${what}`, name)
      checkLimits(tried, `${what}[${JSON.stringify(name)}]`, limits)
    }
  }) satisfies Check,
  prefixes: ((tried, what, prefixes) => {
    checkArray(tried, what, prefixes)
    for (const [i, pair] of (prefixes as readonly unknown[]).entries()) {
      const at = `${what}[${i}]`
      checkArray(tried, at, pair)
      const [prefix, limits, ...rest] = pair as readonly unknown[]
      if (rest.length > 0) throw invalid(tried, `${at} must be a pair of a prefix and its limits`, pair)
      checkPrefix(tried, `${at}[0]`, prefix)
      checkLimits(tried, `${at}[1]`, limits)
    }
  }) satisfies Check,
}

/** Limits of lanes: each error has the path of what is wrong. */
export const checkRules: Check = (tried, what, rules) => {
  checkOptions(tried, rules, RULES, `${what}.`)
  const { names = {}, prefixes = [] } = rules as LaneRules
  const entries = Object.keys(names).length + prefixes.length
  checkSize(tried, what, 'names and prefixes together', entries, MAX_LANE_RULES)
}

/** A copy that nobody changes, so that storages may remember what they made of it. */
export function frozen<R extends LaneRules | Only>(rules: R | undefined): R | undefined {
  // Through JSON, as it goes to servers: all of it can.
  return rules && freeze(JSON.parse(JSON.stringify(rules)) as R)
}

function freeze<V>(value: V): V {
  if (typeof value === 'object' && value !== null) Object.values(value).forEach(freeze)
  return Object.freeze(value)
}
