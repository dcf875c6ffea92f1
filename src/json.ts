/** What is lost of a payload, and where. */
export interface Loss {
  /** As in code: `.items[2].when`. */
  readonly path: string
  readonly why: string
}

/**
 * The first part of a payload of which JSON would keep nothing, or something else, without a word.
 *
 * JSON's well-known rules stay: what is `undefined` is dropped (and is `null` in an array), and `toJSON` speaks for what has
 * it. Written by hand, because a replacer makes `JSON.stringify` several times slower.
 *
 * @param above Given where there may be a cycle: what encloses the value.
 */
export function findLoss(value: unknown, above?: readonly unknown[]): Loss | undefined {
  switch (typeof value) {
    case 'string':
      return undefined
    case 'number':
      return Number.isFinite(value) ? undefined : loss(`${value} would become null`)
    case 'object':
      return value === null ? undefined : inObject(value, above)
    case 'boolean':
    case 'undefined':
      return undefined
    default:
      return hasToJson(value)
        ? undefined
        : loss(`JSON has no ${typeof value === 'bigint' ? 'BigInt' : typeof value}`)
  }
}

function inObject(value: object, above: readonly unknown[] | undefined): Loss | undefined {
  if (above?.includes(value)) return loss('it contains itself, and JSON has nothing circular')
  const inside = above && [...above, value]
  if (hasToJson(value)) return inJson(value, inside)
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      const found = findLoss(value[i], inside)
      if (found !== undefined) return { ...found, path: `[${i}]${found.path}` }
    }
    return undefined
  }
  return isPlain(value) ? inFields(value, inside) : inInstance(value)
}

function inFields(value: object, inside: readonly unknown[] | undefined): Loss | undefined {
  for (const name in value) {
    const found = findLoss((value as Record<string, unknown>)[name], inside)
    // JSON passes over what others have put on prototypes.
    if (found !== undefined && Object.hasOwn(value, name) && !(name === 'toJSON' && hasToJson(value)))
      return { ...found, path: `${stepTo(name)}${found.path}` }
  }
  return undefined
}

function hasToJson(value: unknown): value is { toJSON: () => unknown } {
  return typeof (value as { toJSON?: unknown }).toJSON === 'function'
}

function inJson(value: { toJSON: () => unknown }, inside: readonly unknown[] | undefined): Loss | undefined {
  // Most are dates, and to make texts of them takes long.
  if (value instanceof Date && Number.isFinite(value.getTime())) return undefined
  const json = value.toJSON()
  if (json === null && tagOf(value) === 'Date') return loss('a Date without a time would become null')
  // Some answer with themselves: then their fields are written.
  return json === value ? inFields(value, inside) : findLoss(json, inside)
}

/** Made by a literal, in this realm or another, or without a prototype. */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return (
    prototype === Object.prototype ||
    prototype === null ||
    // Only the Object.prototype of a realm has this method.
    (Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype as object, 'isPrototypeOf'))
  )
}

function inInstance(value: object): Loss | undefined {
  const tag = tagOf(value)
  // JSON unwraps them.
  if (tag === 'String' || tag === 'Boolean') return undefined
  if (tag === 'Number') return findLoss(Number(value))
  if (typeof (value as { then?: unknown }).then === 'function')
    return loss('JSON would make an empty object of a promise: await it')
  const name = (value as { constructor?: { name?: unknown } }).constructor?.name
  const kind = typeof name === 'string' && name !== '' && name !== 'Object' ? name : tag
  return loss(
    `JSON would lose what a ${kind} is: send a plain object (Object.fromEntries), an array or a text, or give it toJSON(); bytes go alone, as a Uint8Array`,
  )
}

/** What it says that it is. */
export function tagOf(value: object): string {
  return Object.prototype.toString.call(value).slice('[object '.length, -1)
}

function stepTo(name: string): string {
  return /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(name) ? `.${name}` : `[${JSON.stringify(name)}]`
}

function loss(why: string): Loss {
  return { path: '', why }
}

/** Also of another realm, as those of jsdom and of iframes are. */
export function isBytes(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array || (ArrayBuffer.isView(value) && tagOf(value) === 'Uint8Array')
}
