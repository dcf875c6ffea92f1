/**
 * The keys of a queue: `<prefix>/<queue>/<kind><time><number><random>`. A queue's name is escaped and has no slash, so
 * that queues of different prefixes have no key in common, whatever these are.
 *
 * Kinds sort so that one list shows first all that is known about messages, then the messages in the order in which they are
 * due, then the dead letters. A key is never written twice.
 */
export const GROUP = 'g'
export const RECORD = 'r'
export const SEGMENT = 's'
export const DEAD = 'x'

/** Nine digits of base 32 last until the year 3084. */
const TIME_DIGITS = 9
const NUMBER_DIGITS = 4
const RANDOM_DIGITS = 8
const LATEST = 32 ** TIME_DIGITS - 1

/** A queue's name of 256 bytes, escaped, would not fit a key of 512. */
const LONGEST_ESCAPED = 352

export function prefixOf(prefix: string, queue: string): string {
  const escaped = encodeURIComponent(queue)
  const long = (): string => `=${toBase64(new TextEncoder().encode(queue)).replaceAll('/', '-')}`
  return `${prefix}/${escaped.length <= LONGEST_ESCAPED ? escaped : long()}/`
}

/** What was escaped for {@link prefixOf}; `undefined` if it is no name of a queue. */
export function nameOf(escaped: string): string | undefined {
  try {
    const name = escaped.startsWith('=')
      ? new TextDecoder().decode(fromBase64(escaped.slice(1).replaceAll('-', '/')))
      : decodeURIComponent(escaped)
    return prefixOf('', name) === `/${escaped}/` ? name : undefined
  } catch {
    return undefined
  }
}

/** A key as a {@link KeyMaker} makes it. Whatever else lies under the prefix is not the queue's. */
export function isKey(key: string): boolean {
  return /^[grsx][\da-v]{21}$/.test(key)
}

/** Makes keys that sort in the order they are made, and differ from those of other isolates. */
export class KeyMaker {
  readonly #random: () => number
  #number = 0

  constructor(random: () => number) {
    this.#random = random
  }

  /** A key of a kind, without the queue's prefix. */
  make(kind: string, time: number): string {
    this.#number = (this.#number + 1) % 32 ** NUMBER_DIGITS
    return kind + digitsOf(time) + base32(this.#number, NUMBER_DIGITS) + this.token()
  }

  token(): string {
    return base32(Math.floor(this.#random() * 2 ** 20), 4) + base32(Math.floor(this.#random() * 2 ** 20), 4)
  }
}

/** What all keys of a time start with, behind their kind. */
export function digitsOf(time: number): string {
  return base32(Math.min(Math.max(0, Math.ceil(time)), LATEST), TIME_DIGITS)
}

export function timeOf(key: string): number {
  return Number.parseInt(key.slice(1, 1 + TIME_DIGITS), 32)
}

/** Where it stands in the queue: comparable between kinds. */
export function placeOf(key: string): string {
  return key.slice(1)
}

/** The part of a group's key that stands for the group in records and receipts. */
export function groupId(key: string): string {
  return key.slice(-NUMBER_DIGITS - RANDOM_DIGITS)
}

/** The token of one lease. Dead letters have none: their key says it all. */
export interface Receipt {
  readonly group: string
  readonly key: string
  readonly index: number
  readonly lease: string
}

export const NO_LEASE: string = '0'.repeat(RANDOM_DIGITS)

export function formatReceipt({ group, key, index, lease }: Receipt): string {
  return `${group}~${key}~${index}~${lease}`
}

export function parseReceipt(text: string): Receipt | undefined {
  const parts = /^([\da-v]{12})~([sx][\da-v]{21})~(0|[1-9]\d{0,5})~([\da-v]{8})$/.exec(text)
  return parts === null
    ? undefined
    : { group: parts[1]!, key: parts[2]!, index: Number(parts[3]), lease: parts[4]! }
}

function base32(value: number, digits: number): string {
  return value.toString(32).padStart(digits, '0')
}

export function toBase64(bytes: Uint8Array): string {
  const parts: string[] = []
  for (let i = 0; i < bytes.length; i += 0x8000) {
    parts.push(String.fromCharCode(...bytes.subarray(i, i + 0x8000)))
  }
  return btoa(parts.join(''))
}

export function fromBase64(text: string): Uint8Array {
  const units = atob(text)
  const bytes = new Uint8Array(units.length)
  for (let i = 0; i < units.length; i++) bytes[i] = units.charCodeAt(i)
  return bytes
}
