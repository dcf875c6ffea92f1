import { cleared, corrupt, takenOver } from './faults.ts'
import type { Items } from './items.ts'
import { type Position, readPosition } from './position.ts'
import { seal } from './seal.ts'

/**
 * Who has the items: said by the item of the name. Whoever opens them takes them over, under keys that nobody else writes
 * (those of its **run**), and only then reads what is there. An owner before it looks, after each write, whether it still
 * is one: so what it wrote was either there to be read or is never acknowledged. That needs no compare-and-swap; only of two
 * that open at the same instant, in two processes, one may overlook the other.
 */
interface Head {
  readonly run: string
  /** The runs that may have been before it, the last one first: the first of them that has a position is the one. */
  readonly before: readonly string[]
}

/** Openings in this realm wait for each other, by name, so that none comes between another's reading and writing. */
const openings = new Map<string, Promise<unknown>>()

/** Runs one opening of a name after the other. */
export async function oneByOne<T>(name: string, open: () => Promise<T>): Promise<T> {
  const opening = (openings.get(name) ?? Promise.resolve()).then(open, open)
  openings.set(name, opening)
  try {
    return await opening
  } finally {
    if (openings.get(name) === opening) openings.delete(name)
  }
}

export class Owner {
  readonly run: string
  /** Where the run before it has come to, if there was one. */
  readonly before: { readonly run: string; readonly position: Position } | undefined
  readonly #items: Items
  readonly #head: string

  private constructor(items: Items, { run }: Head, head: string, before: Owner['before']) {
    this.#items = items
    this.run = run
    this.#head = head
    this.before = before
  }

  /** @param write Writes an item, and makes room if need be. */
  static async take(items: Items, write: (key: string, text: string) => Promise<void>): Promise<Owner> {
    const [key, spareKey] = [items.key(), items.key('next')]
    const main = (await items.read(key)) as Head | undefined
    const last = main ?? ((await items.read(spareKey)) as Head | undefined)
    if (last === undefined && (await items.get(key)) !== undefined)
      throw corrupt(items.name, key, 'it does not say who had it last')
    let before: readonly string[] = []
    if (last !== undefined) {
      // Where it never got to a position, what was before it counts.
      const isKnown = (await readPosition(items, last.run)) !== undefined
      before = isKnown ? [last.run] : [last.run, ...last.before]
    }
    const head: Head = { run: newRun(), before }
    const { text } = seal('', JSON.stringify(head))
    // One of the two is whole, whichever is torn, once there is one.
    if (main !== undefined || last === undefined) await write(spareKey, text)
    await write(key, text)
    for (const run of before) {
      const position = await readPosition(items, run)
      if (position !== undefined) return new Owner(items, head, text, { run, position })
    }
    return new Owner(items, head, text, undefined)
  }

  /** Rejects with `LOCKED` where somebody has taken over, and with `STORAGE_FAILED` where all was removed, after `ifGone`. */
  async confirm(ifGone?: () => Promise<void>): Promise<void> {
    const { name } = this.#items
    const head = await this.#items.get(this.#items.key())
    if (head === undefined) {
      await ifGone?.()
      throw cleared(name)
    }
    if (head !== this.#head) throw takenOver(name)
  }
}

/** Unlike all that were and will be; it is no secret. */
function newRun(): string {
  return `${Date.now().toString(36)}${Math.random().toString(36).slice(2)}`
}
