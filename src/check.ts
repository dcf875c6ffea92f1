import { QuaysideError } from './errors.ts'
import { MAX_NAME_BYTES } from './storage.ts'

/** Checks of what callers pass. Each throws before anything is stored, and says what was tried, the rule and the value. */

const encoder = new TextEncoder()
/** With the `u` flag, surrogates that form a pair are one character, and not of this class. */
const LONE_SURROGATE = /\p{Surrogate}/u

/** The length of a text in bytes of UTF-8. */
export function byteLength(text: string): number {
  return encoder.encode(text).length
}

function invalid(tried: string, rule: string, value: unknown): QuaysideError {
  return new QuaysideError('INVALID_ARGUMENT', `${tried}: ${rule}, not ${show(value)}`)
}

/** A value as an error message shows it. */
function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value)
  if (typeof value === 'function') return 'a function'
  if (Array.isArray(value)) return 'an array'
  if (typeof value === 'object' && value !== null) return 'an object'
  return String(value)
}

/** A name of a queue or group, an ordering key or an id. */
export function checkName(tried: string, what: string, name: unknown): void {
  if (typeof name !== 'string' || name === '')
    throw invalid(tried, `${what} must be a string that is not empty`, name)
  if (name.length * 3 > MAX_NAME_BYTES && byteLength(name) > MAX_NAME_BYTES) {
    throw new QuaysideError(
      'TOO_LARGE',
      `${tried}: ${what} may have ${MAX_NAME_BYTES} bytes of UTF-8, this one has ${byteLength(name)}: ${show(name)}`,
    )
  }
  if (LONE_SURROGATE.test(name))
    throw invalid(tried, `${what} must be well-formed Unicode, without lone surrogates`, name)
}

/** A duration in ms. */
export function checkMs(tried: string, what: string, ms: unknown): void {
  if (typeof ms !== 'number' || !(ms >= 0 && ms <= Number.MAX_SAFE_INTEGER)) {
    throw invalid(tried, `${what} must be a number of ms, 0 or more`, ms)
  }
}

export function checkPositiveMs(tried: string, what: string, ms: unknown): void {
  if (typeof ms !== 'number' || !(ms > 0 && ms <= Number.MAX_SAFE_INTEGER)) {
    throw invalid(tried, `${what} must be a number of ms, more than 0`, ms)
  }
}

export function checkCount(tried: string, what: string, count: unknown): void {
  if (!Number.isSafeInteger(count) || (count as number) < 1) {
    throw invalid(tried, `${what} must be a whole number, 1 or more`, count)
  }
}

export function checkFactor(tried: string, what: string, factor: unknown): void {
  if (typeof factor !== 'number' || !(factor >= 1 && factor < Infinity)) {
    throw invalid(tried, `${what} must be a number, 1 or more`, factor)
  }
}

export function checkBoolean(tried: string, what: string, value: unknown): void {
  if (typeof value !== 'boolean') throw invalid(tried, `${what} must be true or false`, value)
}

export function checkText(tried: string, what: string, value: unknown): void {
  if (typeof value !== 'string') throw invalid(tried, `${what} must be a string`, value)
}

export function checkFunction(tried: string, what: string, value: unknown): void {
  if (typeof value !== 'function') throw invalid(tried, `${what} must be a function`, value)
}

/** An object with these methods. */
export function checkMethods(
  tried: string,
  what: string,
  value: unknown,
  ...methods: readonly string[]
): void {
  const object = value as Record<string, unknown> | null | undefined
  if (methods.every((method) => typeof object?.[method] === 'function')) return
  throw invalid(tried, `${what} must have the methods ${methods.join(', ')}`, value)
}

export function checkSignal(tried: string, signal: unknown): void {
  checkMethods(tried, 'signal (an AbortSignal)', signal, 'throwIfAborted', 'addEventListener')
}

export function checkOneOf(tried: string, what: string, value: unknown, allowed: readonly string[]): void {
  if (!allowed.includes(value as string)) {
    throw invalid(tried, `${what} must be one of ${allowed.map(show).join(', ')}`, value)
  }
}

export function checkArray(tried: string, what: string, value: unknown): void {
  if (!Array.isArray(value)) throw invalid(tried, `${what} must be an array`, value)
}

export function checkIds(tried: string, ids: unknown): void {
  checkArray(tried, 'ids', ids)
  for (const id of ids as readonly unknown[]) checkName(tried, 'id', id)
}

/** Options must be an object that has no names but the known ones: a misspelt option must not be silently ignored. */
export function checkOptions(tried: string, options: unknown, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw invalid(tried, 'options must be an object', options)
  }
  for (const name in options) {
    if (!known.includes(name)) throw invalid(tried, `options are ${known.join(', ')}`, name)
  }
}
