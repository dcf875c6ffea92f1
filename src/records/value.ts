import type { Body, Held, Value } from '../storage.ts'

/** So much is copied of a payload, in parts and in units of its texts: as JSON, that is far from what a body may have. And how deep. */
const MOST = 4096
const DEEPEST = 32

/**
 * A payload that nobody has encoded: what would be left of it by JSON, in the hands of nobody else. It is what most payloads
 * are made of, plain objects and arrays that are not large. With others JSON has more to do than to copy them.
 */
export class Copied implements Value {
  readonly #payload: object
  /** For the storage that has it. */
  slot = 0

  private constructor(payload: object) {
    this.#payload = payload
  }

  /** `undefined`: it is for a codec to say what becomes of it. */
  static of(payload: unknown): Copied | undefined {
    if (typeof payload !== 'object' || payload === null || isLittered()) return undefined
    left = MOST
    try {
      const copied = copyOf(payload, DEEPEST)
      return copied === undefined || left < 0 ? undefined : new Copied(copied)
    } catch {
      // Something of it cannot be read: the codec says so.
      return undefined
    }
  }

  /** What a codec would have made of it. */
  get text(): string {
    return JSON.stringify(this.#payload)
  }

  /** One for somebody who may change it. */
  copy(): unknown {
    return isLittered() ? JSON.parse(this.text) : again(this.#payload)
  }
}

/** Somebody has given all objects something that loops over their names come by. */
function isLittered(): boolean {
  for (const _ in Object.prototype) return true
  return false
}

/** How much more may be copied. */
let left = 0

/** What JSON would make of an object. `undefined`: not this way. */
function copyOf(value: object, depth: number): object | undefined {
  if (depth === 0 || typeof (value as { toJSON?: unknown }).toJSON === 'function') return undefined
  if (Array.isArray(value)) return copyOfItems(value, depth)
  // Others may be no plain objects to JSON, such as what JSON.rawJSON makes.
  if (Object.getPrototypeOf(value) !== Object.prototype) return undefined
  const fields: Record<string, unknown> = {}
  // Written one by one, which engines do quicker than to spread objects of many shapes.
  for (const name in value) {
    const field = (value as Record<string, unknown>)[name]
    if (field === undefined) continue
    const copied = copyOfPart(field, depth)
    left -= name.length
    if (copied === undefined || name === '__proto__') return undefined
    fields[name] = copied
  }
  return fields
}

function copyOfItems(value: readonly unknown[], depth: number): unknown[] | undefined {
  const items: unknown[] = []
  for (let i = 0; i < value.length; i++) {
    const copied = copyOfPart(value[i] ?? null, depth)
    if (copied === undefined) return undefined
    items.push(copied)
  }
  return items
}

function copyOfPart(part: unknown, depth: number): unknown {
  if (--left < 0) return undefined
  switch (typeof part) {
    case 'string':
      left -= part.length
      return part
    case 'number':
      // Neither infinite nor not a number; and there is no -0 in JSON.
      return part - part === 0 ? part + 0 : undefined
    case 'boolean':
      return part
    case 'object':
      return part === null ? null : copyOf(part, depth - 1)
    default:
      return undefined
  }
}

/** Of what was copied before, which has nothing to look out for. */
function again(part: unknown): unknown {
  if (typeof part !== 'object' || part === null) return part
  if (Array.isArray(part)) {
    const items: unknown[] = []
    for (let i = 0; i < part.length; i++) items.push(again(part[i]))
    return items
  }
  const fields: Record<string, unknown> = {}
  for (const name in part) fields[name] = again((part as Record<string, unknown>)[name])
  return fields
}

export function isEncoded(held: Held): held is Body {
  return !(held instanceof Copied)
}
