/**
 * What something should look like: of objects the named parts, of arrays each element; a `RegExp` for a text; a function that
 * answers whether it is right; anything else by its value.
 */
export type Pattern<X> =
  | X
  | ((value: X) => boolean)
  | (X extends string ? RegExp : never)
  | (X extends object ? { readonly [K in keyof X]?: Pattern<X[K]> } : never)

/** Whether a value looks so. */
export function matches(value: unknown, pattern: unknown): boolean {
  if (typeof pattern === 'function') return (pattern as (value: unknown) => boolean)(value)
  if (pattern instanceof RegExp) return typeof value === 'string' && pattern.test(value)
  if (!isObject(pattern) || !isObject(value)) return Object.is(value, pattern)
  if (pattern instanceof Date) return value instanceof Date && Object.is(value.getTime(), pattern.getTime())
  if (Array.isArray(pattern) || ArrayBuffer.isView(pattern)) {
    const [ours, theirs] = [Object.values(pattern), Object.values(value)]
    const alike = Object.getPrototypeOf(pattern) === Object.getPrototypeOf(value)
    return alike && ours.length === theirs.length && ours.every((part, i) => matches(theirs[i], part))
  }
  return Object.entries(pattern).every(([name, part]) =>
    matches((value as Record<string, unknown>)[name], part),
  )
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

/** As an error text shows it. */
export function show(value: unknown): string {
  const text = JSON.stringify(value, (_, part: unknown) => {
    if (typeof part === 'function' || part instanceof RegExp || typeof part === 'bigint') return String(part)
    return ArrayBuffer.isView(part) ? `${part.byteLength} bytes` : part
  })
  return text === undefined ? String(value) : text.length > 300 ? `${text.slice(0, 300)}…` : text
}
