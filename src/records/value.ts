import type { Body, Held, Value } from '../storage.ts'

/** So much is copied of a payload, in parts and in units of its texts: as JSON, that is far from what a body may have. And how deep. */
const MOST = 4096
const DEEPEST = 32

/**
 * A payload that nobody has encoded: what would be left of it by JSON, in the hands of nobody else. It is what most payloads
 * are made of, plain objects and arrays that are not large. With others JSON has more to do than to copy them.
 */
export class Copied implements Value {
  readonly #part: Part
  /** For the storage that has it. */
  slot = 0

  private constructor(part: Part) {
    this.#part = part
  }

  /** `undefined`: it is for a codec to say what becomes of it. */
  static of(payload: unknown): Copied | undefined {
    if (typeof payload !== 'object' || payload === null || isLittered()) return undefined
    left = MOST
    try {
      const copied = copyOf(payload, DEEPEST, '')
      return copied === undefined || left < 0 ? undefined : new Copied(copied)
    } catch {
      // Something of it cannot be read: the codec says so.
      return undefined
    }
  }

  /** What a codec would have made of it. */
  get text(): string {
    return JSON.stringify(this.copy())
  }

  /** One for somebody who may change it. */
  copy(): unknown {
    return again(this.#part)
  }
}

/** Somebody has given all objects something that loops over their names come by. */
function isLittered(): boolean {
  for (const _ in Object.prototype) return true
  return false
}

/** How much more may be copied. */
let left = 0

/** An object or array: as flat as it is, with nothing yet where it has others, so that it is copied in one step; and those. */
interface Part {
  readonly flat: Flat
  readonly inner: Part | undefined
  /** Where it is, and what else is there. */
  readonly name: string | number
  readonly next: Part | undefined
}

type Flat = Record<string | number, unknown>

/** What JSON would make of an object. `undefined`: not this way. */
function copyOf(value: object, depth: number, name: string | number, next?: Part): Part | undefined {
  if (depth === 0 || --left < 0 || typeof (value as { toJSON?: unknown }).toJSON === 'function')
    return undefined
  let inner: Part | undefined
  if (Array.isArray(value)) {
    const items: unknown[] = []
    for (let i = 0; i < value.length; i++) {
      const item: unknown = value[i] ?? null
      if (typeof item === 'object' && item !== null) {
        if ((inner = copyOf(item, depth - 1, i, inner)) === undefined) return undefined
        items.push(null)
      } else {
        const copied = copyOfScalar(item)
        if (copied === undefined) return undefined
        items.push(copied)
      }
    }
    return { flat: items as unknown as Flat, inner, name, next }
  }
  // Others may be no plain objects to JSON, such as what JSON.rawJSON makes.
  if (Object.getPrototypeOf(value) !== Object.prototype) return undefined
  const flat: Flat = {}
  // Written one by one, since to spread them takes symbols, too.
  for (const own in value) {
    const field = (value as Flat)[own]
    if (field === undefined) continue
    left -= own.length
    if (own === '__proto__') return undefined
    if (typeof field === 'object' && field !== null) {
      if ((inner = copyOf(field, depth - 1, own, inner)) === undefined) return undefined
      flat[own] = null
    } else if ((flat[own] = copyOfScalar(field)) === undefined) return undefined
  }
  return { flat, inner, name, next }
}

function copyOfScalar(part: unknown): unknown {
  if (--left < 0) return undefined
  if (typeof part === 'string') {
    left -= part.length
    return part
  }
  // Neither infinite nor not a number; and there is no -0 in JSON.
  if (typeof part === 'number') return part - part === 0 ? part + 0 : undefined
  return typeof part === 'boolean' || part === null ? part : undefined
}

/** Of what was copied before, which has nothing to look out for. */
function again({ flat, inner }: Part): Flat {
  const copied = Array.isArray(flat) ? (flat.slice() as unknown as Flat) : Object.assign({}, flat)
  for (let part = inner; part !== undefined; part = part.next) copied[part.name] = again(part)
  return copied
}

export function isEncoded(held: Held): held is Body {
  return !(held instanceof Copied)
}
