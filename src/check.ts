import { QuaysideError } from './errors.ts'
import { MAX_DURATION_MS, MAX_NAME_BYTES } from './storage.ts'

/**
 * Checks one value that a caller passed. Throws before anything is stored, and says what was tried, the rule and the
 * value.
 */
export type Check = (tried: string, what: string, value: unknown) => void

/** Checks of options, by their names. */
export type Checks = Readonly<Record<string, Check>>

const encoder = typeof TextEncoder === 'undefined' ? undefined : new TextEncoder()
/** With the `u` flag, surrogates that form a pair are one character, and not of this class. */
const LONE_SURROGATE = /\p{Surrogate}/u

/** The length of a text in bytes of UTF-8. */
export function byteLength(text: string): number {
  if (encoder !== undefined) return encoder.encode(text).length
  let bytes = 0
  for (const character of text) {
    const point = character.codePointAt(0)!
    bytes += point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4
  }
  return bytes
}

/** A value as an error message shows it. */
function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value)
  if (typeof value === 'function') return 'a function'
  if (Array.isArray(value)) return 'an array'
  if (typeof value === 'object' && value !== null) return 'an object'
  return String(value)
}

export function invalid(tried: string, rule: string, value: unknown): QuaysideError {
  return new QuaysideError('INVALID_ARGUMENT', `${tried}: ${rule}, not ${show(value)}`)
}

/** What the functions of `quayside/lean`, for one, are given first; bundlers may make several copies of a module. */
export const MADE_HERE = 'must be one of this copy of quayside'

/** A check that says what a value must be. */
export function mustBe(rule: string, holds: (value: unknown) => boolean): Check {
  return (tried, what, value) => {
    if (!holds(value)) throw invalid(tried, `${what} must be ${rule}`, value)
  }
}

export function inRange(rule: string, least: number, most: number): Check {
  return mustBe(rule, (value) => typeof value === 'number' && value >= least && value <= most)
}

function ofType(rule: string, type: string): Check {
  return mustBe(rule, (value) => typeof value === type)
}

const YEARS = `and ${MAX_DURATION_MS} (100 years) at most: a duration, and no time such as Date.now()`

/** A duration in ms. */
export const checkMs: Check = inRange(`a number of ms, 0 or more ${YEARS}`, 0, MAX_DURATION_MS)
export const checkPositiveMs: Check = inRange(
  `a number of ms, more than 0 ${YEARS}`,
  Number.MIN_VALUE,
  MAX_DURATION_MS,
)

/** How long to wait, in ms. What is meant for ever, is: nothing of it is stored. */
export const checkWaitMs: Check = unlessForEver(checkMs)
export const checkPositiveWaitMs: Check = unlessForEver(checkPositiveMs)

function unlessForEver(check: Check): Check {
  return (tried, what, value) => {
    if (value !== Infinity && value !== Number.MAX_SAFE_INTEGER) check(tried, what, value)
  }
}

/** A time in ms since 1970. */
export const checkTime: Check = (...given) => {
  inRange('a time in ms since 1970, such as Date.now() + 25_000', 0, Number.MAX_SAFE_INTEGER)(...given)
}
const checkFactor: Check = inRange('a number, 1 or more', 1, Number.MAX_VALUE)
export const checkCount: Check = mustBe(
  'a whole number, 1 or more',
  (value) => Number.isSafeInteger(value) && (value as number) > 0,
)
export const checkBoolean: Check = ofType('true or false', 'boolean')
export const checkText: Check = ofType('a string', 'string')
export const checkFunction: Check = ofType('a function', 'function')
/** For options that somebody else checks. */
export const checkNothing: Check = () => {}
export const checkArray: Check = mustBe('an array', Array.isArray)

/** An object with these methods. */
export function mustHave(...methods: readonly string[]): Check {
  return mustBe(`an object with the methods ${methods.join(', ')}`, (value) =>
    methods.every((name) => typeof (value as Record<string, unknown> | null)?.[name] === 'function'),
  )
}

export const checkObject: Check = (tried, what, value) => {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalid(tried, `${what} must be an object`, value)
}

/** Something of this package, known by a method of it. */
export function mustBeOurs(kind: string, method: string): Check {
  return (tried, what, value) => {
    if (typeof (value as Record<string, unknown> | null | undefined)?.[method] !== 'function')
      throw invalid(tried, `${what} must be ${kind}`, value)
  }
}

export const checkQueue: Check = (...given) => mustBeOurs('a Queue', 'createProducer')(...given)

export function mustBeOneOf(...allowed: readonly string[]): Check {
  return mustBe(`one of ${allowed.map(show).join(', ')}`, (value) => allowed.includes(value as string))
}

export const checkSignal: Check = (tried, what, value) => {
  mustHave('addEventListener')(tried, `${what} (an AbortSignal)`, value)
}

/** What a runtime must have, by the names of its globals. */
export function checkGlobals(tried: string, names: readonly string[]): void {
  const missing = names.filter((name) => !(name in globalThis))
  if (missing.length > 0)
    throw new QuaysideError(
      'UNSUPPORTED',
      `${tried}: this runtime has no ${missing.join(', ')}; import a polyfill before (see docs/storage-key-value.md)`,
    )
}

/** Every element of an array. */
export function checkEach(
  tried: string,
  what: string,
  values: unknown,
  check: Check,
  one: string = what,
): void {
  checkArray(tried, what, values)
  for (const value of values as readonly unknown[]) check(tried, one, value)
}

/** A text that a storage keeps as it is. */
export function checkStoredText(tried: string, what: string, text: string, most: number): void {
  if (text.length * 3 > most)
    checkSize(tried, `${what} ${show(text)}`, 'bytes of UTF-8', byteLength(text), most)
  if (LONE_SURROGATE.test(text))
    throw invalid(tried, `${what} must be well-formed Unicode, without lone surrogates`, text)
}

/** A check of names of up to so many bytes. */
export function nameOf(most: number): Check {
  return (tried, what, name) => {
    if (typeof name !== 'string' || name === '')
      throw invalid(tried, `${what} must be a string that is not empty`, name)
    checkStoredText(tried, what, name, most)
  }
}

/** A name of a queue or group, an ordering key or an id. */
export const checkName: Check = nameOf(MAX_NAME_BYTES)

export const checkIds: Check = (tried, what, ids) => checkEach(tried, what, ids, checkName, 'id')

const DELIVERED: Checks = { queue: checkName, group: checkName, id: checkName, timestamp: checkTime }

/** A message as it was delivered, or as much of it as tells it from all others. */
export function checkDelivered(tried: string, message: unknown): void {
  checkObject(tried, 'message', message)
  for (const [name, check] of Object.entries(DELIVERED))
    check(tried, `message.${name}`, (message as Record<string, unknown>)[name])
}

/** Refuses what has more than `most` of something. */
export function checkSize(tried: string, what: string, unit: string, size: number, most: number): void {
  if (size <= most) return
  throw new QuaysideError('TOO_LARGE', `${tried}: ${what} may have ${most} ${unit}, and has ${size}`)
}

/**
 * Options must be an object that has no names but the known ones: a misspelt option must not be silently ignored. Those
 * that are there are checked, each by its own check.
 */
export function checkOptions(tried: string, options: unknown, checks: Checks, what = ''): void {
  checkObject(tried, `${what}options`, options)
  for (const name in options as object) {
    if (!Object.hasOwn(checks, name))
      throw invalid(tried, `${what}options are ${Object.keys(checks).join(', ')}`, name)
    const value = (options as Record<string, unknown>)[name]
    if (value !== undefined) checks[name]!(tried, what + name, value)
  }
}

const RETRY = { maxAttempts: checkCount, initialMs: checkMs, maxMs: checkMs, factor: checkFactor }

/** A retry policy. */
export const checkRetry: Check = (tried, what, policy) => checkOptions(tried, policy, RETRY, `${what}.`)
