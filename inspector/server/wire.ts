// How payloads cross the wire: JSON, with a mark for what it has no word for. Both sides use this.

const BYTES = '$bytes'
const SHOWN = '$shown'
/** What is nested deeper, or a circle, is not shown. */
const DEEPEST = 100

/** What can be shown only: JSON does not bring it back. */
export class Shown {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }

  toJSON(): string {
    return this.text
  }
}

/** What `JSON.stringify` may be given for a value. */
export function toWire(value: unknown, depth = 0): unknown {
  if (value === undefined || value === null || typeof value === 'string' || typeof value === 'boolean')
    return value
  if (typeof value === 'number') return Number.isFinite(value) ? value : { [SHOWN]: String(value) }
  if (typeof value === 'bigint') return { [SHOWN]: String(value) }
  if (typeof value !== 'object') return { [SHOWN]: `(${typeof value})` }
  if (depth > DEEPEST) return { [SHOWN]: '…' }
  if (value instanceof Uint8Array) return { [BYTES]: toBase64(value) }
  if (Array.isArray(value)) return value.map((one) => toWire(one, depth + 1) ?? null)
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== null && prototype !== Object.prototype) return { [SHOWN]: textOf(value) }
  const entries = Object.entries(value).map(([name, one]): [string, unknown] => [
    name.startsWith('$') ? `$${name}` : name,
    toWire(one, depth + 1),
  ])
  return Object.fromEntries(entries)
}

/** The value that {@link toWire} was given. */
export function fromWire(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(fromWire)
  const { [BYTES]: bytes, [SHOWN]: shown } = value as Record<string, unknown>
  if (typeof bytes === 'string') return Uint8Array.from(atob(bytes), (letter) => letter.codePointAt(0)!)
  if (typeof shown === 'string') return new Shown(shown)
  const entries = Object.entries(value).map(([name, one]): [string, unknown] => [
    name.startsWith('$$') ? name.slice(1) : name,
    fromWire(one),
  ])
  return Object.fromEntries(entries)
}

/** What an object of some class is, in words. */
function textOf(value: object): string {
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString()
  if (value instanceof Map || value instanceof Set)
    return `${value.constructor.name} of ${value.size} entries`
  return Object.prototype.toString.call(value)
}

function toBase64(bytes: Uint8Array): string {
  let binary = ''
  for (let i = 0; i < bytes.length; i += 8192) binary += String.fromCharCode(...bytes.subarray(i, i + 8192))
  return btoa(binary)
}
