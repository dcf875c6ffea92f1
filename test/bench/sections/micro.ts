import { type Contestant, type Options, compete, heading, printRates } from '../harness.ts'
import { type Order, order } from '../payload.ts'

/** What single steps cost, to read the other tables with. */
export async function micro(options: Options): Promise<void> {
  heading('micro: what single steps cost, per message')
  const objects = Array.from({ length: 1000 }, (_, n) => order(n))
  const texts = objects.map((object) => JSON.stringify(object))
  const bytes = texts.map((text) => Buffer.from(text))
  const decoder = new TextDecoder()
  const encoder = new TextEncoder()
  const contestants = [
    each('make the payload', (i) => order(i).order),
    each('JSON.stringify', (i) => JSON.stringify(objects[i]).length),
    each('JSON.parse', (i) => (JSON.parse(texts[i]!) as Order).order),
    each('structuredClone', (i) => structuredClone(objects[i]!).order),
    each('copy of plain data by hand', (i) => copy(objects[i]!).order),
    each('TextEncoder.encode', (i) => encoder.encode(texts[i]).length),
    each('TextDecoder.decode', (i) => decoder.decode(bytes[i]).length),
    each('Buffer.byteLength', (i) => Buffer.byteLength(texts[i]!)),
    each('crypto.randomUUID', () => crypto.randomUUID().length),
    each('Date.now', () => Date.now() & 1),
    each('performance.now', () => performance.now() | 0),
    {
      name: 'await',
      role: 'part',
      setup: () => ({
        async step() {
          for (let i = 0; i < 1000; i++) await undefined
          return 1000
        },
      }),
    } satisfies Contestant,
  ]
  printRates(await compete(contestants, options))
}

let sink = 0

function each(name: string, work: (i: number) => number): Contestant {
  return {
    name,
    role: 'part',
    setup: () => ({
      step() {
        for (let i = 0; i < 1000; i++) sink += work(i)
        return 1000
      },
    }),
  }
}

/** Plain JSON data copied value by value; anything else throws, as a queue must before it stores. */
function copy<T>(value: T): T {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value
    case 'number':
      if (!Number.isFinite(value)) throw new TypeError('not JSON')
      return value
    case 'object':
      break
    default:
      throw new TypeError('not JSON')
  }
  if (value === null) return value
  if (Array.isArray(value)) return value.map(copy) as T
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) throw new TypeError('not JSON')
  const result: Record<string, unknown> = {}
  for (const key of Object.keys(value)) result[key] = copy((value as Record<string, unknown>)[key])
  return result as T
}
