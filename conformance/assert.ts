import type { ErrorCode } from '../src/core/index.ts'

/**
 * What a failed case throws.
 *
 * @example
 * ```ts
 * const broken = await run().catch((error) => error)
 * if (broken instanceof ConformanceError) console.log(broken.message) // which rule, what was expected and what came
 * ```
 */
export class ConformanceError extends Error {
  override readonly name = 'ConformanceError'
}

export function fail(message: string): never {
  throw new ConformanceError(message)
}

export function ok(condition: unknown, message: string): asserts condition {
  if (!condition) fail(message)
}

/** Compares plain data: properties that are `undefined` count as absent. */
export function equal(actual: unknown, expected: unknown, what: string): void {
  if (!same(actual, expected)) fail(`${what}: expected ${show(expected)}, got ${show(actual)}`)
}

/** Checks that a promise rejects with an error of this code. */
export async function rejects(promise: Promise<unknown>, code: ErrorCode, what: string): Promise<void> {
  let result: unknown
  try {
    result = await promise
  } catch (error) {
    equal((error as { code?: unknown }).code, code, `${what}: the code of the error`)
    return
  }
  fail(`${what}: expected a rejection with ${code}, got ${show(result)}`)
}

export function same(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (a instanceof Uint8Array || b instanceof Uint8Array) {
    return a instanceof Uint8Array && b instanceof Uint8Array && sameItems(a, b)
  }
  if (a instanceof Map || b instanceof Map) {
    return a instanceof Map && b instanceof Map && sameEntries(a, b)
  }
  if (Array.isArray(a) || Array.isArray(b)) {
    return Array.isArray(a) && Array.isArray(b) && sameItems(a, b)
  }
  const namesOfA = definedNames(a)
  const namesOfB = definedNames(b)
  return (
    namesOfA.length === namesOfB.length &&
    namesOfA.every((name) => Object.hasOwn(b, name) && same(valueOf(a, name), valueOf(b, name)))
  )
}

function sameItems(a: ArrayLike<unknown>, b: ArrayLike<unknown>): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (!same(a[i], b[i])) return false
  return true
}

function sameEntries(a: ReadonlyMap<unknown, unknown>, b: ReadonlyMap<unknown, unknown>): boolean {
  return a.size === b.size && [...a].every(([key, value]) => b.has(key) && same(value, b.get(key)))
}

function definedNames(value: object): string[] {
  return Object.keys(value).filter((name) => valueOf(value, name) !== undefined)
}

function valueOf(value: object, name: string): unknown {
  return (value as Record<string, unknown>)[name]
}

/** A value as messages show it: short, and with everything odd escaped. */
export function show(value: unknown): string {
  const text = JSON.stringify(value, (_, part: unknown) => {
    if (part instanceof Uint8Array) return `${part.length} bytes: ${part.subarray(0, 16).join(' ')}`
    if (part instanceof Map) return [...part]
    return typeof part === 'bigint' ? String(part) : part
  })
  if (text === undefined) return String(value)
  return text.length > 600 ? `${text.slice(0, 600)}… (${text.length} characters)` : text
}
