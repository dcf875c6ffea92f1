/**
 * Plain data as JSON with bytes beside it: for rows, and for calls of the object, which cost twice as much as structured
 * clones.
 *
 * Most values are JSON as they are, and have no `bytes`. Where a value holds bytes, or `undefined` or `null` in an array,
 * which JSON has not or confuses, its `text` has marks, and must be walked to be read: `{"$":[from,to]}` stands for some of
 * `bytes`, `{"$":null}` for `null`, and `null` for `undefined`. Names of its own that start with `$` then start with `$$`.
 */
export interface Packed {
  readonly text: string
  readonly bytes?: Uint8Array | undefined
}

export function pack(value: unknown): Packed {
  if (isJson(value)) return { text: JSON.stringify(value) }
  const parts: Uint8Array[] = []
  let size = 0
  const mark = (part: unknown): unknown => {
    if (part === null) return { $: null }
    if (typeof part !== 'object') return part
    if (part instanceof Uint8Array) {
      parts.push(part)
      return { $: [size, (size += part.length)] }
    }
    if (Array.isArray(part)) return part.map(mark)
    return Object.fromEntries(
      Object.entries(part).map(([name, inner]) => [name.startsWith('$') ? `$${name}` : name, mark(inner)]),
    )
  }
  const text = JSON.stringify(mark(value) ?? null)
  const bytes = new Uint8Array(size)
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  return { text, bytes }
}

export function unpack({ text, bytes }: Packed): unknown {
  const value: unknown = JSON.parse(text)
  return bytes === undefined ? value : unmark(value, bytes)
}

/** What a parsed text with marks stands for, and the bytes beside it. */
export function unmark(part: unknown, bytes: Uint8Array): unknown {
  if (part === null) return undefined
  if (typeof part !== 'object') return part
  if (Array.isArray(part)) return part.map((one) => unmark(one, bytes))
  if ('$' in part) {
    if (part.$ === null) return null
    const [from, to] = part.$ as [number, number]
    return bytes.slice(from, to)
  }
  return Object.fromEntries(
    Object.entries(part).map(([name, inner]) => [
      name.startsWith('$') ? name.slice(1) : name,
      unmark(inner, bytes),
    ]),
  )
}

/** Whether JSON keeps it as it is. Properties that are `undefined` count as absent. */
function isJson(value: unknown): boolean {
  if (typeof value !== 'object') return value !== undefined
  if (value === null || value instanceof Uint8Array) return false
  if (Array.isArray(value)) {
    for (const element of value) if (typeof element !== 'string' && !isJson(element)) return false
    return true
  }
  for (const name in value) {
    const inner = (value as Record<string, unknown>)[name]
    if (typeof inner === 'object' && !isJson(inner)) return false
  }
  return true
}
